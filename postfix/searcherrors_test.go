package postfix

import (
	"errors"
	"net/netip"
	"testing"
)

// broken is a table that can't be asked for one key.
type broken struct {
	Map
	key string
}

var errBroken = errors.New("no connection")

func (b broken) Lookup(key string) (Row, bool, error) {
	if key == b.key {
		return Row{}, false, errBroken
	}
	return b.Map.Lookup(key)
}

// TestSearchErrors: an error ends a search where it is met, and not where something
// was found before; what is found has its table's name.
func TestSearchErrors(t *testing.T) {
	rows := Named{"/etc/rows", Table{{Key: "al@x.test", Value: "1"}, {Key: "x.test", Value: "2"}, {Key: "@x.test", Value: "3"}}.Index()}
	plus := Search{Delimiter: "+"}
	for name, c := range map[string]struct {
		broken string
		search func(m Map) (Hit, bool, error)
		want   string // of what is found; empty: the error
	}{
		"found before":         {"@x.test", func(m Map) (Hit, bool, error) { return plus.Address(m, "al+y@x.test") }, "al@x.test=1"},
		"address":              {"al+y@x.test", func(m Map) (Hit, bool, error) { return plus.Address(m, "al+y@x.test") }, ""},
		"a part of an address": {"bo@x.test", func(m Map) (Hit, bool, error) { return plus.Sender(m, "bo+y@x.test") }, ""},
		"the last key":         {"@y.test", func(m Map) (Hit, bool, error) { return plus.Mailbox(m, "bo@y.test") }, ""},
		"transport":            {".test", func(m Map) (Hit, bool, error) { return plus.Transport(m, "bo@y.test") }, ""},
		"a transport's domain": {"*", func(m Map) (Hit, bool, error) { return plus.Transport(m, "bo@x.test") }, "x.test=2"},
		"everybody":            {"*", func(m Map) (Hit, bool, error) { return plus.Transport(m, "bo@y.test") }, ""},
		"access":               {"bo@", func(m Map) (Hit, bool, error) { return plus.Access(m, "bo+y@y.test") }, ""},
		"client":               {"192.0", func(m Map) (Hit, bool, error) { return plus.Client(m, "h.y", netip.MustParseAddr("192.0.2.1")) }, ""},
		"domain":               {".y.test", func(m Map) (Hit, bool, error) { return plus.Domain(m, "a.y.test") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, m := range map[string]Map{
				"table": broken{rows, c.broken}, "list": Maps{broken{rows, c.broken}, Table{}.Index()}, "second of a list": Maps{Table{}.Index(),
					broken{rows, c.broken}},
				"union": Union{broken{rows, c.broken}}, "pipe": Pipe{broken{rows, c.broken}}, "named": Named{"other", broken{rows, c.broken}},
			} {
				hit, ok, err := c.search(m)
				if got := hit.Entry.Key + "=" + hit.Value; c.want != "" {
					if got != c.want || !ok || err != nil || hit.Source != "/etc/rows" {
						t.Errorf("%s: %s %v %v of %q", kind, got, ok, err, hit.Source)
					}
				} else if ok || !errors.Is(err, errBroken) {
					t.Errorf("%s: %s %v %v, want the error", kind, got, ok, err)
				}
			}
		})
	}
	a := Aliases{Map: broken{rows, "1"}}
	if _, err := a.Expand("al@x.test"); !errors.Is(err, errBroken) {
		t.Errorf("aliases: %v", err)
	}
}
