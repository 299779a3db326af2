// Package fold has Postfix write names in lower case, by a table of patterns.
package fold

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// groups is how many letters one rule of the fold table changes: what a regular
// expression can hand on as $1 to $9, one of them for the rest.
const groups = 8

// Table returns a regexp: table that changes up to eight occurrences of one
// capital letter to lower case and leaves a name without capitals as it is, and
// how often a spelling of one of the names must pass it until it has none. A
// capital that no name has matches nothing, as no name does then.
func Table(names []string) (text []byte, passes int) {
	var most [26]int
	for _, n := range names {
		var count [26]int
		for i := range len(n) {
			if n[i] >= 'a' && n[i] <= 'z' {
				count[n[i]-'a']++
			}
		}
		needed := 0
		for l, k := range count {
			most[l] = max(most[l], k)
			needed += (k + groups - 1) / groups
		}
		passes = max(passes, needed)
	}
	var b bytes.Buffer
	// With "i" case counts (regexp_table(5)).
	b.WriteString("/^([^A-Z]*)$/i ${1}\n")
	for l, k := range most {
		if k == 0 {
			continue
		}
		capital, small := string(rune('A'+l)), string(rune('a'+l))
		fmt.Fprintf(&b, "if /%s/i\n", capital)
		for n := min(k, groups); n > 0; n-- {
			rest := "([^" + capital + "]*)"
			if n == groups && k > groups {
				rest = "(.*)"
			}
			b.WriteString("/^" + strings.Repeat("([^"+capital+"]*)"+capital, n) + rest + "$/i ")
			for i := range n {
				fmt.Fprintf(&b, "${%d}%s", i+1, small)
			}
			fmt.Fprintf(&b, "${%d}\n", n+1)
		}
		b.WriteString("endif\n")
	}
	return b.Bytes(), passes
}

// Checks are what a pipemap with such a table answers for header lines: those with
// the right value, of whose name the index has what is behind the prefix.
type Checks struct {
	Prefix int
	Value  *headers.Matcher
	Index  postfix.Map
	Action postfix.CheckAction
}

// Lookup answers for a header line as the pipemap does.
func (t Checks) Lookup(f headers.Field) (hit postfix.CheckHit, ok bool) {
	if len(f.Name) <= t.Prefix || !t.Value.MatchField(f) {
		return hit, false
	}
	var buf [128]byte
	key := buf[:0]
	for _, b := range f.Name[t.Prefix:] {
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		key = append(key, b)
	}
	e, ok, _ := t.Index.Lookup(string(key))
	if !ok {
		return hit, false
	}
	return postfix.CheckHit{Action: t.Action, Rule: e.Rule, Line: e.Line}, true
}
