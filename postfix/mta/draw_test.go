package mta_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// draw is one configuration with messages for it. Its text has @DIR@ for the
// directory of main.cf, @IP@ for the address of its listeners, and @I@ for the name
// of the instance, so that it can run beside others.
type draw struct {
	What     string              `json:"what,omitempty"`
	Seed     string              `json:"seed,omitempty"`
	Settings []setting           `json:"settings"`
	Services []string            `json:"services,omitempty"` // lines of master.cf, more or other ones
	Files    map[string][]string `json:"files,omitempty"`    // tables, by their names in @DIR@
	Messages []drawnMessage      `json:"messages"`
}

type setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type drawnMessage struct {
	Origin string   `json:"origin"` // inside, outside, reentry, sendmail
	From   string   `json:"from"`
	To     []string `json:"to"`
	Raw    []string `json:"raw"` // its lines
}

// drawer draws one configuration.
type drawer struct {
	*rand.Rand
	d *draw
	n int // of tables
	// classes are the restriction classes that there are.
	classes []string
}

func pick[T any](g *drawer, l ...T) T { return l[g.IntN(len(l))] }

func (g *drawer) one(l []string) string { return l[g.IntN(len(l))] }

// some are between one and most of a list, in its order.
func (g *drawer) some(most int, l ...string) []string {
	n := min(1+g.IntN(most), len(l))
	var out []string
	for _, i := range g.Perm(len(l))[:n] {
		out = append(out, l[i])
	}
	return out
}

var (
	users = []string{"root", "mail", "games", "daemon", "alice", "bob", "carol", "sales", "list", "owner-list", "list-request",
		"postmaster", "bob.b"}
	domains = []string{"own.test", "mx.own.test", "local2.test", "va.test", "va2.test", "vm.test", "vm2.test", "rl.test", "sub.rl.test",
		"sub.own.test", "sub.vm.test",
		"remote1.test", "remote2.test", "far.test", "other.test", "nx.invalid", "own"}
)

// user is a local part, at times with an extension.
func (g *drawer) user() string {
	u := g.one(users)
	if g.IntN(6) == 0 {
		u += pick(g, "+", "+", "-", "=") + pick(g, "x", "news", "x+y", "a-b")
	}
	return u
}

func (g *drawer) domain() string {
	d := g.one(domains)
	if g.IntN(12) == 0 {
		d = strings.ToUpper(d[:1]) + d[1:]
	}
	return d
}

// address is one that a table may have or lead to.
func (g *drawer) address() string {
	switch g.IntN(14) {
	case 0:
		return g.user()
	case 1:
		return g.user() + "@@IP@"[:1] + "[@IP@]"
	}
	return g.user() + "@" + g.domain()
}

// key is a key of a table that addresses are looked up in.
func (g *drawer) key() string {
	switch g.IntN(8) {
	case 0, 1:
		return "@" + strings.ToLower(g.domain())
	case 2:
		return strings.ToLower(g.user())
	}
	return strings.ToLower(g.user() + "@" + g.domain())
}

// file stores a table's text and returns its path.
func (g *drawer) file(lines []string) string {
	g.n++
	name := fmt.Sprintf("t%d", g.n)
	g.d.Files[name] = lines
	return "@DIR@/" + name
}

