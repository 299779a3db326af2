package mta

import (
	"cmp"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// handOver is a delivery agent other than Dovecot.
func (w *Way) handOver(h hop, to string) {
	_, domain := splitAddress(to)
	domain = fold(domain)
	if (h.command == "smtp" || h.command == "lmtp") && w.reenter(h, to) {
		return
	}
	if a := w.e.agents[h.transport]; (h.command == "smtp" || h.command == "lmtp") && (a == nil || a.Reached(w)) {
		if !w.takesUTF8(h, cmp.Or(h.nexthop, domain), to, w.m.NextHops) {
			return
		}
	}
	rcpt := w.leaveBy(h.transport, to)
	before := len(*w.out)
	w.agent(h, to, domain)
	if rcpt != to {
		for i := before; i < len(*w.out); i++ {
			if o := &(*w.out)[i]; o.RcptTo == to {
				o.RcptTo = rcpt
			}
		}
	}
}

// ended is a delivery agent that ends whenever it is started: qmgr(8) tries again.
func (w *Way) ended(h hop, to string) bool {
	why, ok := w.e.dead[h.transport]
	if ok {
		w.step(h.command, w.rule, h.at, h.transport, why)
		w.end(ActionDefer, "451", to, "4.3.0 unknown mail transport error")
	}
	return ok
}

// agent is what the delivery agent does.
func (w *Way) agent(h hop, to, domain string) {
	if w.ended(h, to) {
		return
	}
	switch h.command {
	case "smtp":
		if a := w.e.agents[h.transport]; a != nil {
			a.Deliver(w, h.exported(), to)
			return
		}
		if own, literal := literalAddr(domain); h.nexthop == "" && literal && slices.Contains(w.e.router.own, own) {
			w.step("smtp", w.rule, h.at, domain, "this server's own address")
			w.end(ActionBounce, "554", to, "5.4.6 mail for "+domain+" loops back to myself")
			return
		}
		if h.nexthop == "" {
			w.step("smtp", w.rule, h.at, domain, "to the MX")
			w.end(ActionMX, domain, to, "")
			return
		}
		w.step("smtp", w.rule, h.at, h.nexthop, "to a fixed host")
		w.end(ActionRelay, h.nexthop, to, "")
	case "lmtp":
		w.step("lmtp", w.rule, h.at, h.nexthop, "to a fixed host")
		w.end(ActionRelay, h.nexthop, to, "")
	case "discard":
		w.step("discard", w.rule, h.at, to, "discarded")
		w.end(ActionDiscard, "", to, "")
	case "error":
		text, action, code, status := h.nexthop, ActionBounce, "550", "5.0.0"
		if text == "" || text == domain {
			text = "Address is undeliverable"
		}
		if h.transport == "retry" {
			action, code, status = ActionDefer, "450", "4.0.0"
		}
		if own, rest, ok := cutStatus(text); ok && own[0] == status[0] {
			status, text = own, rest
		} else if ok {
			text = rest
		}
		text = status + " " + text
		w.step("error", w.rule, h.at, to, text)
		w.end(action, code, to, text)
	case "local":
		if w.deliveredTo(to) {
			w.step("local", "", h.at, to, "it was here before (Delivered-To)")
			w.end(ActionBounce, "554", to, "5.4.6 mail forwarding loop for "+to)
			return
		}
		w.localTo = to
		w.local(h, to, 0, nil)
	case "virtual":
		w.mailbox(h, to)
	case "":
		w.step("qmgr", w.rule, h.at, h.transport, "no such transport")
		w.end(ActionDefer, "450", to, "4.3.0 mail transport unavailable")
	case "pipe":
		w.pipe(h, to, domain)
	default:
		w.step(h.command, w.rule, h.at, h.nexthop, "handed to another program")
		w.endAt(ActionRelay, TargetService{h.transport, h.nexthop}, to, "")
	}
}

// leave is what smtp(8) does to a message on its way out: the sender's and the
// recipient's addresses by smtp_generic_maps, and smtp_header_checks, which
// remove the markers.
func (w *Way) leave(transport string) {
	to := w.leaveBy(transport, w.m.To)
	if to != w.m.To {
		m := *w.m
		m.To = to
		w.m = &m
	}
}

// leaveBy is leave for a recipient that is not the message's own, and returns
// its address as the next server sees it.
func (w *Way) leaveBy(transport, to string) string {
	leaf := w.e.leaves[transport]
	if leaf == nil {
		return to
	}
	g := leaf.generic
	if g != nil {
		if from := w.genericAddress(g, w.m.From); from != w.m.From {
			m := *w.m
			m.From = from
			w.m = &m
		}
		to = w.genericAddress(g, to)
	}
	if g != nil || len(leaf.checks) > 0 || len(leaf.mime) > 0 {
		w.leaveHeader(leaf)
	}
	return to
}

// leaveHeader gives the header its last form: each field goes through the
// checks, and what they leave of it through smtp_generic_maps, which take the
// field for what it was before. A line that PREPEND adds goes as it is.
func (w *Way) leaveHeader(leaf *leaf) {
	dropped := false
	var before []insertion
	for position, f := range w.fields {
		class := classOfField(f.Name)
		if hit, at, ok := leaf.check(f); ok {
			name := string(f.Name)
			switch a := hit.Action.(type) {
			case postfix.Ignore, postfix.Strip:
				w.step("smtp", hit.Rule, at, name, "removed")
				w.remove(f)
				w.drop(position, &dropped)
				continue
			case postfix.Prepend:
				w.step("smtp", hit.Rule, at, name, "header added")
				added := fieldOf(a.Text)
				w.edits = append(w.edits, Edit{Name: string(added.Name), Value: strings.TrimSpace(string(added.Body))})
				before = append(before, insertion{position, added})
			case postfix.Replace:
				w.step("smtp", hit.Rule, at, name, "replaced")
				w.own()
				before := f
				w.fields[position] = fieldOf(a.Text)
				f = w.fields[position]
				w.remove(before)
				w.edits = append(w.edits, Edit{Name: string(f.Name), Value: strings.TrimSpace(string(f.Body))})
			default: // smtp(8) logs it at most: a delivery is too late for the rest
			}
		}
		if leaf.generic != nil && class != plainField {
			w.genericField(leaf.generic, position)
		}
	}
	for _, x := range slices.Backward(before) {
		w.own()
		w.fields = slices.Insert(w.fields, x.position, x.field)
	}
	if dropped {
		w.compact()
	}
}

// insertion is a field that goes before the one at a position.
type insertion struct {
	position int
	field    headers.Field
}

// check looks a field up in smtp_header_checks.
func (l *leaf) check(f headers.Field) (hit postfix.CheckHit, at place, ok bool) {
	checks := l.checks
	if headers.IsMIME(f.Name) {
		checks = l.mime
	}
	for i := range checks {
		if hit, ok := checks[i].Checks.Lookup(f); ok {
			return hit, checks[i].at(hit), true
		}
	}
	return hit, at, false
}

// genericField is smtp_generic_maps for the addresses of a field; all mail gets
// that.
func (w *Way) genericField(g *generic, i int) {
	f := w.fields[i]
	tree, changed := parseAddresses(string(f.Body)), false
	for j := range tree {
		t := &tree[j]
		if t.kind != addressToken {
			continue
		}
		before := internal(t.parts)
		after, found := w.genericResult(g, before)
		changed = changed || found
		t.parts = scanTokens(quoteLocal(unquoteLocal(after)), 0)
	}
	if !changed {
		return
	}
	if body := foldAddresses(f.Name, tree); body != string(f.Body) {
		w.changeField(i, body, "smtp", place{"smtp_generic_maps", 0})
	}
}
