package sieve

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValidate(t *testing.T) {
	header := func(h Header) []Command { return []Command{If{Test: h}} }
	deep := []Command{Keep{}}
	for range 40 {
		deep = []Command{If{Test: True{}, Then: deep}}
	}
	for _, tt := range []struct {
		name string
		in   []Command
		want []string // paths
	}{
		{"good", []Command{Keep{}, FileInto{Mailbox: "Ümlaut/ä"}, Redirect{Address: "A <a@b>"}}, nil},
		{"nil command", []Command{nil}, bad("Commands[0]")},
		{"pointer", []Command{&Keep{}}, bad("Commands[0]")},
		{"nil test", []Command{If{}}, bad("Commands[0].Test")},
		{"everything at once", []Command{
			FileInto{}, Redirect{}, Keep{Flags: []string{}}, AddFlag{}, AddFlag{Flags: []string{`\Nope`}},
			If{Test: AnyOf{}, Then: []Command{FileInto{Mailbox: "a\nb"}}, ElsIf: []ElsIf{{Not{nil}, []Command{nil}}}, Else: []Command{Comment("a\nb")}},
		}, []string{
			"Commands[0].Mailbox", "Commands[1].Address", "Commands[2].Flags", "Commands[3].Flags", "Commands[4].Flags[0]",
			"Commands[5].Test", "Commands[5].Then[0].Mailbox", "Commands[5].ElsIf[0].Test.Test", "Commands[5].ElsIf[0].Then[0]", "Commands[5].Else[0]",
		}},
		{"mailbox with NUL", []Command{FileInto{Mailbox: "a\x00"}}, bad("Commands[0].Mailbox")},
		{"mailbox with CRLF", []Command{FileInto{Mailbox: "a\r\nb"}}, bad("Commands[0].Mailbox")},
		{"mailbox that isn't UTF-8", []Command{FileInto{Mailbox: "\xff"}}, bad("Commands[0].Mailbox")},
		{"address with CRLF", []Command{Redirect{Address: "a\r\n@b"}}, bad("Commands[0].Address")},
		{"two addresses", []Command{Redirect{Address: "a@b, c@d"}}, bad("Commands[0].Address")},
		{"reason with LF", []Command{Reject{"a\nb"}}, bad("Commands[0].Reason")},
		{"reason with CRLF", []Command{Reject{"a\r\nb"}}, nil},
		{"vacation", []Command{Vacation{Subject: ptr("a\r\nb"), From: "x", Addresses: []string{"y"}, Handle: ptr("\x00"), Reason: "\r"}},
			[]string{"Commands[0].Subject", "Commands[0].From", "Commands[0].Addresses[0]", "Commands[0].Handle", "Commands[0].Reason"}},
		{"vacation without addresses", []Command{Vacation{Addresses: []string{}}}, bad("Commands[0].Addresses")},
		{"comment with CR", []Command{Comment("a\rb")}, bad("Commands[0]")},
		{"comment that isn't UTF-8", []Command{Comment("\xff")}, bad("Commands[0]")},
		{"no names and no keys", header(Header{}), []string{"Commands[0].Test.Names", "Commands[0].Test.Keys"}},
		{"strange names", header(Header{Names: []string{"", "a b", "a:", "ü", "ok"}, Keys: []string{""}}),
			[]string{"Commands[0].Test.Names[0]", "Commands[0].Test.Names[1]", "Commands[0].Test.Names[2]", "Commands[0].Test.Names[3]"}},
		{"key with NUL", header(Header{Names: []string{"a"}, Keys: []string{"\x00", "\xff"}}), []string{"Commands[0].Test.Keys[0]", "Commands[0].Test.Keys[1]"}},
		{"unknown words", header(Header{Names: []string{"a"}, Keys: []string{"b"}, Match: "foo", Comparator: "bar"}),
			[]string{"Commands[0].Test.Comparator", "Commands[0].Test.Match"}},
		{"relation without count", header(Header{Names: []string{"a"}, Keys: []string{"b"}, Relation: Less}), bad("Commands[0].Test.Relation")},
		{"count without relation", header(Header{Names: []string{"a"}, Keys: []string{"b"}, Match: Count}), bad("Commands[0].Test.Relation")},
		{"numeric contains", header(Header{Names: []string{"a"}, Keys: []string{"b"}, Match: Contains, Comparator: ASCIINumeric}), bad("Commands[0].Test.Comparator")},
		{"broken regex", header(Header{Names: []string{"a"}, Keys: []string{"b", "("}, Match: Regex}), bad("Commands[0].Test.Keys[1]")},
		{"anychild without mime", header(Header{Names: []string{"a"}, Keys: []string{"b"}, AnyChild: true}), bad("Commands[0].Test")},
		{"address of a plain field", []Command{If{Test: Address{Names: []string{"Subject"}, Keys: []string{"x"}}}}, bad("Commands[0].Test.Names[0]")},
		{"unknown address part", []Command{If{Test: Address{Names: []string{"from"}, Part: "name", Keys: []string{"x"}}}}, bad("Commands[0].Test.Part")},
		{"unknown envelope field", []Command{If{Test: Envelope{Fields: []string{"by"}, Keys: []string{"x"}}}}, bad("Commands[0].Test.Fields[0]")},
		{"part of the envelope's auth", []Command{If{Test: Envelope{Fields: []string{"from", "auth"}, Part: Domain, Keys: []string{"x"}}}},
			bad("Commands[0].Test.Fields[1]")},
		{"empty mailbox in a test", []Command{If{Test: MailboxExists{[]string{""}}}}, bad("Commands[0].Test.Mailboxes[0]")},
		{"nested too deep", deep, bad("Commands[0]" + strings.Repeat(".Then[0]", 31) + ".Test")},
		{"set", []Command{Set{Name: "a b", Value: "x"}, Set{Name: "a", Value: "\n", Modifiers: []Modifier{"x"}}}, bad("Commands[1].Value")},
		{"names of variables", []Command{Keep{}, If{Test: True{}, Then: []Command{Set{Name: "a b"}}}}, bad("Commands[1].Then[0].Name")},
		{"modifiers of one kind", []Command{Set{Name: "a", Modifiers: []Modifier{Lower, Upper}}}, bad("Commands[0].Modifiers")},
		{"addheader", []Command{AddHeader{Name: "a b", Value: "x"}}, bad("Commands[0].Name")},
		{"deleteheader", []Command{DeleteHeader{Name: "a", Last: true, Match: Is}}, []string{"Commands[0].Last", "Commands[0].Match"}},
		{"include", []Command{Include{Script: "a/b"}, Global{}}, bad("Commands[1].Names")},
		{"include of a bad name", []Command{Include{Script: "a/b"}}, bad("Commands[0]")},
		{"notify", []Command{Notify{Method: "mailto:a"}}, bad("Commands[0].Method")},
		{"break", []Command{Break{}, ForEveryPart{Block: []Command{Break{}, Break{Name: ptr("x")}}}}, []string{"Commands[0]", "Commands[1].Block[1].Name"}},
		{"extracttext", []Command{ExtractText{Variable: "a"}}, bad("Commands[0]")},
		{"report", []Command{Report{Type: "a/b", Address: "x@y"}}, bad("Commands[0]")},
		{"dates", []Command{If{Test: AnyOf{Date{Name: "a", Part: "x", Zone: "y", Keys: []string{"z"}}, CurrentDate{Part: Year}}}},
			[]string{"Commands[0].Test[0].Part", "Commands[0].Test[0].Zone", "Commands[0].Test[1].Keys"}},
		{"body", []Command{If{Test: Body{Content: []string{"a"}, Keys: []string{"x"}}}}, bad("Commands[0].Test.Content")},
		{"duplicate", []Command{If{Test: Duplicate{Header: "a", UniqueID: ptr("x")}}}, bad("Commands[0].Test.UniqueID")},
		{"parameters", header(Header{Names: []string{"a"}, Keys: []string{"b"}, MIME: true, MIMEPart: MIMEParam}), bad("Commands[0].Test")},
		{"last without index", header(Header{Names: []string{"a"}, Keys: []string{"b"}, Last: true}), bad("Commands[0].Test")},
		{"unread", []Command{Unread("keep; stop"), If{Test: UnreadTest("true {} discard")}}, []string{"Commands[0]", "Commands[1].Test"}},
		{"unread where it can run", []Command{Unread("nonsense;")}, bad("Commands[0]")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := (&Script{Commands: tt.in}).Validate()
			var list ErrorList
			errors.As(err, &list)
			var got []string
			for _, e := range list {
				got = append(got, e.Where)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("paths (-want +got):\n%s\n%v", diff, err)
			}
		})
	}
}

func TestValidateSize(t *testing.T) {
	s := &Script{Commands: []Command{Reject{strings.Repeat("x", 1<<20)}}}
	if err := s.Validate(); err == nil {
		t.Error("a script of more than 1 MiB is valid")
	}
}

// TestValidateGenerated checks that what Validate takes is what it was.
func TestValidateGenerated(t *testing.T) {
	g := newGenerator(9)
	for range 300 {
		s := g.script()
		err := s.Validate()
		if err != nil && !strings.Contains(err.Error(), `"a b" is not one`) {
			t.Fatalf("%v\n%s", err, s.Format())
		}
	}
}
