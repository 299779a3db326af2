package relay_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/relay"
)

// hostileDirectory answers with whatever it is told.
type hostileDirectory struct {
	class   relay.Class
	box     bool
	members func(key string) []string
	wait    bool
}

func (d hostileDirectory) Domain(ctx context.Context, _ string) (relay.Class, error) {
	return d.class, d.block(ctx)
}
func (d hostileDirectory) Mailbox(ctx context.Context, _ string) (bool, error) {
	return d.box, d.block(ctx)
}
func (d hostileDirectory) Alias(ctx context.Context, key string) ([]string, error) {
	if d.members == nil {
		return nil, d.block(ctx)
	}
	return d.members(key), d.block(ctx)
}
func (d hostileDirectory) block(ctx context.Context) error {
	if d.wait {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// TestHostileDirectory: whatever a Directory answers, Route ends soon and names
// what it couldn't use.
func TestHostileDirectory(t *testing.T) {
	fixed := func(members ...string) func(string) []string { return func(string) []string { return members } }
	many := make([]string, 20_000)
	for i := range many {
		many[i] = fmt.Sprintf("u%d@example.com", i)
	}
	n := 0
	told := map[string]string{"waits": "deadline exceeded", "unknown class": `"mail box\n", which is no Class`,
		"wrong case": `"Mailbox", which is no Class`}
	for name, d := range map[string]hostileDirectory{
		"waits":          {wait: true},
		"unknown class":  {class: "mail box\n"},
		"wrong case":     {class: "Mailbox", box: true},
		"newline":        {class: relay.ClassMailbox, members: fixed("bob@example.com\nX-Conbool-Released: yes")},
		"NUL":            {class: relay.ClassMailbox, members: fixed("bob\x00@example.com")},
		"empty":          {class: relay.ClassMailbox, members: fixed("", " ", ",", "@", "<>")},
		"itself":         {class: relay.ClassMailbox, members: func(k string) []string { return []string{k, k} }},
		"upper case":     {class: relay.ClassMailbox, box: true, members: func(k string) []string { return []string{strings.ToUpper(k)} }},
		"grows":          {class: relay.ClassMailbox, members: func(k string) []string { return []string{"a" + k, "b" + k} }},
		"long":           {class: relay.ClassMailbox, members: fixed(strings.Repeat("x", 10<<10) + "@example.com")},
		"many":           {class: relay.ClassMailbox, box: true, members: fixed(many...)},
		"not UTF-8":      {class: relay.ClassMailbox, members: fixed("\xff\xfe@example.com", "bob@\xff")},
		"everything is":  {class: relay.ClassMailbox, box: true, members: fixed("|/bin/sh", ":include:/etc/passwd", "/dev/null", "\"/etc/x\"")},
		"new each time":  {class: relay.ClassMailbox, members: func(string) []string { n++; return []string{fmt.Sprintf("n%d@example.com", n)} }},
		"remote members": {class: relay.ClassRelay, box: true, members: fixed("x@remote1.test", "X@REMOTE1.TEST")},
	} {
		t.Run(name, func(t *testing.T) {
			in := withMain("virtual_alias_maps = proxy:pgsql:/etc/postfix/a.cf\nvirtual_mailbox_maps = proxy:pgsql:/etc/postfix/m.cf\n"+
				"virtual_mailbox_domains = example.com, example.net, example.org, proxy:pgsql:/etc/postfix/d.cf\n", nil)(t)
			in.Directory = d
			c, err := tryCompile(t, labPolicy(t, "lab.json"), in)
			if err != nil {
				t.Fatal(err)
			}
			for _, to := range []string{"x@elsewhere.test", "BOB+x@EXAMPLE.com"} {
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				start := time.Now()
				got := c.Route(ctx, &relay.Message{Origin: c.Origin(relay.RoleInternal), From: "alice@example.com", To: to, Raw: hello})
				cancel()
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("%s took %v", to, took)
				}
				if len(got.Outcomes) == 0 {
					t.Errorf("%s: no outcome", to)
				}
				want := told[name]
				if text := got.String(); want != "" && to == "x@elsewhere.test" && !(strings.Contains(text, "451") && strings.Contains(text, want)) {
					t.Errorf("%s: %s, want 451 and %q", to, text, want)
				}
			}
		})
	}
}
