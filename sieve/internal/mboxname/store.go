package mboxname

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Store is what a mail store of Dovecot makes of names. The zero value is a
// maildir with the separator ".", as mail_location = maildir:DIR has it.
type Store struct {
	Separator byte // 0: "." in maildir++, "/" in fs
	FS        bool // LAYOUT=fs: a directory for each level
	UTF8      bool // names are stored as UTF-8, not in IMAP's UTF-7
	Either    bool // FS or not: refused is what both refuse
	Any       bool // nothing is known of the store: every name is taken
}

// maxFile is how many octets the name of a file can have.
const maxFile = 255

// Refused says why the store refuses a mailbox name, with or without :create,
// as Dovecot 2.3 and 2.4 do; nil where it takes it.
func (s Store) Refused(name string) error {
	if s.Any || name == "" || plain(name, s.Separator) || Same(name, Inbox) {
		return nil
	}
	if s.Either {
		s.Either, s.FS = false, false
		fs := s
		fs.FS = true
		if err := s.Refused(name); err == nil || fs.Refused(name) == nil {
			return nil
		} else {
			return err
		}
	}
	inner, outer := byte('.'), s.Separator
	if s.FS {
		inner = '/'
	}
	if outer == 0 {
		outer = inner
	}
	refuse := func(why string) error { return fmt.Errorf("mailbox %.60q is refused by the store: %s", name, why) }
	if name[0] == '~' {
		return refuse("it begins with ~")
	}
	if i := strings.IndexFunc(name, func(c rune) bool { return c < ' ' }); i >= 0 {
		return refuse("it has a control character")
	}
	for _, c := range []byte{inner, '/'} {
		if c != outer && strings.IndexByte(name, c) >= 0 {
			return refuse(fmt.Sprintf("it has %q, and the separator is %q", c, outer))
		}
	}
	length := 1
	for level := range strings.SplitSeq(name, string(outer)) {
		size := s.size(level)
		length += size + 1
		switch {
		case level == "":
			return refuse("a level of it is empty")
		case s.FS && (level == "." || level == ".." || level == "cur" || level == "new" || level == "tmp"):
			return refuse(fmt.Sprintf("a level of it is %q", level))
		case s.FS && size > maxFile:
			return refuse("a level of it is too long")
		}
	}
	// maildir++ has one directory for all levels: ".a.b".
	if !s.FS && length-1 > maxFile {
		return refuse("it is too long")
	}
	return nil
}

// plain reports whether every store takes a name: a short one of a single level of
// letters, digits and spaces that is none of a maildir's own.
func plain(name string, separator byte) bool {
	if len(name) <= 3 || len(name) > 64 {
		return false // "cur", "new", "tmp"
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; (c|0x20 < 'a' || 'z' < c|0x20) && (c < '0' || '9' < c) && c != ' ' || c == separator {
			return false
		}
	}
	return true
}

// size is how many octets the name of a level has in the file system: in UTF-7
// of IMAP (RFC 3501 section 5.1.3) what isn't ASCII comes in base64 of UTF-16.
func (s Store) size(level string) int {
	if s.UTF8 {
		return len(level)
	}
	n, units := 0, 0
	flush := func() {
		if units > 0 {
			n += (16*units+5)/6 + len("&-")
		}
		units = 0
	}
	for level != "" {
		c, size := utf8.DecodeRuneInString(level)
		level = level[size:]
		if c < ' ' || c > '~' {
			units += utf16.RuneLen(c)
			continue
		}
		flush()
		if n++; c == '&' {
			n++
		}
	}
	flush()
	return n
}

// Strange says what is wrong with a name in the stores with the usual separators,
// "." and "/"; "" where one of them takes it as it stands.
func Strange(name string) string {
	switch {
	case name == "" || Same(name, Inbox) || strings.IndexByte(name, 0) > 0:
		return ""
	case name[0] == '~':
		return "begins with ~"
	case strings.IndexFunc(name, func(c rune) bool { return c < ' ' }) >= 0:
		return "has a control character"
	case strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, ".."),
		strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") || strings.Contains(name, "//"):
		return "has an empty level"
	case (Store{}).size(name) > maxFile-1:
		return "is too long for a maildir"
	}
	return ""
}
