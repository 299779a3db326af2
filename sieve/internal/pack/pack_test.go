package pack_test

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/pack"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
)

// types are all commands and tests; TestTypes compares them with the source.
var (
	commandTypes = []sieve.Command{
		sieve.If{}, sieve.Stop{}, sieve.Redirect{}, sieve.Keep{}, sieve.Discard{}, sieve.Comment(""), sieve.Unread(""), sieve.DebugLog{},
		sieve.Report{}, sieve.DraftNotify{}, sieve.Denotify{}, sieve.AddHeader{}, sieve.DeleteHeader{}, sieve.Notify{}, sieve.FileInto{},
		sieve.ForEveryPart{}, sieve.Break{}, sieve.ExtractText{}, sieve.Fail{}, sieve.AddFlag{}, sieve.SetFlag{}, sieve.RemoveFlag{},
		sieve.Mark{}, sieve.Unmark{}, sieve.Include{}, sieve.Return{}, sieve.Global{}, sieve.Import{}, sieve.Export{}, sieve.Reject{},
		sieve.EReject{}, sieve.Vacation{}, sieve.Set{},
	}
	testTypes = []sieve.Test{
		sieve.Body{}, sieve.Date{}, sieve.CurrentDate{}, sieve.UnreadTest(""), sieve.Duplicate{}, sieve.ValidNotifyMethod{},
		sieve.NotifyMethodCapability{}, sieve.Envelope{}, sieve.Environment{}, sieve.IHave{}, sieve.HasFlag{}, sieve.MailboxExists{},
		sieve.Metadata{}, sieve.ServerMetadata{}, sieve.MetadataExists{}, sieve.ServerMetadataExists{}, sieve.SpecialUseExists{},
		sieve.SpamTest{}, sieve.VirusTest{}, sieve.Header{}, sieve.Address{}, sieve.Exists{}, sieve.Size{}, sieve.True{}, sieve.False{},
		sieve.Not{}, sieve.AllOf{}, sieve.AnyOf{}, sieve.String{},
	}
)

// fill sets what a value holds; n tells the values apart.
func fill(v reflect.Value, n *int, depth int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(strings.Repeat("x", *n%200))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint64:
		v.SetUint(1 << (*n % 64))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n, depth)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range 3 {
			fill(v.Index(i), n, depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n, depth+1)
		}
	case reflect.Interface:
		if v.Type() == reflect.TypeFor[sieve.Test]() {
			v.Set(reflect.ValueOf(sieve.Size{Limit: uint64(*n)}))
		} else {
			v.Set(reflect.ValueOf(sieve.Redirect{Address: strings.Repeat("y", *n%200)}))
		}
	default:
		panic(v.Kind())
	}
}

// same checks that a script is unpacked as it was packed.
func same(t *testing.T, s *sieve.Script) {
	t.Helper()
	packed, ok := pack.Script(s)
	if !ok {
		t.Fatalf("not packed: %#v", s)
	}
	got, ok := pack.Unpack(packed)
	if !ok {
		t.Fatalf("not unpacked: %#v", s)
	}
	if diff := cmp.Diff(s, got, cmp.Transformer("comment", func(c sieve.Comment) int { return strings.Count(string(c), "\n") })); diff != "" {
		t.Errorf("(-before +after)\n%s", diff)
	}
}

// TestTypes: every type of command and test, empty and with all that it can hold.
func TestTypes(t *testing.T) {
	n := 0
	names := make(map[string]bool)
	for _, c := range commandTypes {
		names[reflect.TypeOf(c).Name()] = true
		full := reflect.New(reflect.TypeOf(c)).Elem()
		fill(full, &n, 0)
		same(t, &sieve.Script{Commands: []sieve.Command{c, full.Interface().(sieve.Command), c}})
	}
	for _, x := range testTypes {
		names[reflect.TypeOf(x).Name()] = true
		full := reflect.New(reflect.TypeOf(x)).Elem()
		fill(full, &n, 0)
		same(t, &sieve.Script{Commands: []sieve.Command{sieve.If{Test: x}, sieve.If{Test: full.Interface().(sieve.Test)}}})
	}
	files, err := filepath.Glob("../../*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range regexp.MustCompile(`(?m)^func \((?:\w+ )?([A-Z]\w*)\) (?:command|test)\(\)`).FindAllSubmatch(src, -1) {
			if found++; !names[string(m[1])] {
				t.Errorf("%s: %s can't be packed", file, m[1])
			}
		}
	}
	if found != len(names) {
		t.Errorf("%d types in the source, %d here", found, len(names))
	}
}

// TestScripts: what is drawn, as it was built and as it is parsed; and the packed
// form is no longer than the source.
func TestScripts(t *testing.T) {
	g := sievetest.NewGenerator(*servertest.Seed + 60)
	wide := &sievetest.Wide{Generator: g, Size: sievetest.ScriptSize}
	for i := range servertest.Scaled(t, 200) {
		s := wide.Script()
		if i%2 == 0 {
			s = g.Script()
		}
		s.Lines = nil
		same(t, s)
		src := s.Format()
		parsed, err := sieve.Parse("", src)
		if err != nil {
			t.Fatal(err)
		}
		same(t, parsed)
		if packed, _ := pack.Script(parsed); len(packed) > len(src)+4 {
			t.Errorf("%d octets for %d of source\n%s", len(packed), len(src), src)
		}
	}
	same(t, &sieve.Script{Lines: []int{3, 1, math.MaxInt, -1, 0}, Extensions: sieve.AllExtensions})
	same(t, &sieve.Script{Commands: []sieve.Command{}, Lines: []int{}})
}

// TestBroken: what isn't a packed script is told, and nothing is made of lengths
// that it doesn't have.
func TestBroken(t *testing.T) {
	s, err := sieve.Parse("", []byte(`require "variables"; if anyof (header "a" ["b", "c"], size :over 1) { set "x" "y"; } elsif true { stop; } # c`))
	if err != nil {
		t.Fatal(err)
	}
	packed, ok := pack.Script(s)
	if !ok {
		t.Fatal("not packed")
	}
	for n := range len(packed) {
		if _, ok := pack.Unpack(packed[:n]); ok {
			t.Errorf("%d of %d octets are a script", n, len(packed))
		}
		for c := range 256 {
			pack.Unpack(packed[:n] + string([]byte{byte(c)}) + packed[n+1:])
		}
	}
	if _, ok := pack.Script(&sieve.Script{Commands: []sieve.Command{struct{ sieve.Stop }{}}}); ok {
		t.Error("a type that embeds a command is packed")
	}
}

func BenchmarkScript(b *testing.B) {
	s := sievetest.BenchScript(25)
	packed, _ := pack.Script(s)
	b.Run("pack", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			pack.Script(s)
		}
	})
	b.Run("unpack", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			pack.Unpack(packed)
		}
	})
}
