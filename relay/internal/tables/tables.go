// Package tables says what tables of an installation may answer, whatever they are
// asked.
package tables

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
)

// Reader reads the tables of a configuration.
type Reader struct {
	Conf *mta.Configuration
	// Given are the rows of a table that is not among the files, nil where they
	// aren't known; Vouched reports whether somebody says that it takes no mail past
	// what the policy says. Both take it by its name in a setting.
	Given   func(table string) postfix.Table
	Vouched func(table string) bool
}

// file returns a table's text: the generated one, else the installation's.
func (r Reader) file(name string) ([]byte, bool) {
	if f, ok := r.Conf.Generated[r.Conf.Label+name]; ok {
		return f, true
	}
	f, ok := r.Conf.Files[name]
	return f, ok
}

// Result is what a table of the installation's may answer.
type Result struct {
	At, Text string
	// pattern says that $number in the text is a part of the key, joined that
	// other text may stand behind it (unionmap).
	Pattern, Joined bool
}

// Filters reports whether it is a FILTER that cleanup(8) follows, as far as it is
// known.
func (r Result) Filters() bool {
	verb, text := r.Text, ""
	if i := strings.IndexAny(verb, " \t"); i >= 0 {
		verb, text = verb[:i], verb[i:]
	}
	return strings.EqualFold(verb, "FILTER") && (r.Joined || strings.Contains(text, ":") || r.Pattern && strings.Contains(text, "$"))
}

// Results are all that a table may answer, whatever it is asked; at is where a
// setting names it. opaque are the tables that can't be read here, and for which
// nobody vouches.
func (r Reader) Results(spec postfix.MapSpec, at string) (list []Result, opaque []string) {
	if r.Vouched(spec.String()) {
		return nil, nil
	}
	if rows := r.Given(spec.String()); rows != nil {
		for _, e := range rows {
			list = append(list, Result{At: at, Text: e.Value})
		}
		return list, nil
	}
	unknown := []string{spec.String()}
	switch spec.Type {
	case "static":
		v, err := postfix.StaticValue(spec.Name)
		if err != nil {
			return nil, unknown
		}
		return []Result{{At: at, Text: v}}, nil
	case "inline":
		t, err := postfix.InlineTable(spec.Name)
		if err != nil {
			return nil, unknown
		}
		for _, e := range t {
			list = append(list, Result{At: at, Text: e.Value})
		}
		return list, nil
	case "randmap":
		texts, err := spec.Results()
		if err != nil {
			return nil, unknown
		}
		for _, text := range texts {
			list = append(list, Result{At: at, Text: text})
		}
		return list, nil
	}
	members, err := spec.Members()
	if err != nil {
		return nil, unknown
	}
	if spec.Type == "pipemap" {
		members = members[len(members)-1:] // the others' results are keys
	}
	for _, m := range members {
		more, closed := r.Results(m, at)
		for i := range more {
			more[i].Joined = more[i].Joined || spec.Type == "unionmap"
		}
		list, opaque = append(list, more...), append(opaque, closed...)
	}
	if len(members) > 0 {
		return list, opaque
	}
	text, place, ok := r.Rules(spec, at)
	if !ok {
		return nil, unknown
	}
	switch spec.Type {
	case "regexp", "pcre":
		for _, e := range postfix.RuleResults(spec.Type, text) {
			list = append(list, Result{At: place(e.Line), Text: e.Value, Pattern: true})
		}
	case "cidr":
		t, _ := postfix.ParseCIDR("", text)
		for _, e := range t {
			list = append(list, Result{At: place(e.Line), Text: e.Value})
		}
	default:
		if spec.Type != "" && !mta.Indexed(spec.Type) {
			return nil, unknown
		}
		t, _ := postfix.ParseTable("", text)
		for _, e := range t {
			list = append(list, Result{At: place(e.Line), Text: e.Value})
		}
	}
	return list, nil
}

// Rules are the text of a table: of its file, or what stands in the setting
// itself; and where its lines are.
func (r Reader) Rules(spec postfix.MapSpec, at string) (text []byte, place func(line int) string, ok bool) {
	if text, inline, err := spec.InlineRules(); inline {
		return text, func(int) string { return at }, err == nil
	}
	name, ok := r.Conf.FileName(spec.Name)
	if !ok {
		return nil, nil, false
	}
	text, ok = r.file(name)
	return text, func(line int) string { return fmt.Sprintf("%s:%d", name, line) }, ok
}

// EachPattern calls f for the rules of a table of patterns, and of those that it
// is made of. A pipemap's are no answers; CatchAll asks it as a whole.
func (r Reader) EachPattern(spec postfix.MapSpec, f func(file string, r postfix.RuleEndings)) {
	if spec.Type == "pipemap" {
		return
	}
	members, err := spec.Members()
	if err != nil {
		return
	}
	for _, m := range members {
		r.EachPattern(m, f)
	}
	src, ok := r.Conf.Table(spec)
	if t, patterns := src.Table.(*postfix.PatternTable); ok && patterns {
		plain, _ := t.WithoutSubstitution()
		for _, rule := range plain.Endings() {
			f(strings.TrimPrefix(src.File, "postfix/"), rule)
		}
	}
}

