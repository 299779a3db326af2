package sieve_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
)

// checkNodes checks that the nodes of a list are what they say, and that they lie
// inside of a span, in order.
func checkNodes(t *testing.T, src string, list []*sieve.Node, in sieve.Span) {
	t.Helper()
	at := in.Start
	for _, n := range list {
		if n.Start < at || n.End > in.End {
			t.Fatalf("%s at %d-%d is not in order inside of %d-%d", n.Name, n.Start, n.End, at, in.End)
		}
		at = n.End
		if line, column := sieve.PositionOf(src, n.Start); line != n.Line || column != n.Column {
			t.Errorf("%s is at %d:%d, not %d:%d", n.Name, line, column, n.Line, n.Column)
		}
		if !strings.HasPrefix(src[n.Start:], n.Name) {
			t.Errorf("%q does not begin with %q", src[n.Start:n.End], n.Name)
		}
		from := n.Start
		for _, a := range n.Arguments {
			if a.Start < from || a.End > n.End {
				t.Errorf("argument %+v is outside of %+v", a, n.Span)
			}
			from = a.End
			if a.Tag != "" && src[a.Start:a.End] != ":"+a.Tag {
				t.Errorf("%q is not :%s", src[a.Start:a.End], a.Tag)
			}
		}
		checkNodes(t, src, n.Tests, sieve.Span{Start: from, End: n.End})
		if n.BlockStart != 0 {
			if src[n.BlockStart] != '{' || src[n.End-1] != '}' {
				t.Errorf("no braces around the block of %q", src[n.Start:n.End])
			}
			checkNodes(t, src, n.Block, sieve.Span{Start: n.BlockStart + 1, End: n.End - 1})
		}
	}
}

func TestTree(t *testing.T) {
	src := "# one\r\nrequire [ \"a\" , \"b\" ];\r\n\r\n## Flag: |UniqueId:0|Rulename: x\r\nif anyof (size :over 1K, not header :is \"a\" text:\r\n..x\r\n.\r\n) /* two */ {\r\n  keep; # three\r\n}\r\n"
	tree, err := sieve.ParseTree("x", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	show := func(s sieve.Span) string { return fmt.Sprintf("%d:%d %s", s.Line, s.Column, src[s.Start:s.End]) }
	for _, c := range tree.Comments {
		got = append(got, show(c))
	}
	for _, n := range tree.Commands {
		got = append(got, show(n.Span))
	}
	inner := tree.Commands[1].Tests[0].Tests[1].Tests[0]
	got = append(got, show(inner.Span), fmt.Sprintf("%q", inner.Arguments[2].Strings[0].Value), show(tree.Commands[1].Block[0].Span))
	got = append(got, fmt.Sprint(tree.Commands[1].Tests[0].Tests[0].Arguments[1].Number))
	want := []string{
		"1:1 # one", "4:1 ## Flag: |UniqueId:0|Rulename: x", "8:3 /* two */", "9:9 # three",
		"2:1 require [ \"a\" , \"b\" ];", "5:1 " + src[strings.Index(src, "if"):len(src)-2],
		"5:30 header :is \"a\" text:\r\n..x\r\n.\r\n", `".x\r\n"`, "9:3 keep;", "1024",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	checkNodes(t, src, tree.Commands, sieve.Span{End: len(src)})
	if _, err := sieve.ParseTree("x", []byte("keep\nif {")); err == nil || !strings.HasPrefix(err.Error(), "x:2:5: ") {
		t.Errorf("error %v", err)
	}
	if _, err := sieve.ParseTree("x", make([]byte, sieve.MaxScriptSize+1)); err == nil {
		t.Error("no limit on the size")
	}
}

// TestTreeGenerated checks that the nodes of any script lie where they say, and
// that only white space, comments and punctuation lie between.
func TestTreeGenerated(t *testing.T) {
	g := &grammar{Generator: sievetest.NewGenerator(77), wrong: 2}
	for range 500 {
		g.requires(true)
		src := g.header() + "# a comment\r\n" + g.commandText(3) + "/* another */" + g.commandText(3)
		tree, err := sieve.ParseTree("", []byte(src))
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		checkNodes(t, src, tree.Commands, sieve.Span{End: len(src)})
		rest := []byte(src)
		for _, s := range tree.Comments {
			clear(rest[s.Start:s.End])
		}
		for _, n := range tree.Commands {
			clear(rest[n.Start:n.End])
		}
		if left := strings.Trim(string(rest), "\x00 \t\r\n"); left != "" {
			t.Fatalf("%q is part of nothing:\n%s", left, src)
		}
	}
}
