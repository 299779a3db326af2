package sieve

import (
	"strings"
)

// Unread is a command that stands where no run can come, in a branch that is
// never taken, and that Pigeonhole therefore doesn't look at: its source text.
// [Parse] returns it only where the text isn't a command that could be read.
type Unread string

// UnreadTest is what [Unread] is for a test that is never tried.
type UnreadTest string

func (Unread) command() {}

func (UnreadTest) test() {}

// state is what reading something dead must not change.
type state struct {
	on, deferred, shown     Extensions
	errs, soft              int
	places, list            int
	includes                bool
	references, environment bool
	globals                 bool
}

func (r *reader) state() state {
	return state{
		on: r.on, deferred: r.deferred, shown: r.shown, errs: len(r.errs), soft: len(r.soft), places: len(r.places),
		list: len(r.list), includes: r.includes, references: r.references, environment: r.environment,
		globals: r.globals,
	}
}

// undo takes back what was read since the state, if there was an error in it,
// and reports whether there was.
func (r *reader) undo(s state) bool {
	r.on, r.deferred, r.soft, r.includes = s.on, s.deferred, r.soft[:s.soft], s.includes
	if len(r.errs) == s.errs {
		return false
	}
	r.warnings = append(r.warnings, r.errs[s.errs:]...)
	r.errs, r.places, r.list = r.errs[:s.errs], r.places[:s.places], r.list[:s.list]
	r.shown, r.references, r.environment, r.globals = s.shown, s.references, s.environment, s.globals
	return true
}

// deadBlock reads a block that is never run.
func (r *reader) deadBlock(first int32) []Command {
	var out []Command
	variables := r.variables
	for i := first; i != 0; {
		n := &r.nodes[i]
		s := r.state()
		r.variables = nil
		end, next := n, n.next
		var c Command
		switch {
		case n.comment:
			r.places = append(r.places, sourcePlace{n.off, n.line})
			text, _ := r.ownLine(synComment{off: n.off, end: n.end})
			c = Comment(text)
		case n.id == nameIf:
			c, next = r.chain(n)
			for p := r.nextPart(n); p != 0 && p != next; p = r.nextPart(end) {
				if end = &r.nodes[p]; end.id == nameElse {
					break
				}
			}
		default:
			r.places = append(r.places, sourcePlace{n.off, n.line})
			c = r.command(n, numNames, false)
		}
		if r.undo(s) || c == nil {
			r.places = append(r.places[:s.places], sourcePlace{n.off, n.line})
			c = Unread(r.src[n.off:end.end])
		}
		out = append(out, c)
		i = next
	}
	r.variables = variables
	return out
}

// deadTest reads a test that is never tried.
func (r *reader) deadTest(n *synNode) Test {
	s := r.state()
	variables := r.variables
	r.variables = nil
	t, _ := r.test(n)
	r.variables = variables
	if r.undo(s) {
		r.places = append(r.places, sourcePlace{n.off, n.line})
		return UnreadTest(r.src[n.off:n.end])
	}
	return t
}

// grammatical reports whether a text is exactly one command, or one test, of
// the generic grammar.
func grammatical(text string, test bool) bool {
	if test {
		text = "not " + text + ";"
	}
	if strings.HasSuffix(strings.TrimRight(text, " \t\r\n"), "\\") {
		return false
	}
	p := parsers.Get().(*parser)
	defer p.free()
	ok := true
	p.parse(text, func(int, error) { ok = false })
	first := p.nodes[0].block
	if !ok || first == 0 || p.nodes[first].comment {
		return false
	}
	for i := p.nodes[first].next; i != 0; i = p.nodes[i].next {
		// Only an if has more than one part.
		if n := &p.nodes[i]; n.comment || p.nodes[first].id != nameIf || n.id != nameElsIf && n.id != nameElse {
			return false
		}
	}
	if test && (p.nodes[first].list || p.nodes[first].nargs != 0) {
		return false
	}
	last := first
	for p.nodes[last].next != 0 {
		last = p.nodes[last].next
	}
	return int(p.nodes[first].off) == 0 && int(p.nodes[last].end) == len(text)
}
