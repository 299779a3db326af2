package interp

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// partEntries gathers in r.fresh the fields of the current MIME part, or of the message,
// and with AnyChild those of the parts below.
func (r *run) partEntries(s *source) {
	parts := r.mimeParts()
	at := 0
	if r.part != nil {
		at = r.partAt
	}
	if at >= len(parts) {
		// A change of the header has left the message with fewer parts.
		parts, at = []*mimePart{r.part}, 0
	}
	end := at + 1
	if s.anyChild && len(parts) > 1 {
		end = r.reach(at)
	}
	r.spend(8 * (end - at))
	for i := range s.count() {
		name := r.name(s, i)
		r.spend(8 * (end - at))
		for j, p := range parts[at:end] {
			if r.failed != nil {
				return
			}
			if p.epilogue {
				continue
			}
			if len(p.rawHead) == 0 && j > 0 {
				// The server looks no further for this name.
				break
			}
			r.named(p.header, name, &p.kept)
		}
	}
}

// reach returns where the search for children of a part ends: at the next part
// beside it. Behind the last one of a multipart the server goes on with
// whatever follows.
func (r *run) reach(at int) int {
	for i := at + 1; i < len(r.parts); i++ {
		r.spend(2)
		if p := r.parts[i]; p.parent == r.parts[at].parent && !p.epilogue {
			return i
		}
	}
	return len(r.parts)
}

// mimeValues appends what the header test compares of a MIME field.
func (r *run) mimeValues(values []value, e *entry, part sieve.MIMEPart, params []text) []value {
	v := r.decode(e).text
	r.spend((costAlloc + 16) * len(v))
	if r.failed != nil {
		return values
	}
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
			r.spend(8 * len(wanted))
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
