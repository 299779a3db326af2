package ere

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// question is one pattern and one text.
type question struct {
	flags         Flags
	noGroups      bool
	pattern, text string
}

// referee builds the program that asks regcomp(3) and regexec(3).
func referee(t *testing.T) string {
	t.Helper()
	gcc := servertest.Need(t, "gcc")
	program := filepath.Join(t.TempDir(), "regexec")
	if out, err := exec.CommandContext(t.Context(), gcc, "-O1", "-o", program, "testdata/regexec.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return program
}

// ask returns an answer to each question. The program ends after one that takes
// too long, and is started again.
func ask(t *testing.T, command []string, questions []question) []string {
	t.Helper()
	var answers []string
	for len(answers) < len(questions) {
		var in bytes.Buffer
		for _, q := range questions[len(answers):] {
			flags := "-"
			if q.flags.FoldCase {
				flags += "i"
			}
			if q.flags.Newline {
				flags += "n"
			}
			if q.noGroups {
				flags += "s"
			}
			fmt.Fprintf(&in, "%s :%x :%x\n", flags, q.pattern, q.text)
		}
		cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
		cmd.Stdin = &in
		out, err := cmd.Output()
		some := strings.Fields(strings.ReplaceAll(string(out), " ", "_"))
		answers = append(answers, some...)
		if len(answers) < len(questions) && (len(some) == 0 || some[len(some)-1] != "T") {
			t.Fatalf("%d answers to %d questions, %v; the last was %+v", len(answers), len(questions), err, questions[len(answers)])
		}
	}
	for i, a := range answers {
		answers[i] = strings.ReplaceAll(a, "_", " ")
	}
	return answers
}

// answer is what this package says, "?" where it takes less than regcomp(3).
func answer(q question) string {
	e, err := Compile(q.pattern, q.flags)
	switch {
	case err != nil && err.Taken:
		return "?" + err.Text
	case err != nil:
		return "E"
	}
	if q.noGroups {
		if e.Match([]byte(q.text)) {
			return "M"
		}
		return "N"
	}
	regs := e.Find([]byte(q.text))
	if regs == nil {
		return "N"
	}
	return strings.TrimSuffix("M "+strings.Trim(fmt.Sprint(regs), "[]"), " ")
}

var pieces = strings.Fields(`a a a b b c ab . * * + ? {2} {1,2} {0,1} {,2} {1,} {,} {0} {2,3} {0,3} ( ( ( ) ) ) () (|a) (a|) | | | ^ $ ^ $ [ab] [^a] [a-b]
	[[:alpha:]] [^[:upper:]] [[=a=]] [[.a.]] [[.-.]] [[:foo:]] [[=ab=]] \. \* A B Z - } ] [ [] [^] a- :] \b \< \> \w \W \s \S \d \B \` + "`" + ` \' \x \ { , \, 1
	\1 \2 [a-] [-a] [z-a] [Z-a] [A-z] [+--] [---] [a---z] [a-c-e] [[:alpha:]-z] [a-[:alpha:]] ((a)) (a*)* (a|ab) (b*|c) _
	(^|,) ($|a) (^a) (a$) (\ba) (a\>) ([^a]^) (a|b*)+ ((a|b)?c)* (a?b?)* )* )+ )? ){2} ){0,2}`)

func draw(r *rand.Rand) question {
	var b strings.Builder
	for n := r.IntN(8); n >= 0; n-- {
		switch r.IntN(40) {
		case 0:
			b.WriteByte('\n')
		case 1:
			b.WriteByte(' ')
		case 2:
			b.WriteByte(byte(0x80 + r.IntN(128)))
		default:
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
	}
	q := question{pattern: b.String()}
	if n := strings.Count(q.pattern, "(") - strings.Count(q.pattern, ")"); n > 0 && r.IntN(4) > 0 {
		q.pattern += strings.Repeat(")", n)
		if r.IntN(3) == 0 {
			q.pattern += pieces[r.IntN(len(pieces))]
		}
	}
	const octets = "aaaaabbbbbcccABZ--_. ],\n\n1{}*\xe4d"
	var s strings.Builder
	for n := r.IntN(10); n > 0; n-- {
		s.WriteByte(octets[r.IntN(len(octets))])
	}
	q.text = s.String()
	q.flags = Flags{FoldCase: r.IntN(2) == 0, Newline: r.IntN(3) == 0}
	q.noGroups = r.IntN(4) == 0
	return q
}

// drawTree draws a sound expression, most often one that finds something.
func drawTree(r *rand.Rand, depth int) string {
	if depth == 0 {
		atoms := []string{"a", "b", "c", "ab", ".", "[ab]", "[^a]", `\w`, `\W`, "^", "$", `\b`, `\<`, `\>`, `\B`, "-", "\n", "()"}
		return atoms[r.IntN(5+r.IntN(len(atoms)-4))]
	}
	switch r.IntN(8) {
	case 0, 1:
		return drawTree(r, depth-1) + drawTree(r, depth-1)
	case 2:
		return "(" + drawTree(r, depth-1) + "|" + drawTree(r, depth-1) + ")"
	case 3:
		return []string{"(|", "(", "((", "(a*"}[r.IntN(4)] + drawTree(r, depth-1) + []string{"|)", ")"}[r.IntN(2)]
	case 4:
		return drawTree(r, depth-1) + "|" + drawTree(r, depth-1)
	case 5:
		return drawTree(r, 0)
	default:
		return "(" + drawTree(r, depth-1) + ")" + []string{"*", "+", "?", "{2}", "{0,2}", "{1,3}", "{2,}", "**", "+?", "{2}*"}[r.IntN(10)]
	}
}

// loaders is what the program runs with: nothing here, and the dynamic loader
// of a Debian 13 with the C library there.
func loaders(t *testing.T) map[string][]string {
	t.Helper()
	root := os.Getenv("DEBIAN13_ROOT")
	if root == "" {
		root = "/var/cache/oxmailroute/debian13"
	}
	list := map[string][]string{"host": nil, "debian13": nil}
	loader, _ := filepath.Glob(root + "/lib*/ld-linux-*.so.*")
	library, _ := filepath.Glob(root + "/lib/*/libc.so.6")
	if len(loader) > 0 && len(library) > 0 {
		list["debian13"] = []string{loader[0], "--library-path", filepath.Dir(library[0])}
	}
	return list
}

// TestReferee draws patterns and texts and lets both C libraries judge them.
func TestReferee(t *testing.T) {
	program := referee(t)
	for name, loader := range loaders(t) {
		t.Run(name, func(t *testing.T) {
			if name != "host" && loader == nil {
				servertest.Missing(t, "no Debian 13; .ci/debian13 makes one, DEBIAN13_ROOT says where it is")
			}
			judge(t, append(loader, program))
		})
	}
}

// otherGroups reports whether the match is the same, but not its groups, in the
// one way that the documentation has: an open repetition in a repetition.
func otherGroups(pattern, got, want string) bool {
	a, b := strings.Fields(got), strings.Fields(want)
	return len(a) == len(b) && len(a) > 3 && slices.Equal(a[:3], b[:3]) && strings.Contains(pattern, "{2,})")
}

func judge(t *testing.T, command []string) {
	r := rand.New(rand.NewPCG(*servertest.Seed, 11))
	questions := make([]question, servertest.Scaled(t, 2000))
	for i := range questions {
		questions[i] = draw(r)
		if i%2 == 0 {
			questions[i].pattern = drawTree(r, 4)
		}
	}
	counts := make(map[string]int)
	bad := 0
	for i, want := range ask(t, command, questions) {
		q := questions[i]
		got := answer(q)
		switch {
		case got[0] == '?':
			if want[0] == 'E' {
				t.Errorf("%q isn't taken (%s), and regcomp says %s", q.pattern, got, want)
			}
			if !strings.Contains(got, "back-reference") && want[0] != 'T' {
				t.Logf("%q isn't taken (%s), and regexec says %s", q.pattern, got, want)
			}
			counts[got]++
			continue
		case want[0] == 'T' || want[0] == 'X':
			// It gave up.
			counts[want]++
			continue
		case want[0] == 'E':
			want = "E"
		}
		counts[want[:1]]++
		if got != want {
			if otherGroups(q.pattern, got, want) {
				counts["other groups"]++
				continue
			}
			if bad++; bad < 40 {
				t.Errorf("%q on %q, %+v, no groups %v: %s, regexec says %s", q.pattern, q.text, q.flags, q.noGroups, got, want)
			}
		}
	}
	// The documentation says that it is rare.
	if counts["other groups"] > 1+len(questions)/10_000 {
		t.Errorf("%d matches have other groups", counts["other groups"])
	}
	t.Log(len(questions), "pairs:", counts, bad)
}

// met reports whether a text has what an expression needs.
func (n *Need) met(text string) bool {
	if n == nil {
		return true
	}
	for _, s := range n.All {
		if !strings.Contains(text, s) {
			return false
		}
	}
	for _, list := range n.Any {
		if !slices.ContainsFunc(list, func(one *Need) bool { return one.met(text) }) {
			return false
		}
	}
	return true
}

// TestNeed draws patterns and texts: where one is found, its needs are met, read
// from the tree and from the expression for Go.
func TestNeed(t *testing.T) {
	r := rand.New(rand.NewPCG(*servertest.Seed, 12))
	unmet, found := 0, 0
	for i := range servertest.Scaled(t, 2_000) {
		q := draw(r)
		if i%2 == 0 {
			q.pattern = drawTree(r, 4)
		}
		e, err := Compile(q.pattern, q.flags)
		if err != nil {
			continue
		}
		low := []byte(q.text)
		for i, c := range low {
			low[i] = lower(c)
		}
		list := []*Need{e.Need()}
		if re := e.Regexp(); re != nil {
			list = append(list, NeedGo(re.String()))
		}
		for _, n := range list {
			switch {
			case !n.met(string(low)):
				if unmet++; e.Match([]byte(q.text)) {
					t.Errorf("%q is found in %q, %+v, and needs %+v", q.pattern, q.text, q.flags, *n)
				}
			case e.Match([]byte(q.text)):
				found++
			}
		}
	}
	if t.Log(unmet, "unmet,", found, "found"); unmet < 200 || found < 200 {
		t.Error("too few of one kind to tell")
	}
}
