package sieve_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
)

func TestExtensionsSet(t *testing.T) {
	for _, tt := range []struct {
		setting string
		want    sieve.Extensions
		err     string
	}{
		{"", 0, ""},
		{"fileinto  reject", sieve.ExtFileInto | sieve.ExtReject, ""},
		{"+editheader", sieve.Debian12 | sieve.ExtEditHeader, ""},
		{"-regex\t-body", sieve.Debian12 &^ sieve.ExtRegex &^ sieve.ExtBody, ""},
		{"+vacation-seconds -vacation", (sieve.Debian12 | sieve.ExtVacationSeconds) &^ sieve.ExtVacation, ""},
		{"-copy +copy", sieve.Debian12, ""},
		{"+copy -copy", sieve.Debian12, ""},
		{"+nosuch", sieve.Debian12, `extension "nosuch" is unknown`},
		{"++copy", sieve.Debian12, `extension "+copy" is unknown`},
		{"+", sieve.Debian12, `extension "" is unknown`},
		{"FILEINTO", sieve.Debian12, `extension "FILEINTO" is unknown`},
	} {
		got, err := sieve.Debian12.Set(tt.setting)
		if got != tt.want {
			t.Errorf("%q: %s, want %s", tt.setting, got, tt.want)
		}
		if (err == nil) != (tt.err == "") || err != nil && !strings.HasPrefix(err.Error(), tt.err) {
			t.Errorf("%q: %v, want %q", tt.setting, err, tt.err)
		}
	}
}

func TestExtensionNames(t *testing.T) {
	names := sieve.AllExtensions.Names()
	if !slices.IsSorted(names) || len(names) != sieve.ExtCount-2 {
		t.Errorf("names %q", names)
	}
	for i, name := range names {
		if x := sieve.ExtensionNamed(name); !slices.Equal(x.Names(), names[i:i+1]) {
			t.Errorf("%q is %q", name, x)
		}
	}
	if diff := cmp.Diff([]string(nil), sieve.Extensions(0).Names()); diff != "" {
		t.Error(diff)
	}
	if s := (sieve.ExtReject | sieve.ExtBody).String(); s != "body reject" {
		t.Errorf("%q", s)
	}
	if !sieve.Debian13.Has(sieve.Debian12&^sieve.ImportExport|sieve.ExtUnicodeCasemap) || sieve.Debian12.Has(sieve.ExtUnicodeCasemap) ||
		sieve.Debian12.Has(sieve.ExtEditHeader) {
		t.Error("the presets are not what the servers have")
	}
}

// TestExtensionsServer asks the server which extensions it has on, without any
// setting but what its programs add.
func TestExtensionsServer(t *testing.T) {
	o := sievetest.NewOracle(t)
	conf, err := os.ReadFile(o.Conf)
	if err != nil {
		t.Fatal(err)
	}
	conf = regexp.MustCompile("(?m)^ *sieve_extensions =.*$").ReplaceAll(conf, nil)
	if err := os.WriteFile(o.Conf, conf, 0o644); err != nil {
		t.Fatal(err)
	}
	on := func(name string) bool {
		return (sieve.Debian12 | sieve.ExtDovecotDebug).Has(sieve.ExtensionNamed(name))
	}
	var taken [][]byte
	for _, name := range sieve.AllExtensions.Names() {
		if on(name) {
			taken = append(taken, []byte(`require "`+name+`";`))
		}
	}
	together := o.AcceptsAll(t, taken...)
	for _, name := range sieve.AllExtensions.Names() {
		if together && on(name) {
			continue
		}
		v, text, _ := o.Compile(t, []byte(`require "`+name+`";`))
		if want := on(name); (v == sievetest.Accepted) != want {
			t.Errorf("%s: %s, want it on: %v\n%s", name, v, want, text)
		}
	}
}

// TestGrammarFormat checks that scripts of the whole grammar are the same when
// they are printed and read again, and when they go through go-sieve's tree.
func TestGrammarFormat(t *testing.T) {
	g := &grammar{Generator: sievetest.NewGenerator(*sievetest.Seed + 700), wrong: 1}
	read := 0
	for range 3000 {
		g.requires(true)
		src := g.header() + "# a comment\n" + g.commandText(3) + "\n" + g.commandText(3)
		s, err := sieve.ParseFor("", []byte(src), sievetest.ServerExtensions)
		if err != nil {
			continue
		}
		read++
		checkRoundTrip(t, s)
		checkTree(t, s)
		if t.Failed() {
			t.Fatal(src)
		}
	}
	if read < 500 {
		t.Errorf("only %d of the scripts are right", read)
	}
}

// checkTree checks that a script comes back from go-sieve's tree.
func checkTree(t *testing.T, s *sieve.Script) {
	t.Helper()
	if hasUnread(s) || hugeNumber(s.Format()) {
		return // the tree doesn't have them
	}
	back, err := sieve.FromAST(s.AST())
	if err != nil {
		t.Fatal(err)
	}
	want := &sieve.Script{Commands: withoutComments(s.Commands), Extensions: s.Extensions}
	if got := back.Format(); string(got) != string(want.Format()) {
		t.Errorf("changed by the tree (-want +got):\n%s", cmp.Diff(string(want.Format()), string(got)))
	}
}

func hasUnread(s *sieve.Script) bool {
	unread := false
	sieve.Walk(s.Commands, func(c sieve.Command) {
		_, ok := c.(sieve.Unread)
		unread = unread || ok
	}, func(t sieve.Test) {
		_, ok := t.(sieve.UnreadTest)
		unread = unread || ok
	})
	return unread
}
