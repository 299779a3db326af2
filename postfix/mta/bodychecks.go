package mta

import (
	"bytes"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// bodyChecks runs a cleanup service's body_checks: the actions of header
// checks, line by line.
func (w *Way) bodyChecks(c *cleanup, v *cleaned) {
	var changed []byte // the body, where lines of it go or are replaced
	kept := 0          // up to here of w.body
	prepend := func(line []byte, text string) {
		start := offsetIn(w.body, line)
		if start < kept {
			return // a piece that isn't the body's own octets
		}
		changed = append(append(append(changed, w.body[kept:start]...), text...), '\n')
		kept = start
	}
	edit := func(line []byte, text string) {
		start := offsetIn(w.body, line)
		if start < kept {
			return // a piece that isn't the body's own octets
		}
		end := start + len(line)
		if text == "" {
			if n := bytes.IndexByte(w.body[end:], '\n'); n >= 0 {
				end += n + 1
			}
		}
		changed = append(append(changed, w.body[kept:start]...), text...)
		kept = end
	}
	fields := w.fields
	if c.flat { // the body is one part
		fields = nil
	}
	headers.Lines(fields, w.body, func(line []byte, offset int) bool {
		if c.bodyLimit > 0 && offset >= c.bodyLimit {
			return true // the next part begins anew
		}
		for i := range c.body {
			table, ok := c.body[i].Checks.(*postfix.Checks)
			if !ok {
				continue // a checker in memory, which is for header fields
			}
			hit, ok := table.LookupLine(line)
			if !ok {
				continue
			}
			at, input := c.body[i].at(hit), string(line[:min(len(line), 60)])
			switch a := hit.Action.(type) {
			case postfix.Filter:
				v.filter, v.rule, v.at = a.Transport+":"+a.NextHop, hit.Rule, at
				w.step("cleanup", hit.Rule, at, input, "filter")
			case postfix.Reject:
				w.step("cleanup", hit.Rule, at, input, "rejected")
				w.rule = hit.Rule
				w.refuse(rejectText(a.Text))
				v.done = true
				return false
			case postfix.Strip, postfix.Ignore:
				w.step("cleanup", hit.Rule, at, input, "line removed")
				edit(line, "")
			case postfix.Replace:
				w.step("cleanup", hit.Rule, at, input, "line replaced")
				edit(line, a.Text)
			case postfix.Prepend:
				w.step("cleanup", hit.Rule, at, input, "line added")
				prepend(line, a.Text)
			case postfix.Redirect:
				w.step("cleanup", hit.Rule, at, input, "redirected to "+a.Address)
				v.to, v.final = a.Address, true
				return false
			case postfix.Discard:
				w.step("cleanup", hit.Rule, at, input, "discarded")
				w.rule = hit.Rule
				v.discard, v.final = true, true
				return false
			case postfix.Hold:
				w.step("cleanup", hit.Rule, at, input, "held until postsuper -H")
				w.rule = hit.Rule
				v.hold = true
			case postfix.BCC:
				v.copies = append(v.copies, bcc{c.body[i].File, w.e.canonical(a.Address), input, at})
			case postfix.Pass:
				return false
			case postfix.Dunno, postfix.Warn, postfix.Info:
			case postfix.Unknown: // LookupLine has made another of it
			}
			break
		}
		return true
	})
	if (kept > 0 || changed != nil) && !v.done {
		w.body = append(changed, w.body[kept:]...)
	}
}

// offsetIn is where part, a slice of whole, begins; -1 where it is none.
func offsetIn(whole, part []byte) int {
	n := cap(whole) - cap(part)
	if n < 0 || n+len(part) > len(whole) || len(part) == 0 || &whole[n] != &part[0] {
		return -1
	}
	return n
}
