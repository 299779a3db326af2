package mailfilter_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/sieve/mailfilter"
)

// FuzzDocument: whatever a script is, it is kept as it is; and where our rules
// can be put in, a second time changes nothing and taking them out loses
// nothing that anybody needs.
func FuzzDocument(f *testing.F) {
	g := generator{rand.New(rand.NewPCG(1, 6))}
	for range 20 {
		src, _ := g.script()
		f.Add(src)
	}
	for _, c := range inserted {
		f.Add(c.before)
		f.Add(c.after)
	}
	f.Fuzz(func(t *testing.T, src string) {
		d, err := mailfilter.Parse("", []byte(src))
		if err != nil {
			return
		}
		if got := string(d.Format()); got != src {
			t.Fatalf("%q became %q", src, got)
		}
		d.Lint()
		managed := 0
		for _, r := range d.Rules() {
			if r.Line < 1 {
				t.Fatalf("rule %+v is in no line", r)
			}
			for _, flag := range r.Flags {
				if flag == mailfilter.ManagedFlag {
					managed++
				}
			}
		}
		before := d.Rules()
		rules := []mailfilter.Managed{released("Released"), spam("Spam")}
		if _, err := d.Upsert(rules...); err != nil {
			if got := string(d.Format()); got != src {
				t.Fatalf("an error, and %q became %q", src, got)
			}
			return
		}
		with := string(d.Format())
		if accepted([]byte(src)) == nil && accepted([]byte(with)) != nil {
			t.Fatalf("%v: %q became %q", accepted([]byte(with)), src, with)
		}
		changes, err := d.Upsert(rules...)
		if err != nil || changes[0] != mailfilter.Unchanged || changes[1] != mailfilter.Unchanged || string(d.Format()) != with {
			t.Fatalf("the second time: %v %v: %q became %q", changes, err, with, d.Format())
		}
		d.Findings("gwreleased", "gwspam")
		n, err := d.Remove()
		if err != nil || n < 2 {
			t.Fatalf("%d taken out of %q: %v", n, with, err)
		}
		if managed > 0 {
			return // it had some of ours before, and lost them, too
		}
		if !slices.EqualFunc(d.Rules(), before, func(a, b mailfilter.Rule) bool {
			return a.Text == b.Text && a.ID == b.ID &&
				a.Disabled == b.Disabled
		}) {
			t.Fatalf("the rules of %q are not those of %q", d.Format(), src)
		}
		// Of rules that can't be read it isn't known what they need.
		enabled := strings.ReplaceAll(src, "#<!-->", "")
		if accepted([]byte(src)) == nil && accepted([]byte(enabled)) == nil && string(d.Format()) != src {
			t.Fatalf("%q became %q, with %q between", src, d.Format(), with)
		}
	})
}
