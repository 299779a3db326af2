package sieve

import (
	"fmt"
	"strings"
)

// reader makes typed values of nodes. It knows what each command and test
// takes, and reports everything that isn't so.
type reader struct {
	report   func(pos, error)
	requires map[string]bool
	// lines collects what Script.Lines holds.
	lines []int
}

func (r *reader) errorf(at pos, format string, args ...any) {
	r.report(at, fmt.Errorf(format, args...))
}

// extension names of require (RFC 5228 section 6) that this package knows.
const (
	extFileInto         = "fileinto"
	extEnvelope         = "envelope"
	extEncodedCharacter = "encoded-character"
	extCopy             = "copy"
	extMailbox          = "mailbox"
	extRelational       = "relational"
	extRegex            = "regex"
	extReject           = "reject"
	extVacation         = "vacation"
	extIMAP4Flags       = "imap4flags"
	extMIME             = "mime"
	extComparator       = "comparator-" // and the comparator's name
)

func knownExtension(name string) bool {
	switch name {
	case extFileInto, extEnvelope, extEncodedCharacter, extCopy, extMailbox, extRelational,
		extRegex, extReject, extVacation, extIMAP4Flags, extMIME,
		extComparator + string(Octet), extComparator + string(ASCIICasemap), extComparator + string(ASCIINumeric):
		return true
	}
	return false
}

// script reads the commands of a whole script.
func (r *reader) script(nodes []*node) []Command {
	r.requires = make(map[string]bool)
	rest := nodes
	var comments []*node
	for len(rest) > 0 {
		if rest[0].isComment {
			comments = append(comments, rest[0])
		} else if strings.EqualFold(rest[0].name, "require") {
			r.require(rest[0])
		} else {
			break
		}
		rest = rest[1:]
	}
	return r.commands(append(comments, rest...))
}

func (r *reader) require(n *node) {
	args, ok := r.arguments(n, shape{positional: []argKind{argList}}, nil)
	if !ok {
		return
	}
	// The names are not subject to encoded-character.
	for _, s := range args[0].strs {
		if !knownExtension(s.value) {
			r.errorf(s.pos, "extension %q is %w", s.value, ErrUnsupported)
			continue
		}
		r.requires[s.value] = true
	}
}

// need reports whether the extension is required, and the error where it isn't.
func (r *reader) need(at pos, what, extension string) bool {
	if r.requires[extension] {
		return true
	}
	r.errorf(at, "%s needs the extension %q: add it to require", what, extension)
	return false
}

// shape is what a command or test takes besides its tags.
type shape struct {
	positional []argKind
	tests      testCount
	block      bool
}

type testCount int

const (
	noTest testCount = iota
	oneTest
	testList
)

// tagFunc takes a tag (lower case). It returns a word that tags which exclude
// each other share, or "" where it doesn't know the tag. take returns the
// argument that belongs to the tag.
type tagFunc func(name string, take func(argKind) (argument, bool)) (group string, ok bool)

// arguments checks the node against the shape, hands out the tags, and returns
// the positional arguments.
func (r *reader) arguments(n *node, s shape, tags tagFunc) ([]argument, bool) {
	ok := true
	seen := make(map[string]bool)
	i := 0
	for i < len(n.args) && n.args[i].kind == argTag {
		a := n.args[i]
		i++
		group, tagOK := "", true
		if tags != nil {
			group, tagOK = tags(strings.ToLower(a.tag), func(kind argKind) (argument, bool) {
				if i == len(n.args) {
					r.errorf(a.pos, "tag :%s needs a %s behind it", a.tag, kind)
					return argument{}, false
				}
				p := n.args[i]
				i++
				if p.kind != kind && (kind != argList || p.kind != argString) {
					r.errorf(p.pos, "tag :%s needs a %s, found a %s", a.tag, kind, p.kind)
					return argument{}, false
				}
				return p, true
			})
		}
		switch {
		case group == "":
			r.errorf(a.pos, "%s has no tag :%s, or it is of an extension that is %w", n.name, a.tag, ErrUnsupported)
			ok = false
		case seen[group]:
			r.errorf(a.pos, "tag :%s repeats or contradicts an earlier tag", a.tag)
			ok = false
		}
		seen[group] = true
		ok = ok && tagOK
		if !ok {
			// What follows may belong to the tag.
			return nil, false
		}
	}
	rest := n.args[i:]
	for _, a := range rest {
		if a.kind == argTag {
			r.errorf(a.pos, "tag :%s must stand before the other arguments of %s", a.tag, n.name)
			return nil, false
		}
	}
	if len(rest) != len(s.positional) {
		r.errorf(n.pos, "%s takes %d argument(s) besides tags, found %d", n.name, len(s.positional), len(rest))
		return nil, false
	}
	for i, want := range s.positional {
		if a := rest[i]; a.kind != want && (want != argList || a.kind != argString) {
			r.errorf(a.pos, "argument %d of %s must be a %s, found a %s", i+1, n.name, want, a.kind)
			ok = false
		}
	}
	return rest, r.structure(n, s) && ok
}

// structure checks the tests and the block.
func (r *reader) structure(n *node, s shape) bool {
	switch {
	case s.tests == noTest && len(n.tests) > 0:
		r.errorf(n.tests[0].pos, "%s takes no test, or a ';' is missing before %s", n.name, n.tests[0].name)
		return false
	case s.tests == oneTest && len(n.tests) == 0:
		r.errorf(n.pos, "%s needs a test", n.name)
		return false
	case s.tests == oneTest && n.list:
		r.errorf(n.pos, "%s takes one test, not a list: use anyof or allof, or remove the parentheses", n.name)
		return false
	case s.tests == testList && !n.list:
		r.errorf(n.pos, "%s needs a list of tests in parentheses", n.name)
		return false
	case s.block && !n.hasBlock:
		r.errorf(n.pos, "%s needs a block { }", n.name)
		return false
	case !s.block && n.hasBlock:
		r.errorf(n.pos, "%s takes no block", n.name)
		return false
	}
	return true
}

// str returns the string of an argument.
func (r *reader) str(a argument) string { return r.item(a.strs[0]) }

// list returns the strings of an argument.
func (r *reader) list(a argument) []string {
	out := make([]string, len(a.strs))
	for i, s := range a.strs {
		out[i] = r.item(s)
	}
	return out
}

func (r *reader) item(s item) string {
	if !r.requires[extEncodedCharacter] {
		return s.value
	}
	v, err := decodeCharacters(s.value)
	if err != nil {
		r.report(s.pos, err)
	}
	return v
}
