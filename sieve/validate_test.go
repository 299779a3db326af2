package sieve_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
)

func TestValidate(t *testing.T) {
	header := func(h sieve.Header) []sieve.Command { return []sieve.Command{sieve.If{Test: h}} }
	deep := []sieve.Command{sieve.Keep{}}
	for range 40 {
		deep = []sieve.Command{sieve.If{Test: sieve.True{}, Then: deep}}
	}
	for _, tt := range []struct {
		name string
		in   []sieve.Command
		want []string // paths
	}{
		{"good", []sieve.Command{sieve.Keep{}, sieve.FileInto{Mailbox: "Ümlaut/ä"}, sieve.Redirect{Address: "A <a@b>"}}, nil},
		{"nil command", []sieve.Command{nil}, bad("Commands[0]")},
		{"pointer", []sieve.Command{&sieve.Keep{}}, bad("Commands[0]")},
		{"nil test", []sieve.Command{sieve.If{}}, bad("Commands[0].Test")},
		{"everything at once", []sieve.Command{
			sieve.FileInto{}, sieve.Redirect{}, sieve.Keep{Flags: []string{}}, sieve.AddFlag{}, sieve.AddFlag{Flags: []string{`\Nope`}},
			sieve.If{Test: sieve.AnyOf{}, Then: []sieve.Command{sieve.FileInto{Mailbox: "a\nb"}},
				ElsIf: []sieve.ElsIf{{Test: sieve.Not{Test: nil}, Then: []sieve.Command{nil}}}, Else: []sieve.Command{sieve.Comment("a\nb")}},
		}, []string{
			"Commands[0].Mailbox", "Commands[1].Address", "Commands[2].Flags", "Commands[3].Flags", "Commands[4].Flags[0]",
			"Commands[5].Test", "Commands[5].Then[0].Mailbox", "Commands[5].ElsIf[0].Test.Test", "Commands[5].ElsIf[0].Then[0]",
			"Commands[5].Else[0]",
		}},
		{"mailbox with NUL", []sieve.Command{sieve.FileInto{Mailbox: "a\x00"}}, bad("Commands[0].Mailbox")},
		{"mailbox with CRLF", []sieve.Command{sieve.FileInto{Mailbox: "a\r\nb"}}, bad("Commands[0].Mailbox")},
		{"mailbox that isn't UTF-8", []sieve.Command{sieve.FileInto{Mailbox: "\xff"}}, bad("Commands[0].Mailbox")},
		{"address with CRLF", []sieve.Command{sieve.Redirect{Address: "a\r\n@b"}}, bad("Commands[0].Address")},
		{"two addresses", []sieve.Command{sieve.Redirect{Address: "a@b, c@d"}}, bad("Commands[0].Address")},
		{"reason with LF", []sieve.Command{sieve.Reject{Reason: "a\nb"}}, bad("Commands[0].Reason")},
		{"reason with CRLF", []sieve.Command{sieve.Reject{Reason: "a\r\nb"}}, nil},
		{"vacation", []sieve.Command{sieve.Vacation{Subject: sievetest.Ptr("a\r\nb"), From: "x", Addresses: []string{"y"},
			Handle: sievetest.Ptr("\x00"), Reason: "\r"}},
			[]string{"Commands[0].Subject", "Commands[0].From", "Commands[0].Addresses[0]", "Commands[0].Handle", "Commands[0].Reason"}},
		{"vacation without addresses", []sieve.Command{sieve.Vacation{Addresses: []string{}}}, bad("Commands[0].Addresses")},
		{"comment with CR", []sieve.Command{sieve.Comment("a\rb")}, bad("Commands[0]")},
		{"comment that isn't UTF-8", []sieve.Command{sieve.Comment("\xff")}, bad("Commands[0]")},
		{"no names and no keys", header(sieve.Header{}), []string{"Commands[0].Test.Names", "Commands[0].Test.Keys"}},
		{"strange names", header(sieve.Header{Names: []string{"", "a b", "a:", "ü", "ok"}, Keys: []string{""}}),
			[]string{"Commands[0].Test.Names[0]", "Commands[0].Test.Names[1]", "Commands[0].Test.Names[2]", "Commands[0].Test.Names[3]"}},
		{"key with NUL", header(sieve.Header{Names: []string{"a"}, Keys: []string{"\x00", "\xff"}}),
			[]string{"Commands[0].Test.Keys[0]", "Commands[0].Test.Keys[1]"}},
		{"unknown words", header(sieve.Header{Names: []string{"a"}, Keys: []string{"b"}, Match: "foo", Comparator: "bar"}),
			[]string{"Commands[0].Test.Comparator", "Commands[0].Test.Match"}},
		{"relation without count", header(sieve.Header{Names: []string{"a"}, Keys: []string{"b"}, Relation: sieve.Less}),
			bad("Commands[0].Test.Relation")},
		{"count without relation", header(sieve.Header{Names: []string{"a"}, Keys: []string{"b"}, Match: sieve.Count}),
			bad("Commands[0].Test.Relation")},
		{"numeric contains", header(sieve.Header{Names: []string{"a"}, Keys: []string{"b"}, Match: sieve.Contains,
			Comparator: sieve.ASCIINumeric}), bad("Commands[0].Test.Comparator")},
		{"broken regex", header(sieve.Header{Names: []string{"a"}, Keys: []string{"b", "("}, Match: sieve.Regex}),
			bad("Commands[0].Test.Keys[1]")},
		{"anychild without mime", header(sieve.Header{Names: []string{"a"}, Keys: []string{"b"}, AnyChild: true}), bad("Commands[0].Test")},
		{"address of a plain field", []sieve.Command{sieve.If{Test: sieve.Address{Names: []string{"Subject"}, Keys: []string{"x"}}}},
			bad("Commands[0].Test.Names[0]")},
		{"unknown address part", []sieve.Command{sieve.If{Test: sieve.Address{Names: []string{"from"}, Part: "name", Keys: []string{"x"}}}},
			bad("Commands[0].Test.Part")},
		{"unknown envelope field", []sieve.Command{sieve.If{Test: sieve.Envelope{Fields: []string{"by"}, Keys: []string{"x"}}}},
			bad("Commands[0].Test.Fields[0]")},
		{"part of the envelope's auth", []sieve.Command{sieve.If{Test: sieve.Envelope{Fields: []string{"from", "auth"}, Part: sieve.Domain,
			Keys: []string{"x"}}}},
			bad("Commands[0].Test.Fields[1]")},
		{"empty mailbox in a test", []sieve.Command{sieve.If{Test: sieve.MailboxExists{Mailboxes: []string{""}}}},
			bad("Commands[0].Test.Mailboxes[0]")},
		{"nested too deep", deep, bad("Commands[0]" + strings.Repeat(".Then[0]", 31) + ".Test")},
		{"set", []sieve.Command{sieve.Set{Name: "a b", Value: "x"}, sieve.Set{Name: "a", Value: "\n", Modifiers: []sieve.Modifier{"x"}}},
			bad("Commands[1].Value")},
		{"names of variables", []sieve.Command{sieve.Keep{}, sieve.If{Test: sieve.True{}, Then: []sieve.Command{sieve.Set{Name: "a b"}}}},
			bad("Commands[1].Then[0].Name")},
		{"modifiers of one kind", []sieve.Command{sieve.Set{Name: "a", Modifiers: []sieve.Modifier{sieve.Lower, sieve.Upper}}},
			bad("Commands[0].Modifiers")},
		{"addheader", []sieve.Command{sieve.AddHeader{Name: "a b", Value: "x"}}, bad("Commands[0].Name")},
		{"deleteheader", []sieve.Command{sieve.DeleteHeader{Name: "a", Last: true, Match: sieve.Is}},
			[]string{"Commands[0].Last", "Commands[0].Match"}},
		{"include", []sieve.Command{sieve.Include{Script: "a/b"}, sieve.Global{}}, bad("Commands[1].Names")},
		{"include of a bad name", []sieve.Command{sieve.Include{Script: "a/b"}}, bad("Commands[0]")},
		{"notify", []sieve.Command{sieve.Notify{Method: "mailto:a"}}, bad("Commands[0].Method")},
		{"break", []sieve.Command{sieve.Break{}, sieve.ForEveryPart{Block: []sieve.Command{sieve.Break{},
			sieve.Break{Name: sievetest.Ptr("x")}}}}, []string{"Commands[0]", "Commands[1].Block[1].Name"}},
		{"extracttext", []sieve.Command{sieve.ExtractText{Variable: "a"}}, bad("Commands[0]")},
		{"report", []sieve.Command{sieve.Report{Type: "a/b", Address: "x@y"}}, bad("Commands[0]")},
		{"dates", []sieve.Command{sieve.If{Test: sieve.AnyOf{sieve.Date{Name: "a", Part: "x", Zone: "y", Keys: []string{"z"}},
			sieve.CurrentDate{Part: sieve.Year}}}},
			[]string{"Commands[0].Test[0].Part", "Commands[0].Test[0].Zone", "Commands[0].Test[1].Keys"}},
		{"body", []sieve.Command{sieve.If{Test: sieve.Body{Content: []string{"a"}, Keys: []string{"x"}}}}, bad("Commands[0].Test.Content")},
		{"duplicate", []sieve.Command{sieve.If{Test: sieve.Duplicate{Header: sievetest.Ptr("a"), UniqueID: sievetest.Ptr("x")}}},
			bad("Commands[0].Test.UniqueID")},
		{"parameters", header(sieve.Header{Names: []string{"a"}, Keys: []string{"b"}, MIME: true, MIMEPart: sieve.MIMEParam}),
			bad("Commands[0].Test")},
		{"last without index", header(sieve.Header{Names: []string{"a"}, Keys: []string{"b"}, Last: true}), bad("Commands[0].Test")},
		{"unread", []sieve.Command{sieve.Unread("keep; stop"), sieve.If{Test: sieve.UnreadTest("true {} discard")}},
			[]string{"Commands[0]", "Commands[1].Test"}},
		{"unread where it can run", []sieve.Command{sieve.Unread("nonsense;")}, bad("Commands[0]")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := (&sieve.Script{Commands: tt.in}).Validate()
			var list sieve.Errors
			errors.As(err, &list)
			var got []string
			for _, e := range list {
				got = append(got, e.Path)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("paths (-want +got):\n%s\n%v", diff, err)
			}
		})
	}
}

func TestValidateSize(t *testing.T) {
	s := &sieve.Script{Commands: []sieve.Command{sieve.Reject{Reason: strings.Repeat("x", 1<<20)}}}
	if err := s.Validate(); err == nil {
		t.Error("a script of more than 1 MiB is valid")
	}
}

// TestValidateGenerated checks that what Validate takes is what it was.
func TestValidateGenerated(t *testing.T) {
	g := sievetest.NewGenerator(9)
	for range 300 {
		s := g.Script()
		err := s.Validate()
		if err != nil && !strings.Contains(err.Error(), `"a b" is not one`) {
			t.Fatalf("%v\n%s", err, s.Format())
		}
	}
}
