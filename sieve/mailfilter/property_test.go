package mailfilter_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/mailfilter"
)

// seed is of the generated scripts.
var seed = servertest.Seed

// runs is how many generated scripts go through OX; of the other properties
// fewer.
func runs(tb testing.TB) int {
	tb.Helper()
	return servertest.Scaled(tb, 1000)
}

// released and spam are rules as a gateway needs them.
func released(name string) mailfilter.Managed {
	return mailfilter.Managed{Flag: "gwreleased", Name: name, Command: sieve.If{
		Test: sieve.Header{Names: []string{"X-Gateway-Released"}, Match: sieve.Is, Keys: []string{"yes"}},
		Then: []sieve.Command{sieve.FileInto{Mailbox: "INBOX"}, sieve.Stop{}},
	}}
}

func spam(folder string) mailfilter.Managed {
	return mailfilter.Managed{Flag: "gwspam", Name: "Spam of the gateway", Command: sieve.If{
		Test: sieve.Header{Names: []string{"X-Gateway-Flag"}, Match: sieve.Is, Keys: []string{"YES"}},
		Then: []sieve.Command{sieve.AddFlag{Flags: []string{"$Junk"}}, sieve.FileInto{Mailbox: folder}, sieve.Stop{}},
	}}
}

func parse(t *testing.T, src string) *mailfilter.Document {
	t.Helper()
	d, err := mailfilter.Parse("script", []byte(src))
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	return d
}

func upsert(t *testing.T, d *mailfilter.Document, rules ...mailfilter.Managed) []mailfilter.Change {
	t.Helper()
	changes, err := d.Upsert(rules...)
	if err != nil {
		t.Fatalf("%v\n%s", err, d.Format())
	}
	return changes
}

// accepted reports whether the script is one that a server takes.
func accepted(src []byte) error {
	_, err := sieve.Parse("", src)
	return err
}

// TestRoundTrip: what is inserted runs where the script ran before, a second
// time changes nothing, and taking it out gives back every byte.
func TestRoundTrip(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(*seed, 1))}
	for range runs(t) / 4 {
		src, _ := g.script()
		d := parse(t, src)
		if got := string(d.Format()); got != src {
			t.Fatal(cmp.Diff(src, got))
		}
		rules := []mailfilter.Managed{released("Released"), spam("Spam")}
		if g.IntN(4) == 0 {
			slices.Reverse(rules)
		}
		if got := upsert(t, d, rules...); !slices.Equal(got, []mailfilter.Change{mailfilter.Inserted, mailfilter.Inserted}) {
			t.Fatalf("changes are %v", got)
		}
		with := string(d.Format())
		if accepted([]byte(src)) == nil {
			if err := accepted([]byte(with)); err != nil {
				t.Fatalf("%v\nbefore:\n%s\nafter:\n%s", err, src, with)
			}
		}
		if rest := without(src, with); rest != "" {
			t.Fatalf("%s\nbefore:\n%s\nafter:\n%s", rest, src, with)
		}
		if got := upsert(t, d, rules...); !slices.Equal(got, []mailfilter.Change{mailfilter.Unchanged, mailfilter.Unchanged}) ||
			string(d.Format()) != with {
			t.Fatalf("the second time: %v\n%s", got, cmp.Diff(with, string(d.Format())))
		}
		if f := d.Findings(rules[0].Flag, rules[1].Flag); len(f) > 0 {
			t.Fatalf("findings %v in\n%s", f, with)
		}
		if g.IntN(2) == 0 {
			for _, i := range g.Perm(2) {
				if n, err := d.Remove(rules[i].Flag); n != 1 || err != nil {
					t.Fatal(n, err)
				}
			}
		} else if n, err := d.Remove(); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		if got := string(d.Format()); got != src {
			t.Fatalf("not the bytes from before:\n%s\nwith:\n%s", cmp.Diff(src, got), with)
		}
	}
}

