package postfix

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// byp is the bypass table of the gateway's second pass.
var bypass = CheckTable{
	{When: headers.Match{Name: "X-Conbool-example-com", Op: headers.Is, Values: []string{"true"}}, Action: Filter{Transport: "direct"},
		Rule: "Loop[0]", Comment: "markers"},
	{When: headers.Match{Name: "X-Conbool-example-net", Op: headers.Is, Values: []string{"true"}}, Action: Filter{Transport: "direct"},
		Rule: "Loop[1]"},
	{When: headers.Match{Name: "X-Conbool-Released", Op: headers.Is, Values: []string{"yes"}}, Action: Filter{Transport: "direct"},
		Rule: "Release"},
	{When: headers.ContentType{Types: []string{"text/calendar"}}, Action: Filter{Transport: "direct"}, Rule: "Calendar"},
}

func TestCheckTableFormat(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		table CheckTable
		want  string
		lines []int
	}{
		"bypass": {bypass, `if /^X-Conbool-/
# markers
/^X-Conbool-example-com:[[:space:]]*true[[:space:]]*$/ FILTER direct:
/^X-Conbool-example-net:[[:space:]]*true[[:space:]]*$/ FILTER direct:
/^X-Conbool-Released:[[:space:]]*yes[[:space:]]*$/ FILTER direct:
endif
/^Content-Type:[[:space:]]*text\/calendar[[:space:]]*(;|$)/ FILTER direct:
`, []int{3, 4, 5, 7}},
		"strip": {CheckTable{
			{When: headers.MatchPrefix{Prefix: "X-Conbool-", Op: headers.Contains, Values: []string{""}}, Action: Strip{Text: "untrusted marker"}},
			{When: headers.Exists{Name: "X-OXMailroute-Origin"}, Action: Ignore{}},
		}, "/^X-Conbool-[^:]*:/ STRIP untrusted marker\n/^X-OXMailroute-Origin:/ IGNORE\n", []int{1, 2}},
		"any of several names": {CheckTable{
			{When: headers.Any{headers.Exists{Name: "A"}, headers.Any{headers.Exists{Name: "B"}}}, Action: Reject{Text: "5.7.1 $ no"}, Comment: "c"},
			{When: headers.Exists{Name: "C"}, Action: Dunno{}},
		}, "# c\n/^A:/ REJECT 5.7.1 $$ no\n/^B:/ REJECT 5.7.1 $$ no\n/^C:/ DUNNO\n", []int{2, 4}},
		"several values": {CheckTable{
			{When: headers.Match{Name: "X-Spam", Op: headers.Is, Values: []string{"YES", "a/b"}}, Action: Hold{}},
		}, `/^X-Spam:([[:space:]]*YES[[:space:]]*$|[[:space:]]*a\/b[[:space:]]*$)/ HOLD` + "\n", []int{1}},
		"case counts": {CheckTable{
			{When: headers.Match{Name: "X-a9", Op: headers.Contains, Values: []string{"Yes."}, Comparator: headers.Octet}, Action: Pass{}},
		}, `/^[Xx]-[Aa]9:.*Yes\./i PASS` + "\n", []int{1}},
		"guards": {CheckTable{
			{Regexp: "^Received: from [^[:space:]]+ ", Guard: `\(ConboolIn\)`, Negate: true, Action: Reject{Text: "no"}},
			{Regexp: "/x[/]", Guard: `\(ConboolIn\)`, Action: Warn{Text: "w"}},
			{Regexp: "y", Action: Info{Text: "i"}},
		}, "if /\\(ConboolIn\\)/\n!/^Received: from [^[:space:]]+ / REJECT no\n~/x[/]~ WARN w\nendif\n/y/ INFO i\n", []int{2, 3, 5}},
		"guard and block": {CheckTable{
			{When: headers.Exists{Name: "X-Abc-1"}, Guard: "g", Action: Ignore{}},
			{When: headers.Exists{Name: "X-Abc-2"}, Action: Ignore{}},
			{When: headers.Exists{Name: "X-Abc-2"}, Action: Discard{}},
		}, "if /g/\n/^X-Abc-1:/ IGNORE\nendif\nif /^X-Abc-2/\n/^X-Abc-2:/ IGNORE\n/^X-Abc-2:/ DISCARD\nendif\n", []int{2, 5, 6}},
		"empty": {nil, "", []int{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.table.Format()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			lines, err := c.table.Lines()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.lines, lines); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
			// What is written is read as so many rules, at those lines.
			back, warnings := ParseCheckTable("t", "regexp", got)
			if len(warnings) > 0 {
				t.Error(warnings)
			}
			at := make(map[int]CheckAction)
			for _, r := range back {
				at[r.Line] = r.Action
			}
			for i, line := range lines {
				if diff := cmp.Diff(c.table[i].Action, at[line]); diff != "" {
					t.Errorf("rule %d, read back (-want +got):\n%s", i, diff)
				}
			}
			dir := confDir(t, minimalMain, "")
			write(t, filepath.Join(dir, "t"), string(got))
			if _, stderr := run(t, []byte("x\n"), "postmap", dir, "-q", "-", "regexp:t"); stderr != "" {
				t.Error(stderr)
			}
		})
	}
}

