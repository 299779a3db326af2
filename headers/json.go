package headers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// MarshalJSON writes the predicate as an object with one key, its type's name,
// and under it the type's fields, those that are zero and may be left out:
//
//	{"Any": [
//	  {"Match": {"Name": "X-Conbool-Released", "Op": "is", "Values": ["yes"]}},
//	  {"ContentType": {"Types": ["text/calendar"]}}
//	]}
//
// The zero Condition is null. It fails for a predicate that isn't one of this
// package's values and for text that isn't UTF-8, which JSON can't hold; it
// doesn't [Validate].
func (c Condition) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	if c.Predicate == nil {
		return []byte("null"), nil
	}
	if err := encode(&b, "", c.Predicate, 0); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// UnmarshalJSON reads what [Condition.MarshalJSON] writes. Anything else is an
// error that names the place, such as "Any[1].Match.Op", and wraps
// [ErrInvalid]: unknown words, unknown, doubled or differently capitalised
// fields, several keys where one belongs, more than 100 levels, data behind
// the end. It doesn't [Validate] what it has read.
func (c *Condition) UnmarshalJSON(data []byte) error {
	if !utf8.Valid(data) {
		return mistake(ErrInvalid, "write it in UTF-8", "a condition isn't UTF-8")
	}
	d := decoder{json.NewDecoder(bytes.NewReader(data))}
	p, err := d.predicate("", 0)
	if err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return mistake(ErrInvalid, "remove it", "a condition has data behind its end")
	}
	c.Predicate = p
	return nil
}

func encode(b *bytes.Buffer, path string, p Predicate, depth int) error {
	if depth > maxDepth {
		return under(path, mistake(ErrInvalid, lessDeep, "nested more than %d deep", maxDepth))
	}
	leaf := func(name string, value any, texts ...string) error {
		for _, t := range texts {
			if !utf8.ValidString(t) {
				return under(join(path, name), mistake(ErrInvalid, "write it in UTF-8", "%q isn't UTF-8", t))
			}
		}
		text, err := json.Marshal(map[string]any{name: value})
		b.Write(text)
		return err
	}
	list := func(name string, parts []Predicate) error {
		fmt.Fprintf(b, `{"%s":`, name)
		if parts == nil {
			b.WriteString("null}")
			return nil
		}
		b.WriteByte('[')
		for i, q := range parts {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := encode(b, fmt.Sprintf("%s[%d]", join(path, name), i), q, depth+1); err != nil {
				return err
			}
		}
		b.WriteString("]}")
		return nil
	}
	switch p := p.(type) {
	case nil:
		b.WriteString("null")
		return nil
	case Exists:
		return leaf("Exists", p, p.Name)
	case Match:
		value := struct {
			Name       string
			Op         Op
			Values     []string
			Comparator Comparator `json:",omitempty"`
		}(p)
		return leaf("Match", value, append([]string{p.Name, string(p.Op), string(p.Comparator)}, p.Values...)...)
	case MatchPrefix:
		value := struct {
			Prefix     string
			Op         Op
			Values     []string
			Comparator Comparator `json:",omitempty"`
		}(p)
		return leaf("MatchPrefix", value, append([]string{p.Prefix, string(p.Op), string(p.Comparator)}, p.Values...)...)
	case ContentType:
		value := struct {
			Types []string
			Top   bool   `json:",omitempty"`
			Param string `json:",omitempty"`
		}(p)
		return leaf("ContentType", value, append([]string{p.Param}, p.Types...)...)
	case Not:
		b.WriteString(`{"Not":`)
		if err := encode(b, join(path, "Not"), p.Predicate, depth+1); err != nil {
			return err
		}
		b.WriteByte('}')
		return nil
	case All:
		return list("All", p)
	case Any:
		return list("Any", p)
	default: // a type around one of them, a Condition too: it stands at the top alone
		return under(path, mistake(ErrInvalid, ownValues, "%T is none of the predicates", p))
	}
}

// decoder reads token by token, since encoding/json takes doubled fields and
// those in another case.
type decoder struct{ *json.Decoder }

func (d decoder) errorf(path, fix, format string, args ...any) error {
	return under(path, mistake(ErrInvalid, fix, format, args...))
}

// token reads a token; what isn't JSON is an error at the path.
func (d decoder) token(path string) (json.Token, error) {
	t, err := d.Token()
	if err != nil {
		return nil, d.errorf(path, "mend the JSON there", "not JSON: %v", err)
	}
	return t, nil
}

