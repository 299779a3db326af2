package headers_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/oxmailroute/oxmailroute/headers"
)

// A marker is seen by header_checks, whose patterns don't decode RFC 2047; a
// Sieve test does.
func ExampleCompile() {
	released := headers.Match{Name: "X-Conbool-Released", Op: headers.Is, Values: []string{"yes"}}
	raw := []byte("Subject: hello\r\nX-Conbool-Released: =?utf-8?q?yes?=\r\n\r\nbody\r\n")
	for _, view := range []headers.View{headers.HeaderChecks, headers.Sieve} {
		m, err := headers.Compile(released, view)
		if err != nil {
			fmt.Println(err)
			return
		}
		var buf [64]headers.Field
		fields, body := headers.Scan(buf[:0], raw, view)
		fmt.Println(view, m.Match(fields, body))
	}
	// Output:
	// header_checks false
	// sieve true
}

// What a server can't be asked is an error that says why.
func ExampleCompile_notExpressible() {
	marked := headers.MatchPrefix{Prefix: "X-Conbool-", Op: headers.Is, Values: []string{"true"}}
	_, err := headers.Compile(marked, headers.Sieve)
	fmt.Println(errors.Is(err, headers.ErrNotExpressible))
	fmt.Println(err)
	// Output:
	// true
	// sieve can't express that a header whose name begins with X-Conbool- is "true" (ignoring case): Sieve can't test header fields by the beginning of their name; name each field
}

func ExampleMarkerName() {
	for _, domain := range []string{"example.com", "Bücher.example", "a_b.example"} {
		name, err := headers.MarkerName("X-Conbool-", domain)
		fmt.Println(name, err)
	}
	// Output:
	// X-Conbool-example-com <nil>
	// X-Conbool-xn--bcher-kva-example <nil>
	//  "a_b.example" is not a domain: '_' may not stand in it; write letters, digits, hyphens and dots
}

func ExampleMarkers() {
	m, err := headers.NewMarkers("X-Conbool-", []string{"a-b.com", "a.b.com", "example.org"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Domains("x-conbool-a-b-com"))
	fmt.Println(m.Collisions())
	// Output:
	// [a-b.com a.b.com]
	// [[a-b.com a.b.com]]
}

func ExampleWalk() {
	raw := []byte("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nX-Spam: yes\n\n--b--\n")
	fields, body := headers.Scan(nil, raw, headers.HeaderChecks)
	headers.Walk(fields, body, func(c headers.Class, f headers.Field) bool {
		fmt.Printf("%s: %s\n", c, headers.Line(nil, f))
		return true
	})
	// Output:
	// mime_header_checks: Content-Type: multipart/mixed; boundary=b
	// mime_header_checks: Content-Type: message/rfc822
	// nested_header_checks: X-Spam: yes
}

func ExampleCondition() {
	var c headers.Condition
	if err := json.Unmarshal([]byte(`{"Any": [{"Exists": {"Name": "X-A"}}, {"ContentType": {"Types": ["text/calendar"]}}]}`), &c); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(headers.Sentence(c.Predicate))
	fmt.Println(json.Unmarshal([]byte(`{"Any": [{"Match": {"Name": "X-A", "Op": "equals"}}]}`), &c))
	// Output:
	// (there is a header X-A) or (the message or a part of it, at any depth, has the content type text/calendar)
	// Any[0].Match.Op: unknown word "equals"; give "is", "contains", "matches" or "regex"
}
