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