func TestCheckTableFormatRefuses(t *testing.T) {
	exists := headers.Exists{Name: "A"}
	for name, c := range map[string]struct {
		rule CheckRule
		path string
		kind error
	}{
		"not":        {CheckRule{When: headers.Not{Predicate: exists}, Action: Ignore{}}, "[1].When", headers.ErrNotExpressible},
		"all":        {CheckRule{When: headers.All{exists}, Action: Ignore{}}, "[1].When", headers.ErrNotExpressible},
		"empty any":  {CheckRule{When: headers.Any{}, Action: Ignore{}}, "[1].When", headers.ErrNotExpressible},
		"all in any": {CheckRule{When: headers.Any{headers.All{exists}}, Action: Ignore{}}, "[1].When", headers.ErrNotExpressible},
		"top": {CheckRule{When: headers.ContentType{Types: []string{"a/b"}, Top: true}, Action: Ignore{}}, "[1].When",
			headers.ErrNotExpressible},
		"MIME field": {CheckRule{When: headers.Exists{Name: "Content-Type"}, Action: Ignore{}}, "[1].When",
			headers.ErrNotExpressible},
		"negated any": {CheckRule{When: headers.Any{exists, exists}, Negate: true, Action: Ignore{}}, "[1].When",
			headers.ErrNotExpressible},
		"white space in value": {CheckRule{When: headers.Match{Name: "A", Op: headers.Is, Values: []string{" x"}}, Action: Ignore{}},
			"[1].When", headers.ErrNotExpressible},
		"regex with white space": {CheckRule{When: headers.Match{Name: "A", Op: headers.Regex, Values: []string{"[[:space:]]x"}},
			Action: Ignore{}}, "[1].When", headers.ErrNotExpressible},
		"newline in value": {CheckRule{When: headers.Match{Name: "A", Op: headers.Is, Values: []string{"x\ny"}}, Action: Ignore{}},
			"[1].When", headers.ErrInvalid},
		"bad name":            {CheckRule{When: headers.Exists{Name: "A:"}, Action: Ignore{}}, "[1].When", headers.ErrInvalid},
		"nothing":             {CheckRule{Action: Ignore{}}, "[1].Regexp", ErrIllegal},
		"both":                {CheckRule{When: exists, Regexp: "x", Action: Ignore{}}, "[1].When", ErrIllegal},
		"no action":           {CheckRule{When: exists}, "[1].Action", ErrIllegal},
		"filter without name": {CheckRule{When: exists, Action: Filter{}}, "[1].Action", ErrIllegal},
		"filter with space":   {CheckRule{When: exists, Action: Filter{"a", "b c"}}, "[1].Action", ErrIllegal},
		"text with newline":   {CheckRule{When: exists, Action: Reject{"a\nb"}}, "[1].Action", ErrIllegal},
		"text with space":     {CheckRule{When: exists, Action: Reject{" a"}}, "[1].Action", ErrIllegal},
		"prepend no header":   {CheckRule{When: exists, Action: Prepend{"a b"}}, "[1].Action", ErrIllegal},
		"replace no header":   {CheckRule{When: exists, Action: Replace{""}}, "[1].Action", ErrIllegal},
		"redirect no address": {CheckRule{When: exists, Action: Redirect{"a"}}, "[1].Action", ErrIllegal},
		"bad regexp":          {CheckRule{Regexp: "(", Action: Ignore{}}, "[1].Regexp", headers.ErrInvalid},
		"bad guard":           {CheckRule{When: exists, Guard: "(", Action: Ignore{}}, "[1].Guard", headers.ErrInvalid},
		"newline in regexp":   {CheckRule{Regexp: "a\nb", Action: Ignore{}}, "[1].Regexp", ErrIllegal},
		"newline in guard":    {CheckRule{When: exists, Guard: "a\nb", Action: Ignore{}}, "[1].Guard", ErrIllegal},
		"nul in comment":      {CheckRule{When: exists, Comment: "\x00", Action: Ignore{}}, "[1].Comment", ErrIllegal},
		"pcre":                {CheckRule{Regexp: "x", PCRE: true, Action: Ignore{}}, "[1].Regexp", ErrIllegal},
		"unknown flag":        {CheckRule{Regexp: "x", Flags: "q", Action: Ignore{}}, "[1].Regexp", ErrSyntax},
	} {
		t.Run(name, func(t *testing.T) {
			table := CheckTable{{When: exists, Action: Ignore{}}, c.rule}
			_, err := table.Format()
			var list Errors
			if !errors.As(err, &list) || len(list) != 1 || list[0].Path != c.path || !errors.Is(err, c.kind) {
				t.Errorf("Format: %v", err)
			}
			if _, err := table.Compile(); err == nil {
				t.Error("Compile: no error")
			}
			if _, err := table.Lines(); err == nil {
				t.Error("Lines: no error")
			}
		})
	}
}

