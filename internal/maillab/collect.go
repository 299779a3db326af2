package maillab

import (
	"net"
	"slices"
	"sort"
	"strings"
)

// stored is one message in a mailbox.
type stored struct {
	user   string // user@domain
	folder string // INBOX, or the path below it
	flags  []string
	data   []byte
}

// evidence is everything a run left behind.
type evidence struct {
	world     *World
	msgs      []Message
	sent      []delivery
	trace     *trace
	records   []record
	mailboxes []stored
	resting   map[string]string        // queue file to "deferred" or "hold"
	header    func(file string) []byte // of a resting queue file

	origins   map[string]origin
	root      []string         // queue file of each message, "" where there is none
	delivered map[string][]int // LMTP session and mailbox to the copies
	usedStore []bool
	usedSink  []bool
	headers   [][]byte       // of the mailbox copies
	sessions  map[string]via // LMTP transaction to the delivery into it
	byID      map[string]int // Message.ID to its index
}

// via is a delivery into LMTP: the queue file, and the recipients.
type via struct {
	file       string
	recipients []string
}

// origin says where a queue file comes from.
type origin struct {
	kind   originKind
	parent string // queue file
	msg    int    // of a root
	by     string // mailbox, of Sieve's mail
}

// originKind is the way by which a queue file came to be.
type originKind int

const (
	fromMessage  originKind = iota // a message of the list
	fromHop                        // handed on by Postfix
	fromNotice                     // a notification about another
	fromRedirect                   // Sieve sent a copy on
	fromReply                      // Sieve answered
)

// join writes the outcomes and what is left over.
func (e *evidence) join(result *Result) {
	e.prepare()
	e.findOrigins()
	result.Messages = make(map[string]Outcome, len(e.msgs))
	outcomes := make([]Outcome, len(e.msgs))
	for i := range e.msgs {
		outcomes[i] = e.outcome(i)
	}
	for _, id := range e.trace.order {
		o, known := e.origins[id]
		if !known || o.kind == fromMessage || o.kind == fromHop {
			continue
		}
		msg, kind, ok := e.owner(id)
		if !ok {
			continue
		}
		by := e.sieveUser(id)
		places := e.everyPlace(id)
		for j := range places {
			places[j].By, places[j].Mail = by, kind
		}
		if kind == MailMessage {
			outcomes[msg].Redirected = append(outcomes[msg].Redirected, places...)
		} else {
			outcomes[msg].Notices = append(outcomes[msg].Notices, places...)
		}
	}
	for i, o := range outcomes {
		for _, places := range o.Recipients {
			sortPlaces(places)
		}
		sortPlaces(o.Redirected)
		sortPlaces(o.Notices)
		result.Messages[e.msgs[i].ID] = o
	}
	result.Stray = e.strays()
}

// sortPlaces puts places in an order that doesn't depend on timing.
func sortPlaces(places []Place) {
	sort.SliceStable(places, func(i, j int) bool {
		a, b := &places[i], &places[j]
		return slices.Compare(
			[]string{string(a.Kind), a.Name, a.Address, a.By, string(a.Mail)},
			[]string{string(b.Kind), b.Name, b.Address, b.By, string(b.Mail)}) < 0
	})
}

// prepare makes the indexes.
func (e *evidence) prepare() {
	e.delivered = map[string][]int{}
	e.usedStore = make([]bool, len(e.mailboxes))
	e.usedSink = make([]bool, len(e.records))
	e.headers = make([][]byte, len(e.mailboxes))
	for i, m := range e.mailboxes {
		e.headers[i], _ = split(m.data)
	}
	e.byID = make(map[string]int, len(e.msgs))
	for i, m := range e.msgs {
		e.byID[m.ID] = i
	}
	e.sessions = map[string]via{}
	for _, id := range e.trace.order {
		for i := range e.trace.files[id].hops {
			h := &e.trace.files[id].hops[i]
			if s := h.session(); s != "" {
				key := transaction(s)
				v := e.sessions[key]
				v.file = id
				v.recipients = append(v.recipients, mailbox(h.to))
				e.sessions[key] = v
			}
		}
	}
}

