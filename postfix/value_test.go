package postfix

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

func TestNextHop(t *testing.T) {
	for text, want := range map[string]NextHop{
		"conbool:[mail.conbool.com]:25":  {"conbool", "mail.conbool.com", 25, false},
		"smtp:":                          {"smtp", "", 0, false},
		"smtp:example.com":               {"smtp", "example.com", 0, true},
		"smtp:example.com:587":           {"smtp", "example.com", 587, true},
		"lmtp:unix:private/dovecot-lmtp": {"lmtp", "unix:private/dovecot-lmtp", 0, false},
		":[10.0.0.1]":                    {"", "10.0.0.1", 0, false},
		":":                              {},
		"conbool-gate:[127.0.0.1]:10030": {"conbool-gate", "127.0.0.1", 10030, false},
		"smtp:[2001:db8::1]:25":          {"smtp", "2001:db8::1", 25, false},
	} {
		got, err := ParseNextHop(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%q: %#v, %v, %q; want %#v", text, got, err, got.String(), want)
		}
		if back, err := got.Format(); err != nil || back != text {
			t.Errorf("%q: Format %q, %v", text, back, err)
		}
	}
	if got, err := ParseNextHop("direct"); err != nil || got != (NextHop{Transport: "direct"}) {
		t.Errorf("a transport alone: %v, %v", got, err)
	}
	for _, text := range []string{"smtp:[a", "smtp:[a]x", "smtp:[a]:", "smtp:a:", "smtp:a:x", "smtp:a:0", "smtp:a:70000", "smtp:[]",
		"smtp:a b", "smtp:a,b", "sm/tp:", "-x:", "smtp:\n", "lmtp:unix:", "smtp:a[b", "smtp:[[a]]"} {
		if got, err := ParseNextHop(text); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %#v, %v", text, got, err)
		}
	}
	for _, h := range []NextHop{
		{"smtp", "10.0.0.1", 0, true}, {"smtp", "", 25, false}, {"smtp", "", 0, true}, {"lmtp", "unix:x", 25, false}, {"lmtp", "unix:x", 0,
			true}, {"smtp", "a]:1", 0, false},
		{"smtp", "[a]", 0, true}, {"a b", "", 0, false}, {"smtp", "a b", 0, false}, {"smtp", "a:25", 0, true}, {"", "a\nb", 0, false}, {"smtp",
			"2001:db8::1", 0, true},
	} {
		if text, err := h.Format(); !errors.Is(err, ErrIllegal) {
			t.Errorf("%#v: %q, %v", h, text, err)
		}
	}
	if got := (NextHop{"conbool", "mail.conbool.com", 25, false}).Destination(); got != "[mail.conbool.com]:25" {
		t.Errorf("Destination: %q", got)
	}
}

func FuzzNextHop(f *testing.F) {
	for _, text := range []string{"conbool:[mail.conbool.com]:25", "smtp:", "lmtp:unix:private/x", ":a:1", "x:[::1]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseNextHop(text)
		if err != nil {
			return
		}
		back, err := ParseNextHop(h.String())
		if err != nil || back != h {
			t.Errorf("%q: %#v, read back %#v, %v", text, h, back, err)
		}
	})
}

