package relay

import (
	"cmp"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// handOver is a delivery agent other than Dovecot.
func (w *walk) handOver(h hop, to string) {
	_, domain := splitAddress(to)
	domain = fold(domain)
	if down := w.m.SmartHost == PeerDown && w.e.to(h.transport) != nil; (h.command == "smtp" || h.command == "lmtp") && !down {
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

// agent is what the delivery agent does.
func (w *walk) agent(h hop, to, domain string) {
	switch h.command {
	case "smtp":
		if p := w.e.to(h.transport); p != nil {
			w.toSmartHost(p, h, to)
			return
		}
		if h.nexthop == "" {
			w.step("smtp", w.rule, h.at, domain, "to the MX")
			w.end(MX, domain, to, "")
			return
		}
		w.step("smtp", w.rule, h.at, h.nexthop, "to a fixed host")
		w.end(Relay, h.nexthop, to, "")
	case "lmtp":
		w.step("lmtp", w.rule, h.at, h.nexthop, "to a fixed host")
		w.end(Relay, h.nexthop, to, "")
	case "discard":
		w.step("discard", w.rule, h.at, to, "discarded")
		w.end(Discard, "", to, "")
	case "error":
		text := h.nexthop
		if text == "" || text == domain {
			text = "Address is undeliverable"
		}
		action, code := Bounce, "550"
		if h.transport == "retry" {
			action, code = Defer, "450"
		}
		w.step("error", w.rule, h.at, to, text)
		w.end(action, code, to, text)
	case "local":
		w.local(h, to, 0, nil)
	case "virtual":
		w.deliver(h, to)
	case "":
		w.step("qmgr", w.rule, h.at, h.transport, "no such transport")
		w.end(Defer, "450", to, "4.3.0 mail transport unavailable")
	default:
		w.step(h.command, w.rule, h.at, h.nexthop, "handed to another program")
		w.end(Relay, h.transport+":"+h.nexthop, to, "")
	}
}

// leave is what smtp(8) does to a message on its way out: the sender's and the
// recipient's addresses by smtp_generic_maps, and smtp_header_checks, which
// remove the markers.
func (w *walk) leave(transport string) {
	to := w.leaveBy(transport, w.m.To)
	if to != w.m.To {
		m := *w.m
		m.To = to
		w.m = &m
	}
}

// leaveBy is leave for a recipient that is not the message's own, and returns
// its address as the next server sees it.
func (w *walk) leaveBy(transport, to string) string {
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
	dropped := false
	for position, f := range w.fields {
		for i := range leaf.checks {
			hit, ok := leaf.checks[i].checks.Lookup(f)
			if !ok {
				continue
			}
			switch hit.Action.(type) {
			case postfix.Ignore, postfix.Strip:
				w.step("smtp", hit.Rule, leaf.checks[i].at(hit), string(f.Name), "removed")
				w.edits = append(w.edits, Edit{Removed: true, Name: string(f.Name), Value: strings.TrimSpace(string(f.Body))})
				w.drop(position, &dropped)
			}
			break
		}
	}
	if g != nil {
		w.genericHeader(g)
	}
	if dropped {
		w.compact()
	}
	return to
}

// genericHeader is smtp_generic_maps for the addresses of the header, which
// all mail gets.
func (w *walk) genericHeader(g *generic) {
	for i, f := range w.fields {
		if f.Name == nil || classOfField(f.Name) == plainField {
			continue
		}
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
			continue
		}
		if body := foldAddresses(f.Name, tree); body != string(f.Body) {
			w.changeField(i, body, "smtp", place{"smtp_generic_maps", 0})
		}
	}
}
