package headers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// TestPostfixPatterns asks Postfix's regexp: tables, in the form that
// Matcher.Match documents, about the table of matches.
func TestPostfixPatterns(t *testing.T) {
	postmap := servertest.Need(t, "postmap")
	for _, tt := range matchTests {
		patterns := headerPatterns(tt.predicate)
		if tt.view != HeaderChecks || patterns == nil {
			continue
		}
		file := filepath.Join(t.TempDir(), "re")
		var table strings.Builder
		for _, p := range patterns {
			table.WriteString(p + " HIT\n")
		}
		if err := os.WriteFile(file, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		for raw, want := range tt.messages() {
			cmd := exec.CommandContext(t.Context(), postmap, "-u", "-hmq", "-", "regexp:"+file)
			cmd.Stdin = strings.NewReader(raw)
			out, _ := cmd.Output() // exit status 1: nothing found
			if got := strings.Contains(string(out), "\tHIT"); got != want {
				t.Errorf("%s: %q: Postfix says %v\n%s", tt.name, raw, got, table.String())
			}
		}
	}
}

// headerPatterns are the header_checks patterns of a predicate, or nil where it
// needs more than patterns.
func headerPatterns(p Predicate) []string {
	quote := func(s string) string {
		var b strings.Builder
		for _, c := range []byte(s) {
			if strings.IndexByte(`^.[]$()|*+?{}\/`, c) >= 0 {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		}
		return b.String()
	}
	const ws = "[[:space:]]*"
	pattern := func(name string, op Op, values []string, c Comparator) []string {
		var list []string
		for _, v := range values {
			// The name is compared without regard to case in any case.
			n, flags := quote(name), ""
			if c == Octet {
				n, flags = "", "i"
				for _, c := range []byte(name) {
					n += "[" + strings.ToUpper(string(c)) + strings.ToLower(string(c)) + "]"
				}
				n = strings.ReplaceAll(n, "[--]", "-")
			}
			switch op {
			case Is:
				list = append(list, "/^"+n+":"+ws+quote(v)+ws+"$/"+flags)
			case Contains:
				list = append(list, "/^"+n+":.*"+quote(v)+"/"+flags)
			case Matches:
				glob := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(quote(v))
				list = append(list, "/^"+n+":"+ws+glob+ws+"$/"+flags)
			case Regex:
				return nil
			}
		}
		return list
	}
	switch p := p.(type) {
	case Exists:
		return []string{"/^" + quote(p.Name) + ":/"}
	case Match:
		return pattern(p.Name, p.Op, p.Values, p.Comparator)
	case MatchPrefix:
		var list []string
		for _, l := range pattern(p.Prefix, p.Op, p.Values, p.Comparator) {
			list = append(list, strings.Replace(l, ":", "[^:]*:", 1))
		}
		return list
	case ContentType:
		var list []string
		for _, t := range p.Types {
			l := "/^Content-Type:" + ws + quote(t) + ws
			if p.Param == "" {
				l += "(;|$)/"
			} else {
				l += ";(.*[;[:space:]])?" + p.Param + ws + "=/"
			}
			list = append(list, l)
		}
		return list
	case Any:
		var list []string
		for _, q := range p {
			patterns := headerPatterns(q)
			if patterns == nil {
				return nil
			}
			list = append(list, patterns...)
		}
		return list
	}
	return nil
}
