package relay_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/relay"
)

// TestPatternsForEverybody: a rule of a pattern table in transport_maps must be
// limited to somebody's domains.
func TestPatternsForEverybody(t *testing.T) {
	const refused = "refused"
	for _, tt := range []struct{ kind, text, want string }{
		{"regexp", `/./ smtp:x`, refused},
		{"regexp", `/\.(com|net|org)$/ smtp:x`, refused},
		{"regexp", `/\.co\.uk$/ smtp:x`, refused},
		{"regexp", `/@[^.]*\.org$/ smtp:x`, refused},
		{"regexp", `/com$/ smtp:x`, refused},
		{"regexp", `/example\.org$/ smtp:x`, refused}, // another-example.org
		{"regexp", `/@example\.org/ smtp:x`, refused}, // example.org.test
		{"regexp", `/^info@/ smtp:x`, refused},
		{"regexp", `/^\*$/ smtp:x`, refused}, // asked for where there is no other row
		{"regexp", `/^(\*|.*@example\.org)$/ smtp:x`, refused},
		{"regexp", `/@example\.org$|^a/ smtp:x`, refused},
		{"regexp", `!/@example\.org$/ smtp:x`, refused},
		{"regexp", "if !/@example\\.org$/\n/a/ smtp:x\nendif", refused},
		{"pcre", `/@.*$/ smtp:x`, refused},
		{"pcre", `/@(?:example\.org|.*\.de)$/ smtp:x`, refused},
		{"regexp", `/^.*@example\.org$/ smtp:x`, ""},
		{"regexp", `/@(a|b)\.example$/ smtp:x`, ""},
		{"regexp", `/@(.*\.)?example\.org$/ smtp:x`, ""},
		{"regexp", `/\.example\.co\.uk$/ smtp:x`, ""},
		{"regexp", `/@mx[0-9]\.example\.(org|net)$/ smtp:x`, ""},
		{"regexp", `/\.(intern|local)$/ smtp:x`, ""},
		{"regexp", `/@com$/ smtp:x`, ""},
		{"regexp", `/./ :`, ""},
		{"regexp", "if /@example\\.org$/\n/^a/ smtp:x\nendif", ""},
		{"pcre", `/^[\w.+-]+@(?:mail\.)?EXAMPLE\.org$/ smtp:x`, ""},
		{"pcre", "/@b\\xc3\\xbccher\\.test$/ smtp:x", "opaque"}, // an escape that is not followed
	} {
		p := labPolicy(t, "lab.json")
		in := labBase(t)
		in.Postfix["patterns"] = []byte("# one\n" + tt.text + "\n")
		in.Postfix["main.cf"] = append(in.Postfix["main.cf"], "\ntransport_maps = unionmap:{"+tt.kind+":/etc/postfix/patterns}\n"...)
		c, err := tryCompile(t, p, in)
		got := ""
		if err != nil {
			got = refused
			var e *relay.Error
			if errors.As(err, &e); strings.Contains(err.Error(), "\n") || !strings.HasPrefix(e.Path, "patterns:") || !errors.Is(err, relay.ErrConflict) || !strings.Contains(e.Fix, "$") {
				t.Errorf("%s: %v", tt.text, err)
			}
		} else if strings.Contains(fmt.Sprint(c.Warnings()), "can't be evaluated") {
			got = "opaque"
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q: %v", tt.text, got, tt.want, err)
		}
		for i := range p.Tenants {
			p.Tenants[i].Scope = relay.Scope{Use: relay.NoSenders}
		}
		if _, err := tryCompile(t, p, in); err != nil {
			t.Errorf("%s: nobody is in scope: %v", tt.text, err)
		}
	}
}

// TestPipesForEverybody: what several tables make of an address is tried.
func TestPipesForEverybody(t *testing.T) {
	for first, want := range map[string]bool{"/./ everybody": true, "/@example\\.org$/ everybody": false, "/^\\*$/ everybody": true} {
		in := labBase(t)
		in.Postfix["first"], in.Postfix["second"] = []byte(first+"\n"), []byte("/^everybody$/ smtp:x\n")
		in.Postfix["main.cf"] = append(in.Postfix["main.cf"], "\ntransport_maps = pipemap:{regexp:/etc/postfix/first,regexp:/etc/postfix/second}\n"...)
		if _, err := tryCompile(t, labPolicy(t, "lab.json"), in); errors.Is(err, relay.ErrConflict) != want {
			t.Errorf("%s: %v", first, err)
		}
	}
}

// TestSenderPatterns: nor may a rule of the sender map match senders in scope.
func TestSenderPatterns(t *testing.T) {
	p := labPolicy(t, "lab.json") // example.com and example.net are in scope, example.org is not
	for _, tt := range []struct {
		kind, text string
		want       []string
	}{
		{"regexp", "/@example\\.org$/ smtp:x\n/@example\\.com$/ smtp:x\n/^alice@example\\.net$/ smtp:x", []string{"senders:2", "senders:3"}},
		{"regexp", "/@(example\\.org|lists\\.example\\.com)$/ smtp:x\n/\\.example\\.com$/ smtp:x", nil},
		{"regexp", "/./ smtp:x", []string{"senders:1"}},
		{"regexp", "/^alice/ DUNNO", []string{"senders:1"}},
		{"regexp", "if /@example\\.org$/\n/^alice/ smtp:x\nendif", nil},
		{"regexp", "/\\.com$/ smtp:x\n/com$/ smtp:x\n/m$/ smtp:x\n/\\.org$/ smtp:x", []string{"senders:1", "senders:2", "senders:3"}},
		{"pcre", "/^(?:bob|carol)@example\\.(?:net|org)$/ smtp:x", []string{"senders:1"}},
	} {
		in := labBase(t)
		in.Postfix["senders"] = []byte(tt.text + "\n")
		in.Postfix["main.cf"] = append(in.Postfix["main.cf"], "\nsender_dependent_default_transport_maps = "+tt.kind+":/etc/postfix/senders\n"...)
		c, err := tryCompile(t, p, in)
		var list relay.Errors
		errors.As(err, &list)
		var got []string
		for _, e := range list {
			got = append(got, e.Path)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.text, diff)
		}
		if c != nil && len(c.Warnings()) > 0 && strings.Contains(c.Warnings()[0].Text, "whole addresses") {
			t.Errorf("%s: %v", tt.text, c.Warnings())
		}
	}
}
