package sieve

import (
	"fmt"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
)

// Envelope holds where an address of the SMTP envelope compares true with one
// of the Keys (RFC 5228 section 5.4). Fields are "from" and "to", in any case;
// Pigeonhole has "auth" too.
type Envelope struct {
	Fields     []string
	Part       AddressPart
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Keys       []string
}

func (Envelope) test() {}

func (r *reader) envelopeFields(a *synArg, m matching) []string {
	start := len(r.list)
	for _, s := range r.strings(a) {
		name, literal := r.text(&s)
		switch {
		case !literal || isEnvelopeField(name):
		case !strings.EqualFold(name, "auth"):
			r.errorf(s.off, `envelope field %q is %w: use "from" or "to"`, name, ErrUnsupported)
		case m.part != "":
			r.errorf(s.off, `envelope field "auth" is no address: remove the tag :%s`, string(m.part))
		}
		r.list = append(r.list, name)
	}
	return r.list[start:len(r.list):len(r.list)]
}

func isEnvelopeField(name string) bool {
	return strings.EqualFold(name, "from") || strings.EqualFold(name, "to")
}

func (c *valueChecker) envelope(t Envelope, where string) {
	c.nonEmpty(t.Keys, where+".Keys")
	c.nonEmpty(t.Fields, where+".Fields")
	for i, name := range t.Fields {
		at := fmt.Sprintf("%s.Fields[%d]", where, i)
		switch {
		case !c.text(name, where+".Fields") || isEnvelopeField(name):
		case ascii.Lower(name) != "auth":
			c.errorf(at, `envelope field %q is %w: use "from", "to" or "auth"`, name, ErrUnsupported)
		case t.Part != "":
			c.errorf(at, `envelope field "auth" is no address: leave Part empty`)
		}
	}
	c.part(t.Part, where)
	c.matching(t.Match, t.Relation, t.Comparator, t.Keys, where)
}
