package postfix

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// mainTexts are main.cf files that Postfix reads in interesting ways.
var mainTexts = map[string]string{
	"empty":              "",
	"plain":              "relayhost = [a]:25\nmydestination=x\n",
	"no final newline":   "relayhost = [a]:25",
	"crlf":               "relayhost = [a]:25\r\nmynetworks = 1.1.1.1,\r\n  2.2.2.2\r\n",
	"continuation":       "mynetworks = 127.0.0.1/32,\n    127.0.1.0/24\nrelayhost =\n",
	"comment within":     "mynetworks = 127.0.0.1/32,\n# c\n\n    127.0.1.0/24\n  # d\n\t10.0.0.0/8\n",
	"value on next line": "mynetworks =\n  127.0.0.1/32\n",
	"defined twice":      "relayhost = a\n\nrelayhost = b\n",
	"same twice":         "relayhost = a\nrelayhost = a\n",
	"indented first":     "  relayhost = a\n  b\nmyhostname = x.y\n",
	"comment first":      "# relayhost\n\n\nrelayhost = a\n",
	"hash in value":      "relayhost = a #b\n",
	"equals in value":    "relayhost = a=b==c\n",
	"expressions":        "relayhost = ${mynetworks?{$myhostname}:{$$}}\nmyhostname = h.example\n",
	"white space":        "relayhost \t =  a  b\tc  \n",
	"vertical tab":       "relayhost = a\vb\f\n",
	"nul":                "relayhost = a\x00b\n  c\nmyhostname = x\n",
	"8-bit":              "relayhost = \xff\u00fc\n",
	"blank end":          "relayhost = a\n \n\t",
	"comment end":        "relayhost = a\n# end",
	"service parameter":  "conbool-gate_destination_recipient_limit = 1\n",
}

// mainErrors are texts that Postfix refuses, with the lines.
var mainErrors = map[string]struct {
	text  string
	lines []int
}{
	"no equals":     {"relayhost\n", []int{1}},
	"no name":       {"a = b\n= x\n", []int{2}},
	"two words":     {"my host = x\n", []int{1}},
	"several":       {"a\n  b\n\nc = d\ne f\n", []int{1, 5}},
	"nul first":     {"\x00a = b\n", []int{1}},
	"nul before = ": {"a\x00 = b\n", []int{1}},
}

