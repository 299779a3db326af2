package policy

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// ParsePolicy reads a policy from JSON. Field names are those of the Go types, in
// their case, and a gateway has "Preset" beside them: "conbool" ([Conbool]) or
// "proofpoint" ([ProofpointEssentials]), whose values the other fields override,
// objects field by field and lists as a whole;
// an unknown field is an error, so that a misspelt one can't be a silent
// default, and so is one that stands twice. Networks are "192.0.2.0/24",
// listener addresses "127.0.0.1:10030", conditions as [headers.Condition]
// writes them, and null is what is left out. The error is [Errors], all that is
// wrong up to the first place that is no JSON, with file, line and column; what
// the values say is [Policy.Validate]'s matter.
func ParsePolicy(name string, data []byte) (Policy, error) {
	var p Policy
	r := policyReader{name: name, data: data, d: json.NewDecoder(bytes.NewReader(data))}
	if r.value("", reflect.ValueOf(&p).Elem()) {
		// Behind the policy a comma or colon is no separator.
		if rest := bytes.TrimLeft(data[r.d.InputOffset():], " \t\r\n"); len(rest) > 0 {
			r.add("", len(data)-len(rest), "remove it", "something stands behind the policy")
		}
	}
	if err := r.errs.Err(); err != nil {
		return Policy{}, err
	}
	return p, nil
}

// policyReader reads values token by token, since encoding/json ends at the
// first that does not fit, and speaks of Go's types.
type policyReader struct {
	name string
	data []byte
	d    *json.Decoder
	errs Errors
}

// add reports a problem; an empty path is the policy's own.
func (r *policyReader) add(path string, offset int, fix, format string, args ...any) {
	r.wrap(path, offset, fix, fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...))
}

func (r *policyReader) wrap(path string, offset int, fix string, err error) {
	at := position(r.name, r.data, offset)
	at.Path = path
	r.errs = append(r.errs, &Error{Position: at, Err: err, Fix: fix})
}

// next is the offset of the next token.
func (r *policyReader) next() int {
	at := int(r.d.InputOffset())
	for at < len(r.data) && strings.IndexByte(" \t\r\n,:", r.data[at]) >= 0 {
		at++
	}
	return at
}

// broken reports what is no JSON, behind which nothing can be read. The decoder
// counts octets within a value only, so the whole text is asked for the place.
func (r *policyReader) broken(path string) bool {
	var syntax *json.SyntaxError
	if errors.As(json.Unmarshal(r.data, new(json.RawMessage)), &syntax) && !strings.Contains(syntax.Error(), "unexpected end") {
		at := int(syntax.Offset) - 1
		fix := "mend the JSON there"
		before := bytes.TrimRight(r.data[:min(at, len(r.data))], " \t\r\n")
		switch {
		case at < len(r.data) && (r.data[at] == '}' || r.data[at] == ']') && bytes.HasSuffix(before, []byte(",")):
			fix = "remove the comma before it"
		case at < len(r.data) && (r.data[at] == '/' || r.data[at] == '#'):
			fix = "JSON has no comments: remove it"
		case strings.Contains(syntax.Error(), "after object key:value pair"), strings.Contains(syntax.Error(), "after array element"):
			fix = "put a comma before it, or close what is open"
		}
		r.add(path, at, fix, "%s", syntax)
		return false
	}
	r.add(path, len(r.data), "give the whole text", "the text ends inside the policy")
	return false
}

// value reads the next value into v. It returns false where the text can't be
// read any further.
func (r *policyReader) value(path string, v reflect.Value) bool {
	at := r.next()
	var first byte
	if at < len(r.data) {
		first = r.data[at]
	}
	want := wanted(v.Type())
	switch {
	case first == '{' && want.open == '{':
		return r.object(path, v)
	case first == '[' && want.open == '[':
		return r.list(path, v)
	}
	var raw json.RawMessage
	if err := r.d.Decode(&raw); err != nil {
		return r.broken(path)
	}
	if string(raw) == "null" {
		return true
	}
	switch target := v.Addr().Interface().(type) {
	case *headers.Condition:
		err := target.UnmarshalJSON(raw)
		var e *headers.Error
		if errors.As(err, &e) {
			if e.Path != "" {
				path += "." + e.Path
			}
			r.wrap(path, at, e.Fix, e.Err)
		} else if err != nil {
			r.add(path, at, "write one as headers.Condition has it", "%v", err)
		}
		return true
	case encoding.TextUnmarshaler:
		var text string
		if json.Unmarshal(raw, &text) != nil {
			break
		}
		if target.UnmarshalText([]byte(text)) != nil {
			r.add(path, at, want.fix, "%q is not %s", text, want.what)
		}
		return true
	default:
		if (want.open == 0 || want.open == first) && json.Unmarshal(raw, target) == nil {
			return true
		}
	}
	fix := want.fix
	switch {
	case want.open == '[' && first == '"':
		fix = "put [ and ] around it, also where it is one"
	case want.open == '"' && first == '[':
		fix = "write one, in quotes and without [ and ]"
	case want.open == 0 && first == '"':
		if plain := bytes.Trim(raw, `"`); json.Unmarshal(plain, v.Addr().Interface()) == nil {
			fix = fmt.Sprintf("write %s, without quotes", plain)
		}
	}
	r.add(path, at, fix, "%s, not %s", written(first), want.what)
	return true
}