const predicateWords = "one of Exists, Match, MatchPrefix, ContentType, Not, All, Any"

// predicate reads one object with one key, or null.
func (d decoder) predicate(path string, depth int) (Predicate, error) {
	if depth > maxDepth {
		return nil, d.errorf(path, lessDeep, "nested more than %d deep", maxDepth)
	}
	t, err := d.token(path)
	if err != nil || t == nil {
		return nil, err
	}
	if t != json.Delim('{') {
		return nil, d.errorf(path, "write an object with one key, "+predicateWords, "not an object")
	}
	if t, err = d.token(path); err != nil {
		return nil, err
	}
	word, ok := t.(string)
	if !ok {
		return nil, d.errorf(path, "give it one key, "+predicateWords, "the object is empty")
	}
	p, err := d.named(path, word, depth)
	if err != nil {
		return nil, err
	}
	if t, err = d.token(path); err != nil {
		return nil, err
	}
	if t != json.Delim('}') {
		return nil, d.errorf(path, "give one key; use All or Any for several", "a second key %q", t)
	}
	return p, nil
}

// named reads the value of the key that names a predicate.
func (d decoder) named(path, word string, depth int) (Predicate, error) {
	at := join(path, word)
	switch word {
	case "Exists":
		var p Exists
		err := d.fields(at, map[string]any{"Name": &p.Name})
		return p, err
	case "Match":
		var p Match
		err := d.fields(at, map[string]any{"Name": &p.Name, "Op": &p.Op, "Values": &p.Values, "Comparator": &p.Comparator})
		return p, err
	case "MatchPrefix":
		var p MatchPrefix
		err := d.fields(at, map[string]any{"Prefix": &p.Prefix, "Op": &p.Op, "Values": &p.Values, "Comparator": &p.Comparator})
		return p, err
	case "ContentType":
		var p ContentType
		err := d.fields(at, map[string]any{"Types": &p.Types, "Top": &p.Top, "Param": &p.Param})
		return p, err
	case "Not":
		of, err := d.predicate(at, depth+1)
		return Not{of}, err
	case "All":
		list, err := d.list(at, depth)
		return All(list), err
	case "Any":
		list, err := d.list(at, depth)
		return Any(list), err
	}
	return nil, d.errorf(path, "write "+predicateWords, "unknown word %q", word)
}

// list reads an array of predicates, or null.
func (d decoder) list(path string, depth int) ([]Predicate, error) {
	t, err := d.token(path)
	if err != nil || t == nil {
		return nil, err
	}
	if t != json.Delim('[') {
		return nil, d.errorf(path, "write [ and ] around it", "not an array")
	}
	list := []Predicate{}
	for d.More() {
		p, err := d.predicate(fmt.Sprintf("%s[%d]", path, len(list)), depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	_, err = d.token(path)
	return list, err
}

// jsonKind says what a target is in JSON's words.
func jsonKind(target any) string {
	switch target.(type) {
	case *bool:
		return "true or false"
	case *[]string:
		return "a list of texts"
	}
	return "a text in quotes"
}

// fields reads an object into the targets.
func (d decoder) fields(path string, targets map[string]any) error {
	t, err := d.token(path)
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return d.errorf(path, "write an object", "not an object")
	}
	known := strings.Join(slices.Sorted(maps.Keys(targets)), ", ")
	for d.More() {
		if t, err = d.token(path); err != nil {
			return err
		}
		name, _ := t.(string)
		target, ok := targets[name]
		if !ok {
			return d.errorf(path, "remove it, or write one of "+known, "the field %q is unknown or there twice", name)
		}
		delete(targets, name)
		at := join(path, name)
		if err := d.Decode(target); err != nil {
			var kind *json.UnmarshalTypeError
			if errors.As(err, &kind) {
				return d.errorf(at, "write "+jsonKind(target), "not %s", jsonKind(target))
			}
			return d.errorf(at, "mend the JSON there", "%v", err)
		}
		switch v := target.(type) {
		case *Op:
			if *v != "" && *v != Is && *v != Contains && *v != Matches && *v != Regex {
				return d.errorf(at, giveOp, "unknown word %q", *v)
			}
		case *Comparator:
			if *v != "" && *v != ASCIICasemap && *v != Octet {
				return d.errorf(at, giveComparator, "unknown word %q", *v)
			}
		}
	}
	_, err = d.token(path)
	return err
}
