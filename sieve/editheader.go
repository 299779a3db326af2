package sieve

import (
	"math"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/field"
)

// AddHeader adds a header field (RFC 5293 section 4): above all others, or
// below them where Last is set.
type AddHeader struct {
	Name  string
	Value string
	Last  bool
}

// DeleteHeader removes header fields (RFC 5293 section 5): those of the name
// with a value that compares true with one of the Values.
type DeleteHeader struct {
	Name string
	// Values is nil where every field of the name goes.
	Values     []string
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	// Index and Last are as in [Header].
	Index uint64
	Last  bool
}

func (AddHeader) command() {}

func (DeleteHeader) command() {}

// maxHeaderValue is the length of the value of addheader in octets
// (sieve_editheader_max_header_size).
const maxHeaderValue = 2048

func (r *reader) addHeader(args []synArg) Command {
	c := AddHeader{Last: r.has(nameLast), Name: r.headerName(r.string1(&args[0]))}
	s := r.string1(&args[1])
	value, literal := r.text(s)
	switch c.Value = value; {
	case !literal:
	case strings.IndexByte(value, 0) >= 0:
		r.errorf(s.off, "a NUL can't stand in a header field")
	case len(value) > maxHeaderValue:
		r.errorf(s.off, "the value has %d octets; %d is the limit", len(value), maxHeaderValue)
	}
	return c
}

// headerName returns the name of a field that is edited.
func (r *reader) headerName(s *synString) string {
	name, literal := r.text(s)
	if literal && name != "" && !field.IsName(name) {
		r.errorf(s.off, "%q can't be the name of a header field", name)
	}
	return name
}

func (r *reader) deleteHeader(n *synNode, args []synArg) Command {
	var c DeleteHeader
	if f := r.tagged(nameIndex); f != nil {
		if c.Index = r.num(f.param); c.Index > math.MaxInt32 {
			r.errorf(f.param.off, "index %d is larger than %d", c.Index, math.MaxInt32)
		}
	}
	if f := r.tagged(nameLast); f != nil {
		if c.Last = true; !r.has(nameIndex) {
			r.softf(r.args[f.arg].off, "tag :last needs :index")
		}
	}
	m := r.matching()
	name := &args[0]
	if name.kind == argList && name.nstrs != 1 {
		// The server takes it, and doesn't work then.
		r.errorf(name.off, "argument 1 of %s must be one name: %w", r.name(n), ErrUnsupported)
	}
	if s := r.string1(name); name.kind == argString {
		c.Name = r.headerName(s)
	} else {
		c.Name, _ = r.text(s)
	}
	if len(args) == 2 {
		c.Values = r.strList(&args[1])
		r.checkMatching(n, m, &args[1])
		c.Match, c.Relation, c.Comparator = m.match, m.relation, m.comparator
	}
	return c
}

// fieldName checks the name of a field that is edited, where it is constant.
func (c *valueChecker) fieldName(constant bool, name, where string) {
	if constant {
		if err := field.CheckName(name); err != nil {
			c.errorf(where, "%w", err)
		}
	}
}
