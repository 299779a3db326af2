package postfix

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// MayMatch reports whether the rule may match a key that begins with prefix and
// ends with suffix, with any octets between the two. It follows the expressions
// of the rule and of the IFs around it, each by itself; upper and lower case
// count as the same, and patterns that are negated as met. So false is certain,
// and true is exact for a rule that stands alone and asks for no case and no
// borders of words.
func (r RuleEndings) MayMatch(prefix, suffix string) bool {
	for i, p := range r.programs {
		// Most rules end in another domain: that is seen at once.
		if !mayEnd(suffix, r.Endings[i]) || p != nil && !mayMatch(p, prefix, suffix) {
			return false
		}
	}
	return true
}

// mayEnd reports whether a key with that suffix may end in one of the endings.
func mayEnd(suffix string, endings []string) bool {
	for i := 0; i < len(suffix); i++ {
		if suffix[i] >= utf8.RuneSelf {
			return true // case is mayMatch's matter
		}
	}
	suffix = strings.ToLower(suffix)
	return slices.ContainsFunc(endings, func(e string) bool {
		return strings.HasSuffix(suffix, e) || strings.HasSuffix(e, suffix)
	})
}

// mayMatch walks the expression's program and the key side by side: a state is
// an instruction and a place in the key, so there are few of them.
func mayMatch(prog *syntax.Prog, prefix, suffix string) bool {
	// Before any is one place between the octets of text, which any octets may
	// follow: the place itself again.
	text := widen(prefix + suffix)
	runes := []rune(text)
	loop := len(prefix)
	type state struct {
		pc    uint32
		at    int
		begun bool // octets of the key are behind, so that ^ doesn't hold
	}
	seen := map[state]bool{}
	var todo []state
	push := func(s state) {
		if !seen[s] {
			seen[s] = true
			todo = append(todo, s)
		}
	}
	// A match may begin anywhere.
	for at := range len(runes) + 1 {
		push(state{uint32(prog.Start), at, at > 0})
		if at == loop {
			push(state{uint32(prog.Start), at, true})
		}
	}
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		switch in := &prog.Inst[s.pc]; in.Op {
		case syntax.InstMatch:
			return true // what is behind it may be anything
		case syntax.InstFail:
		case syntax.InstAlt, syntax.InstAltMatch:
			push(state{in.Out, s.at, s.begun})
			push(state{in.Arg, s.at, s.begun})
		case syntax.InstCapture, syntax.InstNop:
			push(state{in.Out, s.at, s.begun})
		case syntax.InstEmptyWidth:
			// A key has no line ends, so ^ and $ are the key's. Borders of words
			// are taken to be there.
			op := syntax.EmptyOp(in.Arg)
			if op&(syntax.EmptyBeginText|syntax.EmptyBeginLine) != 0 && s.begun ||
				op&(syntax.EmptyEndText|syntax.EmptyEndLine) != 0 && s.at < len(runes) {
				continue
			}
			push(state{in.Out, s.at, s.begun})
		default: // one octet
			if s.at == loop && someOctet(in) {
				push(state{in.Out, s.at, true})
			}
			if s.at < len(runes) && (in.MatchRune(runes[s.at]) || in.MatchRune(otherCase(runes[s.at]))) {
				push(state{in.Out, s.at + 1, true})
			}
		}
	}
	return false
}

// someOctet reports whether the instruction takes any octet but a line end.
func someOctet(in *syntax.Inst) bool {
	for c := rune(0); c <= 0xff; c++ {
		if c != '\n' && in.MatchRune(c) {
			return true
		}
	}
	return false
}

func otherCase(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z':
		return r - 'a' + 'A'
	case 'A' <= r && r <= 'Z':
		return r - 'A' + 'a'
	}
	return r
}