// Limited reports whether addresses with these endings are those of some domains
// only: whole ones, or what is below a domain that somebody has. Under a public
// suffix such as "com" or "co.uk" (publicsuffix.org) is everybody, and so is
// under a domain that has nothing but public suffixes below it ("*.np"). The
// suffixes that a company offers to others ("de.com") count as public; a
// top-level domain that the list doesn't have is an internal one.
func Limited(endings []string) bool {
	return !slices.ContainsFunc(endings, func(e string) bool {
		if strings.Contains(e, "@") {
			return false
		}
		_, domain, ok := strings.Cut(e, ".")
		if !ok || domain == "" {
			return true
		}
		domain = mailaddr.AsciiHost(domain)
		// Of a name below it: the list has a wildcard only there.
		suffix, icann := publicsuffix.PublicSuffix("x." + domain)
		listed := icann || strings.Contains(suffix, ".") // else the default, a top-level domain
		below := strings.HasSuffix(suffix, "."+domain)
		return listed && (suffix == domain || below)
	})
}

// strangers are addresses that have nothing in common. What several tables make
// of all of them, one after the other (pipemap), is meant for everybody.
var strangers = [...]string{"a@b.invalid", "quentin.z-9@mx7.w-1.test", "42+x@XN--P1AI.EXAMPLE", "info@company.com", "kontakt@firma.de"}

// CatchAll finds a row for every address elsewhere: "*", or what tables of
// patterns answer whatever they are asked. A row of ":" changes nothing
// (transport(5)). Single patterns are EachPattern's.
func CatchAll(m postfix.Map) (key string, line int, ok bool) {
	routes := func(e postfix.Entry) bool { return e.Value != "" && e.Value != ":" }
	p, ok := m.(postfix.Patterns)
	patterns := ok && p.Patterns()
	if patterns && !Piped(m) {
		return "", 0, false
	}
	if e, ok, _ := m.Lookup("*"); ok && routes(e.Entry) { // trivial-rewrite(8) asks tables of patterns for it, too
		return `"*"`, e.Line, true
	}
	if !patterns {
		return "", 0, false
	}
	for _, a := range strangers {
		e, ok, _ := m.Lookup(mailaddr.Fold(a))
		if !ok || !routes(e.Entry) {
			return "", 0, false
		}
		line = e.Line
	}
	return "a pattern that matches every address", line, true
}

// Piped reports whether a table's answers come from several, one after the other.
func Piped(m postfix.Map) bool {
	switch m := m.(type) {
	case mta.Unplaced:
		return Piped(m.Map)
	case postfix.Pipe:
		return true
	case postfix.Union:
		return slices.ContainsFunc(m, Piped)
	}
	return false
}

// All are the rows of a table that can be read here.
func (r Reader) All(spec postfix.MapSpec) []postfix.Entry {
	if rows := r.Given(spec.String()); rows != nil {
		return rows
	}
	src, ok := r.Conf.Table(spec)
	if !ok {
		return nil
	}
	switch t := src.Table.(type) {
	case *postfix.PatternTable:
		plain, _ := t.WithoutSubstitution()
		return plain.Results()
	case postfix.Static:
		return []postfix.Entry{{Value: string(t)}}
	}
	if spec.Type == "inline" {
		t, err := postfix.InlineTable(spec.Name)
		if err != nil {
			return nil
		}
		return t
	}
	return r.Entries(src)
}

// Entries are the lines of a table of the installation's.
func (r Reader) Entries(s mta.Source) []postfix.Entry {
	name := strings.TrimPrefix(s.File, "postfix/")
	text, _ := r.file(name)
	t, _ := postfix.ParseTable(name, text)
	return t
}

// Indexed are the rows of an indexed or inline: table.
func (r Reader) Indexed(s mta.Source) []postfix.Entry {
	if name, ok := strings.CutPrefix(s.File, "inline:"); ok {
		t, _ := postfix.InlineTable(name)
		return t
	}
	return r.Entries(s)
}

// Row is a row with its key, empty where a pattern decides.
type Row struct{ Key, Text, At string }

// Rows are what a table may answer, with the keys where it is one of rows.
func (r Reader) Rows(spec postfix.MapSpec, at string) (out []Row) {
	given := postfix.Table(r.Given(spec.String()))
	if spec.Type == "inline" && given == nil {
		given, _ = postfix.InlineTable(spec.Name)
	}
	if given != nil {
		for _, e := range given {
			out = append(out, Row{e.Key, e.Value, at})
		}
		return out
	}
	if spec.Type == "" || mta.Indexed(spec.Type) {
		if text, place, ok := r.Rules(spec, at); ok {
			t, _ := postfix.ParseTable("", text)
			for _, e := range t {
				out = append(out, Row{e.Key, e.Value, place(e.Line)})
			}
			return out
		}
	}
	results, _ := r.Results(spec, at)
	for _, answer := range results {
		out = append(out, Row{"", answer.Text, answer.At})
	}
	return out
}
