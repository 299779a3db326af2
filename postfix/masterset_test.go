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

	"github.com/oxmailroute/oxmailroute/postfix/internal/block"
)

var gateServices = []Service{
	{
		Name: "127.0.0.1:10030", Type: "inet", Private: "n", Chroot: "n", Command: "smtpd", Comment: "pass 2",
		Options: []Param{
			{Name: "content_filter", Value: "conbool:[mail.conbool.com]:25"},
			{Name: "mynetworks", Value: "127.0.0.0/8, [::1]/128", Comment: "loopback"},
			{Name: "header_checks"},
		},
	},
	{Name: "pipe-x", Type: "unix", Unprivileged: "n", Chroot: "n", Command: "pipe", Args: []string{"-v", "flags=R", "user=a b", "#x", "{y}",
		"", "argv=/bin/x"}},
}

const gateBlock = "# BEGIN oxmailroute: managed block, change the policy instead\n" +
	"# pass 2\n" +
	"127.0.0.1:10030 inet n   -       n       -       -       smtpd\n" +
	"  -o content_filter=conbool:[mail.conbool.com]:25\n" +
	"# loopback\n" +
	"  -o { mynetworks = 127.0.0.0/8, [::1]/128 }\n" +
	"  -o header_checks=\n" +
	"pipe-x     unix  -       n       n       -       -       pipe -v\n" +
	"  flags=R {user=a b} {#x} {{y}} {} argv=/bin/x\n" +
	"# END oxmailroute\n"