func field(line string) headers.Field {
	fields, _ := headers.Scan(nil, []byte(line), headers.HeaderChecks)
	if len(fields) == 0 {
		return headers.Field{}
	}
	return fields[0]
}

func TestChecksLookup(t *testing.T) {
	c, err := bypass.Compile()
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]CheckHit{
		"X-Conbool-Example-COM: True\r\n":             {Filter{Transport: "direct"}, "Loop[0]", 3},
		"x-conbool-example-net:\r\n true \r\n":        {Filter{Transport: "direct"}, "Loop[1]", 4},
		"X-Conbool-Released : yes":                    {Filter{Transport: "direct"}, "Release", 5},
		"X-Conbool-Released: yes, of course":          {},
		"X-Conbool-other: true":                       {},
		"Content-Type: TEXT/Calendar; method=REQUEST": {Filter{Transport: "direct"}, "Calendar", 7},
		"Content-Type: text/calendarx":                {},
		"Subject: X-Conbool-Released: yes":            {},
		strings.Repeat("X", 300) + ": x":              {},
	} {
		got, ok := c.Lookup(field(line))
		if diff := cmp.Diff(want, got); diff != "" || ok != (want.Action != nil) {
			t.Errorf("%q: %v (-want +got):\n%s", line, ok, diff)
		}
	}
}

