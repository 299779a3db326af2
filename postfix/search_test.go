package postfix

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// asked records the keys of a search in which nothing is found.
type asked []string

func (a *asked) Lookup(key string) (Row, bool, error) {
	*a = append(*a, key)
	return Row{}, false, nil
}

// askedPatterns does for a table of patterns.
type askedPatterns struct{ asked }

func (*askedPatterns) Patterns() bool { return true }

func TestSearchOrder(t *testing.T) {
	plus := Search{Delimiter: "+"}
	both := Search{Delimiter: "-+"}
	local := Search{Delimiter: "+", Local: func(domain string) bool { return domain == "local.test" }}
	parents := Search{Delimiter: "+", MatchParents: true}
	client := netip.MustParseAddr
	for name, c := range map[string]struct {
		search func(m Map)
		want   string
	}{
		"sender":                 {func(m Map) { plus.Sender(m, "Al@Example.com") }, "Al@Example.com @Example.com"},
		"sender with extension":  {func(m Map) { plus.Sender(m, "al+x+y@example.com") }, "al+x+y@example.com al@example.com @example.com"},
		"sender, no delimiter":   {func(m Map) { (&Search{}).Sender(m, "al+x@example.com") }, "al+x@example.com @example.com"},
		"sender, local":          {func(m Map) { local.Sender(m, "al+x@local.test") }, "al+x@local.test al@local.test al+x al @local.test"},
		"null sender":            {func(m Map) { plus.Sender(m, "") }, "<>"},
		"sender without domain":  {func(m Map) { plus.Sender(m, "al+x") }, "al+x al"},
		"first delimiter counts": {func(m Map) { both.Sender(m, "a-b+c@x") }, "a-b+c@x a@x @x"},
		"delimiter first":        {func(m Map) { plus.Sender(m, "+a@x") }, "+a@x @x"},
		"delimiter last":         {func(m Map) { plus.Sender(m, "a+@x") }, "a+@x a@x @x"},
		"owner-":                 {func(m Map) { both.Sender(m, "Owner-list@x") }, "Owner-list@x @x"},
		"-request":               {func(m Map) { both.Sender(m, "list-request@x") }, "list-request@x @x"},
		"owner- with plus only":  {func(m Map) { plus.Sender(m, "owner-a+b@x") }, "owner-a+b@x owner-a@x @x"},
		"mailer-daemon":          {func(m Map) { both.Sender(m, "MAILER-DAEMON@x") }, "MAILER-DAEMON@x @x"},
		"double-bounce":          {func(m Map) { both.Sender(m, "double-bounce@x") }, "double-bounce@x @x"},
		"two at signs":           {func(m Map) { plus.Sender(m, `"a@b"+c@x`) }, `"a@b"+c@x "a@b"@x @x`},
		"mailbox":                {func(m Map) { local.Mailbox(m, "al+x@local.test") }, "al+x@local.test al@local.test @local.test"},
		"transport": {func(m Map) { plus.Transport(m, "a+b@s.example.com") },
			"a+b@s.example.com a@s.example.com s.example.com .example.com .com *"},
		"transport, parents": {func(m Map) { parents.Transport(m, "a@s.example.com") },
			"a@s.example.com s.example.com example.com com *"},
		"transport, no domain":    {func(m Map) { plus.Transport(m, "a") }, ""},
		"transport, empty domain": {func(m Map) { plus.Transport(m, "a@") }, ""},
		"access": {func(m Map) { plus.Access(m, "a+b@s.example.com") },
			"a+b@s.example.com a@s.example.com s.example.com .example.com .com a+b@ a@"},
		"access, null": {func(m Map) { plus.Access(m, "") }, "<>"},
		"client": {func(m Map) { parents.Client(m, "h.example.com", client("10.1.2.3")) },
			"h.example.com example.com com 10.1.2.3 10.1.2 10.1 10"},
		"client without name": {func(m Map) { plus.Client(m, "", client("10.1.2.3")) }, "10.1.2.3 10.1.2 10.1 10"},
		"client, IPv6": {func(m Map) { plus.Client(m, "unknown", client("2001:db8::1")) },
			"unknown 2001:db8::1 2001:db8: 2001:db8 2001"},
		"client, IPv4 in IPv6":       {func(m Map) { plus.Client(m, "", client("::ffff:10.1.2.3")) }, "10.1.2.3 10.1.2 10.1 10"},
		"client, loopback":           {func(m Map) { plus.Client(m, "", client("::1")) }, "::1 :"},
		"client, no address":         {func(m Map) { plus.Client(m, "h", netip.Addr{}) }, "h"},
		"several tables, key by key": {func(m Map) { plus.Sender(Maps{m, m}, "a@x") }, "a@x a@x @x @x"},
	} {
		t.Run(name, func(t *testing.T) {
			var a asked
			c.search(&a)
			if diff := cmp.Diff(c.want, strings.Join(a, " ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var p askedPatterns
			c.search(&p)
			for _, key := range p.asked {
				if key != p.asked[0] && key != "*" && key != "10.1.2.3" && key != "2001:db8::1" && key != "::1" {
					t.Errorf("a table of patterns was asked for %q", key)
				}
			}
		})
	}
}

func TestSearchHit(t *testing.T) {
	ix := Table{{Key: "al@x", Value: "1"}, {Key: "bo", Value: "2"}, {Key: "*", Value: "3"}}.Index()
	s := Search{Delimiter: "+", Local: func(string) bool { return true }}
	for addr, want := range map[string]Hit{
		"Al+work@x": {Row{Entry: Entry{Key: "al@x", Value: "1", Line: 1}}, "Al@x", "+work"},
		"al@x":      {Row{Entry: Entry{Key: "al@x", Value: "1", Line: 1}}, "al@x", ""},
		"bo+1@x":    {Row{Entry: Entry{Key: "bo", Value: "2", Line: 2}}, "bo", "+1"},
		"cy@x":      {},
	} {
		got, ok, err := s.Address(ix, addr)
		if diff := cmp.Diff(want, got); diff != "" || err != nil || ok != (want.Line > 0) {
			t.Errorf("%s: %v (-want +got):\n%s", addr, ok, diff)
		}
	}
	if hit, ok, _ := s.Transport(ix, "z@y"); !ok || hit.Key != "*" || hit.Line != 3 {
		t.Errorf("%v %v", hit, ok)
	}
}

// TestSearchAsPostfix asks trivial-rewrite(8) of a running Postfix.
func TestSearchAsPostfix(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(11, 12))
	users := []string{"al", "al+x", "AL+X", "bo", "bo-y+z", "owner-al", "+al", "al+", "list-request", "cy"}
	domains := []string{"example.com", "s.example.com", "t.s.example.com", "EXAMPLE.com", "example.net", "local.test", "x.net"}
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	var transport, sender Table
	add := func(t *Table, key string) {
		key, _ = foldKey(key)
		if _, ok, _ := t.Index().Lookup(key); !ok && badKey(key) == "" {
			*t = append(*t, Entry{Key: key, Value: fmt.Sprintf("r%d:h%d", len(*t), len(*t))})
		}
	}
	for range 14 {
		add(&transport, pick(users)+"@"+pick(domains))
		add(&sender, pick(users)+"@"+pick(domains))
	}
	for _, key := range []string{"example.net", ".example.com", ".s.example.com", "s.example.com"} {
		add(&transport, key)
	}
	for _, key := range []string{"@example.com", "@example.net", "<>", "cy", "bo-y", "al+x", "@local.test", "example.com"} {
		add(&sender, key)
	}
	format := func(t2 Table) string {
		text, err := t2.Format()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	settings := []struct{ delimiter, parents, wildcard string }{
		{"+", "", ""}, {"", "", ""}, {"-+", "transport_maps", "* wild:card\n"}, {"-+", "transport_maps", ""},
	}
	var services strings.Builder
	for i, c := range settings {
		name := "transport"
		if c.wildcard != "" {
			name = "wildcard"
		}
		fmt.Fprintf(&services, "rewrite%d unix - - n - - trivial-rewrite\n  -o { recipient_delimiter = %s }\n  -o { parent_domain_matches_subdomains = %s }\n"+
			"  -o { transport_maps = texthash:$ETC/%s }\n", i, c.delimiter, c.parents, name)
	}
	p := newPrivate(t, "sender_dependent_default_transport_maps = texthash:$ETC/sender\nmyorigin = local.test\nmydestination = local.test\nlocal_transport = local:here\n",
		services.String(), map[string]string{
			"transport": format(transport), "wildcard": format(transport) + settings[2].wildcard, "sender": format(sender),
		})
	p.start()
	p.waitLog("daemon started")
	for i, c := range settings {
		t.Run(c.delimiter+c.parents+c.wildcard, func(t *testing.T) {
			table, _ := ParseTable("transport", []byte(format(transport)+c.wildcard))
			transports, senders := table.Index(), sender.Index()
			local := func(domain string) bool { return strings.EqualFold(domain, "local.test") }
			s := Search{Delimiter: c.delimiter, Local: local, MatchParents: c.parents != ""}
			hits := 0
			resolve := p.resolver(fmt.Sprintf("rewrite%d", i))
			for range servertest.Deep(t, 50, 225) {
				from, to := pick(users)+"@"+pick(domains), pick(users)+"@"+pick(domains)
				if r.IntN(8) == 0 {
					from = ""
				}
				domain := strings.ToLower(to[strings.LastIndexByte(to, '@')+1:])
				want := "smtp:" + domain
				if local(domain) {
					want = "local:here"
				}
				if hit, ok, _ := s.Transport(transports, to); ok {
					want = hit.Entry.Value
					hits++
				} else if hit, ok, _ := s.Sender(senders, from); ok && !local(domain) {
					want = hit.Entry.Value
					hits++
				}
				channel, hop := resolve(from, to)
				if got := channel + ":" + strings.ToLower(hop); got != want {
					t.Errorf("from %q to %q: Postfix says %s, the searches %s", from, to, got, want)
				}
			}
			t.Logf("%d hits", hits)
		})
	}
}

// TestAccessAsPostfix asks the access tables of a running smtpd(8).
func TestAccessAsPostfix(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(17, 18))
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	names := []string{"h.example.com", "mx.s.example.com", "x.net", ""}
	addrs := []string{"10.1.2.3", "10.1.9.9", "192.0.2.7", "2001:db8::1", "2001:db8:1::5"}
	mails := []string{"al@example.com", "al+x@s.example.com", "+y@x.net", "Bo+z@X.net", "cy@h.example.com", ""}
	keys := []string{
		"example.com", ".example.com", "s.example.com", "h.example.com", "net", ".net", "10.1", "10.1.2.3", "10.1.2", "192", "2001:db8", "2001:db8::1", "2001",
		"al@example.com", "al@s.example.com", "al@", "al+x@", "bo@", "bo+z@x.net", "<>", "cy@", "unknown", "10", "192.0.2.7",
	}
	styles := []string{"", "smtpd_access_maps"}
	var services strings.Builder
	files := make(map[string]string)
	var tables []Table
	for i, parents := range styles {
		var table Table
		seen := make(map[string]bool)
		for range 14 {
			if key := pick(keys); !seen[key] {
				seen[key] = true
				table = append(table, Entry{Key: key, Value: fmt.Sprintf("554 5.7.1 row %d.", len(table)+1)})
			}
		}
		text, err := table.Format()
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
		name := fmt.Sprintf("access%d", i)
		files[name] = string(text)
		fmt.Fprintf(&services, "127.0.0.1:$PORT%d inet n - n - - smtpd\n  -o inet_protocols=all\n  -o { parent_domain_matches_subdomains = %s }\n"+
			"  -o { smtpd_relay_restrictions = check_client_access texthash:$ETC/%s, reject }\n", 2*i, parents, name)
		fmt.Fprintf(&services, "127.0.0.1:$PORT%d inet n - n - - smtpd\n  -o { parent_domain_matches_subdomains = %s }\n"+
			"  -o { smtpd_relay_restrictions = check_sender_access texthash:$ETC/%s, reject }\n", 2*i+1, parents, name)
	}
	p := newPrivate(t, "recipient_delimiter = +\nmydestination =\nsmtpd_authorized_xclient_hosts = 127.0.0.1\nsmtpd_delay_reject = yes\nmaximal_queue_lifetime = 1d\n"+
		"smtpd_recipient_restrictions = permit_mynetworks, reject\nsmtpd_hard_error_limit = 10000\n", services.String(), files)
	p.start()
	for i, parents := range styles {
		table := tables[i]
		s := Search{Delimiter: "+", MatchParents: parents != ""}
		ix := table.Index()
		found := 0
		compare := func(what, reply string, hit Hit, ok bool) {
			want := "Access denied"
			if ok {
				want = hit.Entry.Value[len("554 5.7.1 "):]
				found++
			}
			if !strings.Contains(reply, want) {
				t.Errorf("%s: smtpd says %q, the search %q\n%s", what, reply, want, files[fmt.Sprintf("access%d", i)])
			}
		}
		for _, name := range names {
			for _, addr := range addrs {
				xname, xaddr := name, addr
				if name == "" {
					xname = "[UNAVAILABLE]"
				}
				if strings.Contains(addr, ":") {
					xaddr = "IPV6:" + addr
				}
				reply := p.talk(p.ports[2*i], "EHLO test", "XCLIENT NAME="+xname+" ADDR="+xaddr, "EHLO test", "MAIL FROM:<a@b.test>",
					"RCPT TO:<c@d.test>")
				if strings.Contains(reply, "Bad ADDR syntax") && strings.Contains(addr, ":") {
					t.Log("no IPv6 on this machine")
					continue
				}
				if name == "" {
					name = "unknown"
				}
				hit, ok, _ := s.Client(ix, name, netip.MustParseAddr(addr))
				compare(name+" "+addr, reply, hit, ok)
			}
		}
		for _, mail := range mails {
			reply := p.talk(p.ports[2*i+1], "EHLO test", "MAIL FROM:<"+mail+">", "RCPT TO:<c@d.test>")
			hit, ok, _ := s.Access(ix, mail)
			compare("sender "+mail, reply, hit, ok)
		}
		t.Logf("%d found", found)
	}
}

func TestAliasesExpand(t *testing.T) {
	table := Table{
		{Key: "team@example.com", Value: "bob@example.com, ext@remote1.test"},
		{Key: "all@example.com", Value: "team@example.com carol@example.com"},
		{Key: "self@example.com", Value: "self@example.com, other@example.com"},
		{Key: "loop1@example.com", Value: "loop2@example.com"},
		{Key: "loop2@example.com", Value: "loop1@example.com"},
		{Key: "@old.example", Value: "@example.com"},
		{Key: "short@example.com", Value: "dave"},
		{Key: "quoted@example.com", Value: `"a b, c"@example.com,<eve@example.com>`},
		{Key: "grow@example.com", Value: "grow@example.com, a@x, b@x"},
		{Key: "nothing@example.com", Value: ","},
	}
	for name, c := range map[string]struct {
		rcpt string
		want string // addresses; empty: an error
	}{
		"none":           {"zoe@example.com", "zoe@example.com"},
		"two":            {"team@example.com", "bob@example.com ext@remote1.test"},
		"nested":         {"all@example.com", "bob@example.com carol@example.com ext@remote1.test"},
		"itself":         {"self@example.com", "self@example.com other@example.com"},
		"case":           {"Self@Example.com", "self@example.com other@example.com"},
		"domain":         {"Bob@old.example", "Bob@example.com"},
		"domain, nested": {"team@old.example", "bob@example.com ext@remote1.test"},
		"extension":      {"team+x@example.com", "bob+x@example.com ext+x@remote1.test"},
		"ext. of domain": {"joe+x@old.example", "joe+x@example.com"},
		"no domain":      {"short@example.com", "dave@ox.example"},
		"quoted":         {"quoted@example.com", `"a b, c"@example.com eve@example.com`},
		"loop":           {"loop1@example.com", ""},
		"no address":     {"nothing@example.com", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := Aliases{Map: table.Index(), Search: Search{Delimiter: "+"}, Origin: "ox.example", Propagate: true}
			list, err := a.Expand(c.rcpt)
			var got []string
			for _, one := range list {
				got = append(got, one.Address)
			}
			if strings.Join(got, " ") != c.want || (err == nil) != (c.want != "") {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
	a := Aliases{Map: table.Index(), ExpansionLimit: 2}
	if _, err := a.Expand("grow@example.com"); err == nil {
		t.Error("no error above the expansion limit")
	}
	list, err := (&Aliases{Map: table.Index()}).Expand("all@example.com")
	if err != nil {
		t.Fatal(err)
	}
	var way []int
	for _, hit := range list[2].Hits {
		way = append(way, hit.Line)
	}
	if diff := cmp.Diff([]int{2, 1}, way); diff != "" {
		t.Errorf("the way to %s (-want +got):\n%s", list[2].Address, diff)
	}
}

// TestAliasesAsCleanup compares expansions with the recipients that a running
// cleanup(8) writes into the queue file.
func TestAliasesAsCleanup(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(13, 14))
	users := []string{"a", "b", "c", "d", "a+x", "e"}
	domains := []string{"x.test", "y.test", "local.test"}
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	address := func() string { return pick(users) + "@" + pick(domains) }
	var table Table
	seen := make(map[string]bool)
	add := func(key, value string) {
		if !seen[key] {
			seen[key] = true
			table = append(table, Entry{Key: key, Value: value})
		}
	}
	for range 12 {
		var results []string
		for range 1 + r.IntN(3) {
			results = append(results, address())
		}
		add(address(), strings.Join(results, []string{",", ", ", " "}[r.IntN(3)]))
	}
	add("@y.test", "@x.test")
	add("e", "final@z.test")
	add("plain@x.test", "unqualified, <angle@z.test>")
	add("self@x.test", "self@x.test, "+address())
	text, err := table.Format()
	if err != nil {
		t.Fatal(err)
	}
	p := newPrivate(t, `recipient_delimiter = +
virtual_alias_maps = texthash:$ETC/virtual
virtual_alias_recursion_limit = 20
virtual_alias_expansion_limit = 30
mydestination = local.test
myorigin = local.test
smtpd_recipient_restrictions = check_client_access static:HOLD, permit_mynetworks, reject
`, "127.0.0.1:$PORT0 inet n - n - - smtpd\n  -o receive_override_options=no_unknown_recipient_checks\n", map[string]string{"virtual": string(text)})
	p.start()
	a := Aliases{
		Map:    table.Index(),
		Search: Search{Delimiter: "+", Local: func(d string) bool { return d == "local.test" }},
		Origin: "local.test", Propagate: true, RecursionLimit: 20, ExpansionLimit: 30,
	}
	type sent struct {
		rcpt string
		list []Alias
		id   string
	}
	var all []sent
	expanded, failed := 0, 0
	for i := range servertest.Deep(t, 20, 90) {
		rcpt := address()
		if i < 2 {
			rcpt = []string{"plain@x.test", "self@x.test"}[i]
		}
		list, err := a.Expand(rcpt)
		reply := p.trySend(p.ports[0], "s@z.test", rcpt, "Subject: x\r\n\r\nx\r\n")
		if err != nil {
			failed++
			if !strings.HasPrefix(reply, "451 4.6.0") {
				t.Errorf("%s: Expand says %v, Postfix %s", rcpt, err, reply)
			}
			continue
		}
		if !strings.HasPrefix(reply, "250") {
			t.Errorf("%s: Expand says %v, Postfix %s", rcpt, list, reply)
			continue
		}
		all = append(all, sent{rcpt, list, strings.TrimSpace(reply[strings.LastIndexByte(reply, ' ')+1:])})
	}
	files := []string{"-e"}
	for _, mail := range all {
		files = append(files, filepath.Join(p.root, "spool/hold", mail.id))
	}
	dump, stderr := run(t, nil, "postcat", p.etc, files...)
	if stderr != "" {
		t.Fatal(stderr)
	}
	for _, mail := range all {
		_, records, ok := strings.Cut(dump, "*** ENVELOPE RECORDS "+filepath.Join(p.root, "spool/hold", mail.id)+" ***\n")
		if !ok {
			t.Fatalf("postcat doesn't show %s:\n%s", mail.id, dump)
		}
		records, _, _ = strings.Cut(records, "*** ENVELOPE RECORDS ")
		var got, want []string
		for line := range strings.SplitSeq(records, "\n") {
			if address, ok := strings.CutPrefix(line, "recipient: "); ok {
				got = append(got, address)
			}
		}
		dropped := make(map[string]bool) // cleanup drops equal recipients
		for _, one := range mail.list {
			if key := strings.ToLower(one.Address); !dropped[key] {
				dropped[key] = true
				want = append(want, one.Address)
			}
		}
		if len(want) > 1 || want[0] != mail.rcpt {
			expanded++
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s (-cleanup +Expand):\n%s", mail.rcpt, diff)
		}
	}
	t.Logf("%d expanded, %d refused", expanded, failed)
	if t.Failed() {
		t.Logf("%s", text)
	}
}
