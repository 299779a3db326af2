package mta

import "bytes"

// mailbox is delivery to a mailbox: by virtual(8), or by LMTP to what the caller
// knows of it ([Options].Deliver).
func (w *Way) mailbox(h hop, to string) {
	if h.command != "lmtp" {
		if _, found, _, err := w.Mailbox(to); err != nil {
			w.end(ActionDefer, "451", to, "4.3.0 Temporary lookup failure")
			return
		} else if h.command == "virtual" && !found && (w.e.lists == nil || len(w.e.lists.opaque) == 0) {
			w.step(h.command, w.rule, h.at, to, "no such mailbox (virtual_mailbox_maps)")
			w.end(ActionBounce, "550", to, "5.1.1 unknown user: \""+fold(to)+"\"")
			return
		}
		w.step(h.command, w.rule, h.at, to, "delivered without Sieve")
		w.end(ActionMailbox, "INBOX", to, "")
		return
	}
	if !w.takesUTF8(h, "Dovecot", to, SMTPUTF8Missing) {
		return
	}
	to = w.leaveBy(h.transport, to)
	if w.e.deliver != nil {
		w.e.deliver(w, h.exported(), to)
		return
	}
	w.depends("lmtp:"+h.nexthop, h.at, to, "delivered to INBOX")
	w.step("lmtp", w.rule, h.at, to, "to the mailbox")
	w.end(ActionMailbox, "INBOX", to, "")
}

// assumeMailbox reports whether an address is taken for a mailbox, since nobody
// can read the tables that would have it.
func (w *Way) assumeMailbox(to string) bool {
	if w.e.lists == nil {
		return false
	}
	for _, o := range w.e.lists.opaque {
		w.depends("virtual_mailbox_maps "+o, place{"virtual_mailbox_maps", 0}, to, "listed")
	}
	return len(w.e.lists.opaque) > 0
}

// exported is the hop for the caller.
func (h hop) exported() Hop {
	return Hop{Transport: h.transport, NextHop: h.nexthop, Command: h.command, File: h.at.file, Line: h.at.line}
}

// hop is the same the other way round.
func (h Hop) hop() hop {
	return hop{transport: h.Transport, nexthop: h.NextHop, command: h.Command, at: place{h.File, h.Line}}
}

// size is the message's size as Dovecot counts it: every line end is two
// octets. What Received: fields on the way add is not known here.
func size(raw []byte) int64 {
	return int64(len(raw) + bytes.Count(raw, []byte("\n")) - bytes.Count(raw, []byte("\r\n")))
}

// size is the message's size, which is counted once however many mailboxes get it.
func (w *Way) size() int64 {
	if w.q.size == 0 {
		w.q.size = size(w.m.Raw)
	}
	return w.q.size
}
