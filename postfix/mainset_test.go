package postfix

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/postfix/internal/block"
)

const owner = "oxmailroute"

var someParams = []Param{
	{Name: "relayhost", Value: "", Comment: "nothing leaves by it"},
	{Name: "sender_dependent_default_transport_maps", Value: "hash:/etc/postfix/conbool_scope"},
	{Name: "smtpd_recipient_restrictions", Value: "reject_non_fqdn_recipient, reject_unlisted_recipient, check_client_access cidr:/etc/postfix/conbool_clients, permit"},
}

func TestMainSet(t *testing.T) {
	t.Parallel()
	const block = "# BEGIN oxmailroute: managed block, change the policy instead\n" +
		"# nothing leaves by it\nrelayhost =\n" +
		"sender_dependent_default_transport_maps = hash:/etc/postfix/conbool_scope\n" +
		"smtpd_recipient_restrictions = reject_non_fqdn_recipient,\n reject_unlisted_recipient, check_client_access\n cidr:/etc/postfix/conbool_clients, permit\n" +
		"# END oxmailroute\n"
	for name, c := range map[string]struct{ before, after string }{
		"empty":             {"", block},
		"other parameters":  {"a = 1\n", "a = 1\n" + block},
		"no newline":        {"a = 1", "a = 1\n" + strings.Replace(block, "instead\n", "instead (the file had no newline at its end)\n", 1)},
		"ours defined":      {"# c\nrelayhost = [x]\na = 1\n", "# c\n#oxmailroute# relayhost = [x]\na = 1\n" + block},
		"defined twice":     {"relayhost = x\nrelayhost = y\n", "#oxmailroute# relayhost = x\n#oxmailroute# relayhost = y\n" + block},
		"continued":         {"smtpd_recipient_restrictions =\n  a,\n# c\n\n\tb\nz = 1\n", "#oxmailroute# smtpd_recipient_restrictions =\n#oxmailroute#   a,\n# c\n\n#oxmailroute# \tb\nz = 1\n" + block},
		"ours at the end":   {"relayhost = x", "#oxmailroute# relayhost = x\n" + strings.Replace(block, "instead\n", "instead (the file had no newline at its end)\n", 1)},
		"crlf":              {"relayhost = x\r\na = 1\r\n", "#oxmailroute# relayhost = x\r\na = 1\r\n" + block},
		"comment like ours": {"# BEGIN nothing special\n# END of it\n", "# BEGIN nothing special\n# END of it\n" + block},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := ParseMain("main.cf", []byte(c.before))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := m.Set(owner, someParams); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.after, unsealed(m.Format())); diff != "" {
					t.Fatalf("(-want +got):\n%s", diff)
				}
			}
			for _, p := range someParams {
				if v, _ := m.Get(p.Name); v != p.Value {
					t.Errorf("%s = %q", p.Name, v)
				}
			}
			dir := confDir(t, string(m.Format()), "")
			if stdout, stderr := run(t, nil, "postconf", dir, "-h", "smtpd_recipient_restrictions"); stdout != someParams[2].Value+"\n" || strings.Contains(stderr, "overriding") {
				t.Errorf("postconf: %q, %s", stdout, stderr)
			}
			for range 2 {
				if err := m.Remove(owner); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.before, string(m.Format())); diff != "" {
					t.Fatalf("removed (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestMainSetEdited: what the customer does between Set and Remove stays.
func TestMainSetEdited(t *testing.T) {
	for name, c := range map[string]struct {
		before string
		edit   func(string) string
		after  string
	}{
		"line added above":      {"a = 1\nrelayhost = x\n", func(s string) string { return "b = 2\n" + s }, "b = 2\na = 1\nrelayhost = x\n"},
		"line added below":      {"a = 1\n", func(s string) string { return s + "b = 2\n" }, "a = 1\nb = 2\n"},
		"below, no newline":     {"a = 1", func(s string) string { return s + "b = 2" }, "a = 1\nb = 2"},
		"comment below":         {"a = 1", func(s string) string { return s + "# b" }, "a = 1\n# b"},
		"line changed":          {"a = 1\nrelayhost = x\n", func(s string) string { return strings.Replace(s, "a = 1", "a = 7", 1) }, "a = 7\nrelayhost = x\n"},
		"prefixed line changed": {"relayhost = x\n", func(s string) string { return strings.Replace(s, "= x", "= y", 1) }, "relayhost = y\n"},
		"prefixed line gone":    {"relayhost = x\na = 1\n", func(s string) string { return strings.Replace(s, "#oxmailroute# relayhost = x\n", "", 1) }, "a = 1\n"},
		"end without newline":   {"a = 1\n", func(s string) string { return strings.TrimSuffix(s, "\n") }, "a = 1\n"},
		"crlf":                  {"a = 1\n", func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }, "a = 1\r\n"},
		"ours again above":      {"a = 1\n", func(s string) string { return "relayhost = z\n" + s }, "relayhost = z\na = 1\n"},
		"edit inside is lost":   {"a = 1\n", func(s string) string { return strings.Replace(s, "relayhost =\n", "relayhost = q\n", 1) }, "a = 1\n"},
		"another owner's block": {"a = 1", func(s string) string { return mustSet(s, "other", Param{Name: "b", Value: "2"}) }, "a = 1\n# BEGIN other: managed block, change the policy instead (the file had no newline at its end)\nb = 2\n# END other\n"},
	} {
		t.Run(name, func(t *testing.T) {
			edited := c.edit(mustSet(c.before, owner, someParams...))
			m, err := ParseMain("main.cf", []byte(edited))
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Set(owner, someParams); err != nil {
				t.Fatal(err)
			}
			m, err = ParseMain("main.cf", []byte(edited))
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Remove(owner); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.after, string(m.Format())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	// Two owners, in either order, leave the file as it was.
	for _, first := range []string{"one", "two"} {
		s := mustSet(mustSet("a = 1", "one", Param{Name: "b", Value: "2"}), "two", Param{Name: "c", Value: "3"})
		m, err := ParseMain("main.cf", []byte(s))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range []string{first, "one", "two"} {
			if err := m.Remove(o); err != nil {
				t.Fatal(err)
			}
		}
		if got := string(m.Format()); got != "a = 1" {
			t.Errorf("%s first: %q", first, got)
		}
	}
}

var (
	seals    = regexp.MustCompile(`(?m)^(# (?:BEGIN|END) .*?) \[[\w-]{6,12}(?: [\w-]*){0,2}\]`)
	endTails = regexp.MustCompile(`(?m)^(# END .*?) \(the file had no newline at its end\)`)
)

// unsealed is a file as it was written before blocks had seals.
func unsealed(text []byte) string {
	return endTails.ReplaceAllString(seals.ReplaceAllString(string(text), "$1"), "$1")
}

// mustSet sets parameters, in the form of old, without a seal.
func mustSet(text, owner string, params ...Param) string {
	m, err := ParseMain("main.cf", []byte(text))
	if err == nil {
		err = m.Set(owner, params)
	}
	if err != nil {
		panic(err)
	}
	return unsealed(m.Format())
}

func TestMainSetErrors(t *testing.T) {
	set := mustSet("a = 1\nrelayhost = x\n", owner, someParams...)
	for name, c := range map[string]struct {
		text   string
		params []Param
		kind   error
		lines  []int
		remove bool // Remove fails too
	}{
		"defined below":        {set + "relayhost = z\n", someParams, ErrConflict, []int{11}, true},
		"two defined below":    {set + "relayhost = z\n\nrelayhost = y\n", someParams, ErrConflict, []int{11, 13}, true},
		"continued below":      {set + "  more\n", someParams, ErrConflict, []int{11}, true},
		"continued above":      {strings.Replace(set, "instead\n", "instead\n  more\n", 1), someParams, ErrConflict, []int{4}, true},
		"no end":               {strings.Replace(set, "# END oxmailroute\n", "", 1), someParams, ErrDamaged, []int{3}, true},
		"no begin":             {strings.Replace(set, "# BEGIN oxmailroute", "#", 1), someParams, ErrDamaged, []int{10}, true},
		"begin changed":        {strings.Replace(set, "the policy", "it", 1), someParams, ErrDamaged, []int{3}, true},
		"begin cut":            {strings.Replace(set, block.ManagedText, "", 1), someParams, ErrDamaged, []int{3}, true},
		"two blocks":           {set + set[strings.Index(set, "# BEGIN"):], someParams, ErrDamaged, []int{11}, true},
		"begin twice":          {strings.Replace(set, "# BEGIN", "# BEGIN oxmailroute: managed block, change the policy instead\n# BEGIN", 1), someParams, ErrDamaged, []int{3}, true},
		"prefix without block": {"#oxmailroute# relayhost = x\na = 1\n#oxmailroute# b\n", someParams, ErrDamaged, []int{1, 3}, true},
		"set by another owner": {mustSet("", "other", Param{Name: "relayhost", Value: "x"}), someParams, ErrConflict, []int{2}, false},
		"bad name":             {"", []Param{{Name: "a b", Value: "x"}}, ErrIllegal, []int{0}, false},
		"everything":           {"", []Param{{Name: "", Value: "x\ny", Comment: "\x00"}}, ErrIllegal, []int{0, 0, 0}, false},
		"duplicate":            {"", []Param{{Name: "a", Value: "x"}, {Name: "a", Value: "y"}}, ErrDuplicate, []int{0}, false},
		"comment ends block":   {"", []Param{{Name: "a", Value: "x", Comment: "c\nEND oxmailroute"}}, ErrIllegal, []int{0}, false},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := ParseMain("main.cf", []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			check := func(what string, err error) {
				t.Helper()
				var list Errors
				if !errors.As(err, &list) || !errors.Is(err, c.kind) {
					t.Fatalf("%s: %v", what, err)
				}
				var lines []int
				for _, e := range list {
					lines = append(lines, e.Line)
				}
				if diff := cmp.Diff(c.lines, lines); diff != "" {
					t.Errorf("%s: %v (-want +got):\n%s", what, err, diff)
				}
				if string(m.Format()) != c.text {
					t.Errorf("%s changed the file: %q", what, m.Format())
				}
			}
			check("Set", m.Set(owner, c.params))
			if err := m.Remove(owner); c.remove {
				check("Remove", err)
			} else if err != nil {
				t.Errorf("Remove: %v", err)
			}
		})
	}
	m, _ := ParseMain("main.cf", nil)
	for _, bad := range []string{"", "a b", "a#", "a\n", "ü"} {
		if m.Set(bad, someParams) == nil || m.Remove(bad) == nil {
			t.Errorf("owner %q is taken", bad)
		}
	}
	if err := m.Set(owner, nil); err != nil || len(m.Format()) != 0 {
		t.Errorf("Set of nothing: %v, %q", err, m.Format())
	}
}

func FuzzMainSetRemove(f *testing.F) {
	for _, text := range mainTexts {
		f.Add(text, "relayhost", "x y", "tail = 1\n")
		f.Add(text, "mynetworks", "", "")
	}
	f.Add(mustSet("a = 1", owner, someParams...), "a", "1", "  x")
	f.Add(mustSet("a = 1", "other", someParams...), "a", "1", "b = 2")
	f.Fuzz(func(t *testing.T, text, name, value, tail string) {
		m, err := ParseMain("main.cf", []byte(text))
		if err != nil {
			return
		}
		if !bytes.Equal(m.Format(), []byte(text)) {
			t.Fatalf("Format of the untouched %q: %q", text, m.Format())
		}
		hadBlock := strings.Contains(text, "# BEGIN "+owner) || strings.Contains(text, block.PrefixOf(owner))
		params := []Param{{Name: name, Value: value}, {Name: "zz_other", Value: "a, b", Comment: "c"}}
		if err := m.Set(owner, params); err != nil {
			if string(m.Format()) != text {
				t.Fatalf("a failed Set changed %q: %q", text, m.Format())
			}
			return
		}
		set := m.Format()
		for _, p := range params {
			if v, ok := m.Get(p.Name); !ok || v != p.Value {
				t.Errorf("%q: %s = %q", set, p.Name, v)
			}
		}
		if err := m.Set(owner, params); err != nil || !bytes.Equal(m.Format(), set) {
			t.Errorf("a second Set: %v: %q, want %q", err, m.Format(), set)
		}
		// The customer writes on.
		edited, err := ParseMain("main.cf", append(bytes.Clone(set), tail...))
		if err == nil && edited.Remove(owner) == nil && !hadBlock && !strings.Contains(tail, owner) {
			want := text + tail
			if n := len(text); n > 0 && text[n-1] != '\n' && tail != "" {
				want = text + "\n" + tail
			}
			if string(edited.Format()) != want {
				t.Errorf("edited and removed: %q, want %q", edited.Format(), want)
			}
		}
		if err := m.Remove(owner); err != nil {
			t.Fatal(err)
		}
		if !hadBlock && string(m.Format()) != text {
			t.Errorf("removed: %q, want %q", m.Format(), text)
		}
	})
}

func BenchmarkMainSet(b *testing.B) {
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "# comment\nparam_%d = value of it,\n  and more\n", i)
	}
	text.WriteString("relayhost = x\n")
	src := []byte(text.String())
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		m, err := ParseMain("main.cf", src)
		if err != nil {
			b.Fatal(err)
		}
		if err := m.Set(owner, someParams); err != nil {
			b.Fatal(err)
		}
	}
}

func TestWriteParam(t *testing.T) {
	for _, value := range []string{
		"", "x", strings.Repeat("word, ", 40) + "end", strings.Repeat("x", 200), strings.Repeat("x", 100) + " y " + strings.Repeat("z", 100), "a " + strings.Repeat("# ", 60) + "b",
	} {
		var b bytes.Buffer
		writeParam(&b, Param{Name: "name", Value: value})
		m, err := ParseMain("main.cf", b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := m.Get("name"); got != value || len(m.Params()) != 1 {
			t.Errorf("%q: %q", b.String(), got)
		}
		var raw []byte
		s := lineScanner{src: b.Bytes()}
		for s.next() {
			raw = append(raw, s.text...)
		}
		if want := strings.TrimSuffix("name = "+value, " "); string(raw) != want {
			t.Errorf("Postfix reads %q, want %q", raw, want)
		}
		for line := range strings.SplitSeq(b.String(), "\n") {
			if len(line) > wrapColumn && strings.Contains(strings.TrimLeft(line, " "), ", ") {
				t.Errorf("line too long: %q", line)
			}
		}
	}
}
