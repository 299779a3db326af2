package mta

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// prepend adds a header line. Its place in the header decides nothing, so that
// it goes where it costs nothing.
func (w *Way) prepend(line string) {
	f := fieldOf(line)
	w.edits = append(w.edits, Edit{Name: string(f.Name), Value: strings.TrimSpace(string(f.Body))})
	w.fields = append(w.fields, f)
}

// fieldOf is the field that a line of PREPEND or REPLACE makes.
func fieldOf(line string) headers.Field {
	name, value, _ := strings.Cut(line, ":")
	return headers.Field{Name: []byte(name), Body: []byte(value)}
}

// cleaned is what cleanup(8) decided for the whole message.
type cleaned struct {
	done   bool
	filter string
	rule   string
	at     place
	copies []bcc // of BCC actions
}

// cleanup is a cleanup(8) service: its checks see the message as it came, then
// the header is rewritten. maps says that addresses are mapped there.
func (w *Way) cleanup(c *cleanup, maps bool) cleaned {
	v, prepended := w.checks(c)
	if !v.done {
		w.rewriteHeader(c, maps, prepended)
	}
	return v
}

// checks runs a service's header checks: over all headers the last FILTER
// wins, and REJECT or DISCARD ends the message. It returns the number of fields
// that PREPEND has put at the end of the header.
func (w *Way) checks(c *cleanup) (v cleaned, prepended int) {
	for _, u := range c.unread {
		w.depends(u, c.at, "", "no match")
	}
	if len(c.header) == 0 && len(c.mime) == 0 && len(c.nested) == 0 && len(c.body) == 0 {
		return v, 0
	}
	body := w.body
	if len(c.mime) == 0 && len(c.nested) == 0 {
		body = nil
	}
	top, dropped := 0, false
	passed := false
	var added, replaced []string
	count := len(w.fields)
	headers.Walk(w.fields, body, func(class headers.Class, f headers.Field) bool {
		position := top
		top++
		if passed {
			return true
		}
		checks := c.header
		switch class {
		case headers.MIME:
			checks = c.mime
		case headers.Nested:
			checks = c.nested
		}
		for i := range checks {
			hit, ok := checks[i].Checks.Lookup(f)
			if !ok {
				continue
			}
			at := checks[i].at(hit)
			switch a := hit.Action.(type) {
			case postfix.Filter:
				v.filter, v.rule, v.at = a.Transport+":"+a.NextHop, hit.Rule, at
				w.step("cleanup", hit.Rule, at, string(f.Name), "filter")
			case postfix.Reject:
				w.step("cleanup", hit.Rule, at, string(f.Name), "rejected")
				w.rule = hit.Rule
				w.refuse(rejectText(a.Text))
				v.done = true
				return false
			case postfix.Strip, postfix.Ignore:
				w.step("cleanup", hit.Rule, at, string(f.Name), "removed")
				if position < count {
					w.edits = append(w.edits, Edit{Removed: true, Name: string(f.Name), Value: strings.TrimSpace(string(f.Body))})
					w.drop(position, &dropped)
				}
			case postfix.Prepend:
				w.step("cleanup", hit.Rule, at, string(f.Name), "header added")
				if position < count {
					added = append(added, a.Text)
				}
			case postfix.Replace:
				w.step("cleanup", hit.Rule, at, string(f.Name), "replaced")
				if position < count {
					w.edits = append(w.edits, Edit{Removed: true, Name: string(f.Name), Value: strings.TrimSpace(string(f.Body))})
					w.drop(position, &dropped)
					replaced = append(replaced, a.Text)
				}
			case postfix.Redirect:
				w.step("cleanup", hit.Rule, at, string(f.Name), "redirected to "+a.Address)
				w.redirected(a.Address)
				v.done = true
				return false
			case postfix.Discard:
				w.step("cleanup", hit.Rule, at, string(f.Name), "discarded")
				w.rule = hit.Rule
				w.end(ActionDiscard, "", w.m.To, "")
				v.done = true
				return false
			case postfix.Hold:
				w.step("cleanup", hit.Rule, at, string(f.Name), "held until postsuper -H")
				w.rule = hit.Rule
				w.end(ActionDefer, "", w.m.To, "held in the queue")
				v.done = true
				return false
			case postfix.Pass:
				w.step("cleanup", hit.Rule, at, string(f.Name), "no further checks")
				passed = true
			case postfix.BCC:
				v.copies = append(v.copies, bcc{checks[i].File, w.e.canonical(a.Address), string(f.Name), at})
			case postfix.Dunno, postfix.Warn, postfix.Info:
			case postfix.Unknown: // Lookup has made another of it
			}
			break
		}
		return true
	})
	if dropped {
		w.compact()
	}
	if !v.done && !passed && len(c.body) > 0 {
		w.bodyChecks(c, &v)
	}
	if !v.done {
		for _, line := range slices.Concat(replaced, added) {
			w.prepend(line)
		}
	}
	return v, len(added)
}

// refuse is cleanup(8)'s REJECT: the SMTP client is told; what sendmail(1) took
// is returned.
func (w *Way) refuse(text string) {
	if w.pickup() {
		w.end(ActionBounce, "550", w.m.To, text)
		return
	}
	w.end(ActionReject, "550", w.m.To, text)
}

// own makes the section the walk's own before it is changed: forks share it.
func (w *Way) own() {
	if w.shared {
		w.fields, w.shared = slices.Clone(w.fields), false
	}
}

// drop marks a field as removed.
func (w *Way) drop(position int, dropped *bool) {
	w.own()
	*dropped = true
	w.fields[position].Name = nil
}

// compact takes the fields out that drop has marked.
func (w *Way) compact() {
	w.fields = slices.DeleteFunc(w.fields, func(f headers.Field) bool { return f.Name == nil })
}

// rejectText gives a header check's text its status code, as cleanup does.
func rejectText(text string) string {
	if text == "" {
		text = "message content rejected"
	}
	if len(text) > 2 && text[1] == '.' && (text[0] == '5' || text[0] == '4') {
		return text
	}
	return "5.7.1 " + text
}
