package interp

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// partEntries returns the fields of the current MIME part, or of the message,
// and with AnyChild those of the parts below.
func (r *run) partEntries(s *source) []*entry {
	parts := r.mimeParts()
	at := 0
	if r.part != nil {
		at = r.partAt
	}
	end := at + 1
	if s.anyChild {
		end = r.reach(at)
	}
	var out []*entry
	for i := range s.count() {
		name := r.name(s, i)
		for j, p := range parts[at:end] {
			if p.epilogue {
				continue
			}
			if len(p.rawHead) == 0 && j > 0 {
				// The server looks no further for this name.
				break
			}
			out = r.named(out, p.header, name)
		}
	}
	return out
}

// reach returns where the search for children of a part ends: at the next part
// beside it. Behind the last one of a multipart the server goes on with
// whatever follows.
func (r *run) reach(at int) int {
	for i := at + 1; i < len(r.parts); i++ {
		if p := r.parts[i]; p.parent == r.parts[at].parent && !p.epilogue {
			return i
		}
	}
	return len(r.parts)
}

// subtree returns where the parts below a part end.
func (r *run) subtree(at int) int {
	parts := r.parts
	end := at + 1
	for end < len(parts) && parts[end].depth > parts[at].depth {
		end++
	}
	return end
}

// mimeValues appends what the header test compares of a MIME field.
func (r *run) mimeValues(values []value, e *entry, part sieve.MIMEPart, params []text) []value {
	v := r.decode(e).text
	add := func(s string) { values = append(values, value{text: []byte(s)}) }
	isType := equalFold(e.field.Name, "content-type")
	if !isType && !equalFold(e.field.Name, "content-disposition") {
		add("")
		return values
	}
	kind := ""
	if isType {
		kind = mediaType(v)
	} else {
		kind = firstToken(v)
	}
	if kind == "" {
		add("")
		return values
	}
	t, sub, hasSub := strings.Cut(kind, "/")
	switch part {
	case sieve.MIMEType:
		add(t)
	case sieve.MIMESubtype:
		if hasSub {
			add(sub)
		} else {
			add("")
		}
	case sieve.MIMEContentType:
		add(kind)
	case sieve.MIMEParam:
		wanted := r.strs(params)
		found := false
		for _, p := range parameters(v) {
			name, encoded := strings.CutSuffix(p.name, "*")
			for _, w := range wanted {
				if !strings.EqualFold(name, w) {
					continue
				}
				text := p.value
				if encoded {
					var ok bool
					if text, ok = extendedValue(p.value); !ok {
						break
					}
				}
				add(text)
				found = true
				break
			}
		}
		if !found {
			add("")
		}
	}
	return values
}

// loopCommand is foreverypart (RFC 5703 section 3).
type loopCommand struct {
	name  string
	block block
}

func (c *compiler) forEveryPart(cmd sieve.ForEveryPart) operation {
	l := &loopCommand{}
	if cmd.Name != nil {
		l.name = *cmd.Name
	}
	c.parts++
	c.labels = append(c.labels, l.name)
	l.block = c.in("Block", cmd.Block)
	c.labels = c.labels[:len(c.labels)-1]
	c.parts--
	return l
}

func (l *loopCommand) perform(r *run, _ *instruction) error {
	parts := r.mimeParts()
	outer, outerAt := r.part, r.partAt
	at, end := 0, len(parts)
	if outer != nil {
		at, end = outerAt+1, r.subtree(outerAt)
		if outer.children == 0 {
			return nil
		}
	}
	defer func() { r.part, r.partAt = outer, outerAt }()
	for ; at < end; at++ {
		if parts[at].epilogue {
			continue
		}
		r.part, r.partAt = parts[at], at
		r.spend(32)
		err := r.exec(&l.block)
		if r.failed != nil {
			return nil
		}
		if b, ok := err.(*breakError); ok && (b.name == "" || b.name == l.name) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// breakError ends a foreverypart.
type breakError struct{ name string }

// Error is the command's name; a run never shows it.
func (*breakError) Error() string { return "break" }

type breakCommand struct{ err *breakError }

func (b *breakCommand) perform(*run, *instruction) error { return b.err }

func (c *compiler) breakLoop(cmd sieve.Break) operation {
	b := &breakCommand{&breakError{}}
	if c.parts == 0 {
		c.errorf("", "break stands outside of foreverypart")
	}
	if cmd.Name != nil {
		b.err.name = *cmd.Name
		for i := len(c.labels) - 1; ; i-- {
			if i < 0 {
				c.errorf("Name", "no foreverypart around it has the name %q", *cmd.Name)
				break
			}
			if c.labels[i] == *cmd.Name {
				break
			}
		}
	}
	return b
}

// extractCommand is extracttext (RFC 5703 section 7).
type extractCommand struct {
	variable  part
	first     *uint64
	modifiers []sieve.Modifier
}

func (c *compiler) extractText(cmd sieve.ExtractText) operation {
	if c.parts == 0 {
		c.errorf("", "extracttext stands outside of foreverypart")
	}
	return &extractCommand{c.named(cmd.Variable, "Variable"), cmd.First, c.modifiers(cmd.Modifiers, "Modifiers")}
}

func (e *extractCommand) perform(r *run, _ *instruction) error {
	if r.part == nil {
		return nil
	}
	s := ""
	if r.part.children == 0 {
		s = string(r.partText(r.part, true).text)
	}
	if e.first != nil && *e.first < uint64(len(s)) {
		s = s[:*e.first]
	}
	s = r.modify(s, e.modifiers)
	if r.failed == nil {
		r.assign(&e.variable, s)
	}
	return nil
}