// object reads an object into a struct.
func (r *policyReader) object(path string, v reflect.Value) bool {
	begin := r.next()
	if _, err := r.d.Token(); err != nil {
		return r.broken(path)
	}
	names := fieldsOf(v.Type())
	gateway := gatewayIn(v)
	if gateway != nil {
		r.preset(gateway, begin)
	}
	seen := map[string]bool{}
	for r.d.More() {
		at := r.next()
		t, err := r.d.Token()
		if err != nil {
			return r.broken(path)
		}
		name, _ := t.(string)
		here := join(path, name)
		if name == presetField && gateway != nil && !seen[name] {
			seen[name] = true
			if !r.presetName(here) {
				return false
			}
			continue
		}
		f := reflect.Value{}
		if name != presetField && hasName(names, name) {
			f = v.FieldByName(name)
		}
		if !f.IsValid() && (name != presetField || gateway == nil) {
			here = join(path, shown(name))
			r.add(here, at, suggest(name, names), "there is no such field")
			f = reflect.New(reflect.TypeFor[json.RawMessage]()).Elem()
		} else if seen[name] {
			r.wrap(here, at, "remove one", fmt.Errorf("%w: the field stands there already", ErrDuplicate))
			f = reflect.New(reflect.TypeFor[json.RawMessage]()).Elem()
		}
		seen[name] = true
		if !r.value(here, f) {
			return false
		}
	}
	if gateway != nil {
		r.markers(path, gateway, begin)
	}
	return r.end(path)
}

// shown is a word of the text as a path shows it: quoted where it isn't a
// plain one, so that it can't pass for anything else on a screen.
func shown(word string) string {
	plain := word != "" && !strings.ContainsFunc(word, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`."\[]`, c)
	})
	if plain {
		return word
	}
	return strconv.QuoteToASCII(word)
}

// list reads an array into a slice.
func (r *policyReader) list(path string, v reflect.Value) bool {
	if _, err := r.d.Token(); err != nil {
		return r.broken(path)
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for i := 0; r.d.More(); i++ {
		e := reflect.New(v.Type().Elem()).Elem()
		if !r.value(paths.Index(path, i), e) {
			return false
		}
		v.Set(reflect.Append(v, e))
	}
	return r.end(path)
}

// end reads what closes an object or array.
func (r *policyReader) end(path string) bool {
	if _, err := r.d.Token(); err != nil {
		return r.broken(path)
	}
	return true
}

// kindOfValue is what a field holds, in the words of who writes the policy.
type kindOfValue struct {
	open byte // '{', '[', '"', or 0 for numbers and truth values
	what string
	fix  string
}

func wanted(t reflect.Type) kindOfValue {
	switch t {
	case reflect.TypeFor[json.RawMessage]():
		return kindOfValue{} // of an unknown field: anything
	case reflect.TypeFor[headers.Condition]():
		return kindOfValue{open: 'c', what: "a condition"}
	case reflect.TypeFor[netip.Prefix]():
		return kindOfValue{'"', "a network", `write address/length in quotes, such as "192.0.2.0/24"`}
	case reflect.TypeFor[netip.AddrPort]():
		return kindOfValue{'"', "an address with a port", `write both in quotes, such as "127.0.0.1:10030"`}
	case reflect.TypeFor[netip.Addr]():
		return kindOfValue{'"', "an address", `write it in quotes, such as "192.0.2.10"`}
	}
	switch t.Kind() {
	case reflect.Struct:
		return kindOfValue{'{', "an object", "write { and }, and in it any of " + strings.Join(fieldsOf(t), ", ")}
	case reflect.Slice:
		return kindOfValue{'[', "a list", "write [ and ], and the values between them"}
	case reflect.Bool:
		return kindOfValue{0, "true or false", "write true or false, without quotes"}
	case reflect.Uint16:
		return kindOfValue{0, "a whole number from 0 to 65535", "write the number alone, such as 25"}
	case reflect.Int:
		return kindOfValue{0, "a whole number", "write the number alone, such as 1"}
	}
	return kindOfValue{'"', "a text", "write it in quotes"}
}

// written says what begins with an octet.
func written(first byte) string {
	switch first {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a text"
	case 't', 'f':
		return "true or false"
	}
	return "a number"
}

// fieldsOf are the names that a struct has in JSON, in their order.
func fieldsOf(t reflect.Type) []string {
	var out []string
	if t == reflect.TypeFor[Gateway]() || t == reflect.TypeFor[FurtherGateway]() {
		out = append(out, presetField)
	}
	for _, f := range reflect.VisibleFields(t) {
		if f.IsExported() && !f.Anonymous {
			out = append(out, f.Name)
		}
	}
	return out
}

func hasName(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// suggest says what to write instead of an unknown field: the nearest name
// there is, or all of them.
func suggest(word string, names []string) string {
	best, least := "", 1+len(word)/3
	for _, n := range names {
		if len(word) > 40 {
			break
		}
		if d := paths.Distance(strings.ToLower(word), strings.ToLower(n)); d <= least {
			best, least = n, d-1
		}
	}
	if best != "" {
		return "write " + best + ", or remove it"
	}
	return "remove it, or write one of " + strings.Join(names, ", ")
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// position is file:line:column of an offset.
func position(name string, data []byte, offset int) Position {
	before := data[:min(max(offset, 0), len(data))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - (bytes.LastIndexByte(before, '\n') + 1) + 1
	return Position{File: name, Line: line, Column: column}
}
