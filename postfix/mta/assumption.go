package mta

import (
	"slices"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// Assumption is something on a message's way whose answer only another
// program has, or a table that can't be read here, and what the [Decision]
// takes the answer to be.
type Assumption struct {
	// Setting is the parameter, or the restriction as it is written:
	// "smtpd_milters", "check_policy_service unix:private/policy".
	Setting string
	// File and Line are where it stands, as in [Step].
	File string
	Line int
	// Asked is what it is asked for: an address, a domain; empty for the message
	// as a whole.
	Asked string
	// Assumed is the answer that the Decision goes on with, in words.
	Assumed string
}

// String says it in one line.
func (u Assumption) String() string {
	s := u.Setting
	if at := (place{u.File, u.Line}); u.File != "" && u.File != u.Setting {
		s += " at " + at.String()
	}
	if u.Asked != "" {
		s += " (" + u.Asked + ")"
	}
	return s + ": taken for " + u.Assumed
}

// depends notes that the decision hangs on something.
func (w *Way) depends(setting string, at place, asked, assumed string) {
	u := Assumption{Setting: setting, File: at.file, Line: at.line, Asked: asked, Assumed: assumed}
	if !slices.Contains(*w.assumed, u) {
		*w.assumed = append(*w.assumed, u)
	}
}

// find searches the tables of a parameter for an address (mail_addr_find(3)).
// Tables that can't be read are noted; they are taken for empty.
func (w *Way) find(l *tableList, address string) (postfix.Hit, bool) {
	if l == nil || address == "" {
		return postfix.Hit{}, false
	}
	l.unknown(w, address)
	return w.took(w.e.addresses.Address(l.asked, address))
}

// unknown notes tables that can't be read.
func (l *tableList) unknown(w *Way, asked string) {
	for _, o := range l.opaque {
		w.depends(l.name+" "+o, l.at, asked, "no entry")
	}
}
