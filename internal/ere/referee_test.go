package ere

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
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

// ask returns an answer to each question.
func ask(t *testing.T, program string, questions []question) []string {
	t.Helper()
	var in bytes.Buffer
	for _, q := range questions {
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
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Stdin = &in
	out, err := cmd.Output()
	var answers []string
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		answers = append(answers, s.Text())
	}
	if len(answers) != len(questions) {
		t.Fatalf("%d answers to %d questions, %v; the last was %+v", len(answers), len(questions), err, questions[min(len(answers), len(questions)-1)])
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

func TestReferee(t *testing.T) {
	program := referee(t)
	r := rand.New(rand.NewPCG(*servertest.Seed, 11))
	questions := make([]question, servertest.Scaled(t, 2000))
	for i := range questions {
		questions[i] = draw(r)
	}
	counts := make(map[string]int)
	bad := 0
	for i, want := range ask(t, program, questions) {
		q := questions[i]
		got := answer(q)
		if strings.HasPrefix(got, "?") {
			counts[got]++
			continue
		}
		if want[0] == 'T' || want[0] == 'X' {
			counts[want]++
			t.Logf("%q on %q: %s", q.pattern, q.text, want)
			continue
		}
		if want[0] == 'E' {
			want = "E"
		}
		counts[want[:1]]++
		if got != want {
			if bad++; bad < 40 {
				t.Errorf("%q on %q, %+v: %s, regexec says %s", q.pattern, q.text, q, got, want)
			}
		}
	}
	t.Log(len(questions), "pairs:", counts, bad)
}
