package sieve

import (
	"github.com/oxmailroute/oxmailroute/sieve/internal/mboxname"
)

// specialUse returns a special-use attribute (RFC 6154 section 6).
func (r *reader) specialUse(s *synString, report func(int32, string, ...any)) string {
	text, literal := r.text(s)
	if literal && !mboxname.ValidSpecialUse(text) {
		report(s.off, `%q is not a special-use attribute, such as "\\Junk"`, text)
	}
	return text
}

// MailboxExists holds where every one of the mailboxes is there and messages
// can be stored in it (RFC 5490 section 3.1).
type MailboxExists struct{ Mailboxes []string }

func (MailboxExists) test() {}

// Metadata holds where the annotation of the mailbox compares true with one of
// the Keys (RFC 5490 section 4).
type Metadata struct {
	Mailbox    string
	Annotation string
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Keys       []string
}

// ServerMetadata is [Metadata] with an annotation of the server (RFC 5490
// section 5).
type ServerMetadata struct {
	Annotation string
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Keys       []string
}

// MetadataExists holds where the mailbox has every one of the annotations (RFC
// 5490 section 4).
type MetadataExists struct {
	Mailbox     string
	Annotations []string
}

// ServerMetadataExists holds where the server has every one of the annotations
// (RFC 5490 section 5).
type ServerMetadataExists struct{ Annotations []string }

// SpecialUseExists holds where every one of the special-use attributes is on a
// mailbox of the user, or where Mailbox is given, on that one (RFC 8579 section
// 3).
type SpecialUseExists struct {
	Mailbox    *string
	Attributes []string
}

func (Metadata) test() {}

func (ServerMetadata) test() {}

func (MetadataExists) test() {}

func (ServerMetadataExists) test() {}

func (SpecialUseExists) test() {}

func (r *reader) specialUseExists(n *synNode, args []synArg) Test {
	var t SpecialUseExists
	if len(args) == 2 {
		mailbox := r.str(&args[0])
		t.Mailbox = &mailbox
	}
	start := len(r.list)
	list := &args[len(args)-1]
	for i := range r.strings(list) {
		r.list = append(r.list, r.specialUse(&r.strs[list.first+int32(i)], r.softf))
	}
	t.Attributes = r.list[start:len(r.list):len(r.list)]
	return t
}
