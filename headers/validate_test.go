package headers

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wrong is an error's path and sentinel.
type wrong struct {
	Path string
	Err  error
}

func wrongs(t *testing.T, err error) (list []wrong) {
	t.Helper()
	if err == nil {
		return nil
	}
	var all Errors
	if !errors.As(err, &all) {
		t.Fatalf("%T is no Errors", err)
	}
	remedied(t, err)
	for _, e := range all {
		for _, sentinel := range []error{ErrRequired, ErrInvalid} {
			if errors.Is(e, sentinel) {
				list = append(list, wrong{e.Path, sentinel})
			}
		}
	}
	if len(list) != len(all) {
		t.Fatalf("without a sentinel: %v", err)
	}
	return list
}

func TestValidate(t *testing.T) {
	deep := Predicate(Exists{"A"})
	for range 101 {
		deep = Not{deep}
	}
	for _, tt := range []struct {
		name      string
		predicate Predicate
		want      []wrong
	}{
		{"right", Any{Exists{"A"}, All{}, Not{Any{}}, Match{"X-!", Matches, []string{"", "ä"}, Octet},
			MatchPrefix{"X-", Regex, []string{"a+"}, ASCIICasemap}, ContentType{Types: []string{"text/calendar", "application/vnd.x+json"},
				Param: "method", Top: true}}, nil},
		{"nil", nil, []wrong{{"", ErrRequired}}},
		{"nil inside", Not{}, []wrong{{"Not", ErrRequired}}},
		{"pointer", &Exists{"A"}, []wrong{{"", ErrInvalid}}},
		{"condition", All{When(Exists{"A"})}, []wrong{{"All[0]", ErrInvalid}}},
		{"everything empty", Match{}, []wrong{{"Name", ErrRequired}, {"Op", ErrRequired}, {"Values", ErrRequired}}},
		{"everything at once", Any{Exists{"A:"}, Match{"A b", "equals", []string{"x", "a\nb"}, "i;unicode"}, MatchPrefix{"", Is, nil, ""},
			ContentType{}, Not{All{nil}}}, []wrong{
			{"Any[0].Name", ErrInvalid}, {"Any[1].Name", ErrInvalid}, {"Any[1].Op", ErrInvalid}, {"Any[1].Values[1]",
				ErrInvalid}, {"Any[1].Comparator", ErrInvalid},
			{"Any[2].Prefix", ErrRequired}, {"Any[2].Values", ErrRequired}, {"Any[3].Types", ErrRequired}, {"Any[4].Not.All[0]", ErrRequired}}},
		{"names", All{Exists{"Ä"}, Exists{"A\n"}, Exists{" A"}, Exists{"A\x7f"}, Exists{long(998)}, Exists{long(997)}},
			[]wrong{{"All[0].Name", ErrInvalid}, {"All[1].Name", ErrInvalid}, {"All[2].Name", ErrInvalid}, {"All[3].Name", ErrInvalid},
				{"All[4].Name", ErrInvalid}}},
		{"values", is("A", "\r", "a\x00", "\xe4", "\t"), []wrong{{"Values[0]", ErrInvalid}, {"Values[1]", ErrInvalid},
			{"Values[2]", ErrInvalid}}},
		{"expressions", Match{"A", Regex, []string{"", "(", `\1`, "a"}, ""}, []wrong{{"Values[0]", ErrInvalid}, {"Values[1]", ErrInvalid},
			{"Values[2]", ErrInvalid}}},
		{"media types", ContentType{Types: []string{"text", "text/", "/x", "text/x;a=b", "te xt/x", "text/x/y", ""}, Param: "a=b"},
			[]wrong{{"Types[0]", ErrInvalid}, {"Types[1]", ErrInvalid}, {"Types[2]", ErrInvalid}, {"Types[3]", ErrInvalid}, {"Types[4]", ErrInvalid},
				{"Types[5]", ErrInvalid}, {"Types[6]", ErrInvalid}, {"Param", ErrInvalid}}},
		{"too deep", deep, []wrong{{strings.Repeat("Not.", 100) + "Not", ErrInvalid}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Validate(tt.predicate)
			if diff := cmp.Diff(tt.want, wrongs(t, err), cmp.Comparer(func(a, b error) bool { return a == b })); diff != "" {
				t.Errorf("(-want +got)\n%s\n%v", diff, err)
			}
			if _, compileErr := Compile(tt.predicate, Sieve); err != nil && compileErr == nil {
				t.Error("Compile takes it")
			}
		})
	}
}

func TestErrors(t *testing.T) {
	err := Validate(Any{Exists{}, Match{Name: "A", Op: "equals", Values: []string{"b"}}})
	want := "Any[0].Name: it is empty; give a header's name\nAny[1].Op: \"equals\" is not known; give \"is\", \"contains\", \"matches\" or \"regex\""
	if err.Error() != want {
		t.Errorf("got %s\nwant %s", err, want)
	}
	if !errors.Is(err, ErrRequired) || !errors.Is(err, ErrInvalid) || errors.Is(err, ErrNotExpressible) {
		t.Error("the sentinels don't show")
	}
	var first *Error
	if !errors.As(err, &first) || first.Path != "Any[0].Name" {
		t.Errorf("%v", first)
	}
	if (Errors)(nil).Err() != nil {
		t.Error("an empty list is an error")
	}
	if got := (&Error{Err: ErrInvalid}).Error(); got != ErrInvalid.Error() {
		t.Errorf("without a path: %q", got)
	}
}

func TestNotExpressibleError(t *testing.T) {
	var err error = &NotExpressibleError{Exists{"A"}, "sieve", "because", "ask else"}
	if !errors.Is(err, ErrNotExpressible) {
		t.Error("it isn't ErrNotExpressible")
	}
	if want := "sieve can't express that there is a header A: because; ask else"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