func TestParseMain(t *testing.T) {
	for name, text := range mainTexts {
		t.Run(name, func(t *testing.T) {
			m, err := ParseMain("main.cf", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Format(); string(got) != text {
				t.Errorf("Format: %q", got)
			}
			dir := confDir(t, text, "")
			warned := ""
			for _, p := range m.Params() {
				want, _ := m.Get(p.Name)
				if strings.Contains(p.Name, "_destination_") {
					continue // postconf knows it by its service only
				}
				stdout, stderr := run(t, nil, "postconf", dir, "-h", p.Name)
				if got := strings.TrimSuffix(stdout, "\n"); got != want {
					t.Errorf("%s: Get %q, postconf %q", p.Name, want, got)
				}
				warned = stderr
				if line := m.Line(p.Name); p.Value == want && p.Line > line {
					t.Errorf("%s: line %d, and %d counts", p.Name, p.Line, line)
				}
			}
			if (warned != "") != (len(m.Warnings()) > 0) {
				t.Errorf("postconf warns %q, here %v", warned, m.Warnings())
			}
		})
	}
	for name, c := range mainErrors {
		t.Run(name, func(t *testing.T) {
			_, err := ParseMain("main.cf", []byte(c.text))
			var list Errors
			errors.As(err, &list)
			var lines []int
			for _, e := range list {
				lines = append(lines, e.Line)
			}
			if diff := cmp.Diff(c.lines, lines); diff != "" || !errors.Is(err, ErrSyntax) {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			dir := confDir(t, c.text, "")
			_, stderr := run(t, nil, "postconf", dir, "-h", "relayhost")
			if !strings.Contains(stderr, "fatal") || !strings.Contains(stderr, fmt.Sprintf(" %d", c.lines[0])) {
				t.Errorf("postconf: %s", stderr)
			}
		})
	}
}

func TestMainParams(t *testing.T) {
	m, err := ParseMain("main.cf", []byte("# c\na = 1\n\nb =\n  2,\n# c\n  3\na = 4\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Param{{"a", "1", "", 2}, {"b", "2, 3", "", 4}, {"a", "4", "", 8}}
	if diff := cmp.Diff(want, m.Params()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if m.Line("a") != 8 || m.Line("b") != 4 || m.Line("c") != 0 {
		t.Error("lines", m.Line("a"), m.Line("b"), m.Line("c"))
	}
}

const owner = "oxmailroute"

var someParams = []Param{
	{Name: "relayhost", Value: "", Comment: "nothing leaves by it"},
	{Name: "sender_dependent_default_transport_maps", Value: "hash:/etc/postfix/conbool_scope"},
	{Name: "smtpd_recipient_restrictions", Value: "reject_non_fqdn_recipient, reject_unlisted_recipient, check_client_access cidr:/etc/postfix/conbool_clients, permit"},
}

func TestMainSet(t *testing.T) {
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
				if diff := cmp.Diff(c.after, string(m.Format())); diff != "" {
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

func mustSet(text, owner string, params ...Param) string {
	m, err := ParseMain("main.cf", []byte(text))
	if err == nil {
		err = m.Set(owner, params)
	}
	if err != nil {
		panic(err)
	}
	return string(m.Format())
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
		"begin cut":            {strings.Replace(set, managedText, "", 1), someParams, ErrDamaged, []int{3}, true},
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
		hadBlock := strings.Contains(text, "# BEGIN "+owner) || strings.Contains(text, prefixOf(owner))
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

// paramPieces are what matters in a parameter's value.
var paramPieces = []string{
	"a", "b1", " ", "  ", "\t", "\n", "\n ", "\nx = y\n", "#", "=", ",", ", ", "{", "}", "(", ")", "$", "$$", "$a", "${a}", "${", "${a?b}", "${a?{b}:{c}}", "$(", "\\", "\"", "'",
	"\r", "\v", "\x00", "\xff", "\u00fc", ":", "/", "-o", "[", "]", "very_long_word_that_makes_the_line_longer_than_a_line_should_be", "x, ", "{ a = b }",
}

// TestParamBreakOut has postconf read hostile values that we take.
func TestParamBreakOut(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 20))
	const n = 60
	for range 12 {
		var params []Param
		for len(params) < n {
			p := Param{Name: fmt.Sprintf("zz_%d", len(params)), Value: randomText(r, paramPieces, 30), Comment: randomText(r, paramPieces, 4)}
			if ValidValue(p.Value) == nil && checkComment(p.Comment) == nil {
				params = append(params, p)
			}
		}
		m, err := ParseMain("main.cf", []byte("compatibility_level = 3.6\n"))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Set(owner, params); err != nil {
			t.Fatal(err)
		}
		// postconf prints user-defined parameters that something refers to.
		var refer strings.Builder
		for i := range params {
			fmt.Fprintf(&refer, "$zz_%d", i)
		}
		dir := confDir(t, string(m.Format()), "x unix - - n - - smtp\n  -o zz_all="+refer.String()+"\n")
		stdout, stderr := run(t, nil, "postconf", dir, "-n")
		if strings.Contains(stderr, "fatal") || strings.Contains(stderr, "overriding") {
			t.Fatalf("%s\n%s", stderr, m.Format())
		}
		got := make(map[string]string)
		count := 0
		for line := range strings.SplitSeq(strings.TrimSuffix(stdout, "\n"), "\n") {
			name, value, _ := strings.Cut(line, " =")
			got[name] = strings.TrimPrefix(value, " ")
			count++
		}
		for _, p := range params {
			if v, ok := got[p.Name]; !ok || v != p.Value {
				t.Errorf("%s: postconf reads %q, want %q", p.Name, v, p.Value)
			}
		}
		// Besides them compatibility_level, and config_directory from -c.
		if count != n+2 {
			t.Errorf("postconf prints %d parameters, want %d:\n%s", count, n+2, stdout)
		}
	}
}

func FuzzParam(f *testing.F) {
	for _, piece := range paramPieces {
		f.Add("zz_a", piece)
		f.Add(piece, strings.Repeat(piece+" x ", 20))
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		m, err := ParseMain("main.cf", []byte("a = 1"))
		if err != nil {
			t.Fatal(err)
		}
		if m.Set(owner, []Param{{Name: name, Value: value}}) != nil {
			return
		}
		want := []Param{{Name: "a", Value: "1"}, {Name: name, Value: value}}
		if name == "a" {
			want = want[1:]
		}
		if diff := cmp.Diff(want, m.Params(), cmpopts.IgnoreFields(Param{}, "Line")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", m.Format(), diff)
		}
		if _, err := m.Expand(value, func(string) (string, bool) { return "x", true }); err != nil {
			t.Errorf("%q can't be expanded: %v", value, err)
		}
		back, err := ParseMain("main.cf", m.Format())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m.Params(), back.Params()); diff != "" {
			t.Errorf("read back (-want +got):\n%s", diff)
		}
		// As an option of a service.
		s := Service{Name: "x", Type: "unix", Command: "smtp", Options: []Param{{Name: name, Value: value}, {Name: "z", Value: "1"}}}
		text, err := FormatService(s)
		if err != nil {
			return
		}
		services, err := ParseMaster("master.cf", text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		s.Private, s.Unprivileged, s.Chroot, s.Wakeup, s.MaxProcesses = "-", "-", "-", "-", "-"
		if diff := cmp.Diff([]Service{s}, services.Services(), cmpopts.IgnoreFields(Param{}, "Line"), cmpopts.IgnoreFields(Service{}, "Line"), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	})
}

// expandCases are values that refer to a = "A", b = "" and n = "10".
var expandCases = []string{
	"", "x", "$a", "${a}", "$(a)", "$a$b$a", "$$a", "$$$a", "x$undefined-y", "${a?x}", "${b?x}", "${a:x}", "${b:x}", "${undefined:x}", "${undefined?x}",
	"${a?{x}:{y}}", "${b?{x}:{y}}", "${a?{x}:y}", "${b?{x}:y}", "${a? {x} : {y} }", "${a?x:y}", "${a?$a}", "${a?{$a$b}}", "${{A}=={A}?{x}:{y}}", "${{$a} == {A} ? {x} : {y}}", "${{$a} != {A} ? {x} : {y}}",
	"${{9}<{10}?lt:ge}", "${{9x}<{10}?lt:ge}", "${{$n}>={10}?{ge}}", "${{10}>{9}:{le}}", "${{a}<={b}?{x}:{y}}", "${{010}=={10}?{x}:{y}}", "${{a}=={a}}", "${{a}=={b}}", "$(a?{x}:{y})", "$(a?(x))",
	"${ind}", "$ind", "${ind?{$ind}}", "${empty_ind?x:y}", "${loop}", "$loop", "${", "$", "a$ b", "${}", "$(", "${a-b}", "${a b}", "${a?{x}z}", "${a?{x}:{y}z}", "${{a}}", "${{a}=={b}z}", "${{a}~{b}?x}", "${{a}==b?x}", "${a?${", "${a?{x}", "${b?${}}", "{$a}", "}$a{", "${a?}", "${b:}", "$1", "${{${{a}=={a}?b}}=={b}?x:y}", "${self?x}",
}

const (
	plainMain  = "a = A\nb =\nn = 10\nind = <$a>\nempty_ind = $b\n"
	expandMain = plainMain + "loop = $loop2\nloop2 = ${loop}\nself = $self\n"
)

func TestMainExpand(t *testing.T) {
	m, err := ParseMain("main.cf", []byte(expandMain))
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range expandCases {
		t.Run(value, func(t *testing.T) {
			t.Parallel() // postconf sleeps before it stops on an error
			got, err := m.Expand(value, nil)
			if err != nil && !errors.Is(err, ErrSyntax) {
				t.Error(err)
			}
			dir := confDir(t, expandMain+"relayhost = "+value+"\n", "")
			stdout, stderr := run(t, nil, "postconf", dir, "-xh", "relayhost")
			if fatal := strings.Contains(stderr, "fatal"); fatal != (err != nil) {
				t.Errorf("Expand %q, %v; postconf %q %s", got, err, stdout, stderr)
			} else if want := strings.TrimSuffix(stdout, "\n"); !fatal && got != want {
				t.Errorf("Expand %q, postconf %q", got, want)
			}
			// ValidValue takes what Postfix can evaluate whatever the names
			// stand for.
			if ValidValue(value) == nil && err != nil && !strings.Contains(value, "loop") && !strings.Contains(value, "self") {
				t.Errorf("ValidValue takes %q: %v", value, err)
			}
		})
	}
	got, err := m.Expand("$a $x $b", func(name string) (string, bool) {
		return "($n)", name == "x" || name == "b"
	})
	if err != nil || got != "A (10) (10)" {
		t.Errorf("with override: %q, %v", got, err)
	}
	var bomb strings.Builder
	for i := range 60 {
		fmt.Fprintf(&bomb, "v%d = $v%d$v%d\n", i, i+1, i+1)
	}
	doubling, err := ParseMain("main.cf", []byte(bomb.String()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := doubling.Expand("$v0", nil); !errors.Is(err, ErrSyntax) {
		t.Errorf("a value that doubles sixty times: %v", err)
	}
}

func TestMainExpandRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	pieces := []string{"a", "$a", "$b", "${a}", "${", "}", "{", "}", "?", ":", "$$", "$(", ")", "x", " ", "==", "!=", "<", "${a?", "${b:", "{x}", "${{", "n"}
	var text strings.Builder
	m, err := ParseMain("main.cf", []byte(plainMain))
	if err != nil {
		t.Fatal(err)
	}
	// One postconf for many values that Expand takes; one each for others.
	values := make(map[string]string)
	for i := range 400 {
		value := randomText(r, pieces, 14)
		want, err := m.Expand(value, nil)
		if err == nil {
			name := fmt.Sprintf("zz_%d", i)
			values[name] = squeeze([]byte(strings.TrimSpace(want)))
			fmt.Fprintf(&text, "%s = %s\n", name, value)
			continue
		}
		if i%40 == 0 {
			dir := confDir(t, plainMain+"relayhost = "+value+"\n", "")
			if stdout, stderr := run(t, nil, "postconf", dir, "-xh", "relayhost"); !strings.Contains(stderr, "fatal") {
				t.Errorf("%q: Expand says %v, postconf %q", value, err, stdout)
			}
		}
	}
	var refer strings.Builder
	for name := range values {
		refer.WriteString("$" + name)
	}
	dir := confDir(t, plainMain+text.String(), "x unix - - n - - smtp\n  -o zz_all="+refer.String()+"\n")
	stdout, stderr := run(t, nil, "postconf", dir, "-xn")
	if strings.Contains(stderr, "fatal") {
		t.Fatalf("%s\n%s", stderr, text.String())
	}
	for line := range strings.SplitSeq(stdout, "\n") {
		name, value, _ := strings.Cut(line, " =")
		if want, ok := values[name]; ok {
			if got := strings.TrimPrefix(value, " "); got != want {
				v, _ := m.Get(name)
				t.Errorf("%s = %s: Expand %q, postconf %q", name, v, want, got)
			}
			delete(values, name)
		}
	}
	if len(values) > 0 {
		t.Errorf("postconf doesn't print %v", values)
	}
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
