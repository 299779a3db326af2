package postfix

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
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
	t.Parallel()
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
			var names, want []string
			for _, p := range m.Params() {
				value, _ := m.Get(p.Name)
				if line := m.Line(p.Name); p.Value == value && p.Line > line {
					t.Errorf("%s: line %d, and %d counts", p.Name, p.Line, line)
				}
				if strings.Contains(p.Name, "_destination_") {
					continue // postconf knows it by its service only
				}
				names, want = append(names, p.Name), append(want, value+"\n")
			}
			warned := ""
			if len(names) > 0 {
				var stdout string
				stdout, warned = run(t, nil, "postconf", dir, append([]string{"-h"}, names...)...)
				if diff := cmp.Diff(slices.Collect(strings.Lines(stdout)), want); diff != "" {
					t.Errorf("%q (-postconf +Get):\n%s", names, diff)
				}
			}
			if (warned != "") != (len(m.Warnings()) > 0) {
				t.Errorf("postconf warns %q, here %v", warned, m.Warnings())
			}
		})
	}
	for name, c := range mainErrors {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // postconf sleeps before it stops on an error
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

// paramPieces are what matters in a parameter's value.
var paramPieces = []string{
	"a", "b1", " ", "  ", "\t", "\n", "\n ", "\nx = y\n", "#", "=", ",", ", ", "{", "}", "(", ")", "$", "$$", "$a", "${a}", "${", "${a?b}", "${a?{b}:{c}}", "$(", "\\", "\"", "'",
	"\r", "\v", "\x00", "\xff", "\u00fc", ":", "/", "-o", "[", "]", "very_long_word_that_makes_the_line_longer_than_a_line_should_be", "x, ", "{ a = b }",
}

// TestParamBreakOut has postconf read hostile values that we take.
func TestParamBreakOut(t *testing.T) {
	t.Parallel()
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
		if diff := cmp.Diff([]Service{s}, services.Services(), cmpopts.IgnoreFields(Param{}, "Line"), cmpopts.IgnoreFields(Service{}, "Line"),
			cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	})
}
