package mta

import (
	"bytes"
	"cmp"
	"strconv"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// localAgent is local(8)'s configuration.
type localAgent struct {
	aliases            *tableList // alias_maps; nil: none
	mailbox, fallback  hop        // mailbox_transport, fallback_transport; no transport: none
	mailboxes, missing *tableList // mailbox_transport_maps, fallback_transport_maps
	luser              string     // luser_relay
	luserAt            place
	delimiter          string
	owners             bool // owner_request_special = no
	expandOwner        bool // expand_owner_alias
	forwards           bool // forward_path names files
	toCommands         bool // allow_mail_to_commands has alias
	toFiles            bool // and allow_mail_to_files
	// commands are mailbox_command_maps, command is mailbox_command.
	commands  *tableList
	command   string
	commandAt place
}

// split takes a user and an extension apart.
func (a *localAgent) split(local string) (user, extension string, found bool) {
	search := postfix.Search{Delimiter: a.delimiter, OwnersSplit: a.owners}
	user = search.Bare(local)
	if len(user) < len(local) {
		return user, local[len(user)+1:], true
	}
	return user, "", false
}

func (c *builder) buildLocal(s Settings) localAgent {
	a := localAgent{
		mailboxes: c.tables(s, "mailbox_transport_maps"),
		missing:   c.tables(s, "fallback_transport_maps"),
		luser:     s.Value("luser_relay"), luserAt: c.placeOf(s, "luser_relay"),
		forwards: s.Value("forward_path") != "", commands: c.tables(s, "mailbox_command_maps"),
		toCommands: hasWord(list(s.Value("allow_mail_to_commands")), "alias"), toFiles: hasWord(list(s.Value("allow_mail_to_files")), "alias"),
		command: s.Value("mailbox_command"), commandAt: c.placeOf(s, "mailbox_command"),
		delimiter: s.Value("recipient_delimiter"), owners: !s.Yes("owner_request_special"), expandOwner: s.Yes("expand_owner_alias"),
	}
	if v := s.Value("mailbox_transport"); v != "" {
		a.mailbox = c.hop(v, c.placeOf(s, "mailbox_transport"))
	}
	if v := s.Value("fallback_transport"); v != "" {
		a.fallback = c.hop(v, c.placeOf(s, "fallback_transport"))
	}
	specs, err := postfix.ParseMaps(s.Value("alias_maps"))
	if err != nil || len(specs) == 0 {
		return a
	}
	a.aliases = &tableList{name: "alias_maps", at: c.placeOf(s, "alias_maps")}
	for _, spec := range specs {
		src, ok := c.aliasTable(spec)
		if !ok {
			a.aliases.opaque = append(a.aliases.opaque, spec.String())
			continue
		}
		a.aliases.maps = append(a.aliases.maps, postfix.Named{Name: src.File, Map: src.Table})
	}
	a.aliases.seal()
	return a
}

// oversized says why local(8) or virtual(8) ends when it is started: the limit of a
// mailbox must not be below that of a message.
func oversized(command string, s Settings) (why string) {
	parameter := map[string]string{"local": "mailbox_size_limit", "virtual": "virtual_mailbox_limit"}[command]
	if parameter == "" {
		return ""
	}
	limit, err := strconv.ParseInt(s.Value(parameter), 10, 64)
	message, err2 := strconv.ParseInt(s.Value("message_size_limit"), 10, 64)
	switch {
	case err != nil || err2 != nil || limit <= 0:
		return ""
	case message <= 0:
		return "ends: " + parameter + " is limited but message_size_limit is unlimited"
	case limit < message:
		return "ends: " + parameter + " is smaller than message_size_limit"
	}
	return ""
}

// aliasTable reads a table of alias_maps, whose files are postalias(1)'s.
func (c *builder) aliasTable(spec postfix.MapSpec) (Source, bool) {
	if spec.Type == "proxy" {
		return Source{}, false // local(8) doesn't take it
	}
	src, ok := c.Table(spec)
	if ok {
		// Text from an address must not get into a command.
		src.Table = c.WithoutSubstitution("alias_maps", src.File, src.Table)
	}
	return src, ok
}

// localSeen is a recipient at a depth of aliases.
type localSeen struct {
	depth   int
	address string
}

// maxLocal bounds aliases of aliases, as local(8) bounds them.
const maxLocal = 100

// local is the local(8) delivery agent: alias_maps, then what there is for the
// user (toUser).
//
// seen are the recipients of every depth, each of which is delivered to once;
// nil: none yet.
func (w *Way) local(h hop, to string, depth int, seen map[localSeen]bool) {
	a := &w.e.agent
	user, domain := splitAddress(fold(to))
	if seen[localSeen{depth, user + "@" + domain}] {
		return
	}
	if seen == nil && a.aliases != nil {
		seen = map[localSeen]bool{}
	}
	if seen != nil {
		seen[localSeen{depth, user + "@" + domain}] = true
	}
	if depth > maxLocal {
		w.step("local", "", h.at, to, "aliases nested too deep")
		w.end(ActionBounce, "550", to, "5.4.6 possible alias database loop")
		return
	}
	hit, ok := w.localAlias(user)
	if ok {
		w.localMembers(h, to, hit, depth, seen)
		return
	}
	w.toUser(h, to)
}

// toUser delivers to a user without looking for aliases: in local(8)'s order, by
// .forward, mailbox_transport, a command, and the mailbox, or what is in the place
// of a user that there isn't.
func (w *Way) toUser(h hop, to string) {
	a := &w.e.agent
	user, domain := splitAddress(fold(to))
	bare, _, _ := a.split(user)
	none := strings.ContainsAny(bare, "%!@:/\" ") || w.e.users != nil && !w.e.users[bare] // no name that passwd(5) has
	if !none && a.forwards {
		w.depends("~"+bare+"/.forward", h.at, to, "not there")
	}
	pass := func(next hop, l *tableList, what string) bool {
		if l != nil {
			l.unknown(w, bare)
			if row, ok := w.tookRow(l.asked.Lookup(bare)); ok {
				next = w.e.router.parse(row.Value, placeOfRow(row))
			}
		}
		if next.transport == "" {
			return false
		}
		if next.nexthop == "" {
			next.nexthop = cmp.Or(h.nexthop, domain) // as local(8) was asked
		}
		w.step("local", "", next.at, bare, what)
		if w.passes++; w.passes > maxHops { // to local(8) itself, without an end
			w.end(ActionDefer, "451", to, "4.3.0 "+next.transport+" leads to itself")
			return true
		}
		if next.command == "lmtp" || next.command == "virtual" {
			w.mailbox(next, to)
		} else {
			w.handOver(next, to)
		}
		return true
	}
	if pass(a.mailbox, a.mailboxes, "to mailbox_transport") {
		return
	}
	if none {
		if pass(a.fallback, a.missing, "to fallback_transport") {
			return
		}
		if a.luser != "" && !w.luser {
			w.toLuser(h, user, domain)
			return
		}
		if bare == "postmaster" || bare == "mailer-daemon" {
			w.step("local", "", h.at, to, "unknown user, discarded")
			w.end(ActionDiscard, "", to, "")
			return
		}
		w.step("local", "", h.at, to, "unknown user")
		w.end(ActionBounce, "550", to, "5.1.1 unknown user: \""+bare+"\"")
		return
	}
	if w.e.users == nil && (a.fallback.transport != "" || a.missing != nil || a.luser != "") {
		w.depends("passwd "+bare, h.at, to, "a user of this machine")
	}
	if w.localCommand(h, to, bare) {
		return
	}
	w.step("local", w.rule, h.at, to, "delivered without Sieve")
	w.end(ActionMailbox, "INBOX", to, "")
}

// toLuser is luser_relay: the address in whose place an unknown user's mail goes.
func (w *Way) toLuser(h hop, user, domain string) {
	a := &w.e.agent
	bare, extension, _ := a.split(user)
	address := expandMacros(a.luser, func(name string) (string, bool) {
		switch name {
		case "domain":
			return domain, true
		case "extension":
			return extension, true
		case "local":
			return user, true
		case "recipient":
			return user + "@" + domain, true
		case "recipient_delimiter":
			return a.delimiter, true
		case "user":
			return bare, true
		case "home", "shell":
			return "", true
		}
		return "", false
	})
	w.step("local", "", a.luserAt, user+"@"+domain, "unknown user, to luser_relay")
	if strings.HasPrefix(address, "|") || strings.HasPrefix(address, "/") {
		w.depends("luser_relay "+address, a.luserAt, user+"@"+domain, "delivered there")
		var target Target = TargetFile(address)
		if command, ok := strings.CutPrefix(address, "|"); ok {
			target = TargetCommand(command)
		}
		w.endAt(ActionMailbox, target, user+"@"+domain, "")
		return
	}
	address = w.e.reachable(w.e.canonical(address))
	if w.e.router.isLocal(domainOf(fold(address))) { // once: another unknown user is returned
		w.luser = true
		w.local(h, address, 1, nil)
		w.luser = false
		return
	}
	w.resubmit(address)
}

// localAlias looks a user up with extension and without.
func (w *Way) localAlias(user string) (postfix.Hit, bool) {
	a := &w.e.agent
	if a.aliases == nil {
		return postfix.Hit{}, false
	}
	a.aliases.unknown(w, user)
	if row, ok := w.tookRow(a.aliases.asked.Lookup(user)); ok {
		return postfix.Hit{Row: row, Key: user}, true
	}
	search := postfix.Search{Delimiter: a.delimiter, OwnersSplit: a.owners}
	if bare := search.Bare(user); bare != user {
		if row, ok := w.tookRow(a.aliases.asked.Lookup(bare)); ok {
			return postfix.Hit{Row: row, Key: bare}, true
		}
	}
	return postfix.Hit{}, false
}

// localMembers delivers to what an alias stands for; where there is an
// owner-alias, with that as the sender.
func (w *Way) localMembers(h hop, to string, hit postfix.Hit, depth int, seen map[localSeen]bool) {
	w.step("local", "", placeOfRow(hit.Row), hit.Key, "expands (alias_maps)")
	if owner, ok := w.localAlias("owner-" + hit.Key); ok && !strings.HasPrefix(hit.Key, "owner-") {
		m := *w.m
		m.From = w.e.canonical("owner-" + hit.Key)
		if members := postfix.AliasMembers(owner.Entry.Value); w.e.agent.expandOwner && len(members) == 1 {
			m.From = w.e.canonical(members[0])
		}
		w.m = &m
		w.step("local", "", placeOfRow(owner.Row), owner.Key, "the sender is now "+m.From)
	}
	for _, member := range postfix.AliasMembers(hit.Entry.Value) {
		f := w.fork()
		switch {
		case member[0] == '|' && !w.e.agent.toCommands || member[0] == '/' && !w.e.agent.toFiles:
			f.step("local", "", placeOfRow(hit.Row), member, "not allowed")
			f.end(ActionBounce, "550", to, "5.7.1 mail to it is restricted")
		case strings.HasPrefix(member, "|"):
			f.program(h, to, member[1:], placeOfRow(hit.Row))
		case strings.HasPrefix(member, "/"):
			f.endAt(ActionMailbox, TargetFile(member), to, "")
		case strings.HasPrefix(member, ":include:"):
			f.depends(member, h.at, hit.Key, "nobody")
			f.end(ActionDiscard, "", to, "")
		default:
			address := w.e.reachable(w.e.canonical(strings.TrimPrefix(member, `\`)))
			user, domain := splitAddress(fold(address))
			if !w.e.router.isLocal(domain) {
				f.resubmit(address)
				continue
			}
			// A name that its own alias has is the user, and not expanded again.
			if user == fold(hit.Key) || strings.HasPrefix(member, `\`) {
				f.toUser(h, address)
				continue
			}
			f.local(h, address, depth+1, seen)
		}
	}
}

// deliveredTo is the field by which local(8) knows mail that it has forwarded.
const deliveredTo = "Delivered-To"

// deliveredTo reports whether a message has been forwarded for an address.
func (w *Way) deliveredTo(address string) bool {
	for i := range w.fields {
		f := &w.fields[i]
		if len(f.Name) == len(deliveredTo) && strings.EqualFold(string(f.Name), deliveredTo) && strings.EqualFold(string(bytes.TrimSpace(f.Body)),
			address) {
			return true
		}
	}
	return false
}

// resubmit is mail that local(8) forwards: it goes through the mappings of the
// cleanup service once more, and no checks.
func (w *Way) resubmit(to string) {
	m := *w.m
	m.To = to
	w.m = &m
	l := w.e.forwarding
	if w.hops++; l == nil || w.hops > maxHops {
		w.end(ActionBounce, "554", to, "5.4.0 too many hops")
		return
	}
	w.fields = append(w.fields[:len(w.fields):len(w.fields)], headers.Field{Name: []byte(deliveredTo), Body: []byte(" " + w.localTo)})
	w.detects = l.utf8.detects
	if c := l.cleanup.mapping; c != nil {
		if from, rcpt := w.envelopeSender(c, m.From), w.envelopeRecipient(c, to); from != m.From || rcpt != to {
			m.From, m.To = from, rcpt
		}
	}
	w.rewriteHeader(l.cleanup, true, 0)
	w.detect()
	w.expand(l, (*Way).forward)
}
