package mailfilter_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/mailfilter"
)

// The reader of the model: the tokens and the grammar that OX has from Apache
// jSieve, read as its generated parser reads them, by the longest match. It
// knows nothing of the package under test, and nothing of package sieve.

// oxTokens are the tokens; the first of the longest matches counts.
var oxTokens = func() []*regexp.Regexp {
	const newline = `(\n|\r|\r\n)`
	const char = `([^\n]|\r[^\n])`
	list := []string{
		`[ \t\n\r\f]+`,
		`#[^\n\r]*` + newline, `/\*[^*]*\*(\*|[^*/][^*]*\*)*/`, `#[^\n\r]*$`,
		`[A-Za-z_][A-Za-z0-9_]*`,
		`:[A-Za-z_][A-Za-z0-9_]*`,
		`[0-9]+[KMG]?`,
		`"([^"]|\\")*"`,
		`text:[ \t]*(#[^\n\r]*` + newline + `|` + newline + `)(([^.]` + char + `*)?` + newline + `|\.` + char + `+` + newline + `)*\.` + newline,
		`[;{}(),\[\]]`,
	}
	var out []*regexp.Regexp
	for _, s := range list {
		re := regexp.MustCompile(`\A(?:` + s + `)`)
		re.Longest()
		out = append(out, re)
	}
	return out
}()

// The kinds of tokens, by their place in oxTokens.
const (
	oxName   = 4
	oxTag    = 5
	oxNumber = 6
	oxQuoted = 7
	oxText   = 8
)

type oxToken struct {
	kind        int
	text        string
	first, last int // lines
}

func oxLex(src string) ([]oxToken, error) {
	var out []oxToken
	line := 1
	for src != "" {
		kind, size := -1, 0
		for i, re := range oxTokens {
			if m := re.FindStringIndex(src); m != nil && m[1] > size {
				kind, size = i, m[1]
			}
		}
		if kind < 0 {
			return nil, fmt.Errorf("line %d: lexical error", line)
		}
		t := oxToken{kind, src[:size], line, line + strings.Count(src[:size], "\n")}
		if kind == oxText {
			t.last-- // the token ends with the line end
		}
		line += strings.Count(src[:size], "\n")
		src = src[size:]
		if kind >= oxName {
			out = append(out, t)
		}
	}
	return out, nil
}

// oxNode is a command or test.
type oxNode struct {
	name        string
	args        []oxArg
	tests       []*oxNode
	block       []*oxNode
	hasBlock    bool
	first, last int
}

// oxArg is a tag, a number as Java's int, or strings.
type oxArg struct {
	tag     string
	number  *int32
	strings []string
}

type oxParser struct {
	tokens []oxToken
	at     int
}

var errOX = errors.New("OX can't read the script")

func (p *oxParser) peek() oxToken {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return oxToken{}
}

func (p *oxParser) take(text string) error {
	if t := p.peek(); t.text != text {
		return fmt.Errorf("line %d: %q, want %q", t.first, t.text, text)
	}
	p.at++
	return nil
}

func oxParse(src string) ([]*oxNode, error) {
	tokens, err := oxLex(src)
	if err != nil {
		return nil, err
	}
	p := &oxParser{tokens: tokens}
	list, err := p.commands()
	if err == nil && p.at < len(tokens) {
		err = fmt.Errorf("line %d: %q", p.peek().first, p.peek().text)
	}
	return list, err
}