// predicateOf makes a predicate out of fuzzed parts.
func predicateOf(kind int, name, value string) headers.Predicate {
	comparator := headers.ASCIICasemap
	if kind&1 == 1 {
		comparator = headers.Octet
	}
	op := []headers.Op{headers.Is, headers.Contains, headers.Matches, headers.Regex}[kind>>1&3]
	switch kind >> 3 & 3 {
	case 0, 1:
		return headers.Match{Name: name, Op: op, Values: []string{value}, Comparator: comparator}
	case 2:
		return headers.MatchPrefix{Prefix: name, Op: op, Values: []string{value, "second"}, Comparator: comparator}
	}
	param := ""
	if kind&2 != 0 {
		param = value
	}
	return headers.ContentType{Types: []string{"text/calendar", name + "/" + value}, Param: param}
}

// patternSays evaluates the patterns of a predicate as the table would.
func patternSays(t *testing.T, patterns []string, f headers.Field) bool {
	t.Helper()
	said := false
	for _, text := range patterns {
		var p checkParser
		p.s.parts = []part{{line: 1}}
		g, rest, ok := p.pattern(text + " X")
		if !ok || rest != " X" || g.Negate || len(p.warnings) > 0 {
			t.Fatalf("%q isn't read as one pattern: %q %v", text, rest, p.warnings)
		}
		re, err := compileCheck(g)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		said = said || headers.MatchERE(re, headers.Line(nil, f))
	}
	return said
}

// TestPatternAgrees is FuzzPattern's property on every combination of the
// tables.
func TestPatternAgrees(t *testing.T) {
	t.Parallel()
	for kind := range 32 {
		for _, value := range checkValues {
			checkPattern(t, kind, "X-Test", value, "X-Test: "+value)
			checkPattern(t, kind, "X-Test", value, "x-test:\r\n  "+strings.ToUpper(value)+"\r\n\t")
		}
	}
}

func FuzzPattern(f *testing.F) {
	for i, value := range checkValues {
		for op := range 4 {
			f.Add(op<<1|i&1|i>>1&3<<3, "X-Test", value, "X-Test: "+value)
		}
	}
	f.Fuzz(checkPattern)
}

// checkPattern fails where the patterns of a predicate and MatchField disagree.
func checkPattern(t *testing.T, kind int, name, value, line string) {
	p := predicateOf(kind, name, value)
	patterns, err := PatternsFor(p)
	if err != nil {
		return
	}
	m, err := headers.Compile(p, headers.HeaderChecks)
	if err != nil {
		t.Fatalf("%#v has patterns %q and can't be compiled: %v", p, patterns, err)
	}
	fields, _ := headers.Scan(nil, []byte(line), headers.HeaderChecks)
	for _, f := range append(fields, field(name+": "+line), field(name+":"+value), field("Content-Type: text/calendar;"+line)) {
		if len(f.Name) == 0 {
			continue
		}
		if got, want := patternSays(t, patterns, f), m.MatchField(f); got != want {
			t.Errorf("%#v: %q: patterns %q say %v, MatchField %v", p, headers.Line(nil, f), patterns, got, want)
		}
	}
}

