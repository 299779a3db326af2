package sieve

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
)

func isTestName(name string) bool {
	switch strings.ToLower(name) {
	case "address", "allof", "anyof", "envelope", "exists", "false", "hasflag", "header", "mailboxexists", "not", "size", "true":
		return true
	}
	return false
}

// test reads a test; where there was an error it returns a value that stands
// for nothing.
func (r *reader) test(n *node) Test {
	r.lines = append(r.lines, n.pos.line)
	switch name := strings.ToLower(n.name); name {
	case "true":
		r.arguments(n, shape{}, nil)
		return True{}
	case "false":
		r.arguments(n, shape{}, nil)
		return False{}
	case "not":
		if _, ok := r.arguments(n, shape{tests: oneTest}, nil); !ok {
			return False{}
		}
		return Not{r.test(n.tests[0])}
	case "allof", "anyof":
		if _, ok := r.arguments(n, shape{tests: testList}, nil); !ok {
			return False{}
		}
		tests := make([]Test, len(n.tests))
		for i, t := range n.tests {
			tests[i] = r.test(t)
		}
		if name == "allof" {
			return AllOf(tests)
		}
		return AnyOf(tests)
	case "size":
		return r.size(n)
	case "exists":
		args, ok := r.arguments(n, shape{positional: []argKind{argList}}, nil)
		if !ok {
			return False{}
		}
		return Exists{Names: r.list(args[0])}
	case "header":
		return r.header(n)
	case "address":
		return r.address(n)
	case "envelope":
		if !r.need(n.pos, n.name, extEnvelope) {
			return False{}
		}
		return r.envelope(n)
	case "mailboxexists":
		if !r.need(n.pos, n.name, extMailbox) {
			return False{}
		}
		args, ok := r.arguments(n, shape{positional: []argKind{argList}}, nil)
		if !ok {
			return False{}
		}
		return MailboxExists{r.list(args[0])}
	case "hasflag":
		if !r.need(n.pos, n.name, extIMAP4Flags) {
			return False{}
		}
		var m matching
		args, ok := r.arguments(n, shape{positional: []argKind{argList}}, r.matchTags(&m))
		if !ok {
			return False{}
		}
		t := HasFlag{Match: m.match, Relation: m.relation, Comparator: m.comparator, Flags: r.list(args[0])}
		r.checkMatching(n, m, args[0])
		return t
	case "if", "elsif", "else", "require", "stop", "keep", "discard", "redirect", "fileinto", "reject", "vacation", "addflag", "setflag", "removeflag":
		r.errorf(n.pos, "%s is a command, not a test", n.name)
		return False{}
	}
	r.errorf(n.pos, "unknown test %q, or of an extension that is %w", n.name, ErrUnsupported)
	return False{}
}

func (r *reader) size(n *node) Test {
	var t Size
	args, ok := r.arguments(n, shape{positional: []argKind{argNumber}}, func(tag string, _ func(argKind) (argument, bool)) (string, bool) {
		if tag != "over" && tag != "under" {
			return "", false
		}
		t.Over = tag == "over"
		return "limit", true
	})
	if !ok {
		return t
	}
	if n.args[0].kind != argTag {
		r.errorf(n.pos, "size needs the tag :over or :under")
	}
	t.Limit = args[0].num
	return t
}

// matching is what the tags of a comparing test say.
type matching struct {
	match      MatchType
	relation   Relation
	comparator Comparator
	part       AddressPart
}

// matchTags takes the match type and the comparator.
func (r *reader) matchTags(m *matching) tagFunc {
	return func(tag string, take func(argKind) (argument, bool)) (string, bool) {
		switch tag {
		case "is", "contains", "matches":
			m.match = MatchType(tag)
			return "match type", true
		case "regex":
			if !r.requires[extRegex] {
				return "", false
			}
			m.match = Regex
			return "match type", true
		case "count", "value":
			if !r.requires[extRelational] {
				return "", false
			}
			m.match = MatchType(tag)
			a, ok := take(argString)
			if ok {
				// The relation is not subject to encoded-character.
				m.relation = Relation(a.strs[0].value)
				if !m.relation.valid() {
					r.errorf(a.pos, `relation %q is none of "gt", "ge", "lt", "le", "eq", "ne"`, string(m.relation))
					ok = false
				}
			}
			return "match type", ok
		case "comparator":
			a, ok := take(argString)
			if ok {
				m.comparator = Comparator(strings.ToLower(r.str(a)))
				switch m.comparator {
				case Octet, ASCIICasemap:
				case ASCIINumeric:
					ok = r.need(a.pos, "comparator", extComparator+string(ASCIINumeric))
				default:
					r.errorf(a.pos, "comparator %q is %w", string(m.comparator), ErrUnsupported)
					ok = false
				}
			}
			return tag, ok
		}
		return "", false
	}
}

