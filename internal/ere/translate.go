package ere

import (
	"fmt"
	"regexp"
)

// translate writes an expression for Go's regexp, which is faster where only
// the match counts. It is nil where that matches otherwise or can't do it. What
// matches at the beginning only is said to, which Go doesn't see in "^a|^b".
func translate(tree *node, flags Flags, begin bool) *regexp.Regexp {
	t := translator{flags: flags, out: []byte("(?s)")}
	if flags.Newline {
		t.out = []byte("(?sm)")
	}
	if begin {
		t.out = append(t.out, `\A(?:`...)
	}
	if t.write(tree, false); begin {
		t.out = append(t.out, ')')
	}
	if t.failed {
		return nil
	}
	re, err := regexp.Compile(string(t.out))
	if err != nil {
		return nil
	}
	re.Longest()
	return re
}

type translator struct {
	flags  Flags
	out    []byte
	failed bool
}

// maxGoRepeat is the largest number in an interval of Go's regexp.
const maxGoRepeat = 1000

// write writes a node, as something that can be repeated where atom is set.
func (t *translator) write(n *node, atom bool) {
	if n == nil {
		t.out = append(t.out, "(?:)"...)
		return
	}
	switch n.kind {
	case kindSet:
		t.set(n.set)
	case kindConcat, kindAlt:
		if word := n.wordEdge(); word != "" {
			t.out = append(t.out, word...)
			return
		}
		if atom || n.kind == kindAlt {
			t.out = append(t.out, "(?:"...)
		}
		t.write(n.left, false)
		if n.kind == kindAlt {
			t.out = append(t.out, '|')
		}
		t.write(n.right, false)
		if atom || n.kind == kindAlt {
			t.out = append(t.out, ')')
		}
	case kindGroup:
		t.out = append(t.out, '(')
		t.write(n.left, false)
		t.out = append(t.out, ')')
	case kindRepeat:
		t.repeat(n, atom)
	case kindAnchor:
		t.anchor(n.constraint)
	default:
		t.failed = true
	}
}

func (t *translator) repeat(n *node, atom bool) {
	if n.min > maxGoRepeat || n.max > maxGoRepeat || n.copies() && n.left.anchored() {
		t.failed = true
		return
	}
	if atom {
		t.out = append(t.out, "(?:"...)
	}
	t.write(n.left, true)
	switch {
	case n.min == 0 && n.max == unlimited:
		t.out = append(t.out, '*')
	case n.min == 1 && n.max == unlimited:
		t.out = append(t.out, '+')
	case n.max == unlimited:
		t.out = fmt.Appendf(t.out, "{%d,}", n.min)
	case n.min == 0 && n.max == 1:
		t.out = append(t.out, '?')
	case n.min == n.max:
		t.out = fmt.Appendf(t.out, "{%d}", n.min)
	default:
		t.out = fmt.Appendf(t.out, "{%d,%d}", n.min, n.max)
	}
	if atom {
		t.out = append(t.out, ')')
	}
}

// anchored reports whether there is an anchor in it: glibc forgets some of
// those in copies.
func (n *node) anchored() bool {
	return n != nil && (n.kind == kindAnchor || n.left.anchored() || n.right.anchored())
}

// wordEdge is \b or \B where the node is one of them.
func (n *node) wordEdge() string {
	if n.kind != kindAlt || n.left == nil || n.right == nil || n.left.kind != kindAnchor || n.right.kind != kindAnchor {
		return ""
	}
	switch [2]constraint{n.left.constraint, n.right.constraint} {
	case [2]constraint{wordFirst, wordLast}:
		return `\b`
	case [2]constraint{insideWord, insideNotWord}:
		return `\B`
	}
	return ""
}

func (t *translator) anchor(c constraint) {
	switch c {
	case prevNewline:
		if t.flags.Newline {
			t.out = append(t.out, '^')
			return
		}
		t.out = append(t.out, `\A`...)
	case nextNewline:
		if t.flags.Newline {
			t.out = append(t.out, '$')
			return
		}
		t.out = append(t.out, `\z`...)
	case prevBegin:
		t.out = append(t.out, `\A`...)
	case nextEnd:
		t.out = append(t.out, `\z`...)
	default:
		t.failed = true
	}
}

// set writes a set of octets.
func (t *translator) set(s *set) {
	switch one, other, count := s.members(); {
	case count == 1:
		t.out = append(t.out, regexp.QuoteMeta(string(rune(one)))...)
		return
	case count == 2 && lower(one) == other && one != other:
		// Not (?i), which would fold characters outside of ASCII too.
		t.out = append(t.out, '[', one, other, ']')
		return
	}
	mark := len(t.out)
	t.out = append(t.out, '[')
	for c := 0; c < 256; c++ {
		if !s[c] {
			continue
		}
		end := c
		for end < 255 && s[end+1] {
			end++
		}
		if c <= 0x80 && end == 255 {
			// The same on octets, and a set of what isn't in it has all the
			// characters beyond.
			t.out = fmt.Appendf(t.out, `\x{%x}-\x{10ffff}`, c)
		} else {
			t.out = fmt.Appendf(t.out, `\x{%x}-\x{%x}`, c, end)
		}
		c = end
	}
	if len(t.out) == mark+1 {
		t.out = append(t.out, `^\x{0}-\x{10ffff}`...)
	}
	t.out = append(t.out, ']')
}

// members counts the octets in it, and says which the first and the last are.
func (s *set) members() (first, last byte, count int) {
	for c := range s {
		if s[c] {
			if count == 0 {
				first = byte(c)
			}
			last = byte(c)
			count++
		}
	}
	return first, last, count
}
