package mta

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// fieldClass is which addresses a field of the header has, as cleanup(8) takes
// it.
type fieldClass uint8

const (
	plainField fieldClass = iota
	senderField
	recipientField
)

// addressFields are the fields whose addresses Postfix rewrites.
var addressFields = []struct {
	name  string
	class fieldClass
}{
	{"From", senderField}, {"To", recipientField}, {"Cc", recipientField}, {"Reply-To", senderField}, {"Sender", senderField},
	{"Bcc", recipientField}, {"Apparently-To", recipientField}, {"Disposition-Notification-To", senderField}, {"Errors-To", senderField},
	{"Mail-Followup-To", senderField}, {"Return-Path", senderField}, {"Return-Receipt-To", senderField},
	{"Resent-From", senderField}, {"Resent-Sender", senderField}, {"Resent-To", recipientField}, {"Resent-Cc", recipientField},
	{"Resent-Bcc", recipientField}, {"Resent-Reply-To", recipientField},
}

func classOfField(name []byte) fieldClass {
	for i := range addressFields {
		if f := &addressFields[i]; len(f.name) == len(name) && f.name[0]|0x20 == name[0]|0x20 && bytes.EqualFold(name, []byte(f.name)) {
			return f.class
		}
	}
	return plainField
}

// headerRules are what a cleanup(8) service does to headers beside checks.
type headerRules struct {
	drop        []string // message_drop_headers
	always      bool     // always_add_missing_headers
	undisclosed string   // undisclosed_recipients_header
}

func buildHeaderRules(s Settings) headerRules {
	return headerRules{list(s.Value("message_drop_headers")), s.Yes("always_add_missing_headers"), s.Value("undisclosed_recipients_header")}
}

// rewriteHeader is what cleanup(8) does to the message's own header behind the
// checks: it removes message_drop_headers, rewrites the addresses of local
// clients' mail, and adds what is missing there. prepended is the number of
// fields at the end that a check has put in, which stay as they are.
func (w *Way) rewriteHeader(c *cleanup, maps bool, prepended int) {
	m := c.mapping
	if !maps {
		m = nil
	}
	var seen seenFields
	dropped := false
	for i := range len(w.fields) - prepended {
		f := w.fields[i]
		seen.note(f.Name)
		if containsFoldBytes(c.rules.drop, f.Name) {
			if !isTrace(f.Name) {
				w.edits = append(w.edits, Edit{Removed: true, Name: string(f.Name), Value: string(bytes.TrimSpace(f.Body))})
			}
			w.drop(i, &dropped)
			continue
		}
		class := classOfField(f.Name)
		if class == plainField || w.context == nil {
			continue
		}
		body, changed := w.rewriteField(f, class, m)
		if !changed {
			continue
		}
		w.changeField(i, body, "cleanup", place{"local_header_rewrite_clients", 0})
	}
	if dropped {
		w.compact()
	}
	if w.context != nil || c.rules.always {
		w.addMissing(&c.rules, seen)
	}
}

// changeField puts another body into a field.
func (w *Way) changeField(i int, body, stage string, at place) {
	w.own()
	f := w.fields[i]
	name, before, after := string(f.Name), string(bytes.TrimSpace(f.Body)), strings.TrimSpace(body)
	w.edits = append(w.edits, Edit{Removed: true, Name: name, Value: before}, Edit{Name: name, Value: after})
	w.step(stage, "", at, name+": "+before, "addresses rewritten to "+after)
	w.fields[i].Body = []byte(body)
}

// rewriteField gives the addresses of a field their form, by the context that
// the message has, and by the tables.
func (w *Way) rewriteField(f headers.Field, class fieldClass, m *mapping) (body string, changed bool) {
	mapped := m.touches(class)
	if !mapped && w.context.plainField(f.Body) {
		return "", false
	}
	tree := parseAddresses(string(f.Body))
	for i := range tree {
		t := &tree[i]
		if t.kind != addressToken {
			continue
		}
		before := externalAddress(t.parts)
		after := w.context.external(before)
		changed = changed || after != before
		if mapped {
			before = after
			after = w.mapField(m, class, after)
			changed = changed || after != before
		}
		t.parts = scanTokens(after, 0)
	}
	if !changed {
		return "", false
	}
	return foldAddresses(f.Name, tree), true
}

// foldAddresses is a field's body as Postfix writes it anew: as many addresses
// in a line as there is space for.
func foldAddresses(name []byte, tree []token) string {
	text := renderAddresses(string(name)+": ", tree)
	var b strings.Builder
	start := 0 // of the line, in text
	for i := 0; ; {
		end := strings.IndexByte(text[i:], '\n')
		if end < 0 {
			end = len(text)
		} else {
			end += i
		}
		if i > 0 {
			if end-start < 70 {
				b.WriteByte(' ')
			} else {
				b.WriteString("\n\t")
				start = i
			}
		}
		b.WriteString(text[i:end])
		if end == len(text) {
			break
		}
		i = end + 1
	}
	return b.String()[len(name)+1:]
}

