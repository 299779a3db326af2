package mta

import (
	"bytes"
	"cmp"
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
	// hold, discard and to are HOLD, DISCARD and REDIRECT; final says that no
	// further checks apply.
	hold, discard, final bool
	to                   string
}

// cleanup is a cleanup(8) service: its checks see the message as it came, then
// the header is rewritten. maps says that addresses are mapped there.
func (w *Way) cleanup(c *cleanup, maps bool) cleaned {
	hops := w.received()
	if !w.e.follow {
		hops += w.hops + 1
	}
	if c.hopLimit > 0 && hops >= c.hopLimit {
		w.step("cleanup", "", place{"hopcount_limit", 0}, "Received", "too many hops")
		if w.pickup() {
			w.end(ActionBounce, "554", w.m.To, "5.4.0 too many hops")
		} else {
			w.end(ActionReject, "554", w.m.To, "5.4.0 Error: too many hops")
		}
		return cleaned{done: true}
	}
	v, prepended := w.checks(c)
	if !v.done {
		w.rewriteHeader(c, maps, prepended)
	}
	return v
}

// remove notes that a field is gone, but for what this server has just written.
func (w *Way) remove(f headers.Field) {
	if !bytes.Contains(f.Body, []byte(stampMark)) {
		w.edits = append(w.edits, Edit{Removed: true, Name: string(f.Name), Value: strings.TrimSpace(string(f.Body))})
	}
}

// stampMark is in the Received: fields of this server's own: a queue file's name
// that no server has.
const stampMark = "id 0000000000"

// stamp puts the Received: field before the header by which a message comes in,
// for checks see it. Its date and the queue file's name are not known here.
func (w *Way) stamp(l *listener) {
	if !w.e.follow {
		return
	}
	o, host := &w.m.Origin, w.e.hostname
	text := "by " + host + " (" + w.e.mailName + ", from userid 0)\n\t" + stampMark + "; Thu, 01 Jan 1970 00:00:00 +0000 (UTC)"
	if l.rules != nil {
		with := "ESMTP"
		if o.TLS == TLSEncrypted {
			with += "S"
		}
		if o.Authenticated {
			with += "A"
		}
		text = "from " + cmp.Or(o.Helo, "unknown") + " (" + cmp.Or(o.Name,
			"unknown") + " [" + o.Client.String() + "])\n\tby " + host + " (" + w.e.mailName +
			") with " + with + " " + stampMark + "\n\tfor <" + w.m.To + ">; Thu, 01 Jan 1970 00:00:00 +0000 (UTC)"
	}
	w.fields = slices.Concat(headers.Section{{Name: []byte("Received"), Body: []byte(" " + text)}}, w.fields)
	w.shared = false
}

// received counts the fields that say by which servers the message has come.
func (w *Way) received() int {
	n := 0
	for i := range w.fields {
		if name := w.fields[i].Name; len(name) == len("Received") && bytes.EqualFold(name, []byte("Received")) {
			n++
		}
	}
	return n
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
	if c.flat || len(c.mime) == 0 && len(c.nested) == 0 {
		body = nil
	}
	top, dropped := 0, false
	var added, replaced []string
	count := len(w.fields)
	headers.Walk(w.fields, body, func(class headers.Class, f headers.Field) bool {
		position := top
		top++
		if v.final {
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
					w.remove(f)
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
					w.remove(f)
					w.drop(position, &dropped)
					replaced = append(replaced, a.Text)
				}
			case postfix.Redirect:
				w.step("cleanup", hit.Rule, at, string(f.Name), "redirected to "+a.Address)
				v.to, v.final = a.Address, true
			case postfix.Discard:
				w.step("cleanup", hit.Rule, at, string(f.Name), "discarded")
				w.rule = hit.Rule
				v.discard, v.final = true, true
			case postfix.Hold:
				w.step("cleanup", hit.Rule, at, string(f.Name), "held until postsuper -H")
				w.rule = hit.Rule
				v.hold = true
			case postfix.Pass:
				w.step("cleanup", hit.Rule, at, string(f.Name), "no further checks")
				v.final = true
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
	if !v.done && !v.final && len(c.body) > 0 {
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
	action, code := ActionReject, "550"
	if w.pickup() {
		action = ActionBounce
	}
	if text[0] == '4' { // tried again by whoever has it
		code = "451"
		if w.pickup() {
			action = ActionDefer
		}
	}
	w.end(action, code, w.m.To, text)
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