// checkValues are values with everything that is special somewhere.
var checkValues = []string{
	"", "true", "yes", "a b", "a  b", "a.b", "a/b", "[x]", "(x)", "x{2}", "^x", "x$", "a|b", `a\b`, `a\`, "$1", "$$", "${1}", "!x", "#x",
	"*", "?", "a*", "*a", "a*b", "?a", "a?", "??", "*?", "?*?", "* x", "x *", "*a b*", `\*`, `a\?b`, `\\`, "a**b", "?? x",
	"^true$", "^(true|yes)$", "^true|yes$", "tr.e", "t.*e", "^.*x", "x.*$", ".*", "^$", "a+", "(a|b)*c", "[[:digit:]]+", "score=[0-9]+", "x/[/]y", "^a", "a$", "(^a)", "a|", `\$1`, "x{2,3}", "^[^[:space:]]+$", ".",
	"ü", "straße", "K", "ſ", "é*", "text/calendar", "method", "charset",
}

// bodyFor makes a header body that has a chance of matching value.
func bodyFor(r *rand.Rand, value string) string {
	pads := []string{"", " ", "  ", "\t", "\r\n ", "\r\n\t", " \r\n  "}
	pad := func() string { return pads[r.IntN(len(pads))] }
	text := value
	if r.IntN(3) == 0 {
		text = strings.NewReplacer("*", "xy", "?", "z", "^", "", "$", "", ".", "q", "+", "", `\`, "").Replace(value)
	}
	switch r.IntN(10) {
	case 0:
		text = strings.ToUpper(text)
	case 1:
		text = strings.ToLower(text)
	case 2:
		text = strings.ReplaceAll(text, " ", "\r\n ")
	case 3:
		text = "pre" + text
	case 4:
		text += "post"
	case 5:
		text = "no\r\n " + text
	case 6:
		text = checkValues[r.IntN(len(checkValues))]
	case 7:
		text += "; " + checkValues[r.IntN(len(checkValues))] + "=1"
	case 8:
		if text != "" {
			text = text[1:]
		}
	}
	return pad() + text + strings.TrimRight(pad(), "\r\n")
}

// TestChecksAsCleanup sends hundreds of header lines through cleanup(8).
func TestChecksAsCleanup(t *testing.T) {
	t.Parallel()
	perRule, customer := servertest.Deep(t, 2, 6), servertest.Deep(t, 200, 600)
	r := rand.New(rand.NewPCG(7, 8))
	var generated CheckTable
	var lines []string
	add := func(p headers.Predicate, action CheckAction, names []string, value string) {
		if _, err := PatternsFor(p); err != nil {
			return
		}
		generated = append(generated, CheckRule{When: p, Action: action, Rule: fmt.Sprint(len(generated))})
		for range perRule {
			name := names[r.IntN(len(names))]
			lines = append(lines, name+":"+bodyFor(r, value))
		}
	}
	for i, value := range checkValues {
		for kind := range 24 {
			if kind >= 8 && kind < 16 {
				continue
			}
			name := fmt.Sprintf("X-Test-%d-%d", i, kind)
			names := []string{name, strings.ToLower(name), strings.ToUpper(name), name + " "}
			if kind >= 16 {
				names = append(names, name+"-more", name[:len(name)-1])
				name += "-"
			}
			add(predicateOf(kind, name, value), Warn{Text: fmt.Sprintf("rule %d", len(generated))}, names, value)
		}
	}
	for i := range 3 {
		add(predicateOf(24+2*(i%2), "text", "x-cal"+fmt.Sprint(i)), Warn{Text: fmt.Sprintf("rule %d", len(generated))},
			[]string{"Content-Type", "content-type"}, "text/x-cal"+fmt.Sprint(i))
	}
	for i, value := range []string{"method", "charset", "x"} {
		add(headers.ContentType{Types: []string{"text/calendar", "application/ics"}, Param: value},
			Warn{Text: fmt.Sprintf("rule %d", len(generated))}, []string{"Content-Type"}, "text/calendar; x="+fmt.Sprint(i)+"; "+value+" = y")
	}
	tables := []struct {
		port       int
		kind, text string
		lines      []string
	}{
		{1, "regexp", regexpTable, customerLines(r, customer)},
		{2, "pcre", pcreTable, customerLines(r, customer)},
	}
	text, err := generated.Format()
	if err != nil {
		t.Fatal(err)
	}
	// The order of the lines in one message is random, and so are its rules'.
	r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	const master = `127.0.0.1:$PORT0 inet n - n - - smtpd
127.0.0.1:$PORT1 inet n - n - - smtpd
  -o cleanup_service_name=cleanup1
127.0.0.1:$PORT2 inet n - n - - smtpd
  -o cleanup_service_name=cleanup2
cleanup1 unix n - n - 0 cleanup
  -o { header_checks = regexp:$ETC/checks1, regexp:$ETC/frame }
cleanup2 unix n - n - 0 cleanup
  -o { header_checks = pcre:$ETC/checks2, regexp:$ETC/frame }
`
	files := map[string]string{
		"checks": string(text), "checks1": regexpTable, "checks2": pcreTable,
		"frame": "/^X-Seq: (.*)$/ WARN seq $1\n/^X-End:/ DISCARD end\n",
	}
	if out, _ := run(t, nil, "postconf", confDir(t, minimalMain, ""), "-m"); !strings.Contains(out, "pcre") {
		t.Log("this Postfix has no pcre: tables")
		tables = tables[:1]
	}
	p := newPrivate(t, "mydestination =\nheader_checks = regexp:$ETC/checks, regexp:$ETC/frame\nheader_size_limit = 1024000\n", master, files)
	p.start()
	checks, err := generated.Compile()
	if err != nil {
		t.Fatal(err)
	}
	p.compare(p.ports[0], checks, lines)
	for _, table := range tables {
		parsed, warnings := ParseCheckTable("t", table.kind, []byte(table.text))
		for _, w := range warnings {
			if w.Unevaluated {
				t.Errorf("%s: %s", table.kind, w)
			}
		}
		checks, err := parsed.Compile()
		if err != nil {
			t.Fatal(err)
		}
		p.compare(p.ports[table.port], checks, table.lines)
	}
}

// compare sends the lines in messages of a hundred, and compares the warnings
// that cleanup logs with the look-ups.
func (p *private) compare(port int, checks *Checks, lines []string) {
	t := p.tb
	t.Helper()
	matched := 0
	for len(lines) > 0 {
		n := min(100, len(lines))
		var raw strings.Builder
		raw.WriteString("X-First: 1\r\n")
		for i, line := range lines[:n] {
			fmt.Fprintf(&raw, "X-Seq: %d\r\n%s\r\n", i, line)
		}
		end := fmt.Sprintf("%d-%d", port, len(lines))
		fmt.Fprintf(&raw, "X-Seq: done\r\nX-End: %s\r\n\r\nbody\r\n", end)
		lines = lines[n:]
		p.send(port, "a@x.test", "b@y.test", raw.String())
		log := p.waitLog("discard: header X-End: " + end + " ")
		// This message's part of the log, by its queue ID.
		id := log[:strings.Index(log, ": discard: header X-End: "+end+" ")]
		id = id[strings.LastIndexByte(id, ' ')+1:]
		got := make(map[string]string)
		seq := ""
		for line := range strings.SplitSeq(log, "\n") {
			_, rest, ok := strings.Cut(line, ": "+id+": warning: ")
			if !ok {
				if strings.Contains(line, "warning:") && !strings.Contains(line, ": warning: header ") {
					t.Errorf("Postfix complains: %s", line)
				}
				continue
			}
			text := rest[strings.LastIndex(rest, ">: ")+3:]
			if s, ok := strings.CutPrefix(text, "seq "); ok {
				seq = s
			} else {
				got[seq] += text + ";"
			}
		}
		want := make(map[string]string)
		byLine := make(map[string]string)
		fields, _ := headers.Scan(nil, []byte(raw.String()), headers.HeaderChecks)
		seq = ""
		for _, f := range fields {
			line := string(headers.Line(nil, f))
			if s, ok := strings.CutPrefix(line, "X-Seq: "); ok {
				seq = s
				continue
			}
			byLine[seq] = line
			if hit, ok := checks.Lookup(f); ok {
				if w, ok := hit.Action.(Warn); ok {
					want[seq] += w.Text + ";"
					matched++
				}
			}
		}
		for s, line := range byLine {
			if want[s] != got[s] {
				t.Errorf("%q: Lookup says %q, cleanup %q", line, want[s], got[s])
			}
		}
	}
	t.Logf("port %d: %d lines matched", port, matched)
	if matched < 20 {
		t.Errorf("only %d lines matched", matched)
	}
}