// touches reports whether the tables or masquerading apply to such a field.
func (m *mapping) touches(class fieldClass) bool {
	if m == nil {
		return false
	}
	if len(m.masquerade) > 0 && m.hides.field(class) {
		return true
	}
	for i, l := range m.maps {
		if l.tableList != nil && l.field(class) && i != 2-int(class) {
			return true
		}
	}
	return false
}

// field is the class's flag for such a field.
func (c classes) field(class fieldClass) bool {
	return class == senderField && c.headerSender || class == recipientField && c.headerRecipient
}

// mapField rewrites one address of a field, which is written with quotes where
// it needs some.
func (w *Way) mapField(m *mapping, class fieldClass, address string) string {
	for _, i := range [2]int{int(class) - 1, 2} {
		if l := m.maps[i]; l.tableList != nil && l.field(class) {
			before := unquoteLocal(address)
			if after := w.canonicalAddress(l.tableList, before, m.propagate); after != before {
				address = quoteLocal(unquoteLocal(after))
			}
		}
	}
	if m.hides.field(class) {
		address = w.masked(m, address)
	}
	return address
}

func indexToken(l []token, kind byte) int {
	return slices.IndexFunc(l, func(t token) bool { return t.kind == kind })
}

func lastToken(l []token, kind byte) int {
	for i := len(l) - 1; i >= 0; i-- {
		if l[i].kind == kind {
			return i
		}
	}
	return -1
}

// plainField reports whether it can be seen at once that no address of a field
// gets another form: addresses of plain words with a domain that has a dot,
// each alone or in angle brackets.
func (r *rewriting) plainField(body []byte) bool {
	for len(body) > 0 {
		var one []byte
		if i := bytes.IndexByte(body, ','); i >= 0 {
			one, body = body[:i], body[i+1:]
		} else {
			one, body = body, nil
		}
		one = bytes.TrimSpace(one)
		if len(one) == 0 {
			continue
		}
		if i := bytes.IndexByte(one, '<'); i >= 0 {
			if one[len(one)-1] != '>' || bytes.ContainsAny(one[:i], addressSigns) {
				return false
			}
			one = one[i+1 : len(one)-1]
		}
		if !plainAddress(one) {
			return false
		}
	}
	return true
}

// plainAddress is an address of atoms and dots whose domain has a dot.
func plainAddress(a []byte) bool {
	at, dots := -1, 0
	for i, c := range a {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '+', c == '=':
		case c == '.':
			if i == 0 || a[i-1] == '.' || a[i-1] == '@' {
				return false
			}
			dots++
		case c == '@':
			if at >= 0 || i == 0 || a[i-1] == '.' {
				return false
			}
			at, dots = i, 0
		default:
			return false
		}
	}
	return at >= 0 && dots > 0 && a[len(a)-1] != '.'
}

// seenFields are the fields of a header that cleanup(8) adds where they are
// missing.
type seenFields struct{ from, date, id, resentFrom, resentDate, resentID, resent, to bool }

func (s *seenFields) note(name []byte) {
	is := func(n string) bool { return len(n) == len(name) && bytes.EqualFold(name, []byte(n)) }
	switch {
	case len(name) == 0:
	case is("From"):
		s.from = true
	case is("Date"):
		s.date = true
	case is("Message-Id"):
		s.id = true
	case is("To"), is("Cc"):
		s.to = true
	case len(name) > 7 && bytes.EqualFold(name[:7], []byte("Resent-")):
		switch {
		case is("Resent-From"):
			s.resent, s.resentFrom = true, true
		case is("Resent-Date"):
			s.resent, s.resentDate = true, true
		case is("Resent-Message-Id"):
			s.resent, s.resentID = true, true
		case is("Resent-To"), is("Resent-Cc"):
			s.resent, s.to = true, true
		case is("Resent-Bcc"), is("Resent-Reply-To"), is("Resent-Sender"):
			s.resent = true
		}
	}
}

// addMissing adds the fields that mail of local clients must have. What the
// clock and the queue say in them is not known here.
func (w *Way) addMissing(r *headerRules, s seenFields) {
	prefix := ""
	if s.resent {
		prefix, s.from, s.date, s.id = "Resent-", s.resentFrom, s.resentDate, s.resentID
	}
	add := func(name, value string) {
		w.fields = append(w.fields[:len(w.fields):len(w.fields)], headers.Field{Name: []byte(name), Body: []byte(" " + value)})
	}
	if !s.id {
		add(prefix+"Message-Id", "<"+time.Now().UTC().Format("20060102150405")+"@"+w.e.hostname+">")
	}
	if !s.date {
		add(prefix+"Date", time.Now().Format(time.RFC1123Z))
	}
	if !s.from {
		from := "MAILER-DAEMON"
		if w.m.From != "" {
			from = quoteLocal(unquoteLocal(w.m.From))
		}
		w.edits = append(w.edits, Edit{Name: prefix + "From", Value: from})
		add(prefix+"From", from)
	}
	if name, value, ok := strings.Cut(r.undisclosed, ":"); ok && !s.to {
		w.edits = append(w.edits, Edit{Name: name, Value: strings.TrimSpace(value)})
		add(name, strings.TrimSpace(value))
	}
}

