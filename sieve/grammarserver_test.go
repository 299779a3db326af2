package sieve_test

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
)

// serverLine is the line of an error of sievec; the text tells the errors of
// the whole script, which have none, apart.
var serverLine = regexp.MustCompile(`(?m)^[^\n]*: line (\d+): error: (.*)$`)

// TestGrammarLines compares which of many commands Parse and sievec refuse,
// each on a line of its own in a script that requires everything. BENCHMARKS.md
// has the size of the longest run.
func TestGrammarLines(t *testing.T) {
	o := sievetest.NewOracle(t)
	g := &grammar{Generator: sievetest.NewGenerator(*sievetest.Seed + 500), wrong: 4}
	bad := 0
	const perScript = 30
	for range servertest.Deep(t, 5, 15) {
		g.once = map[string]bool{}
		g.requires(true)
		lines := []string{strings.TrimSuffix(g.header(), "\n")}
		for range perScript {
			lines = append(lines, g.commandText(2))
		}
		src := strings.Join(lines, "\n") + "\n"
		_, err := sieve.ParseFor("", []byte(src), sievetest.ServerExtensions)
		own, excused := map[int]string{}, map[int]bool{}
		var list sieve.Errors
		if errors.As(err, &list) {
			for _, e := range list {
				own[e.Line] += " " + e.Error()
				excused[e.Line] = excused[e.Line] || knownDivergence(lines[e.Line-1], e) || silentError(lines[e.Line-1], e)
			}
		}
		v, text, _ := o.Compile(t, []byte(src))
		if v == sievetest.Crashed {
			continue
		}
		server := map[int]string{}
		for _, m := range serverLine.FindAllStringSubmatch(text, -1) {
			if missingInclude(m[2]) || compiledError(m[2]) {
				n, _ := strconv.Atoi(m[1])
				excused[n] = true
				continue
			}
			n, _ := strconv.Atoi(m[1])
			server[n] = m[2]
		}
		all := maps.Clone(own)
		maps.Copy(all, server)
		for _, n := range slices.Sorted(maps.Keys(all)) {
			if own[n] != "" && server[n] == "" && excused[n] || own[n] == "" && strings.Contains(server[n], "DEPRECATED") {
				continue
			}
			if (own[n] == "") != (server[n] == "") && n > 0 {
				t.Errorf("%s\nParse:  %s\nsievec: %s\n%s", lines[n-1], own[n], server[n], sieve.AllExtensions&^g.on)
				if bad++; bad >= 12 {
					t.Fatal("stopped after 12 disagreements")
				}
			}
		}
	}
}

// TestGrammarServer compares what Parse and sievec think of small scripts, of
// which some require too little, and some have small errors in their text.
func TestGrammarServer(t *testing.T) {
	o := sievetest.NewOracle(t)
	g := &grammar{Generator: sievetest.NewGenerator(*sievetest.Seed + 600), wrong: 2}
	bad := 0
	accepts := 0
	grammarScripts := servertest.Deep(t, 15, 60)
	for range grammarScripts {
		g.requires(g.Chance(60))
		src := g.header()
		for range 1 + g.IntN(2) {
			src += g.commandText(2) + "\n"
		}
		if g.Chance(30) {
			src = string(mutate(g.Generator, []byte(src)))
		}
		_, err := sieve.ParseFor("", []byte(src), sievetest.ServerExtensions)
		v, text, _ := o.Compile(t, []byte(src))
		if v == sievetest.Accepted {
			accepts++
		}
		if v == sievetest.Crashed || missingInclude(text) || (err == nil) == (v == sievetest.Accepted) {
			continue
		}
		var list sieve.Errors
		if errors.As(err, &list) && !slices.ContainsFunc(list, func(e *sieve.Error) bool { return !knownDivergence(src, e) }) {
			continue
		}
		t.Errorf("Parse: %v\nsievec: %s %s\n%s\n%q", err, v, text, src, src)
		if bad++; bad >= 10 {
			t.Fatal("stopped after 10 disagreements")
		}
	}
	t.Logf("%d of %d accepted", accepts, grammarScripts)
}

// compiledError reports an error of sievec with which it compiles the script all
// the same.
func compiledError(text string) bool {
	return strings.Contains(text, "the :last tag for the deleteheader") || strings.Contains(text, "unknown namespace") ||
		strings.Contains(text, "invalid special-use flag") ||
		strings.Contains(text, "out of range (max: 32)") || strings.Contains(text, "invalid variable name within")
}

// missingInclude reports an error about a script that isn't there.
func missingInclude(text string) bool {
	return strings.Contains(text, "does not exist") || strings.Contains(text, "failed to access included") ||
		strings.Contains(text, "failed to include")
}

// knownDivergence reports an error that the server doesn't have, for a reason.
func knownDivergence(src string, e *sieve.Error) bool {
	text, lower := e.Error(), strings.ToLower(src)
	switch {
	case strings.Contains(lower, "deleteheader") && strings.Contains(text, "must be one name"):
		// The server compiles it, and the program is corrupt.
		return true
	case strings.Contains(text, "besides tags, found"):
		// The server compiles a third argument of these, and doesn't use it.
		return regexp.MustCompile("addflag|setflag|removeflag|specialuse_exists").MatchString(strings.ToLower(text))
	}
	return false
}

// silentError reports an error that makes sievec refuse the script without a
// line of its own.
func silentError(line string, e *sieve.Error) bool {
	text := e.Error()
	if strings.Contains(text, "besides tags, found 3") || strings.Contains(strings.ToLower(line), ":index 18446744073709551615") ||
		strings.Contains(strings.ToLower(line), ":index 2147483648") {
		return true
	}
	// These it takes anywhere behind a command that has an error.
	return regexp.MustCompile("(?i)^(import|export|require)").MatchString(line)
}
