package maillab

import (
	"bytes"
	"strings"
)

// firstUID is the first of the users who call sendmail, one for each message:
// Postfix logs the user, and nothing else about a message at pickup is sure to
// be unique.
const firstUID = 1 << 20

// findOrigins finds out where each queue file comes from: from the replies and
// the log what it can, the rest from the copies.
func (e *evidence) findOrigins() {
	e.origins = map[string]origin{}
	e.root = make([]string, len(e.msgs))
	setRoot := func(id string, msg int) {
		if _, ok := e.trace.files[id]; ok {
			e.origins[id], e.root[msg] = origin{kind: fromMessage, msg: msg}, id
		}
	}
	for i, d := range e.sent {
		if d.queue != "" {
			// Logged or not, the reply names it.
			e.trace.file(d.queue)
			setRoot(d.queue, i)
		}
	}
	for _, id := range e.trace.order {
		f := e.trace.files[id]
		if msg := f.uid - firstUID; f.uid >= 0 && msg >= 0 && msg < len(e.msgs) {
			setRoot(id, msg)
		}
		for i := range f.hops {
			if child := f.hops[i].child(); e.trace.files[child] != nil {
				e.link(child, origin{kind: fromHop, parent: id})
			}
		}
		for _, notice := range f.notices {
			e.link(notice, origin{kind: fromNotice, parent: id})
		}
	}
	for _, r := range e.records {
		e.readCopy(r.data)
	}
	for _, m := range e.mailboxes {
		e.readCopy(m.data)
	}
	for _, id := range e.trace.order {
		if _, _, known := e.owner(id); !known && e.resting[id] != "" {
			// What waits in the queue has its own Received field already; it may be
			// the second pass of what has no origin.
			e.readCopy(e.header(id))
		}
	}
	e.guessOrigins()
}

// link notes an origin unless there is one.
func (e *evidence) link(id string, o origin) {
	if _, known := e.origins[id]; !known && id != o.parent {
		e.origins[id] = o
	}
}

// readCopy learns from the chain of a copy's Received fields, and from that of a
// message inside it, which a notification returns.
func (e *evidence) readCopy(data []byte) {
	header, body := split(data)
	outer := e.readChain(header)
	i := bytes.Index(body, []byte("\nReceived: "))
	if i < 0 {
		return
	}
	inner, _ := split(body[i+1:])
	returned := e.readChain(inner)
	if len(outer) == 0 || len(returned) == 0 {
		return
	}
	// Sieve's rejection notice names the message by returning it only.
	oldest, parent := outer[len(outer)-1], returned[0]
	if e.trace.files[oldest] != nil && oldest != parent {
		o := origin{kind: fromReply, parent: parent, by: address(fields(header, "From"))}
		if s, ok := e.sessions[parent]; ok {
			o.parent = s.file
			if len(s.recipients) == 1 {
				o.by = s.recipients[0]
			}
		}
		e.link(oldest, o)
	}
}

// readChain links each queue file of the chain that has no origin to the next
// older link: it re-entered from Sieve. The oldest is a message of the list or
// an answer to one. It returns the chain, newest first: queue files and LMTP
// transactions.
func (e *evidence) readChain(header []byte) (chain []string) {
	for _, id := range receivedIDs(header) {
		_, session := e.sessions[id]
		if e.trace.files[id] != nil || session {
			chain = append(chain, id)
		}
	}
	redirectors := fields(header, "X-Sieve-Redirected-From")
	for i, id := range chain {
		if e.trace.files[id] == nil {
			continue
		}
		if _, known := e.origins[id]; known {
			// A known one came by a hop or as a message; a redirect that was learnt
			// from another copy has had its redirector's field, too.
			if e.origins[id].kind == fromRedirect && len(redirectors) > 0 {
				redirectors = redirectors[1:]
			}
			continue
		}
		var by string
		if len(redirectors) > 0 {
			by, redirectors = strings.TrimSpace(redirectors[0]), redirectors[1:]
		}
		if i+1 < len(chain) {
			parent := chain[i+1]
			if s, ok := e.sessions[parent]; ok {
				parent = s.file
				if by == "" && len(s.recipients) > 0 {
					by = s.recipients[0]
				}
			}
			e.link(id, origin{kind: fromRedirect, parent: parent, by: by})
			continue
		}
		e.oldest(id, header, by)
	}
	return chain
}