func containsFoldBytes(l []string, name []byte) bool {
	for _, e := range l {
		if len(e) == len(name) && bytes.EqualFold(name, []byte(e)) {
			return true
		}
	}
	return false
}

func isTrace(name []byte) bool { return bytes.EqualFold(name, []byte("Return-Path")) }

// rewriteClient is an element of local_header_rewrite_clients.
type rewriteClient struct {
	name  string
	table postfix.Map // check_address_map
}

func (c *builder) rewriteClients(s Settings) (out []rewriteClient) {
	words := list(s.Value("local_header_rewrite_clients"))
	for i := 0; i < len(words); i++ {
		r := rewriteClient{name: strings.ToLower(words[i])}
		spec := words[i]
		if r.name == "check_address_map" && i+1 < len(words) {
			i++
			spec = words[i]
		} else if !strings.Contains(spec, ":") {
			out = append(out, r)
			continue
		}
		r.name = "check_address_map " + spec
		if known, opaque := c.Maps(spec); len(known) == 1 && len(opaque) == 0 {
			r.table = known[0].Table
		}
		out = append(out, r)
	}
	return out
}

// interfaces are the addresses of inet_interfaces; open: there are more, which
// can't be known here.
func (c *builder) interfaceAddresses(s Settings) (own []netip.Addr, open bool) {
	local := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	words := list(s.Value("inet_interfaces"))
	if len(words) == 0 {
		words = []string{"all"}
	}
	for _, word := range words {
		word = strings.Trim(word, "[]")
		if a, err := netip.ParseAddr(word); err == nil {
			own = append(own, a)
			continue
		}
		own = append(own, local...)
		if word == "loopback-only" || word == "localhost" {
			continue
		}
		if word == "all" && c.o.Addresses != nil {
			own = append(own, c.o.Addresses...)
			continue
		}
		open = true
	}
	return own, open
}

// setContext finds the context in which the header of a message that enters
// here is rewritten: the local one for mail of sendmail(1) and of the clients
// of local_header_rewrite_clients, for others that of
// remote_header_rewrite_domain, where there is one.
func (w *Way) setContext(l *listener) {
	local, unknown := l.rules == nil, ""
	o := &w.m.Origin
	client := o.Client.Unmap()
	for i := 0; i < len(l.local) && !local; i++ {
		switch r := &l.local[i]; r.name {
		case "permit_inet_interfaces":
			local = slices.Contains(l.own, client)
			if !local && l.ownOpen {
				unknown = r.name
			}
		case "permit_mynetworks":
			local = l.rules.networks.has(client)
		case "permit_sasl_authenticated":
			local = l.rules.sasl && o.Authenticated
		case "permit_tls_all_clientcerts":
			local = o.TLS == TLSEncrypted && o.Certificate.Verified
		default:
			if r.table == nil {
				unknown = r.name
			} else {
				_, local = w.tookRow(r.table.Lookup(client.String()))
			}
		}
	}
	before, forwarded := w.context, w.forwarded
	w.context, w.forwarded = w.e.remote, false
	if local {
		w.context = &w.e.rewriting
	}
	switch {
	case forwarded:
		if w.context != before && w.differs(l, before) {
			w.depends("XFORWARD", l.at, l.filter, "handed on by the content filter")
		}
		w.context = before
	case !local && unknown != "" && w.differs(l, &w.e.rewriting):
		w.depends("local_header_rewrite_clients "+unknown, l.at, client.String(), "no client of it")
	}
}

// differs reports whether the header would become another one in another
// context.
func (w *Way) differs(l *listener, other *rewriting) bool {
	try := func(context *rewriting) headers.Section {
		f := w.fork()
		f.context, f.assumed = context, new([]Assumption)
		f.rewriteHeader(l.cleanup, l.maps, 0)
		return f.fields
	}
	return !slices.EqualFunc(try(w.context), try(other), func(a, b headers.Field) bool {
		return bytes.EqualFold(a.Name, b.Name) && (bytes.Equal(a.Body, b.Body) || classOfField(a.Name) == plainField)
	})
}

// authorizes reports whether a list of smtpd_authorized_xforward_hosts has this
// machine.
func authorizes(value string) bool {
	for _, word := range list(value) {
		word = strings.NewReplacer("[", "", "]", "").Replace(word)
		if p, err := netip.ParsePrefix(word); err == nil && p.Contains(netip.AddrFrom4([4]byte{127, 0, 0, 1})) || word == "127.0.0.1" ||
			word == "localhost" {
			return true
		}
	}
	return false
}