// without says which line of before is not in after any more, the require
// command aside.
func without(before, after string) string {
	at := 0
	for line := range strings.Lines(before) {
		line = strings.TrimRight(line, "\r\n")
		if strings.Contains(line, "require") {
			if i := strings.LastIndex(line, "];"); i >= 0 {
				line = line[i+2:]
			} else if i := strings.LastIndex(line, "\";"); i >= 0 {
				line = line[i+2:]
			} else {
				continue
			}
		}
		if strings.HasPrefix(line, "    \"") {
			continue // of a require command of several lines
		}
		i := strings.Index(after[at:], line)
		if i < 0 {
			return "lost: " + line
		}
		at += i + len(line)
	}
	return ""
}

// generations are the two that the model knows.
var generations = []mailfilter.Generation{mailfilter.OlderOX, mailfilter.OX8}

// keeps reports whether OX reads and keeps a script, broken rules aside.
func keeps(t *testing.T, src string, gen mailfilter.Generation) bool {
	t.Helper()
	problems, err := mailfilter.Lint("", []byte(src), gen)
	if err != nil {
		t.Fatal(err)
	}
	return !slices.ContainsFunc(problems, func(p mailfilter.Problem) bool { return p.Effect > mailfilter.Broken && p.Construct != "require" })
}

// reread reads a script as OX does.
func reread(t *testing.T, src string, gen mailfilter.Generation) *ox {
	t.Helper()
	o, err := readOX(src, gen)
	if err != nil {
		t.Fatalf("generation %q: %v\n%s", gen, err, src)
	}
	return o
}

// TestThroughOX: a user edits a script with our rules in it again and again,
// and OX writes it anew each time; our rules stay, are known, and can be taken
// out.
func TestThroughOX(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(*seed, 2))}
	through := 0
	for i := range runs(t) / 2 {
		src, _ := g.script()
		gen := generations[i%2]
		if !keeps(t, src, gen) {
			continue
		}
		through++
		d := parse(t, src)
		d.OX = gen
		rules := []mailfilter.Managed{released("Released"), spam("Spam")}
		upsert(t, d, rules...)
		before := reread(t, src, gen)
		text := string(d.Format())
		moved, off := false, false
		names := map[string]string{}
		for range 1 + g.IntN(3) {
			o := reread(t, text, gen)
			if got, want := len(o.rules), len(before.rules)+2; got != want {
				t.Fatalf("OX has %d rules, not %d:\n%s", got, want, text)
			}
			switch g.IntN(5) {
			case 0:
				if slices.ContainsFunc(o.rules, func(r oxRule) bool { return strings.HasPrefix(r.text, "els") }) {
					break // it must stay behind its if
				}
				g.Shuffle(len(o.rules), func(i, j int) { o.rules[i], o.rules[j] = o.rules[j], o.rules[i] })
				moved = true
			case 1:
				for i := range o.rules {
					if slices.Contains(o.rules[i].flags, "gwspam") {
						o.rules[i].disabled = !o.rules[i].disabled
						off = o.rules[i].disabled
					}
				}
			case 2:
				for i := range o.rules {
					if slices.Contains(o.rules[i].flags, "gwreleased") {
						o.rules[i].name = "renamed by the user"
						names["gwreleased"] = o.rules[i].name
					}
				}
			}
			text = o.write(g.Rand)
		}
		d = parse(t, text)
		d.OX = gen
		ids := map[int]bool{}
		for _, r := range d.Rules() {
			if strings.HasPrefix(r.Text, "if") && strings.Contains(r.Text, "\nels") {
				continue // OX has two of it, and two ids
			}
			if r.ID < 0 || ids[r.ID] {
				t.Fatalf("id %d of rule %q is not one of its own in\n%s", r.ID, r.Name, text)
			}
			ids[r.ID] = true
		}
		if got := upsert(t, d, rules...); !slices.Equal(got, []mailfilter.Change{mailfilter.Unchanged, mailfilter.Unchanged}) ||
			string(d.Format()) != text {
			t.Fatalf("after OX: %v\n%s", got, cmp.Diff(text, string(d.Format())))
		}
		for flag, name := range names {
			if got := d.Rules()[d.Find(flag)].Name; got != name {
				t.Fatalf("rule %s is called %q, not %q", flag, got, name)
			}
		}
		if got := d.Rules()[d.Find("gwspam")].Disabled; got != off {
			t.Fatalf("disabled is %v, not %v:\n%s", got, off, text)
		}
		rules[1].Enable = true
		changes := upsert(t, d, rules...)
		if want := map[bool]mailfilter.Change{true: mailfilter.Enabled, false: mailfilter.Unchanged}[off]; changes[1] != want {
			t.Fatalf("%v, not %v:\n%s", changes[1], want, text)
		}
		if err := accepted(d.Format()); err != nil && accepted([]byte(src)) == nil {
			t.Fatalf("%v\n%s", err, d.Format())
		}
		rules[1] = spam("Junk")
		if got := upsert(t, d, rules...); !slices.Equal(got, []mailfilter.Change{mailfilter.Unchanged, mailfilter.Updated}) {
			t.Fatalf("another folder: %v\n%s", got, d.Format())
		}
		if n, err := d.Remove(); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		after := reread(t, string(d.Format()), gen)
		if got, want := texts(after, moved), texts(before, moved); !reflect.DeepEqual(got, want) {
			t.Fatalf("generation %q: the user's rules are not what they were:\n%s\nbefore:\n%s\nwith:\n%s", gen, cmp.Diff(want, got), src, text)
		}
		for _, x := range after.requires {
			if !slices.Contains(before.requires, x) {
				t.Fatalf("extension %q is left over:\n%s", x, d.Format())
			}
		}
		if accepted([]byte(src)) == nil {
			if err := accepted(d.Format()); err != nil {
				t.Fatalf("%v\n%s", err, d.Format())
			}
		}
	}
	if through < runs(t)/6 {
		t.Errorf("only %d of %d scripts went through OX", through, runs(t)/2)
	}
}

