package postfix

import (
	"fmt"
	"strings"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// CheckAction is what header_checks(5) do with a line that matches. It is a
// closed sum of plain values:
//
//   - [Filter], [Redirect], [BCC]: where the message goes
//   - [Reject], [Discard], [Hold]: whether it goes
//   - [Strip], [Ignore], [Prepend], [Replace]: what becomes of the line
//   - [Pass]: no checks from here on
//   - [Dunno], [Warn], [Info]: nothing
//   - [Unknown]: what this package can't tell
//
//sumtype:decl
type CheckAction interface{ checkAction() }

// Filter sends the message, all its recipients, through a transport
// ("FILTER transport:nexthop"). With an empty NextHop the recipient's domain is
// the next hop. Of several that fire in one message the last counts.
type Filter struct{ Transport, NextHop string }

// Redirect sends the message to one address instead ("REDIRECT address"). It
// overrules Filter.
type Redirect struct{ Address string }

// BCC adds a recipient ("BCC address").
type BCC struct{ Address string }

// Reject refuses the message ("REJECT text"); Text may begin with an enhanced
// status code and may be empty.
type Reject struct{ Text string }

// Discard accepts the message and drops it ("DISCARD text").
type Discard struct{ Text string }

// Hold puts the message into the hold queue ("HOLD text").
type Hold struct{ Text string }

// Strip removes the line and logs Text ("STRIP text", Postfix 3.2).
type Strip struct{ Text string }

// Ignore removes the line ("IGNORE").
type Ignore struct{}

// Prepend adds a line before this one ("PREPEND text"), which no check sees.
type Prepend struct{ Text string }

// Replace puts Text in the place of the line ("REPLACE text").
type Replace struct{ Text string }

// Pass turns off all checks for the rest of the message ("PASS text").
type Pass struct{ Text string }

// Dunno leaves the line alone ("DUNNO").
type Dunno struct{}

// Warn logs a warning ("WARN text").
type Warn struct{ Text string }

// Info logs Text ("INFO text").
type Info struct{ Text string }

// Unknown is an action read from a table that depends on the text of the line,
// as "FILTER smtp:$1". Text is as it stands in the table; [Checks.Lookup] and
// [Checks.LookupLine] return the action that the line makes of it.
type Unknown struct{ Text string }

func (Filter) checkAction()   {}
func (Redirect) checkAction() {}
func (BCC) checkAction()      {}
func (Reject) checkAction()   {}
func (Discard) checkAction()  {}
func (Hold) checkAction()     {}
func (Strip) checkAction()    {}
func (Ignore) checkAction()   {}
func (Prepend) checkAction()  {}
func (Replace) checkAction()  {}
func (Pass) checkAction()     {}
func (Dunno) checkAction()    {}
func (Warn) checkAction()     {}
func (Info) checkAction()     {}
func (Unknown) checkAction()  {}

// formatAction writes the right-hand side of a rule. A dollar is doubled,
// because the table takes $1 for a part of the line.
func formatAction(a CheckAction) (string, error) {
	bad := func(format string, args ...any) (string, error) {
		return "", fault.New(ErrIllegal, fmt.Sprintf(format, args...))
	}
	text := func(verb, text string, required bool) (string, error) {
		if text == "" && !required {
			return verb, nil
		}
		if why := badText(text); why != "" {
			return bad("%s %q: %s", verb, text, why)
		}
		return verb + " " + Quote(text), nil
	}
	address := func(verb, addr string) (string, error) {
		if !strings.Contains(addr, "@") || strings.ContainsAny(addr, " \t") {
			return bad("%s %q: write user@domain", verb, addr)
		}
		return text(verb, addr, true)
	}
	header := func(verb, line string) (string, error) {
		if !isHeader(line) {
			return bad("%s %q: must begin with a header name and \":\"", verb, line)
		}
		return text(verb, line, true)
	}
	switch a := a.(type) {
	case nil:
		return bad("the action is missing")
	case Filter:
		if err := ValidTransport(a.Transport); err != nil {
			return "", err
		}
		if strings.ContainsAny(a.NextHop, " \t") {
			return bad("FILTER next hop %q: holds white space", a.NextHop)
		}
		return text("FILTER", a.Transport+":"+a.NextHop, true)
	case Redirect:
		return address("REDIRECT", a.Address)
	case BCC:
		return address("BCC", a.Address)
	case Reject:
		return text("REJECT", a.Text, false)
	case Discard:
		return text("DISCARD", a.Text, false)
	case Hold:
		return text("HOLD", a.Text, false)
	case Strip:
		return text("STRIP", a.Text, false)
	case Ignore:
		return "IGNORE", nil
	case Prepend:
		return header("PREPEND", a.Text)
	case Replace:
		return header("REPLACE", a.Text)
	case Pass:
		return text("PASS", a.Text, false)
	case Dunno:
		return "DUNNO", nil
	case Warn:
		return text("WARN", a.Text, false)
	case Info:
		return text("INFO", a.Text, false)
	case Unknown:
		if why := badText(a.Text); why != "" {
			return bad("action %q: %s", a.Text, why)
		}
		return a.Text, nil
	default:
		return bad("%T is not an action of this package: give the value, not a pointer to it", a)
	}
}

// isHeader reports whether text begins with a header name and a colon
// (is_header(3)).
func isHeader(text string) bool {
	n := 0
	for n < len(text) && text[n] > ' ' && text[n] < 0x7f && text[n] != ':' {
		n++
	}
	rest := strings.TrimLeft(text[n:], " \t")
	return n > 0 && strings.HasPrefix(rest, ":")
}

// parseAction reads the right-hand side of a rule as cleanup(8) acts on it.
// Where cleanup would log a warning and do nothing, the action is Dunno and
// warning says so. With a macro ($1) in the text, actions whose text decides
// where the message goes are Unknown; others keep it as it stands.
//
// body says that it is a rule of body_checks, whose texts need not be header
// fields.
func parseAction(text string, body bool) (a CheckAction, warning string) {
	macro, literal := hasMacro(text)
	if !macro {
		return literalAction(literal, text, body)
	}
	if a, why := literalAction(text, text, body); why == "" {
		switch a.(type) {
		case Filter, Redirect, BCC, Prepend, Replace:
		default:
			return a, ""
		}
	}
	return Unknown{text}, ""
}

// literalAction reads an action in whose text nothing is replaced any more; raw
// is what a warning calls it.
func literalAction(text, raw string, body bool) (a CheckAction, warning string) {
	verb := text
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		verb, text = text[:i], strings.TrimLeft(text[i:], spaces)
	} else {
		text = ""
	}
	switch strings.ToUpper(verb) {
	case "REJECT":
		return Reject{text}, ""
	case "DISCARD":
		return Discard{text}, ""
	case "HOLD":
		return Hold{text}, ""
	case "STRIP":
		return Strip{text}, ""
	case "PASS":
		return Pass{text}, ""
	case "WARN":
		return Warn{text}, ""
	case "INFO":
		return Info{text}, ""
	case "IGNORE":
		return Ignore{}, ""
	case "DUNNO", "OK":
		return Dunno{}, ""
	}
	switch strings.ToUpper(verb) {
	case "FILTER":
		transport, nextHop, ok := strings.Cut(text, ":")
		if !ok {
			return Dunno{}, fmt.Sprintf("FILTER %q has no effect: write transport:nexthop", text)
		}
		return Filter{transport, nextHop}, ""
	case "REDIRECT":
		if !strings.Contains(text, "@") {
			return Dunno{}, fmt.Sprintf("REDIRECT %q has no effect: write user@domain", text)
		}
		return Redirect{text}, ""
	case "BCC":
		if !strings.Contains(text, "@") {
			return Dunno{}, fmt.Sprintf("BCC %q has no effect: write user@domain", text)
		}
		return BCC{text}, ""
	case "PREPEND":
		if !body && !isHeader(text) {
			return Dunno{}, fmt.Sprintf("PREPEND %q has no effect: begin with a header name", text)
		}
		return Prepend{text}, ""
	case "REPLACE":
		if !body && !isHeader(text) {
			return Dunno{}, fmt.Sprintf("REPLACE %q has no effect: begin with a header name", text)
		}
		return Replace{text}, ""
	}
	return Dunno{}, fmt.Sprintf("unknown action %q has no effect", raw)
}

// hasMacro reports whether a result has $1, ${1} or $(1), and returns it with
// $$ as $.
func hasMacro(text string) (macro bool, literal string) {
	for i := 0; i < len(text); i++ {
		if text[i] == '$' {
			if i+1 == len(text) || text[i+1] != '$' {
				return true, text
			}
			i++
		}
	}
	return false, strings.ReplaceAll(text, "$$", "$")
}