func TestMasterSet(t *testing.T) {
	smtpd := []ServiceOptions{{Name: "127.0.1.1:25", Type: "inet", Options: []Param{{Name: "cleanup_service_name", Value: "conbool-in"},
		{Name: "x", Value: "a b"}}}}
	const frame = "# BEGIN oxmailroute\n  -o cleanup_service_name=conbool-in\n  -o { x = a b }\n# END oxmailroute\n"
	const noNewline = "instead (the file had no newline at its end)\n"
	pickup := "pickup unix n - n 60 1 pickup\n"
	for name, c := range map[string]struct {
		before  string
		add     []Service
		options []ServiceOptions
		after   string
	}{
		"services": {pickup, gateServices, nil, pickup + gateBlock},
		"services, no newline": {strings.TrimSuffix(pickup, "\n"), gateServices, nil, pickup + strings.Replace(gateBlock, "instead\n", noNewline,
			1)},
		"empty file": {"", gateServices, nil, gateBlock},
		"options":    {smtpdLine + pickup, nil, smtpd, smtpdLine + frame + pickup},
		"options after his": {smtpdLine + "  -o a=b\n  # c\n\n# d\n" + pickup, nil, smtpd,
			smtpdLine + "  -o a=b\n" + frame + "  # c\n\n# d\n" + pickup},
		"options at the end": {pickup + strings.TrimSuffix(smtpdLine, "\n"), nil, smtpd, pickup + smtpdLine + strings.Replace(frame, "route\n",
			"route (the file had no newline at its end)\n", 1)},
		"both, no newline": {strings.TrimSuffix(smtpdLine, "\n"), gateServices, smtpd, smtpdLine + strings.Replace(frame, "route\n",
			"route (the file had no newline at its end)\n", 1) + gateBlock},
		"same option": {smtpdLine + "  -o { x = a b }\n", nil, smtpd, smtpdLine + "  -o { x = a b }\n" + frame},
		"overridden": {smtpdLine + "  -o cleanup_service_name=his\n" + pickup, nil, []ServiceOptions{{Name: smtpd[0].Name, Type: "inet",
			Options: smtpd[0].Options, Override: []string{"cleanup_service_name"}}}, smtpdLine + "  -o cleanup_service_name=his\n" + frame + pickup},
		"last of two": {smtpdLine + pickup + smtpdLine, nil, smtpd, smtpdLine + pickup + smtpdLine + frame},
		"crlf": {"127.0.1.1:25 inet n - n - - smtpd\r\n" + pickup, nil, smtpd,
			"127.0.1.1:25 inet n - n - - smtpd\r\n" + frame + pickup},
		"another owner's": {smtpdLine + "# BEGIN other\n  -o z=1\n# END other\n" + pickup, nil, smtpd,
			smtpdLine + "# BEGIN other\n  -o z=1\n# END other\n" + frame + pickup},
		"comment around": {"# BEGIN mine\n" + smtpdLine + pickup + "# END mine\n", nil, smtpd,
			"# BEGIN mine\n" + smtpdLine + frame + pickup + "# END mine\n"},
		"nothing": {pickup, nil, nil, pickup},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := ParseMaster("master.cf", []byte(c.before))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := m.Set(owner, c.add, c.options); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.after, unsealed(m.Format())); diff != "" {
					t.Fatalf("(-want +got):\n%s", diff)
				}
			}
			dir := confDir(t, minimalMain, string(m.Format()))
			stdout, stderr := run(t, nil, "postconf", dir, "-M")
			if diff := cmp.Diff(squeezeLines(stdout), squeezeLines(postconfM(m.Services()))); diff != "" || strings.Contains(stderr, "missing") {
				t.Errorf("(-postconf +Services):\n%s%s", diff, stderr)
			}
			for _, s := range c.add {
				got, _ := m.Lookup(s.Name, s.Type)
				if diff := cmp.Diff(withDefaults(s), got, cmpopts.IgnoreFields(Service{}, "Line", "Comment"),
					cmpopts.IgnoreFields(Param{}, "Line", "Comment")); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
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

func TestMasterSetErrors(t *testing.T) {
	option := func(name, value string) []ServiceOptions {
		return []ServiceOptions{{Name: "127.0.1.1:25", Type: "inet", Options: []Param{{Name: name, Value: value}}}}
	}
	m, err := ParseMaster("master.cf", []byte(smtpdLine))
	if err == nil {
		err = m.Set(owner, gateServices[:1], option("a", "1"))
	}
	if err != nil {
		t.Fatal(err)
	}
	set := unsealed(m.Format())
	service := func(change func(s *Service)) []Service {
		s := Service{Name: "x", Type: "unix", Command: "smtp"}
		change(&s)
		return []Service{s}
	}
	for name, c := range map[string]struct {
		text    string
		add     []Service
		options []ServiceOptions
		kind    error
		lines   []int
		remove  bool
	}{
		"service there": {"# c\n127.0.0.1:10030 inet n - n - - smtpd\n", gateServices, nil, ErrConflict, []int{2}, false},
		"other value":   {smtpdLine + "  -o a=2\n", nil, option("a", "1"), ErrConflict, []int{1}, false},
		"another is overridden": {smtpdLine + "  -o b=2\n  -o a=2\n", nil, []ServiceOptions{{Name: "127.0.1.1:25", Type: "inet",
			Options: []Param{{Name: "b", Value: "1"}, {Name: "a", Value: "1"}}, Override: []string{"b"}}}, ErrConflict, []int{1}, false},
		"last value counts":    {smtpdLine + "  -o a=1 -o a=2\n", nil, option("a", "1"), ErrConflict, []int{1}, false},
		"no such service":      {"", nil, option("a", "1"), ErrConflict, []int{0}, false},
		"arguments at the end": {"127.0.1.1:25 inet n - n - - smtpd x\n", nil, option("a", "1"), ErrConflict, []int{1}, false},
		"end of options":       {"127.0.1.1:25 inet n - n - - smtpd --\n", nil, option("a", "1"), ErrConflict, []int{1}, false},
		"duplicate service":    {"", append(gateServices[:1:1], gateServices[0]), nil, ErrDuplicate, []int{0}, false},
		"duplicate options":    {smtpdLine, nil, append(option("a", "1"), option("b", "1")...), ErrDuplicate, []int{0}, false},
		"duplicate option": {smtpdLine, nil, []ServiceOptions{{Name: "127.0.1.1:25", Type: "inet",
			Options: []Param{{Name: "a"}, {Name: "a"}}}}, ErrDuplicate, []int{0}, false},
		"unbalanced value":      {smtpdLine, nil, option("a", "x } -o b=c"), ErrIllegal, []int{0}, false},
		"open brace":            {smtpdLine, nil, option("a", "{"), ErrIllegal, []int{0}, false},
		"newline in value":      {smtpdLine, nil, option("a", "x\ny"), ErrIllegal, []int{0}, false},
		"name":                  {"", service(func(s *Service) { s.Name = "a b" }), nil, ErrIllegal, []int{0}, false},
		"name is comment":       {"", service(func(s *Service) { s.Name = "#a" }), nil, ErrIllegal, []int{0}, false},
		"name with newline":     {"", service(func(s *Service) { s.Name = "a\nb" }), nil, ErrIllegal, []int{0}, false},
		"name is default":       {"", service(func(s *Service) { s.Name = "-" }), nil, ErrIllegal, []int{0}, false},
		"no command":            {"", service(func(s *Service) { s.Command = "" }), nil, ErrIllegal, []int{0}, false},
		"type":                  {"", service(func(s *Service) { s.Type = "tcp" }), nil, ErrIllegal, []int{0}, false},
		"private inet":          {"", service(func(s *Service) { s.Type = "inet" }), nil, ErrIllegal, []int{0}, false},
		"chroot":                {"", service(func(s *Service) { s.Chroot = "yes" }), nil, ErrIllegal, []int{0}, false},
		"wakeup":                {"", service(func(s *Service) { s.Wakeup = "?" }), nil, ErrIllegal, []int{0}, false},
		"process limit":         {"", service(func(s *Service) { s.MaxProcesses = "1 smtp" }), nil, ErrIllegal, []int{0}, false},
		"option as argument":    {"", service(func(s *Service) { s.Args = []string{"-oa=b"} }), nil, ErrIllegal, []int{0}, false},
		"unbalanced argument":   {"", service(func(s *Service) { s.Args = []string{"a}"} }), nil, ErrIllegal, []int{0}, false},
		"newline in argument":   {"", service(func(s *Service) { s.Args = []string{"a\nb"} }), nil, ErrIllegal, []int{0}, false},
		"space around argument": {"", service(func(s *Service) { s.Args = []string{" a"} }), nil, ErrIllegal, []int{0}, false},
		"comment ends block":    {"", service(func(s *Service) { s.Comment = "END oxmailroute" }), nil, ErrIllegal, []int{0}, false},
		"continued below":       {set + "  -o z=1\n", gateServices[:1], nil, ErrConflict, []int{13}, true},
		"service among options": {strings.Replace(set, "  -o a=1\n", "  -o a=1\nx unix - - n - - smtp\n", 1), nil, nil, ErrConflict, []int{4},
			true},
		"no end":   {strings.Replace(set, "# END oxmailroute\n", "", 1), nil, nil, ErrDamaged, []int{2}, true},
		"no begin": {strings.Replace(set, "# BEGIN oxmailroute\n", "", 1), nil, nil, ErrDamaged, []int{3}, true},
		"two blocks": {set + "# BEGIN oxmailroute: managed block, change the policy instead\n# END oxmailroute\n", nil, nil,
			ErrDamaged, []int{13}, true},
		"begin changed": {strings.Replace(set, block.ManagedText, ": mine", 1), nil, nil, ErrDamaged, []int{5}, true},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := ParseMaster("master.cf", []byte(c.text))
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
					t.Errorf("%s changed the file", what)
				}
			}
			check("Set", m.Set(owner, c.add, c.options))
			if err := m.Remove(owner); c.remove {
				check("Remove", err)
			} else if err != nil {
				t.Errorf("Remove: %v", err)
			}
		})
	}
}