// oldest finds the origin of a queue file whose copy names no older one.
func (e *evidence) oldest(id string, header []byte, by string) {
	for _, value := range fields(header, IDHeader) {
		msg, ok := e.byID[strings.TrimSpace(value)]
		switch {
		case !ok:
		case e.root[msg] == "":
			// The reply to the message named no queue file.
			e.origins[id], e.root[msg] = origin{kind: fromMessage, msg: msg}, id
			return
		default:
			e.link(id, origin{kind: fromRedirect, parent: e.root[msg], by: by})
			return
		}
	}
	for _, name := range []string{"In-Reply-To", "References"} {
		for _, value := range fields(header, name) {
			if parent := e.byMessageID(strings.TrimSpace(value), id); parent != "" {
				e.link(id, origin{kind: fromReply, parent: parent, by: address(fields(header, "From"))})
				return
			}
		}
	}
}

// byMessageID is the only root with the Message-ID, or "".
func (e *evidence) byMessageID(messageID, but string) string {
	found := ""
	for _, id := range e.root {
		if id == "" || id == but || messageID == "" || e.trace.files[id].messageID != messageID {
			continue
		}
		if found != "" {
			return ""
		}
		found = id
	}
	return found
}

// sieved is something that Sieve sent, by its log.
type sieved struct {
	origin
	messageID string // of the message it was delivered
}

// guessOrigins deals with the queue files of which no copy tells: mail of
// Sieve's that ended without one, or answers to messages without Message-ID.
// Sieve logs whom it sent something; the Message-ID, or that there is only one,
// says which it is.
func (e *evidence) guessOrigins() {
	sent := map[string][]sieved{} // by recipient
	for _, id := range e.trace.order {
		f := e.trace.files[id]
		for i := range f.hops {
			h := &f.hops[i]
			note := func(kind originKind, recipients []string) {
				for _, r := range recipients {
					o := origin{kind: kind, parent: id, by: mailbox(h.to)}
					sent[foldAddress(r)] = append(sent[foldAddress(r)], sieved{o, f.messageID})
				}
			}
			note(fromRedirect, e.trace.redirects[h.session()])
			note(fromReply, e.trace.replies[h.session()])
		}
	}
	for _, id := range e.trace.order {
		if _, known := e.origins[id]; known {
			continue
		}
		f := e.trace.files[id]
		var same, any []sieved
		for i := range f.hops {
			for _, s := range sent[foldAddress(f.hops[i].recipient())] {
				any = append(any, s)
				if s.kind == fromRedirect && s.messageID != "" && s.messageID == f.messageID {
					same = append(same, s)
				}
			}
		}
		if len(same) == 1 {
			e.link(id, same[0].origin)
		} else if parent := e.byMessageID(f.messageID, id); parent != "" {
			e.link(id, origin{kind: fromRedirect, parent: parent})
		} else if len(any) == 1 {
			e.link(id, any[0].origin)
		}
	}
}

// owner is the message that a queue file belongs to, and what kind of mail it
// is on the way.
func (e *evidence) owner(id string) (msg int, kind MailKind, ok bool) {
	for range 100 {
		o, known := e.origins[id]
		if !known {
			return 0, "", false
		}
		switch o.kind {
		case fromMessage:
			return o.msg, kind, true
		case fromNotice:
			if kind == MailMessage {
				kind = MailDSN
			}
		case fromReply:
			if kind == MailMessage {
				kind = MailReply
			}
		}
		id = o.parent
	}
	return 0, "", false
}

// sieveUser is the mailbox whose script made the queue file, or "".
func (e *evidence) sieveUser(id string) string { return e.origins[id].by }

// address is the address of the first From field in its simple forms.
func address(from []string) string {
	if len(from) == 0 {
		return ""
	}
	if _, after, ok := strings.Cut(from[0], "<"); ok {
		a, _, _ := strings.Cut(after, ">")
		return a
	}
	return strings.TrimSpace(from[0])
}

// cutAddress cuts at the last @.
func cutAddress(address string) (local, domain string, ok bool) {
	return cutLast(address, "@")
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

// foldAddress is an address for comparison: case doesn't count, nor do the
// quotes of a local part.
func foldAddress(address string) string {
	local, domain, ok := cutAddress(address)
	if !ok {
		local, domain = domain, ""
	}
	if n := len(local); n > 1 && local[0] == '"' && local[n-1] == '"' {
		local = strings.ReplaceAll(local[1:n-1], `\`, "")
	}
	return strings.ToLower(local + "@" + domain)
}

// mailbox is the mailbox of an address as Dovecot names it: lower case, without
// the address extension.
func mailbox(address string) string {
	local, domain, ok := cutAddress(foldAddress(address))
	if !ok {
		return address
	}
	local, _, _ = strings.Cut(local, "+")
	return local + "@" + domain
}