func (p *oxParser) commands() ([]*oxNode, error) {
	var out []*oxNode
	for p.peek().kind == oxName && p.peek().text != "" {
		n, err := p.node()
		if err != nil {
			return nil, err
		}
		if p.peek().text == "{" {
			p.at++
			n.hasBlock = true
			if n.block, err = p.commands(); err != nil {
				return nil, err
			}
			n.last = p.peek().last
			err = p.take("}")
		} else {
			n.last = p.peek().last
			err = p.take(";")
		}
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// node is a name with its arguments and tests.
func (p *oxParser) node() (*oxNode, error) {
	t := p.peek()
	p.at++
	n := &oxNode{name: t.text, first: t.first, last: t.last}
	for {
		switch t := p.peek(); {
		case t.kind == oxTag:
			p.at++
			n.args = append(n.args, oxArg{tag: t.text})
		case t.kind == oxNumber:
			p.at++
			v, err := oxInt(t.text)
			if err != nil {
				return nil, err
			}
			n.args = append(n.args, oxArg{number: &v})
		case t.kind == oxQuoted || t.kind == oxText || t.text == "[":
			list, err := p.list()
			if err != nil {
				return nil, err
			}
			n.args = append(n.args, oxArg{strings: list})
		case t.kind == oxName:
			test, err := p.node()
			if err != nil {
				return nil, err
			}
			n.tests = []*oxNode{test}
			return n, nil
		case t.text == "(":
			for {
				p.at++
				if p.peek().kind != oxName {
					return nil, fmt.Errorf("line %d: want a test", t.first)
				}
				test, err := p.node()
				if err != nil {
					return nil, err
				}
				n.tests = append(n.tests, test)
				if p.peek().text != "," {
					return n, p.take(")")
				}
			}
		default:
			return n, nil
		}
	}
}

// oxInt multiplies in 32 bits.
func oxInt(text string) (int32, error) {
	digits := strings.TrimRight(text, "KMG")
	v, err := strconv.ParseInt(digits, 10, 32)
	unit := map[string]int32{"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[text[len(digits):]]
	return int32(v) * unit, err
}

func (p *oxParser) list() ([]string, error) {
	one := func() (string, error) {
		t := p.peek()
		p.at++
		switch {
		case t.kind == oxQuoted:
			return oxPlain(t.text[1 : len(t.text)-1]), nil
		case t.kind == oxText:
			begin, end := strings.IndexByte(t.text, '\n')+1, len(t.text)-5
			if begin > end {
				return "", errors.New("string index out of range")
			}
			return oxPlain(t.text[begin:end]), nil
		default:
			return "", fmt.Errorf("line %d: %q, want a string", t.first, t.text)
		}
	}
	if p.peek().text != "[" {
		s, err := one()
		return []string{s}, err
	}
	var out []string
	for {
		p.at++
		s, err := one()
		if err != nil {
			return nil, err
		}
		if out = append(out, s); p.peek().text != "," {
			return out, p.take("]")
		}
	}
}

func oxPlain(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, `\"`, `"`), `\\`, `\`)
}

// oxUnicode resolves Java's escapes, as the reader below the tokens does.
func oxUnicode(src string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(src); i++ {
		n := 0
		for i < len(src) && src[i] == '\\' {
			n++
			i++
		}
		if n%2 == 0 || i == len(src) || src[i] != 'u' {
			b.WriteString(strings.Repeat(`\`, n))
			if i < len(src) {
				b.WriteByte(src[i])
			}
			continue
		}
		for i < len(src) && src[i] == 'u' {
			i++
		}
		if i+4 > len(src) {
			return "", errors.New("invalid escape character")
		}
		v, err := strconv.ParseUint(src[i:i+4], 16, 16)
		if err != nil {
			return "", err
		}
		b.WriteString(strings.Repeat(`\`, n-1) + string(rune(v)))
		i += 3
	}
	return b.String(), nil
}

// oxWithout returns a script without the marks of disabled lines, where OX finds
// them, and says in which lines (from 1) that was.
func oxWithout(src string) (string, map[int]bool) {
	b := []byte(src)
	var noParse, nextChar, comment, removed, inQuotes bool
	newLine := true
	line, out := 1, map[int]bool{}
	const mark = "#<!-->"
	for i := 0; i < len(b); {
		c := b[i]
		switch {
		case c == '\n':
			newLine, nextChar, comment, removed = true, false, false, false
			line++
			i++
		case noParse && c == '\\':
			if i+1 < len(b) && b[i+1] == '\n' {
				line++
			}
			i += 2
		case !removed && !comment && c == '"':
			noParse, inQuotes, nextChar = !noParse, !inQuotes, false
			i++
		case !removed && !comment && c == 't':
			if strings.HasPrefix(string(b[i:min(len(b), i+5)]), "text:") {
				noParse = true
			}
			nextChar = false
			i++
		case !noParse && !nextChar && newLine && c == '#':
			if (i == 0 || b[i-1] == '\n') && i+len(mark) < len(b) && string(b[i:i+len(mark)]) == mark {
				b = slices.Delete(b, i, i+len(mark))
				out[line] = true
			}
			removed, nextChar, newLine = true, true, false
		case noParse && c == '.':
			if i > 0 && i+1 < len(b) && b[i-1] == '\n' && b[i+1] == '\r' && !inQuotes {
				noParse = false
			}
			nextChar = false
			i++
		case nextChar && c == '#':
			comment = true
			i++
		default:
			nextChar = false
			i++
		}
	}
	return string(b), out
}

// oxKnows is a table of names and what OX takes of them: the tags, the least
// and the most other arguments, and a first argument that must be a tag.
type oxKnows struct {
	tags     string
	min, max int
	tagFirst bool
}

const (
	oxMatch = ":is :contains :matches :regex "
	oxPart  = ":localpart :domain :all "
	oxSub   = ":user :detail "
)

var oxOlderTests = map[string]oxKnows{
	"address": {oxMatch + oxPart + oxSub, 2, 99, false}, "envelope": {oxMatch + oxPart, 2, 99, false},
	"header": {oxMatch + oxPart, 2, 99, false},
	"false":  {}, "true": {}, "not": {}, "allof": {}, "anyof": {}, "size": {":over :under ", 1, 1, false},
	"body":        {oxMatch + ":content :text ", 1, 1, false},
	"currentdate": {":is :contains :matches :value ", 2, 99, false}, "hasflag": {oxMatch, 1, 99, false},
}

var ox8Tests = map[string]oxKnows{
	"address": {oxMatch + oxPart + oxSub, 2, 99, false}, "envelope": {oxMatch + oxPart + oxSub, 2, 99, false},
	"header": {oxMatch + oxPart, 2, 99, false},
	"exists": {"", 1, 1, false}, "false": {}, "true": {}, "not": {}, "allof": {}, "anyof": {}, "size": {":over :under ", 1, 1, false},
	"body": {oxMatch + ":content :text ", 1, 1, false}, "date": {":is :value :zone :originalzone ", 2, 99, false},
	"currentdate": {":is :value :zone ", 2, 99, false}, "hasflag": {oxMatch, 1, 99, false}, "string": {oxMatch, 2, 99, false},
}

var oxActions = map[string]oxKnows{
	"keep": {}, "discard": {}, "stop": {}, "redirect": {":copy ", 1, 99, false}, "fileinto": {"", 1, 99, false}, "reject": {"", 1, 99, false},
	"vacation": {":days :addresses :subject :from ", 1, 99, true}, "notify": {":message ", 1, 99, true},
	"pgp_encrypt": {":keys ", 0, 99, true},
	"addflag":     {"", 1, 99, false}, "removeflag": {"", 1, 99, false}, "addheader": {":last ", 2, 99, false},
	"deleteheader": {"", 1, 99, false}, "set": {"", 2, 99, false},
}

func oxTest(g mailfilter.Generation, name string) (oxKnows, bool) {
	k, ok := map[mailfilter.Generation]map[string]oxKnows{mailfilter.OlderOX: oxOlderTests, mailfilter.OX8: ox8Tests}[g][name]
	return k, ok
}

func oxAction(g mailfilter.Generation, name string) (oxKnows, bool) {
	k, ok := oxActions[name]
	if g == mailfilter.OX8 {
		switch name {
		case "fileinto":
			k.tags = ":copy "
		case "setflag":
			return oxKnows{"", 1, 99, false}, true
		case "filter":
			return oxKnows{"", 0, 99, false}, true
		}
	}
	return k, ok
}

// errBroken is a rule that OX shows as broken.
var errBroken = errors.New("broken")

func oxCheckTest(g mailfilter.Generation, n *oxNode) error {
	k, ok := oxTest(g, n.name)
	if !ok {
		return errBroken
	}
	for _, t := range n.tests {
		if err := oxCheckTest(g, t); err != nil {
			return err
		}
	}
	plain := 0
	for _, a := range n.args {
		switch {
		case a.tag == "":
			plain++
		case !strings.Contains(k.tags, a.tag+" "):
			return errBroken
		}
	}
	if plain < k.min || plain > k.max {
		return errBroken
	}
	return nil
}

func oxCheckAction(k oxKnows, n *oxNode) error {
	tags := map[string]int{}
	for i := 0; i < len(n.args); i++ {
		tag := n.args[i].tag
		switch {
		case tag == "" && i == 0 && k.tagFirst:
			return errBroken
		case tag == "":
		case !strings.Contains(k.tags, tag+" "):
			return errBroken
		case tag != ":copy" && tag != ":last":
			if i++; i == len(n.args) {
				return errOX
			}
			if n.args[i].tag != "" {
				return errBroken
			}
			tags[tag] = 2
		default:
			tags[tag] = 1
		}
	}
	left := len(n.args)
	for _, count := range tags {
		left -= count
	}
	if left < k.min {
		return errBroken
	}
	return nil
}
