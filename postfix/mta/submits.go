package mta

import (
	"path"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// Submits reports whether a pipe(8) service hands mail back to sendmail(1), as
// the content filters of FILTER_README's simple kind do. Known is false where
// only the program itself knows.
func Submits(sv postfix.Service) (yes, known bool) {
	i := slices.IndexFunc(sv.Args, func(a string) bool { return strings.HasPrefix(a, "argv=") })
	if i < 0 {
		return false, false
	}
	argv := slices.Clone(sv.Args[i:])
	argv[0] = strings.TrimPrefix(argv[0], "argv=")
	for _, a := range argv {
		for _, word := range strings.FieldsFunc(a, func(r rune) bool { return strings.ContainsRune(" \t\"';|&=", r) }) {
			if name := path.Base(word); name == "sendmail" || strings.HasPrefix(name, "sendmail.") || name == "postdrop" {
				return true, true
			}
		}
	}
	// Programs that deliver to a mailbox or to another server: nothing comes back.
	return false, slices.Contains([]string{"dovecot-lda", "deliver", "maildrop", "procmail", "cyrdeliver", "uux", "bsmtp", "lmtp"},
		path.Base(argv[0]))
}
