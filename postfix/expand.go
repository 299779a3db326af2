package postfix

import (
	"fmt"
	"strings"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// expander evaluates the expressions of a parameter value (mac_expand(3)).
type expander struct {
	lookup func(name string) string
	out    []byte
	level  int
	steps  int
	// scan: both branches of every condition are looked at and nothing is
	// looked up, to find errors.
	scan bool
}

const (
	maxNesting = 100     // Postfix's own limit
	maxSteps   = 1 << 16 // a value that doubles at each level would never end
)

func expand(value string, lookup func(name string) string) (string, error) {
	x := expander{lookup: lookup}
	if err := x.text(value); err != nil {
		return "", err
	}
	return string(x.out), nil
}

func syntaxError(format string, args ...any) error {
	return fault.New(ErrSyntax, fmt.Sprintf(format, args...))
}

// text evaluates literal text and expressions (mac_parse(3)).
func (x *expander) text(s string) error {
	if x.level > maxNesting {
		return syntaxError("unreasonable nesting of $name in %q", s)
	}
	if x.steps++; x.steps > maxSteps {
		return syntaxError("too many $name expressions")
	}
	x.level++
	defer func() { x.level-- }()
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			x.literal(s)
			return nil
		}
		x.literal(s[:i])
		s = s[i+1:]
		switch {
		case strings.HasPrefix(s, "$"):
			x.literal("$")
			s = s[1:]
		case s != "" && (s[0] == '{' || s[0] == '('):
			n := closing(s)
			if n < 0 {
				return syntaxError("no closing bracket in %q", "$"+s)
			}
			if err := x.expression(s[1:n]); err != nil {
				return err
			}
			s = s[n+1:]
		default:
			n := 0
			for n < len(s) && isNameByte(s[n]) {
				n++
			}
			if n == 0 {
				return syntaxError("no name after \"$\": write \"$$\" for a dollar")
			}
			if err := x.value(s[:n]); err != nil {
				return err
			}
			s = s[n:]
		}
	}
}

func (x *expander) literal(s string) {
	if !x.scan {
		x.out = append(x.out, s...)
	}
}

func isNameByte(c byte) bool { return isAlnum(c) || c == '_' }

// closing returns the index of the bracket that closes s[0], or -1.
func closing(s string) int {
	open, end := s[0], byte('}')
	if open == '(' {
		end = ')'
	}
	level := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case open:
			level++
		case end:
			if level--; level == 0 {
				return i
			}
		}
	}
	return -1
}

// value evaluates the parameter's value.
func (x *expander) value(name string) error {
	if x.scan {
		return nil
	}
	return x.text(x.lookup(name))
}

// expression evaluates what stands between the brackets of ${...}.
func (x *expander) expression(s string) error {
	if s == "" {
		return syntaxError("no name in \"${}\"")
	}
	var holds bool
	var rest string
	if trimmed := strings.TrimLeft(s, macroSpaces); strings.HasPrefix(trimmed, "{") {
		var err error
		if holds, rest, err = x.comparison(trimmed); err != nil {
			return err
		}
		if rest == "" {
			if holds {
				x.literal("true")
			}
			return nil
		}
	} else {
		n := 0
		for n < len(s) && isNameByte(s[n]) {
			n++
		}
		name := s[:n]
		if rest = s[n:]; rest == "" {
			return x.value(name)
		}
		if rest[0] == '?' || rest[0] == ':' {
			holds = !x.scan && x.lookup(name) != ""
		}
	}
	switch rest[0] {
	case '?':
		branch, rest, err := operand(rest[1:])
		if err != nil {
			return err
		}
		if holds || x.scan {
			if err := x.text(branch); err != nil {
				return err
			}
		}
		if rest == "" {
			return nil
		}
		if rest[0] != ':' {
			return syntaxError("want \":\" at %q", rest)
		}
		return x.otherwise(holds, rest[1:])
	case ':':
		return x.otherwise(holds, rest[1:])
	}
	return syntaxError("want a name, \"?\" or \":\" at %q", rest)
}

// otherwise evaluates the branch after ":".
func (x *expander) otherwise(holds bool, s string) error {
	branch, rest, err := operand(s)
	if err != nil {
		return err
	}
	if rest != "" {
		return syntaxError("unexpected %q", rest)
	}
	if holds && !x.scan {
		return nil
	}
	return x.text(branch)
}

const macroSpaces = " \t\r\n"

// operand takes "{text}" with the white space around it, or else all of s.
func operand(s string) (text, rest string, err error) {
	trimmed := strings.TrimLeft(s, macroSpaces)
	if !strings.HasPrefix(trimmed, "{") {
		return s, "", nil
	}
	n := closing(trimmed)
	if n < 0 {
		return "", "", syntaxError("unbalanced {} in %q", s)
	}
	return trimmed[1:n], strings.TrimLeft(trimmed[n+1:], macroSpaces), nil
}

// comparison evaluates "{a} == {b}".
func (x *expander) comparison(s string) (holds bool, rest string, err error) {
	left, rest, err := operand(s)
	if err != nil {
		return false, "", err
	}
	n := 0
	for n < len(rest) && strings.IndexByte("<>!=?+-*/~&|%", rest[n]) >= 0 {
		n++
	}
	op, rest := rest[:n], rest[n:]
	n = 0
	for n < len(rest) && isAlnum(rest[n]) {
		n++
	}
	levels := n > 0
	if levels && rest[:n] != "level" {
		return false, "", syntaxError("want \"level\" or nothing after %q, not %q", op, rest[:n])
	}
	rest = strings.TrimLeft(rest[n:], macroSpaces)
	switch op {
	case "==", "!=", "<", "<=", ">=", ">":
	default:
		return false, "", syntaxError("want ==, !=, <, <=, >= or > after %q", "{"+left+"}")
	}
	if !strings.HasPrefix(rest, "{") {
		return false, "", syntaxError("want \"{text}\" at %q", rest)
	}
	right, rest, err := operand(rest)
	if err != nil {
		return false, "", err
	}
	a, err := x.inner(left)
	if err != nil {
		return false, "", err
	}
	b, err := x.inner(right)
	if err != nil {
		return false, "", err
	}
	c := compareText(a, b)
	if levels {
		if x.scan { // what stands for a level isn't known
			a, b = knownLevel(left), knownLevel(right)
		}
		if c, err = compareLevels(a, b); err != nil {
			return false, "", err
		}
	}
	switch op {
	case "==":
		holds = c == 0
	case "!=":
		holds = c != 0
	case "<":
		holds = c < 0
	case "<=":
		holds = c <= 0
	case ">=":
		holds = c >= 0
	default:
		holds = c > 0
	}
	return holds, rest, nil
}

// compareText compares whole numbers by value, other text by its bytes.
func compareText(a, b string) int {
	if allDigits(a) && allDigits(b) {
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		if c := len(a) - len(b); c != 0 {
			return c
		}
	}
	return strings.Compare(a, b)
}

// inner evaluates text apart from the output.
func (x *expander) inner(s string) (string, error) {
	saved := x.out
	x.out = nil
	err := x.text(s)
	result := string(x.out)
	x.out = saved
	return result, err
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