// TestMasterSetEdited: what the customer does between Set and Remove stays.
func TestMasterSetEdited(t *testing.T) {
	options := []ServiceOptions{{Name: "127.0.1.1:25", Type: "inet", Options: []Param{{Name: "a", Value: "1"}}}}
	before := smtpdLine + "pickup unix n - n 60 1 pickup"
	m, err := ParseMaster("master.cf", []byte(before))
	if err == nil {
		err = m.Set(owner, gateServices, options)
	}
	if err != nil {
		t.Fatal(err)
	}
	set := string(m.Format())
	for name, c := range map[string]struct{ edited, after string }{
		"option below ours": {strings.Replace(set, "\npickup", "\n  -o b=2\npickup", 1), smtpdLine + "  -o b=2\npickup unix n - n 60 1 pickup"},
		"option above ours": {strings.Replace(set, smtpdLine, smtpdLine+"  -o b=2\n", 1),
			smtpdLine + "  -o b=2\npickup unix n - n 60 1 pickup"},
		"service above":       {"x unix - - n - - smtp\n" + set, "x unix - - n - - smtp\n" + before},
		"service below":       {set + "x unix - - n - - smtp", before + "\nx unix - - n - - smtp"},
		"service gone":        {strings.Replace(set, smtpdLine, "", 1), "pickup unix n - n 60 1 pickup"},
		"end without newline": {strings.TrimSuffix(set, "\n"), before},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := ParseMaster("master.cf", []byte(c.edited))
			if err == nil {
				err = m.Remove(owner)
			}
			if err != nil {
				if name == "service gone" {
					return // our options now continue nothing, or another service
				}
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.after, string(m.Format())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzMasterSetRemove(f *testing.F) {
	for _, text := range masterTexts {
		f.Add(text, "a", "b c", "#tail\n")
		f.Add(text, "content_filter", "x:[y]", "x unix - - n - - smtp\n  -o a=b")
	}
	f.Fuzz(func(t *testing.T, text, name, value, tail string) {
		m, err := ParseMaster("master.cf", []byte(text))
		if err != nil {
			return
		}
		if string(m.Format()) != text {
			t.Fatalf("Format of the untouched %q: %q", text, m.Format())
		}
		had := strings.Contains(text, "# BEGIN "+owner)
		add := []Service{{Name: name, Type: "unix", Command: "smtp", Args: []string{value}}, {Name: "zz", Type: "unix", Command: "smtp",
			Options: []Param{{Name: name, Value: value}}}}
		var options []ServiceOptions
		seen := make(map[string]bool)
		for _, s := range m.Services() {
			if !seen[s.Name+" "+s.Type] {
				seen[s.Name+" "+s.Type] = true
				options = append(options, ServiceOptions{Name: s.Name, Type: s.Type, Options: []Param{{Name: name, Value: value},
					{Name: "zz_b", Value: "1"}}})
			}
		}
		try := func(add []Service, options []ServiceOptions) {
			if err := m.Set(owner, add, options); err != nil {
				if string(m.Format()) != text {
					t.Fatalf("a failed Set changed %q: %q", text, m.Format())
				}
				return
			}
			set := m.Format()
			for _, s := range add {
				got, _ := m.Lookup(s.Name, s.Type)
				if diff := cmp.Diff(withDefaults(s), got, cmpopts.IgnoreFields(Service{}, "Line"), cmpopts.IgnoreFields(Param{}, "Line"),
					cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%q (-want +got):\n%s", set, diff)
				}
			}
			for _, o := range options {
				s, _ := m.Lookup(o.Name, o.Type)
				for _, p := range o.Options {
					if v, ok := s.Option(p.Name); !ok || v != p.Value {
						t.Errorf("%q: %s %s: -o %s=%q", set, o.Name, o.Type, p.Name, v)
					}
				}
			}
			if err := m.Set(owner, add, options); err != nil || !bytes.Equal(m.Format(), set) {
				t.Errorf("a second Set: %v: %q, want %q", err, m.Format(), set)
			}
			edited, err := ParseMaster("master.cf", append(bytes.Clone(set), tail...))
			if err == nil && edited.Remove(owner) == nil && !had && !strings.Contains(tail, owner) {
				want := text + tail
				if n := len(text); n > 0 && text[n-1] != '\n' && tail != "" && len(add)+len(options) > 0 && string(set) != text {
					// Only where something of ours came after the last line.
					want = text + "\n" + tail
					if !strings.Contains(string(set), block.NoNewlineText) {
						want = text + tail
					}
				}
				if string(edited.Format()) != want {
					t.Errorf("edited and removed: %q, want %q", edited.Format(), want)
				}
			}
			if err := m.Remove(owner); err != nil {
				t.Fatal(err)
			}
			if !had && string(m.Format()) != text {
				t.Errorf("removed: %q, want %q", m.Format(), text)
			}
			if m, err = ParseMaster("master.cf", []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		try(add, nil)
		try(add[1:], options)
		try(nil, options)
	})
}

// TestMasterBreakOut has postconf read hostile services that we take.
func TestMasterBreakOut(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(23, 24))
	pieces := append([]string{"-", "--", "-o", "-v", "{}", "{a b}", "inet", "y"}, paramPieces...)
	for range 10 {
		var add []Service
		for len(add) < 50 {
			s := Service{Name: fmt.Sprintf("s%d%s", len(add), randomText(r, pieces, 3)), Type: "unix", Command: "smtp" + randomText(r, pieces, 2),
				Comment: randomText(r, pieces, 3)}
			for range r.IntN(4) {
				s.Args = append(s.Args, randomText(r, pieces, 5))
			}
			for i := range r.IntN(4) {
				s.Options = append(s.Options, Param{Name: fmt.Sprintf("zz_%d", i), Value: randomText(r, pieces, 8)})
			}
			if _, err := FormatService(s); err == nil {
				add = append(add, s)
			}
		}
		m, err := ParseMaster("master.cf", []byte("pickup unix n - n 60 1 pickup"))
		if err == nil {
			err = m.Set(owner, add, []ServiceOptions{{Name: "pickup", Type: "unix", Options: []Param{{Name: "zz", Value: "a b"}}}})
		}
		if err != nil {
			t.Fatal(err)
		}
		dir := confDir(t, minimalMain, string(m.Format()))
		stdout, stderr := run(t, nil, "postconf", dir, "-M")
		if strings.Contains(stderr, "fatal") || strings.Contains(stderr, "missing") || strings.Contains(stderr, "syntax") {
			t.Fatalf("%s\n%s", stderr, m.Format())
		}
		want := append([]Service{m.Services()[0]}, add...)
		for i := range want {
			want[i] = withDefaults(want[i])
		}
		if diff := cmp.Diff(squeezeLines(stdout), squeezeLines(postconfM(want))); diff != "" {
			t.Errorf("(-postconf +want):\n%s", diff)
		}
		stdout, _ = run(t, nil, "postconf", dir, "-P")
		options := 0
		for _, s := range want {
			options += len(s.Options)
			for _, p := range s.Options {
				line := strings.TrimSuffix(fmt.Sprintf("%s/%s/%s = %s", s.Name, s.Type, p.Name, p.Value), " ")
				if !strings.Contains("\n"+stdout, "\n"+line+"\n") {
					t.Errorf("postconf -P has no %q", line)
				}
			}
		}
		if n := strings.Count(stdout, "\n"); n != options {
			t.Errorf("postconf -P prints %d options, want %d:\n%s", n, options, stdout)
		}
	}
}

// TestMasterSetRuns has a running master(8) obey options that stand between
// comment lines within an entry.
func TestMasterSetRuns(t *testing.T) {
	t.Parallel()
	base := "127.0.0.1:$PORT0 inet n - n - - smtpd\n  -o smtpd_banner=his\n# his comment\n\n127.0.0.1:$PORT1 inet n - n - - smtpd\n"
	p := newPrivate(t, "mydestination =\n", base, nil)
	text := strings.NewReplacer("$PORT0", fmt.Sprint(p.ports[0]), "$PORT1", fmt.Sprint(p.ports[1])).Replace(base) + privateMaster
	m, err := ParseMaster("master.cf", []byte(strings.TrimSuffix(text, "\n")))
	if err == nil {
		err = m.Set(owner, []Service{{
			Name: fmt.Sprintf("127.0.0.1:%d", p.ports[2]), Type: "inet", Private: "n", Chroot: "n", Command: "smtpd", Comment: "ours",
			Options: []Param{{Name: "smtpd_banner", Value: "{a b} c"}},
		}}, []ServiceOptions{
			{Name: fmt.Sprintf("127.0.0.1:%d", p.ports[0]), Type: "inet", Options: []Param{{Name: "myhostname", Value: "zero.test"},
				{Name: "smtpd_banner", Value: "his", Comment: "as he has it"}, {Name: "smtpd_timeout", Value: "99s"}}},
			{Name: fmt.Sprintf("127.0.0.1:%d", p.ports[1]), Type: "inet", Options: []Param{{Name: "smtpd_banner", Value: "$myhostname one, two"},
				{Name: "myhostname", Value: "one.test"}}},
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	write(t, p.etc+"/master.cf", string(m.Format()))
	p.start()
	for i, want := range []string{"220 his\r\n", "220 one.test one, two\r\n", "220 {a b} c\r\n"} {
		if got := p.talk(p.ports[i]); got != want {
			t.Errorf("port %d: %q, want %q", i, got, want)
		}
	}
	if got := p.talk(p.ports[0], "HELO x"); got != "250 zero.test\r\n" {
		t.Errorf("HELO: %q", got)
	}
}