// quoteRE makes a pattern of a text.
func quoteRE(s string) string {
	var b strings.Builder
	for _, c := range s {
		if strings.ContainsRune(`.+*?()[]{}|^$\/`, c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}

type row struct{ key, value string }

// table writes rows as a table of some type. kinds are those to choose from; none:
// all that are looked up by a key.
func (g *drawer) table(rows []row, kinds ...string) string {
	if kinds == nil {
		kinds = []string{"hash", "hash", "btree", "texthash", "texthash", "inline", "regexp", "pcre", "unionmap", "pipemap", "lmdb", "cdb",
			"proxy", "static"}
		kinds = slices.DeleteFunc(kinds, func(k string) bool { return k == "cdb" }) // not on both systems
	}
	seen := map[string]bool{}
	rows = slices.DeleteFunc(slices.Clone(rows), func(r row) bool {
		twice := seen[r.key]
		seen[r.key] = true
		return twice
	})
	switch kind := g.one(kinds); kind {
	case "inline":
		var parts []string
		for _, r := range rows {
			parts = append(parts, "{ "+r.key+" = "+r.value+" }")
		}
		return "inline:{ " + strings.Join(parts, ", ") + " }"
	case "static":
		if g.IntN(4) > 0 {
			return g.table(rows, "hash")
		}
		return "static:{" + rows[0].value + "}"
	case "regexp", "pcre":
		var lines []string
		for _, r := range rows {
			key := "/^" + quoteRE(r.key) + "$/"
			switch {
			case strings.HasPrefix(r.key, "@"):
				key = "/^(.*)" + quoteRE(r.key) + "$/"
			case g.IntN(4) == 0:
				key = "/" + quoteRE(r.key) + "/"
			}
			if g.IntN(8) == 0 {
				lines = append(lines, "if /@/", key+" "+r.value, "endif")
				continue
			}
			lines = append(lines, key+" "+r.value)
		}
		return kind + ":" + g.file(lines)
	case "unionmap", "pipemap":
		half := (len(rows) + 1) / 2
		a := g.table(rows[:half], "texthash", "hash", "inline")
		if half == len(rows) || strings.Contains(a, "inline") && strings.Contains(a, ",") && kind == "" {
			return a
		}
		return kind + ":{" + a + "," + g.table(rows[half:], "texthash", "hash", "inline") + "}"
	case "proxy":
		return "proxy:" + g.table(rows, "hash", "texthash", "regexp")
	default:
		var lines []string
		for _, r := range rows {
			lines = append(lines, r.key+" "+r.value)
		}
		return kind + ":" + g.file(lines)
	}
}

// rows are between one and most rows.
func (g *drawer) rows(most int, key, value func() string) []row {
	var out []row
	for range 1 + g.IntN(most) {
		out = append(out, row{key(), value()})
	}
	return out
}

func (g *drawer) addressTable(value func() string, kinds ...string) string {
	return g.table(g.rows(5, g.key, value), kinds...)
}

// target is what an address table leads to.
func (g *drawer) target() string {
	if g.IntN(10) == 0 {
		return "@" + g.domain()
	}
	return g.address()
}

func (g *drawer) targets() string {
	if g.IntN(4) == 0 {
		return g.target()
	}
	return strings.Join(g.list(3, g.address), pick(g, ", ", ",", " "))
}

func (g *drawer) list(most int, one func() string) []string {
	var out []string
	for range 1 + g.IntN(most) {
		out = append(out, one())
	}
	return out
}

// domainList is a list of domains, some of them in tables or files, or taken out.
func (g *drawer) domainList(from ...string) string {
	var out []string
	for _, d := range g.some(4, from...) {
		switch g.IntN(10) {
		case 0:
			if !strings.Contains(d, "$") {
				d = g.table([]row{{d, "x"}}, "hash", "texthash", "inline", "regexp", "pcre", "lmdb")
			}
		case 1:
			if !strings.Contains(d, "$") {
				d = g.file([]string{d + " " + g.domain(), "# comment"})
			}
		case 2:
			d = "!" + strings.ToLower(g.domain()) + " " + d
		}
		out = append(out, d)
	}
	return strings.Join(out, pick(g, ", ", " ", ","))
}

// nextHop is a host that exists, or doesn't.
func (g *drawer) nextHop() string {
	return pick(g, "[hopa.test]", "[hopa.test]:25", "[hopb.test]", "[hopb.test]:2525", "remote2.test", "[127.0.4.11]", "far.test",
		"[nx.invalid]", "nx.invalid")
}

// transport is a transport with what stands behind it.
func (g *drawer) transport() string {
	return pick(g,
		func() string { return "smtp:" + g.nextHop() }, func() string { return "smtp:" }, func() string { return "out:" + g.nextHop() },
		func() string { return "relay:" + g.nextHop() },
		func() string { return "smtp" }, func() string { return "lmtp:inet:[lm.test]:24" }, func() string { return "lmtp:[lm.test]" },
		func() string { return "error:" + pick(g, "5.2.1 not today", "4.2.1 later", "gone fishing", "") },
		func() string { return "retry:" + pick(g, "4.2.1 later", "wait") },
		func() string { return "discard:" + pick(g, "", "silently") }, func() string { return "local:" + pick(g, "", "own.test") },
		func() string { return "virtual:" },
		func() string { return "pcat:" + pick(g, "", "x") }, func() string { return "nosuch:" }, func() string { return "smtp:[@IP@]:10026" },
		func() string { return "smtp:[@IP@]" },
	)()
}

// accessAction is a right-hand side of access(5).
func (g *drawer) accessAction() string {
	more := []string{"OK", "RELAY", "DUNNO", "REJECT", "REJECT 5.7.9 no way", "REJECT go away", "DEFER", "DEFER 4.5.0 busy",
		"550 5.1.1 nobody", "451 later", "554", "DEFER_IF_PERMIT",
		"DEFER_IF_REJECT", "DEFER_IF_PERMIT 4.4.9 x", "HOLD", "DISCARD", "WARN", "INFO seen", "1234", "PREPEND X-Access: seen",
		"FILTER smtp:[hopa.test]:25", "FILTER smtp:", "FILTER lmtp:inet:[lm.test]:24",
		"REDIRECT " + g.address(), "BCC " + g.user() + "@" + g.domain(), "reject", "permit_mynetworks", "reject_unauth_destination", "permit",
		"permit_mynetworks, reject", "REJECT"}
	more = append(more, g.classes...)
	return g.one(more)
}

// patternKey is a key of an access table.
func (g *drawer) patternKey() string {
	switch g.IntN(6) {
	case 0:
		return strings.ToLower(g.domain())
	case 1:
		return "." + strings.ToLower(g.domain())
	case 2:
		return strings.ToLower(g.one(users)) + "@"
	case 3:
		return pick(g, "<>", "test", "invalid", ".test")
	}
	return strings.ToLower(g.user() + "@" + g.domain())
}

func (g *drawer) clientKey() string {
	return pick(g, "127.0.1.20", "127.0.1", "127.0.66.6", "127.0.66", "127", "127.0.0.1", "client.inside.test", "inside.test",
		".inside.test", "stranger.test", "unknown")
}

// restrictions is a list for one of smtpd's stages.
func (g *drawer) restrictions() string {
	words := g.list(4, g.restriction)
	return strings.Join(words, pick(g, ", ", " "))
}

func (g *drawer) restriction() string {
	access := func(key func() string, kinds ...string) string {
		return g.table(g.rows(5, key, g.accessAction), kinds...)
	}
	list := []func() string{
		func() string { return "permit_mynetworks" }, func() string { return "reject_unauth_destination" },
		func() string { return "permit_auth_destination" },
		func() string { return "defer_unauth_destination" }, func() string { return "reject_unlisted_recipient" },
		func() string { return "reject_unlisted_sender" },
		func() string { return "reject_non_fqdn_recipient" }, func() string { return "reject_non_fqdn_sender" },
		func() string { return "reject_unauth_pipelining" },
		func() string { return "warn_if_reject" + " reject_non_fqdn_sender" },
		func() string { return "warn_if_reject " + "check_sender_access " + access(g.patternKey) },
		func() string { return "check_sender_access " + access(g.patternKey) },
		func() string { return "check_recipient_access " + access(g.patternKey) },
		func() string { return "check_sender_access " + access(g.patternKey) },
		func() string { return "check_recipient_access " + access(g.patternKey) },
		func() string {
			return "check_client_access " + access(g.clientKey, "hash", "texthash", "inline", "regexp", "pcre", "lmdb")
		},
		func() string {
			return "check_client_access cidr:" + g.file([]string{pick(g, "127.0.66.0/24", "127.0.1.0/24", "127.0.0.0/8",
				"!127.0.1.0/24") + " " + g.accessAction(), "0.0.0.0/0 " + pick(g, "DUNNO", "DUNNO", "REJECT")})
		},
		func() string {
			return "check_helo_access " + access(func() string { return pick(g, "client.lab.test", "lab.test", ".lab.test", "test", "other.test") })
		},
		func() string { return "reject_invalid_helo_hostname" }, func() string { return "reject_non_fqdn_helo_hostname" },
		func() string { return "reject_plaintext_session" },
		func() string { return "permit_sasl_authenticated" }, func() string { return "reject_multi_recipient_bounce" },
		func() string { return pick(g, "reject", "defer", "permit", "sleep 0", "sleep 0", "sleep 0", "sleep 0") },
		func() string { return "reject_sender_login_mismatch" }, func() string { return "defer_if_permit" },
		func() string { return "defer_if_reject" },
		func() string { return "permit_inet_interfaces" }, func() string { return "sleep 0" },
	}
	if len(g.classes) > 0 {
		list = append(list, func() string { return g.one(g.classes) })
	}
	return pick(g, list...)()
}

// relayRestrictions is such a list with reject_unauth_destination or its like in
// it, without which smtpd(8) refuses to work.
func (g *drawer) relayRestrictions() string {
	words := append(slices.DeleteFunc(g.list(3, g.restriction), func(w string) bool { return w == "permit" }),
		pick(g, "reject_unauth_destination", "defer_unauth_destination", "reject"))
	return strings.Join(words, ", ")
}

// checks is a table of header or body checks.
func (g *drawer) checks(body bool) string {
	kind := pick(g, "regexp", "pcre")
	var lines []string
	for range 1 + g.IntN(4) {
		pattern := pick(g, "/^Subject:.*(urgent|offer)/", "/^X-Tag: (.*)$/", "/^X-Tag:/", "/^From:/", "/^To:.*bob/",
			"/^Content-Type:.*calendar/", "/^Content-Type: text\\/(.*)$/", "/^Received:/", "/^Message-ID:/i",
			"/^X-Two:/", "!/^(Received|Message-Id|Date|From|To|Subject|X-|Content|MIME|Cc|Return|Reply|Sender|Bcc|Resent)/", "/^Cc:/",
			"/^X-Lab-Id:/")
		if body {
			pattern = pick(g, "/^secret/", "/word/", "/^--/", "/^Content-Type:/", "/^inner/", "/^>/", "/hello (.*)$/", "/^X-Tag:/")
		}
		action := pick(g, "REJECT", "REJECT 5.7.8 no", "REJECT 4.7.1 later", "WARN", "IGNORE", "STRIP", "DUNNO", "OK", "INFO",
			"PREPEND X-Pre: yes", "REPLACE X-New: $1", "REPLACE X-New: fixed", "FILTER smtp:[hopb.test]:2525", "FILTER out:",
			"REDIRECT "+g.address(), "BCC carol@remote1.test", "BCC "+g.address(), "HOLD", "DISCARD", "PASS", "PREPEND X-Pre: again")
		if strings.Contains(action, "$1") && !strings.Contains(pattern, "(") {
			action = "REPLACE X-New: plain"
		}
		if strings.HasPrefix(pattern, "!") && strings.Contains(action, "$") {
			action = "IGNORE"
		}
		line := pattern + " " + action
		if g.IntN(8) == 0 {
			lines = append(lines, "if /"+pick(g, "e", "X-", "^[A-M]")+"/", line, "endif")
			continue
		}
		lines = append(lines, line)
	}
	return kind + ":" + g.file(lines)
}

// leavingChecks is such a table for smtp(8), which has fewer actions.
func (g *drawer) leavingChecks() string {
	var lines []string
	for range 1 + g.IntN(3) {
		lines = append(lines, pick(g, "/^X-Tag:/", "/^Subject:.*(urgent|offer)/", "/^Received:/", "/^X-Two: (.*)/", "/^Content-Type:.*/",
			"/^To:/", "/^From:/")+" "+
			pick(g, "IGNORE", "STRIP", "PREPEND X-Out: yes", "REPLACE X-Out: other", "WARN", "DUNNO"))
	}
	return pick(g, "regexp", "pcre") + ":" + g.file(lines)
}

func (g *drawer) classNames() string {
	return strings.Join(g.some(4, "envelope_sender", "envelope_recipient", "header_sender", "header_recipient"), ", ")
}

// newDraw draws a configuration and messages for it.
func newDraw(seed, number uint64, messages int) *draw {
	g := &drawer{Rand: rand.New(rand.NewPCG(seed, number)), d: &draw{Seed: fmt.Sprintf("TEST_SEED=%d, draw %d", seed, number),
		Files: map[string][]string{}}}
	// Most of what decides hangs on domains of each class.
	chosen := map[string]bool{}
	for _, base := range []string{"mydestination", "virtual_mailbox_domains", "virtual_alias_domains", "relay_domains"} {
		chosen[base] = g.IntN(4) > 0
	}
	chosen["virtual_mailbox_maps"] = chosen["virtual_mailbox_domains"] && g.IntN(4) > 0
	chosen["virtual_alias_maps"] = chosen["virtual_alias_domains"] && g.IntN(8) > 0 || g.IntN(4) == 0
	count := 0
	for _, yes := range chosen {
		if yes {
			count++
		}
	}
	names := drawable()
	for want := 12 + g.IntN(9); count < want; {
		if name := g.one(names); !chosen[name] {
			chosen[name] = true
			count++
		}
	}
	if chosen["smtpd_restriction_classes"] {
		g.classes = []string{"class_a", "class_b"}
	}
	for _, name := range names {
		if chosen[name] {
			g.d.Settings = append(g.d.Settings, setting{name, generators[name](g)})
		}
	}
	if chosen["smtpd_restriction_classes"] {
		g.classes = nil
		g.d.Settings = append(g.d.Settings, setting{"class_a", g.restrictions()}, setting{"class_b", g.restrictions()})
	}
	if chosen["compatibility_level"] && !chosen["smtpd_recipient_restrictions"] { // level 0 demands one
		g.d.Settings = append(g.d.Settings, setting{"smtpd_recipient_restrictions", "permit_mynetworks, reject_unauth_destination"})
	}
	g.services()
	for range messages {
		g.d.Messages = append(g.d.Messages, g.message())
	}
	return g.d
}

// services draws options of services in master.cf.
func (g *drawer) services() {
	var options []string
	for range g.IntN(4) {
		name := pick(g, "content_filter", "receive_override_options", "smtpd_recipient_restrictions", "smtpd_client_restrictions",
			"smtpd_sender_restrictions", "mynetworks", "local_header_rewrite_clients", "smtpd_delay_reject", "soft_bounce",
			"smtpd_reject_unlisted_recipient")
		value := generators[name](g)
		if strings.ContainsAny(value, "{}") || strings.Contains(value, "proxy:") || slices.ContainsFunc(options,
			func(o string) bool { return strings.HasPrefix(o, "  -o { "+name) }) {
			continue
		}
		options = append(options, "  -o { "+name+" = "+value+" }")
	}
	g.d.Services = append(g.d.Services, strings.Join(append([]string{"10026 inet n - n - - smtpd", "  -o { content_filter = }"},
		options...), "\n"))
	out := []string{"out unix - - n - - smtp"}
	for _, name := range g.some(2, "smtp_header_checks", "smtp_generic_maps", "smtp_mime_header_checks") {
		if value := generators[name](g); g.IntN(3) == 0 && !strings.ContainsAny(value, "{}") {
			out = append(out, "  -o { "+name+" = "+value+" }")
		}
	}
	g.d.Services = append(g.d.Services, strings.Join(out, "\n"))
}
