package headers

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var jsonTests = []struct {
	name      string
	predicate Predicate
	text      string
}{
	{"none", nil, `null`},
	{"exists", Exists{"X-A"}, `{"Exists":{"Name":"X-A"}}`},
	{"match", is("X-A", "yes", "<ä>"), `{"Match":{"Name":"X-A","Op":"is","Values":["yes","\u003cä\u003e"]}}`},
	{"comparator", Match{"X-A", Regex, []string{`a\.`}, Octet}, `{"Match":{"Name":"X-A","Op":"regex","Values":["a\\."],"Comparator":"i;octet"}}`},
	{"prefix", MatchPrefix{"X-", Contains, []string{""}, ASCIICasemap},
		`{"MatchPrefix":{"Prefix":"X-","Op":"contains","Values":[""],"Comparator":"i;ascii-casemap"}}`},
	{"content type", ContentType{Types: []string{"a/b"}}, `{"ContentType":{"Types":["a/b"]}}`},
	{"content type, all fields", ContentType{Types: []string{"a/b"}, Top: true, Param: "c"},
		`{"ContentType":{"Types":["a/b"],"Top":true,"Param":"c"}}`},
	{"not", Not{Exists{"A"}}, `{"Not":{"Exists":{"Name":"A"}}}`},
	{"all and any", All{Any{Exists{"A"}}, All{}, Any(nil)}, `{"All":[{"Any":[{"Exists":{"Name":"A"}}]},{"All":[]},{"Any":null}]}`},
	{"zero values", All{Match{}, MatchPrefix{Values: []string{}}, ContentType{}, Exists{}, Not{}, nil},
		`{"All":[{"Match":{"Name":"","Op":"","Values":null}},{"MatchPrefix":{"Prefix":"","Op":"","Values":[]}},{"ContentType":{"Types":null}},{"Exists":{"Name":""}},{"Not":null},null]}`},
}

func TestConditionJSON(t *testing.T) {
	for _, tt := range jsonTests {
		t.Run(tt.name, func(t *testing.T) {
			text, err := json.Marshal(When(tt.predicate))
			if err != nil {
				t.Fatal(err)
			}
			if string(text) != tt.text {
				t.Errorf("got  %s\nwant %s", text, tt.text)
			}
			back := When(Exists{"left over"})
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(When(tt.predicate), back); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestConditionJSONInStruct(t *testing.T) {
	type policy struct{ Released, Spam Condition }
	want := policy{Released: When(is("A", "b"))}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got policy
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", text, diff)
	}
}

func TestConditionJSONErrors(t *testing.T) {
	for _, tt := range []struct{ name, text, says string }{
		{"a word", `{"Equals":{}}`, `unknown word "Equals"`},
		{"a word in the wrong case", `{"exists":{"Name":"A"}}`, `unknown word "exists"`},
		{"a word inside", `{"Any":[{"Exists":{"Name":"A"}},{"Not":{"X":1}}]}`, `Any[1].Not: unknown word "X"`},
		{"an unknown field", `{"Exists":{"Name":"A","Value":"b"}}`, `Exists: the field "Value"`},
		{"a field in the wrong case", `{"Exists":{"name":"A"}}`, `Exists: the field "name"`},
		{"a field twice", `{"Exists":{"Name":"A","Name":"B"}}`, `Exists: the field "Name"`},
		{"two keys", `{"All":[{"Exists":{"Name":"A"},"Not":null}]}`, `All[0]: a second key "Not"`},
		{"no key", `{"Not":{}}`, `Not: the object is empty`},
		{"an operation", `{"Any":[{"Match":{"Name":"A","Op":"Is","Values":["b"]}}]}`, `Any[0].Match.Op: unknown word "Is"`},
		{"a comparator", `{"MatchPrefix":{"Comparator":"octet"}}`, `MatchPrefix.Comparator: unknown word "octet"`},
		{"a number for a text", `{"Exists":{"Name":1}}`, `Exists.Name: `},
		{"a text for a list", `{"Match":{"Values":"a"}}`, `Match.Values: `},
		{"an object for a list", `{"All":{}}`, `All: not an array; write [`},
		{"a list for an object", `[]`, `not an object`},
		{"a text for an object", `{"Exists":"A"}`, `Exists: not an object`},
		{"data behind it", `{"Exists":{"Name":"A"}} {}`, `data behind its end`},
		{"half of it", `{"Exists":{"Name":"A"}`, `not JSON`},
		{"half a list", `{"All":[{"Exists":{"Name":"A"}}`, `All: not JSON`},
		{"nothing", ``, `not JSON`},
		{"no UTF-8", "{\"Exists\":{\"Name\":\"\xe4\"}}", `isn't UTF-8`},
		{"too deep", strings.Repeat(`{"Not":`, 102) + "null" + strings.Repeat("}", 102), `nested more than 100 deep`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := When(Exists{"kept"})
			err := c.UnmarshalJSON([]byte(tt.text))
			remedied(t, err)
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q in it", err, tt.says)
			}
			if diff := cmp.Diff(When(Exists{"kept"}), c); diff != "" {
				t.Errorf("it was changed: %s", diff)
			}
		})
	}
}

func TestConditionMarshalErrors(t *testing.T) {
	deep := Predicate(Exists{"A"})
	for range 101 {
		deep = Not{deep}
	}
	for name, p := range map[string]Predicate{
		"pointer":    Any{&Exists{"A"}},
		"condition":  When(Exists{"A"}),
		"not UTF-8":  All{is("A", "\xe4")},
		"not UTF-8 ": ContentType{Types: []string{"\xe4"}},
		"too deep":   deep,
	} {
		text, err := json.Marshal(When(p))
		remedied(t, err)
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}

// FuzzCondition: what can be read is written so that it reads the same, and
// what is valid survives the round trip.
func FuzzCondition(f *testing.F) {
	for _, tt := range jsonTests {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var c Condition
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			return
		}
		again, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back Condition
		if err := json.Unmarshal(again, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, back); diff != "" {
			t.Errorf("%s (-want +got)\n%s", again, diff)
		}
		if Sentence(c.Predicate) == "" {
			t.Error("no sentence")
		}
		for _, v := range []View{HeaderChecks, Sieve} {
			if m, err := Compile(c.Predicate, v); err == nil {
				m.Match(nil, nil)
			}
		}
	})
}
