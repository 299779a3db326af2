package sieve_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// addSeeds adds the scripts of the tables.
func addSeeds(f *testing.F) {
	for _, tt := range parseCases {
		if len(tt.src) < 4096 {
			f.Add([]byte(tt.src))
		}
	}
	for _, tt := range formatCases {
		f.Add(tt.in.Format())
	}
	g := sievetest.NewGenerator(61)
	for range 20 {
		f.Add(g.Script().Format())
	}
	for _, tt := range exampleScripts(f) {
		f.Add([]byte(tt.src))
	}
	words := &grammar{Generator: sievetest.NewGenerator(62), wrong: 2}
	for range 60 {
		words.requires(true)
		f.Add([]byte(words.header() + words.commandText(2)))
	}
}

// FuzzParse checks that Parse ends with a script or with errors that lie in the
// source.
func FuzzParse(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := sieve.Parse("fuzz", src)
		if (s == nil) == (err == nil) {
			t.Fatalf("script %v and error %v", s, err)
		}
		lines := strings.Split(string(src), "\n")
		var list sieve.Errors
		if errors.As(err, &list); err != nil && len(list) == 0 {
			t.Fatalf("an empty list: %#v", err)
		}
		for _, e := range list {
			if e.Line < 1 || e.Line > len(lines) || e.Column < 1 || e.Column > len(lines[e.Line-1])+1 {
				t.Errorf("%v is outside the source", e)
			}
		}
		if err != nil {
			return
		}
		for _, line := range s.Lines {
			if line < 1 || line > len(lines) {
				t.Errorf("line %d of %d", line, len(lines))
			}
		}
		if sieve.Includes(s) {
			return // which scripts there are is not known
		}
		if _, err := interp.Compile(s, interp.Options{}); err != nil && !errors.Is(err, sieve.ErrUnsupported) {
			t.Errorf("Compile: %v", err)
		}
	})
}

// FuzzFormatParse checks that a script is the same when it is printed and read
// again, and when it goes through go-sieve's tree.
func FuzzFormatParse(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := sieve.Parse("fuzz", src)
		if err != nil {
			return
		}
		text := s.Format()
		if len(text) > sieve.MaxScriptSize {
			return
		}
		back, err := sieve.Parse("format", text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if !reflect.DeepEqual(s.Commands, back.Commands) || back.Extensions != s.Extensions {
			t.Fatalf("changed:\n%s\n%s", text, back.Format())
		}
		if again := back.Format(); string(again) != string(text) {
			t.Fatalf("printed differently:\n%s\n%s", text, again)
		}
		checkTree(t, s)
	})
}

// hugeNumber reports a number of 19 digits or more, which go-sieve's int may
// not hold.
func hugeNumber(text []byte) bool {
	digits := 0
	for _, c := range text {
		if digits++; !ascii.IsDigit(int(c)) {
			digits = 0
		}
		// A 32-bit int holds 9 digits.
		if digits > 9 {
			return true
		}
	}
	return false
}

// FuzzQuote checks that any string survives printing.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", `"`, `\`, "\r\n", "\r", "\n", "\x00", "${hex:41}", "$${hex:}", "text:\r\n.\r\n", "é", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkString(t, s) })
}

// FuzzRun checks that a run ends, and that it comes to the same a second time
// and beside a trace.
func FuzzRun(f *testing.F) {
	g := sievetest.NewGenerator(71)
	for range 40 {
		f.Add(g.Script().Format(), g.Message(), "a@b", "c@d")
	}
	for _, tt := range sievetest.RunCases {
		f.Add([]byte(sievetest.RunRequire+"if "+tt.Test+" { discard; }"), []byte(tt.Header+"\n\n"), "", "")
	}
	f.Fuzz(func(t *testing.T, src, message []byte, from, to string) {
		s, err := sieve.Parse("fuzz", src)
		if err != nil {
			return
		}
		plain, err := interp.Compile(s, interp.Options{MaxSteps: 1 << 22})
		if errors.Is(err, sieve.ErrUnsupported) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		traced, err := interp.Compile(s, interp.Options{Trace: true, MaxSteps: 1 << 22})
		if err != nil {
			t.Fatal(err)
		}
		in := sievetest.Input(message, from, to)
		first := plain.Run(in)
		again := traced.Run(in)
		again.Steps = nil
		if (first.Err == nil) != (again.Err == nil) {
			t.Fatalf("%v and %v", first.Err, again.Err)
		}
		first.Err, again.Err = nil, nil
		if !reflect.DeepEqual(first, again) {
			t.Fatalf("%+v and %+v", first, again)
		}
		interp.Sequence{plain, traced, plain}.Run(in)
	})
}
