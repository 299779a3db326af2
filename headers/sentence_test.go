package headers

import "testing"

func TestSentence(t *testing.T) {
	for _, tt := range []struct {
		predicate Predicate
		want      string
	}{
		{Exists{"X-A"}, `there is a header X-A`},
		{is("X-Conbool-Flag", "YES"), `the header X-Conbool-Flag is "YES" (ignoring case)`},
		{is("X-A", "a", "b"), `the header X-A is "a" or "b" (ignoring case)`},
		{Match{"X-A", Contains, []string{"a\"b"}, Octet}, `the header X-A contains "a\"b" (upper and lower case differ)`},
		{Match{"X-A", Matches, []string{"a*"}, ASCIICasemap}, `the header X-A matches the pattern "a*" (ignoring case)`},
		{Match{"X-A", Regex, []string{"^a"}, ""}, `the header X-A matches the regular expression "^a" (ignoring case)`},
		{MatchPrefix{"X-Conbool-", Is, []string{"true"}, ""}, `a header whose name begins with X-Conbool- is "true" (ignoring case)`},
		{ContentType{Types: []string{"text/calendar", "application/ics"}},
			`the message or a part of it, at any depth, has the content type text/calendar or application/ics`},
		{ContentType{Types: []string{"text/calendar"}, Top: true, Param: "method"},
			`the message as a whole has the content type text/calendar with the parameter method`},
		{Not{Exists{"X-A"}}, `it is not so that (there is a header X-A)`},
		{All{}, `always`},
		{Any{}, `never`},
		{Any{Exists{"A"}}, `there is a header A`},
		{Any{Exists{"A"}, All{Exists{"B"}, Not{Exists{"C"}}}}, `(there is a header A) or ((there is a header B) and (it is not so that (there is a header C)))`},
		{All{Any{Exists{"A"}, Exists{"B"}}, Exists{"C"}}, `((there is a header A) or (there is a header B)) and (there is a header C)`},
		{nil, `nothing is asked`},
		{Exists{"A and (B"}, `there is a header "A and (B"`},
		{&Exists{"A"}, `*headers.Exists`},
	} {
		if got := Sentence(tt.predicate); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
	deep := Predicate(Exists{"A"})
	for range 1000 {
		deep = Not{deep}
	}
	if s := Sentence(deep); len(s) > 5000 {
		t.Errorf("%d octets", len(s))
	}
}