func TestParseRestrictions(t *testing.T) {
	for name, c := range map[string]struct {
		value string
		want  []Restriction
	}{
		"empty": {" ", nil},
		"names": {"permit_mynetworks, permit_sasl_authenticated\treject_unauth_destination",
			[]Restriction{{"permit_mynetworks", ""}, {"permit_sasl_authenticated", ""}, {"reject_unauth_destination", ""}}},
		"tables": {"check_client_access cidr:/etc/postfix/x, CHECK_SENDER_ACCESS,hash:/y, reject",
			[]Restriction{{"check_client_access", "cidr:/etc/postfix/x"}, {"CHECK_SENDER_ACCESS", "hash:/y"}, {"reject", ""}}},
		"commas": {"check_client_access,cidr:/etc/postfix/x,reject", []Restriction{{"check_client_access", "cidr:/etc/postfix/x"},
			{"reject", ""}}},
		"braces": {"check_policy_service { inet:127.0.0.1:9998, timeout=10s }, reject", []Restriction{{"check_policy_service",
			"inet:127.0.0.1:9998, timeout=10s"}, {"reject", ""}}},
		"inline": {"check_client_access static:{PREPEND X-A: b}, permit", []Restriction{{"check_client_access", "static:{PREPEND X-A: b}"},
			{"permit", ""}}},
		"table only": {"hash:/etc/postfix/access reject", []Restriction{{"", "hash:/etc/postfix/access"}, {"reject", ""}}},
		"lists": {"reject_rbl_client zen.example, warn_if_reject reject_rhsbl_helo d.example=127.0.0.2, sleep 5",
			[]Restriction{{"reject_rbl_client", "zen.example"}, {"warn_if_reject", ""}, {"reject_rhsbl_helo", "d.example=127.0.0.2"},
				{"sleep", "5"}}},
		"class": {"conbool_in", []Restriction{{"conbool_in", ""}}},
		"ccert": {"check_ccert_access { hash:/x, { search_order = pubkey_fingerprint } }", []Restriction{{"check_ccert_access",
			"hash:/x, { search_order = pubkey_fingerprint }"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseRestrictions(c.value)
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
	for _, value := range []string{"check_client_access", "check_policy_service { x", "reject, sleep", "check_policy_service {x}y"} {
		if got, err := ParseRestrictions(value); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %v, %v", value, got, err)
		}
	}
	if r := (Restriction{Name: "Reject"}); !r.Is("reject") || r.Is("permit") {
		t.Error("Is")
	}
}

func TestParseMaps(t *testing.T) {
	got, err := ParseMaps("hash:/a, regexp:/b\tproxy:mysql:/c inline:{ a=b, { c = d } }, { cidr:/e, { x = y } } plain")
	want := []MapSpec{{"hash", "/a"}, {"regexp", "/b"}, {"proxy", "mysql:/c"}, {"inline", "{ a=b, { c = d } }"}, {"cidr", "/e"}, {"", "plain"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, value := range []string{"hash:{", "{}", "{a}b"} {
		if got, err := ParseMaps(value); err == nil {
			t.Errorf("%q: %v", value, got)
		}
	}
	if s := (MapSpec{"hash", "/a"}).String(); s != "hash:/a" {
		t.Error(s)
	}
}

func TestInlineTableAsPostmap(t *testing.T) {
	t.Parallel()
	dir := confDir(t, minimalMain, "")
	for _, text := range []string{
		"{ a=b }", "{a=b,c=d}", "{ {k2 = v with  spaces, commas}, A=1 }", "{ a=1 a=2 }", "{ a=b=c }", "{}", "{ a }", "a=b", "{ a=b", "{ {a = {b} c} }", "{ ü=x, Ü=y }", "{ =b, a=c }", `{ {"a b" = c}, a=d }`, `{ {"a=b" = c}, a=d }`, `{ {a\ b = c}, a=d }`, "{ {a b = c} }", `{ {"a = c} }`, "{ a=b }c", "{ {a=b}c }",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel() // postmap sleeps before it stops on an error
			table, err := InlineTable(text)
			fatal := false
			keys := []string{"a", "A", "k2", "c", "ü", "missing", `"a b"`, `"A=b"`, `a\ b`}
			stdout, stderr := run(t, []byte(strings.Join(keys, "\n")+"\n"), "postmap", dir, "-q", "-", "inline:"+text)
			if strings.Contains(stderr, "fatal") {
				fatal = true
				keys = nil
			}
			values := make(map[string]string)
			for line := range strings.Lines(stdout) {
				key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
				values[key] = value
			}
			for _, key := range keys {
				e, ok, _ := table.Index().Lookup(key)
				if got, found := values[key]; ok != found || got != e.Value {
					t.Errorf("inline:%s: key %s: postmap %q, here %q", text, key, got, e.Value)
				}
			}
			if fatal != (err != nil) {
				t.Errorf("inline:%s: %v; fatal for postmap: %v", text, err, fatal)
			}
		})
	}
	for _, text := range []string{"x", "{a b}", "{ a  b }", "{a", "{a}b"} {
		value, err := StaticValue(text)
		stdout, stderr := run(t, nil, "postmap", dir, "-q", "k", "static:"+text)
		if (stderr != "") != (err != nil) || err == nil && strings.TrimSuffix(stdout, "\n") != value {
			t.Errorf("static:%s: %q, %v; postmap %q %s", text, value, err, stdout, stderr)
		}
	}
}

func TestValid(t *testing.T) {
	for _, name := range []string{"relayhost", "conbool-gate_destination_recipient_limit", "2bounce_notice_recipient", "_x"} {
		if err := ValidParamName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "a b", "a=b", "-o", "a\n", "ü", "#a", "a$", ".a"} {
		if err := ValidParamName(name); !errors.Is(err, ErrIllegal) {
			t.Errorf("parameter name %q: %v", name, err)
		}
	}
	for _, name := range []string{"smtp", "conbool-gate", "a.b_c", "9"} {
		if err := ValidTransport(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "-a", "a b", "a:b", "a/b", "../x", ".a", "a{", "ü"} {
		if err := ValidTransport(name); !errors.Is(err, ErrIllegal) {
			t.Errorf("transport name %q: %v", name, err)
		}
	}
	for _, value := range []string{"", "a", "a, b", "$a ${b?{c}:{d}} $$", "#a", "a=b", "ü", "{", "[x]:25"} {
		if err := ValidValue(value); err != nil {
			t.Errorf("%q: %v", value, err)
		}
	}
	for _, value := range []string{" ", " a", "a ", "a  b", "a\tb", "a\nb", "a\rb", "a\x00b", "\xff", "$", "${a", "$(", "${}", "a$ b",
		"${a-b}", "\x7f"} {
		if err := ValidValue(value); !errors.Is(err, ErrIllegal) {
			t.Errorf("value %q: %v", value, err)
		}
	}
	if got := Quote("a$b$$"); got != "a$$b$$$$" {
		t.Errorf("Quote: %q", got)
	}
}

func TestErrors(t *testing.T) {
	list := Errors{
		{Position: Position{File: "main.cf", Line: 3}, Err: fault.New(ErrSyntax, "a")},
		{Position: Position{Path: "[1].Key"}, Err: fault.New(ErrIllegal, "b")},
		{Err: fault.New(ErrConflict, "c")},
	}
	if got := list.Error(); got != "main.cf:3: a\n[1].Key: b\nc" {
		t.Errorf("%q", got)
	}
	for _, kind := range []error{ErrSyntax, ErrIllegal, ErrConflict} {
		if !errors.Is(list.Err(), kind) {
			t.Errorf("is not %v", kind)
		}
	}
	if errors.Is(list.Err(), ErrDamaged) || Errors(nil).Err() != nil {
		t.Error("Err")
	}
	if got := (Warning{Position: Position{File: "t", Line: 2}, Text: "x"}).String(); got != "t:2: x" {
		t.Errorf("%q", got)
	}
}