// texts are the rules in OX's layout, sorted where the user moved them.
func texts(o *ox, sorted bool) []string {
	var out []string
	for _, r := range o.rules {
		text := r.text
		if !r.broken {
			text = oxPrint(r.node, "")
		}
		out = append(out, strings.Join(strings.Fields(text), " "))
	}
	if sorted {
		slices.Sort(out)
	}
	return out
}

// TestMove: moving a rule and moving it back gives back every byte.
func TestMove(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(*seed, 3))}
	moves := 0
	for range runs(t) / 4 {
		src, _ := g.script()
		d := parse(t, src)
		rules := d.Rules()
		if len(rules) < 2 {
			continue
		}
		from, to := g.IntN(len(rules)), g.IntN(len(rules))
		if err := d.Move(from, to); err != nil {
			if string(d.Format()) != src {
				t.Fatal("an error, and the script is another")
			}
			continue
		}
		moves++
		want := slices.Clone(rules)
		r := want[from]
		want = slices.Insert(slices.Delete(want, from, from+1), to, r)
		got := d.Rules()
		for i := range got {
			if got[i].Text != want[i].Text || got[i].ID != want[i].ID {
				t.Fatalf("%d to %d: rule %d is %q, not %q in\n%s\nbefore:\n%s", from, to, i, got[i].Text, want[i].Text, d.Format(), src)
			}
		}
		if err := d.Move(to, from); err != nil {
			t.Fatalf("%v\n%s", err, d.Format())
		}
		if got := string(d.Format()); got != src {
			t.Fatalf("%d to %d and back:\n%s", from, to, cmp.Diff(src, got))
		}
	}
	if moves < runs(t)/16 {
		t.Errorf("only %d of %d moves were possible", moves, runs(t)/4)
	}
}