// outcome is what became of one message and its own recipients.
func (e *evidence) outcome(i int) Outcome {
	m, d := &e.msgs[i], &e.sent[i]
	o := Outcome{SMTP: d.smtp, RCPT: d.rcpt, Recipients: map[string][]Place{}}
	root := e.trace.files[e.root[i]]
	// Postfix may take two spellings of an address for one.
	names := map[string]string{}
	for _, r := range slices.Backward(m.Recipients) {
		names[foldAddress(r)] = r
	}
	accepted := func(r string) bool {
		reply, ok := d.rcpt[r]
		return !ok || reply.Code/100 == 2
	}
	if root != nil && d.smtp.Code/100 == 2 {
		for j := range root.hops {
			h := &root.hops[j]
			name, ok := names[foldAddress(h.recipient())]
			if !ok {
				name, ok = names[foldAddress(h.to)]
			}
			if !ok {
				name = h.recipient()
			}
			o.Recipients[name] = append(o.Recipients[name], e.places(root, h, 0)...)
		}
		e.added(root, o.Recipients, map[string]bool{})
	}
	for _, r := range m.Recipients {
		switch reply := d.rcpt[r]; {
		case !accepted(r):
			o.Recipients[r] = []Place{refused(r, reply)}
		case d.smtp.Code/100 != 2:
			o.Recipients[r] = []Place{refused(r, d.smtp)}
		case len(o.Recipients[r]) > 0:
		case len(o.Recipients[names[foldAddress(r)]]) > 0:
			o.Recipients[r] = slices.Clone(o.Recipients[names[foldAddress(r)]])
		default:
			o.Recipients[r] = []Place{e.unsent(m, root, r)}
		}
	}
	return o
}

// added are the recipients that the site added on the way: of queue files behind
// this one, those that nobody handed on.
func (e *evidence) added(f *queueFile, recipients map[string][]Place, seen map[string]bool) {
	handed := map[string][]*hop{} // by queue file
	for i := range f.hops {
		if child := f.hops[i].child(); e.trace.files[child] != nil {
			handed[child] = append(handed[child], &f.hops[i])
		}
	}
	for child, from := range handed {
		if seen[child] {
			continue
		}
		seen[child] = true
		next := e.trace.files[child]
		for i := range next.hops {
			n := &next.hops[i]
			if !slices.ContainsFunc(from, func(h *hop) bool { return n.follows(h) }) {
				recipients[n.recipient()] = append(recipients[n.recipient()], e.places(next, n, 0)...)
			}
		}
		e.added(next, recipients, seen)
	}
}

// follows reports whether the hop delivers what h handed on.
func (n *hop) follows(h *hop) bool {
	return foldAddress(n.recipient()) == foldAddress(h.to) || foldAddress(n.to) == foldAddress(h.to) || strings.HasPrefix(h.text, "forwarded")
}

// refused is the place of a recipient refused in the dialogue.
func refused(recipient string, reply Reply) Place {
	kind := KindRejected
	if reply.Code == 0 && reply.Stage == "connect" {
		kind = KindUnreachable
	}
	return Place{Kind: kind, Address: recipient, Code: reply.Code, Enhanced: reply.Enhanced, Text: reply.Text}
}

// unsent is the place of a recipient whose queue file has no delivery for it.
func (e *evidence) unsent(m *Message, f *queueFile, recipient string) Place {
	p := Place{Kind: KindLost, Address: recipient}
	if f != nil {
		p.Sender = f.sender
		switch {
		case e.resting[f.id] == "hold":
			p.Kind = KindHeld
			p.Header = e.header(f.id)
			return p
		case f.discarded != "":
			p.Kind, p.Text = KindDiscarded, f.discarded
			return p
		case f.active:
			return p
		}
	}
	if m == nil {
		return p
	}
	// Discarded before there was a queue file: the line names the sender.
	for _, text := range e.trace.discards {
		if strings.Contains(text, " from=<"+m.From+"> ") {
			p.Kind, p.Text = KindDiscarded, text
		}
	}
	return p
}

// everyPlace is where all recipients of a queue file ended.
func (e *evidence) everyPlace(id string) []Place {
	f := e.trace.files[id]
	var places []Place
	for i := range f.hops {
		places = append(places, e.places(f, &f.hops[i], 0)...)
	}
	added := map[string][]Place{}
	e.added(f, added, map[string]bool{})
	for _, more := range added {
		places = append(places, more...)
	}
	if len(places) == 0 {
		places = append(places, e.unsent(nil, f, ""))
	}
	return places
}