// checkMatching checks what holds between match type, comparator and keys.
func (r *reader) checkMatching(n *node, m matching, keys argument) {
	if err := checkComparator(m.match, m.comparator); err != nil {
		r.report(n.pos, err)
		return
	}
	if m.match != Regex {
		return
	}
	for _, k := range keys.strs {
		if _, err := headers.CompileERE(r.item(k), m.comparator != Octet); err != nil {
			r.errorf(k.pos, "regular expression %q: %w", k.value, err)
		}
	}
}

func (r *reader) header(n *node) Test {
	var t Header
	var m matching
	tags := r.matchTags(&m)
	args, ok := r.arguments(n, shape{positional: []argKind{argList, argList}}, func(tag string, take func(argKind) (argument, bool)) (string, bool) {
		if r.requires[extMIME] {
			switch tag {
			case "mime":
				t.MIME = true
				return tag, true
			case "anychild":
				t.AnyChild = true
				return tag, true
			case "contenttype":
				t.MIMEPart = MIMEContentType
				return "MIME part", true
			}
		}
		return tags(tag, take)
	})
	if !ok {
		return t
	}
	t.Names, t.Keys = r.list(args[0]), r.list(args[1])
	t.Match, t.Relation, t.Comparator = m.match, m.relation, m.comparator
	if err := t.checkMIME(); err != nil {
		r.report(n.pos, err)
	}
	r.checkMatching(n, m, args[1])
	return t
}

// addressTags takes the address part besides the match tags.
func (r *reader) addressTags(m *matching) tagFunc {
	tags := r.matchTags(m)
	return func(tag string, take func(argKind) (argument, bool)) (string, bool) {
		switch tag {
		case "all", "localpart", "domain":
			m.part = AddressPart(tag)
			return "address part", true
		}
		return tags(tag, take)
	}
}

func (r *reader) address(n *node) Test {
	var m matching
	args, ok := r.arguments(n, shape{positional: []argKind{argList, argList}}, r.addressTags(&m))
	if !ok {
		return Address{}
	}
	t := Address{Names: r.list(args[0]), Part: m.part, Match: m.match, Relation: m.relation, Comparator: m.comparator, Keys: r.list(args[1])}
	for i, name := range t.Names {
		if !isAddressField(name) {
			r.errorf(args[0].strs[i].pos, "field %q holds no addresses: use the header test", name)
		}
	}
	r.checkMatching(n, m, args[1])
	return t
}

func (r *reader) envelope(n *node) Test {
	var m matching
	args, ok := r.arguments(n, shape{positional: []argKind{argList, argList}}, r.addressTags(&m))
	if !ok {
		return Envelope{}
	}
	t := Envelope{r.list(args[0]), m.part, m.match, m.relation, m.comparator, r.list(args[1])}
	for i, name := range t.Fields {
		if !isEnvelopeField(name) {
			r.errorf(args[0].strs[i].pos, `envelope field %q is %w: use "from" or "to"`, name, ErrUnsupported)
		}
	}
	r.checkMatching(n, m, args[1])
	return t
}

func (r Relation) valid() bool {
	switch r {
	case Greater, GreaterOrEqual, Less, LessOrEqual, Equal, NotEqual:
		return true
	}
	return false
}

// isAddressField reports whether the address test takes the field: those of
// RFC 5228 section 5.1 and the others that Pigeonhole knows.
func isAddressField(name string) bool {
	return slices.Contains([]string{
		"from", "to", "cc", "bcc", "sender", "reply-to",
		"resent-from", "resent-to", "resent-cc", "resent-bcc", "resent-sender", "resent-reply-to",
		"delivered-to", "x-original-to", "errors-to", "mail-reply-to", "mail-followup-to",
		"apparently-to", "for-approval", "for-comment", "for-handling", "abuse-reports-to",
		"return-receipt-to", "x-beenthere",
	}, strings.ToLower(name))
}

func isEnvelopeField(name string) bool {
	return strings.EqualFold(name, "from") || strings.EqualFold(name, "to")
}
