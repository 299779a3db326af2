package interp

import (
	"fmt"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/mboxname"
)

// metadata returns an annotation of a mailbox, or of the server.
func (r *run) metadata(mailbox, annotation string) (string, bool) {
	if r.in.Mailboxes == nil {
		return "", false
	}
	return r.in.Mailboxes.Metadata(mailbox, annotation)
}

// validAnnotation reports whether it is the name of an annotation (RFC 5464
// section 4), as the server has it: what comes before a NUL, of US-ASCII.
func validAnnotation(name string) bool {
	name, _, _ = strings.Cut(name, "\x00")
	if !strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") || strings.Contains(name, "//") ||
		strings.IndexFunc(name, func(c rune) bool { return c < 0x1a || c == '*' || c == '%' || c >= 0x80 }) >= 0 {
		return false
	}
	first, _, _ := strings.Cut(name[1:], "/")
	return strings.EqualFold(first, "private") || strings.EqualFold(first, "shared")
}

// annotated reports whether a mailbox can have annotations; one that isn't there
// fails the script.
func (r *run) annotated(mailbox string) bool {
	if mboxname.Check(mailbox) != nil {
		return false
	}
	if mailbox == "" || !r.mailboxExists(mailbox) {
		r.failed = fmt.Errorf("mailbox %.60q, of which an annotation is asked for, doesn't exist", mailbox)
		return false
	}
	return true
}

// metadataTest is metadata or servermetadata (RFC 5490 sections 4 and 5).
type metadataTest struct {
	step       int
	mailbox    text
	annotation text
	match      *matcher
	server     bool
}

func (c *metadataTest) eval(r *run) bool {
	mailbox := ""
	if !c.server {
		mailbox = r.str(&c.mailbox)
	}
	name := r.str(&c.annotation)
	if !validAnnotation(name) || !c.server && !r.annotated(mailbox) {
		return r.failed == nil && r.note(c.step, false, []byte(name))
	}
	values := r.list[:0]
	if v, ok := r.metadata(mailbox, name); ok {
		values = append(values, value{text: []byte(v)})
	}
	r.list = values
	return r.compare(c.step, c.match, values)
}

// metadataExistsTest is metadataexists or servermetadataexists.
type metadataExistsTest struct {
	step        int
	mailbox     text
	annotations []text
	server      bool
}

func (c *metadataExistsTest) eval(r *run) bool {
	mailbox := ""
	if !c.server {
		mailbox = r.str(&c.mailbox)
	}
	for i := range c.annotations {
		name := r.str(&c.annotations[i])
		if r.spend(64 + 8*len(name)); r.failed != nil {
			return false
		}
		if !validAnnotation(name) || !c.server && !r.annotated(mailbox) {
			return r.failed == nil && r.note(c.step, false, []byte(name))
		}
		if _, ok := r.metadata(mailbox, name); !ok {
			return r.note(c.step, false, []byte(name))
		}
	}
	return r.note(c.step, true, nil)
}