// places is where one delivery led.
func (e *evidence) places(f *queueFile, h *hop, depth int) []Place {
	p := Place{Address: h.to, Sender: f.sender, Agent: h.agent, Enhanced: h.dsn, Text: h.text, Code: h.refusal()}
	switch h.status {
	case "sent":
	case "bounced", "expired", "undeliverable":
		p.Kind = KindBounced
		return []Place{p}
	default:
		p.Kind = KindDeferred
		return []Place{p}
	}
	p.Enhanced, p.Text, p.Code = "", "", 0
	if n := h.record(); n >= 0 && n < len(e.records) {
		e.usedSink[n] = true
		e.fill(&p, &e.records[n])
		return []Place{p}
	}
	if next := e.trace.files[h.child()]; next != nil && depth < 100 {
		var places []Place
		for i := range next.hops {
			n := &next.hops[i]
			if n.follows(h) {
				places = append(places, e.places(next, n, depth+1)...)
			}
		}
		if len(places) == 0 {
			places = append(places, e.unsent(nil, next, h.to))
		}
		return places
	}
	if copies := e.copies(f, h); len(copies) > 0 {
		var places []Place
		for _, i := range copies {
			q := p
			q.Kind, q.Name, q.Flags = KindMailbox, e.mailboxes[i].folder, e.mailboxes[i].flags
			q.Header, q.Body = split(e.mailboxes[i].data)
			places = append(places, q)
		}
		return places
	}
	_, agent, _ := cutLast(h.agent, "/")
	switch {
	case agent == "discard":
		p.Kind, p.Text = KindDiscarded, h.text
	case h.session() != "":
		p.Kind = KindConsumed
	case agent == "smtp" || agent == "lmtp":
		p.Kind, p.Name, p.Text = KindRelay, h.relay, h.text
	default:
		p.Kind, p.Text = KindMailbox, h.text
	}
	return []Place{p}
}

// fill completes the place from a sink's record.
func (e *evidence) fill(p *Place, r *record) {
	p.Kind, p.Name, p.Sink = r.sink.Kind, r.sink.Name, r.sink.Address
	if _, domain, ok := cutAddress(p.Address); ok && p.Kind == KindMX {
		ip, _, _ := net.SplitHostPort(r.sink.Address)
		if e.world.exchanges(domain, ip) {
			p.Name = strings.ToLower(domain)
		}
	}
	p.Sender, p.Peer, p.TLS, p.ClientCert, p.Verified, p.SNI, p.Login = r.sender, r.peer, r.tls, r.clientCert, r.verified, r.sni, r.login
	p.Recipients = r.recipients
	p.Header, p.Body = split(r.data)
}

// copies are the mailbox copies that a delivery made: those of the recipient's
// mailbox that came in the same LMTP transaction. Where one transaction had the
// mailbox as recipient twice (by address extensions), the folders that Sieve
// logged for the recipient tell the copies apart. Where one address is the
// recipient twice (by two aliases), Postfix delivers it once and logs it twice.
func (e *evidence) copies(f *queueFile, h *hop) []int {
	user, session := mailbox(h.to), h.session()
	once := session + " " + user
	if found, ok := e.delivered[once]; ok && session != "" {
		return found
	}
	var found []int
	for i := range e.mailboxes {
		if e.usedStore[i] || e.mailboxes[i].user != user {
			continue
		}
		ids := receivedIDs(e.headers[i])
		if len(ids) == 0 {
			continue
		}
		// Without a Received field of Dovecot's, the newest is the queue file's.
		if session != "" && ids[0] == transaction(session) || ids[0] == f.id {
			found = append(found, i)
		}
	}
	twice := 0
	for _, r := range e.sessions[transaction(session)].recipients {
		if r == user {
			twice++
		}
	}
	if twice > 1 {
		folders := slices.Clone(e.trace.folders[session])
		found = slices.DeleteFunc(found, func(i int) bool {
			n := slices.Index(folders, e.mailboxes[i].folder)
			if n >= 0 {
				folders = slices.Delete(folders, n, n+1)
			}
			return n < 0
		})
	}
	for _, i := range found {
		e.usedStore[i] = true
	}
	e.delivered[once] = found
	return found
}

// strays are the copies that no delivery accounts for.
func (e *evidence) strays() []Place {
	var strays []Place
	for i := range e.records {
		if e.usedSink[i] {
			continue
		}
		for _, recipient := range e.records[i].recipients {
			p := Place{Address: recipient}
			e.fill(&p, &e.records[i])
			strays = append(strays, p)
		}
	}
	for i, m := range e.mailboxes {
		if !e.usedStore[i] {
			p := Place{Kind: KindMailbox, Name: m.folder, Address: m.user, Flags: m.flags}
			p.Header, p.Body = split(m.data)
			strays = append(strays, p)
		}
	}
	sortPlaces(strays)
	return strays
}
