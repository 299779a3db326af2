//go:build unix

package interp_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// walkCase is one script with its message.
type walkCase struct {
	name, script, message string
	tests                 bool // it is made of tests, one a line
}

// walkPack is how many tests are put into one script: the server does 32 actions.
const walkPack = 28

// readWalk reads a file of cases. A line that begins with "--- " begins a part:
// "message", of what follows; "require", its extensions; "before", commands in
// front of its tests; "tests", one a line, each of which says by a copy whether it
// holds; "script", a whole one; "lines", a script in each line, where ␤ ends a line
// of it.
func readWalk(t *testing.T, path string) (cases []walkCase) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var message, require, before string
	for i, part := range strings.Split("\n"+string(file), "\n--- ")[1:] {
		kind, body, _ := strings.Cut(part, "\n")
		name := fmt.Sprintf("%s, part %d", path, i+1)
		lines := slices.DeleteFunc(strings.Split(body, "\n"), func(s string) bool { return s == "" })
		switch kind {
		case "message":
			message = body + "\n"
		case "require":
			require, before = strings.TrimSpace(body), ""
		case "before":
			before = strings.TrimSpace(body) + "\n"
		case "tests":
			for chunk := range slices.Chunk(lines, walkPack) {
				src := `require ["fileinto", "copy", ` + require + "];\n" + before
				for j, line := range chunk {
					src += fmt.Sprintf("if %s { fileinto :copy \"T%d\"; }\n", line, j)
				}
				cases = append(cases, walkCase{name, src, message, true})
			}
		case "script":
			cases = append(cases, walkCase{name, body + "\n", message, false})
		case "lines":
			for _, line := range lines {
				cases = append(cases, walkCase{name, "require [" + require + "];\n" + strings.ReplaceAll(line, "␤", "\n") + "\n", message, false})
			}
		default:
			t.Fatalf("%s: %q", name, kind)
		}
	}
	return cases
}

// TestWalk runs scripts after the texts of the RFCs, their examples, what they
// forbid and what they leave open, beside sievec and sieve-test of both releases.
func TestWalk(t *testing.T) {
	files, err := filepath.Glob("testdata/walk/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, rel := range drawnReleases(t) {
		t.Run(rel.name, func(t *testing.T) {
			o := sievetest.NewOracleOf(t, rel.is24)
			var on sieve.Extensions
			on, o.Settings = rel.whole()
			on &^= sieve.QuoteRegexModifier
			var all []walkCase
			for _, f := range files {
				all = append(all, readWalk(t, f)...)
			}
			for _, c := range servertest.Part(t, all, 20) {
				walkOne(t, o, on, c)
			}
			t.Logf("%d scripts", len(all))
		})
	}
}

// walkErrors are the errors of both sides by their lines.
func walkErrors(err error, text string) (own, server map[int]string) {
	own, server = map[int]string{}, map[int]string{}
	var list sieve.Errors
	if errors.As(err, &list) {
		for _, e := range list {
			own[e.Line] += "; " + e.Error()
		}
	} else if err != nil {
		own[0] = err.Error()
	}
	for _, m := range walkLine.FindAllStringSubmatch(text, -1) {
		n, _ := strconv.Atoi(m[1])
		server[n] += "; " + m[2]
	}
	return own, server
}

// walkLine is the line of an error of sievec.
var walkLine = regexp.MustCompile(`(?m)^[^\n]*: line (\d+): error: (.*)$`)

// excusedLine reports an error that stands in another line here, or that the
// server doesn't have (see PIGEONHOLE.md).
func excusedLine(own, server string) bool {
	return strings.Contains(server, "end of file before") || strings.Contains(server, "unexpected character(s) starting with '.'") ||
		server == "" && regexp.MustCompile("(addflag|hasflag) takes 1 or 2 arguments besides tags, found 3").MatchString(own)
}

func walkOne(t *testing.T, o *sievetest.Oracle, on sieve.Extensions, c walkCase) {
	t.Helper()
	lines := strings.Split(c.script, "\n")
	s, err := sieve.ParseFor("s", []byte(c.script), on)
	var p *interp.Program
	if err == nil {
		p, err = interp.Compile(s, interp.Options{Extensions: on, Store: interp.Store{Any: true}})
	}
	v, text, _ := o.Compile(t, []byte(c.script))
	if v == sievetest.Crashed {
		return
	}
	if v == sievetest.Accepted {
		text = ""
	}
	if err != nil || v == sievetest.Rejected {
		own, server := walkErrors(err, text)
		wrong := maps.Clone(own)
		maps.Copy(wrong, server)
		excused := false
		for n := range wrong {
			excused = excused || excusedLine(own[n], server[n])
		}
		for n := range wrong {
			if !excused && (own[n] == "") != (server[n] == "") {
				t.Errorf("%s: line %d of\n%s\nParse:  %s\nsievec: %s", c.name, n, c.script, own[n], server[n])
			}
		}
		if !c.tests {
			return
		}
		// What both refuse goes, for the rest to run.
		for n := range wrong {
			if n < 1 || n > len(lines) || !strings.HasPrefix(lines[n-1], "if ") {
				return
			}
			lines[n-1] = ""
		}
		if c.script = strings.Join(lines, "\n"); len(wrong) > 0 {
			walkOne(t, o, on, c)
		}
		return
	}
	const from, to = "sender@example.net", "user+detail@example.org"
	want := o.DecideOne(t, from, to, []byte(c.script), []byte(c.message))
	for i, a := range want.Actions {
		if rest, ok := strings.CutPrefix(a, "store "); ok && (rest == "" || rest[0] == ' ') {
			want.Actions[i] = "store INBOX" + rest
		}
	}
	in := sievetest.Scored([]byte(c.message))
	in.From, in.To = from, to
	if u, err := user.Current(); err == nil {
		in.Environment["username"] = u.Username
	}
	in.Memory = &store{seen: map[string]time.Time{}}
	r := p.Run(in)
	got := sievetest.DecisionOf(r)
	diff := cmp.Diff(want, got, cmpopts.EquateEmpty())
	if diff == "" {
		return
	}
	if !c.tests {
		t.Errorf("%s (-Pigeonhole +ours, %v):\n%s\n%s", c.name, r.Err, diff, c.script)
		return
	}
	for _, line := range lines {
		n := 0
		at := strings.LastIndex(line, `"T`)
		if at < 0 {
			continue
		}
		if _, err := fmt.Sscanf(line[at:], `"T%d"`, &n); err != nil {
			continue
		}
		name := fmt.Sprintf("store T%d copy", n)
		if holds := slices.Contains(want.Actions, name); holds != slices.Contains(got.Actions, name) {
			t.Errorf("%s: the server says %v to\n%s", c.name, holds, line)
			diff = ""
		}
	}
	if diff != "" {
		t.Errorf("%s (-Pigeonhole +ours, %v):\n%s\n%s", c.name, r.Err, diff, c.script)
	}
}
