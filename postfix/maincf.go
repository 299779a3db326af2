package postfix

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/oxmailroute/oxmailroute/postfix/internal/block"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// Param is one parameter definition: of main.cf, or of a -o option in
// master.cf.
type Param struct {
	Name string
	// Value is as it stands in the file, $name unexpanded, with each run of
	// white space as one space, as postconf(1) prints it.
	Value string
	// Comment is written above the definition as comment lines. It is not read
	// back.
	Comment string
	// Line is the first physical line where the definition was read. It is
	// ignored when one is written.
	Line int
}

// Main is a main.cf file: its bytes, and what Postfix reads in them. Change it
// with [Main.Set] and [Main.Remove] only. A Main that isn't changed any more
// is safe for concurrent use.
type Main struct {
	name     string
	src      []byte
	defs     []definition
	last     map[string]int // index in defs of the definition that counts
	warnings []Warning
	seals    block.Seals // see KnowSeals
}

// definition is a Param and the physical lines it stands in.
type definition struct {
	Param
	parts []part
}

// ParseMain reads main.cf as Postfix 3.7 does. name is for messages. What
// Postfix would stop on ("fatal") is an error, [Errors], all at once; what it
// would only warn of is in [Main.Warnings].
func ParseMain(name string, src []byte) (*Main, error) {
	m := &Main{name: name, src: bytes.Clone(src), last: make(map[string]int)}
	var errs Errors
	s := lineScanner{src: m.src}
	for s.next() {
		if s.indented() {
			m.warnings = append(m.warnings, Warning{Position: Position{File: name, Line: s.first()}, Text: indentedText})
			continue
		}
		param, why := splitParam(cstring(s.text))
		if why != "" {
			errs = append(errs, &Error{Position: Position{File: name, Line: s.first()}, Err: fault.New(ErrSyntax, why)})
			continue
		}
		param.Line = s.first()
		if i, dup := m.last[param.Name]; dup && m.defs[i].Value != param.Value {
			m.warnings = append(m.warnings, Warning{Position: Position{File: name, Line: s.first()},
				Text: fmt.Sprintf("overriding earlier entry in line %d: %s", m.defs[i].Line, param.Name)})
		}
		m.last[param.Name] = len(m.defs)
		m.defs = append(m.defs, definition{param, slices.Clone(s.parts)})
	}
	if err := errs.Err(); err != nil {
		return nil, err
	}
	return m, nil
}

// splitParam splits a definition.
func splitParam(text []byte) (p Param, why string) {
	name, value, why := splitNameValue(text)
	if why != "" {
		return Param{}, why
	}
	return Param{Name: string(name), Value: squeeze(value)}, ""
}

// splitNameValue splits "name = value" (split_nameval(3)).
func splitNameValue(text []byte) (name, value []byte, why string) {
	text = bytes.TrimLeft(text, spaces)
	end := 0
	for end < len(text) && !isSpace(text[end]) && text[end] != '=' {
		end++
	}
	if end == 0 {
		return nil, nil, `missing parameter name: write "name = value"`
	}
	rest := bytes.TrimLeft(text[end:], spaces)
	if len(rest) == 0 || rest[0] != '=' {
		return nil, nil, fmt.Sprintf(`missing "=" after %q: write "name = value", or indent the line to continue the one above`, text[:end])
	}
	return text[:end], bytes.Trim(rest[1:], spaces), ""
}

// spaces is the set of isSpace.
const spaces = " \t\n\v\f\r"

// squeeze makes each run of white space one space, as postconf(1) does when it
// prints a value; a vertical tab or form feed isn't white space there.
func squeeze(value []byte) string {
	b := make([]byte, 0, len(value))
	for _, c := range value {
		if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
			if len(b) > 0 && b[len(b)-1] == ' ' {
				continue
			}
			c = ' '
		}
		b = append(b, c)
	}
	return string(b)
}

// Format returns the file. Without a change it is byte for byte what was
// parsed.
func (m *Main) Format() []byte {
	if m == nil {
		m = new(Main)
	}
	return bytes.Clone(m.src)
}

// Params returns all definitions in the order of the file, those that a later
// one overrides included.
func (m *Main) Params() []Param {
	if m == nil {
		m = new(Main)
	}
	list := make([]Param, len(m.defs))
	for i, d := range m.defs {
		list[i] = d.Param
	}
	return list
}

// Get returns the value of the parameter's last definition, which is the one
// that counts. ok is false where the file doesn't define it and Postfix uses
// its default.
func (m *Main) Get(name string) (value string, ok bool) {
	if m == nil {
		m = new(Main)
	}
	i, ok := m.last[name]
	if !ok {
		return "", false
	}
	return m.defs[i].Value, true
}

// Line returns the first physical line of the parameter's last definition, 0
// where there is none.
func (m *Main) Line(name string) int {
	if m == nil {
		m = new(Main)
	}
	if i, ok := m.last[name]; ok {
		return m.defs[i].Line
	}
	return 0
}

// Warnings returns what Postfix would log about the file, in its order.
func (m *Main) Warnings() []Warning {
	if m == nil {
		m = new(Main)
	}
	return slices.Clone(m.warnings)
}

// Expand replaces the $name expressions in a value (postconf(5)), recursively.
// A parameter's value is what override says, else what the file says, else
// empty; override may be nil. Postfix's built-in defaults are not known here.
// The error is ErrSyntax where Postfix would stop with "macro processing
// error": a broken expression, or nesting deeper than 100, as in a loop.
func (m *Main) Expand(value string, override func(name string) (string, bool)) (string, error) {
	return expand(value, func(name string) string {
		if override != nil {
			if v, ok := override(name); ok {
				return v
			}
		}
		v, _ := m.Get(name)
		return v
	})
}

// Leftover is a line in or about an owner's part of a file that is not as it
// was written.
type Leftover = block.Leftover
