//go:build unix

package interp_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// smaller are the lists of commands with one thing less.
func smaller(list []sieve.Command) (out [][]sieve.Command) {
	with := func(i int, put ...sieve.Command) {
		out = append(out, slices.Concat(list[:i], put, list[i+1:]))
	}
	for i, c := range list {
		with(i)
		switch c := c.(type) {
		case sieve.If:
			with(i, c.Then...)
			with(i, c.Else...)
			for j := range c.ElsIf {
				with(i, c.ElsIf[j].Then...)
				d := c
				d.ElsIf = slices.Delete(slices.Clone(c.ElsIf), j, j+1)
				with(i, d)
			}
			if c.Else != nil {
				d := c
				d.Else = nil
				with(i, d)
			}
			for _, then := range smaller(c.Then) {
				d := c
				d.Then = then
				with(i, d)
			}
			for _, t := range smallerTests(c.Test) {
				d := c
				d.Test = t
				with(i, d)
			}
			for _, then := range smaller(c.Else) {
				d := c
				d.Else = then
				with(i, d)
			}
		case sieve.ForEveryPart:
			with(i, c.Block...)
			for _, block := range smaller(c.Block) {
				d := c
				d.Block = block
				with(i, d)
			}
		case sieve.Include:
			if !c.Optional {
				d := c
				d.Optional = true
				with(i, d)
			}
		}
	}
	return out
}

func smallerTests(t sieve.Test) (out []sieve.Test) {
	parts := func(list []sieve.Test, put func([]sieve.Test) sieve.Test) {
		out = append(out, list...)
		for i := range list {
			if len(list) > 1 {
				out = append(out, put(slices.Delete(slices.Clone(list), i, i+1)))
			}
			for _, s := range smallerTests(list[i]) {
				next := slices.Clone(list)
				next[i] = s
				out = append(out, put(next))
			}
		}
	}
	switch t := t.(type) {
	case sieve.Not:
		out = append(out, t.Test)
		for _, s := range smallerTests(t.Test) {
			out = append(out, sieve.Not{Test: s})
		}
	case sieve.AllOf:
		parts(t, func(l []sieve.Test) sieve.Test { return sieve.AllOf(l) })
	case sieve.AnyOf:
		parts(t, func(l []sieve.Test) sieve.Test { return sieve.AnyOf(l) })
	case sieve.True:
	default:
		out = append(out, sieve.True{}, sieve.Not{Test: sieve.True{}})
	}
	return out
}

// smallerSources are the smaller texts of a script; "" is the missing one.
func smallerSources(src string) []string {
	if src == "" {
		return nil
	}
	out := []string{""}
	s, err := sieve.ParseFor("", []byte(src), sieve.AllExtensions|sieve.Pigeonhole24)
	if err != nil {
		return out
	}
	for _, list := range smaller(s.Commands) {
		next := sieve.Script{Commands: list, Extensions: s.Extensions}
		out = append(out, string(next.Format()))
	}
	return out
}

// smallerUsers are users with one thing less.
func smallerUsers(u drawnUser) (out []drawnUser) {
	for i := range len(u.mails) - 1 {
		d := u
		d.mails = slices.Delete(slices.Clone(u.mails), i, i+1)
		out = append(out, d)
	}
	for _, src := range smallerSources(u.before) {
		d := u
		d.before = src
		out = append(out, d)
	}
	for _, src := range smallerSources(u.after) {
		d := u
		d.after = src
		out = append(out, d)
	}
	for _, src := range smallerSources(u.own) {
		d := u
		d.own = src
		out = append(out, d)
	}
	for name, text := range u.personal {
		for _, src := range smallerSources(text) {
			d := u
			d.personal = maps.Clone(u.personal)
			if d.personal[name] = src; src == "" {
				delete(d.personal, name)
			}
			out = append(out, d)
		}
	}
	for i, m := range u.mails {
		e := newEdited(m.Text)
		for j := range e.fields {
			d := u
			d.mails = slices.Clone(u.mails)
			d.mails[i].Text = strings.Join(slices.Delete(slices.Clone(e.fields), j, j+1), "") + e.rest
			out = append(out, d)
		}
		if len(e.rest) > 3 {
			d := u
			d.mails = slices.Clone(u.mails)
			d.mails[i].Text = strings.Join(e.fields, "") + "\nx\n"
			out = append(out, d)
		}
	}
	return out
}

// size is how large a user's scripts and messages are.
func (u drawnUser) size() int {
	n := len(u.before) + len(u.own) + len(u.after)
	for _, s := range u.personal {
		n += len(s)
	}
	for _, m := range u.mails {
		n += len(m.Text)
	}
	return n
}

// shrink returns a smaller world with one user with which the server and the
// package disagree too, and in which.
func shrink(t *testing.T, w *drawnWorld, u drawnUser, mail int) (small *drawnWorld, diff string) {
	t.Helper()
	u.mails = u.mails[:mail+1]
	own := *w
	own.users = []drawnUser{u}
	end := time.Now().Add(12 * time.Second)
	// try returns the first of the users with whom it is so.
	try := func(w *drawnWorld) (found *drawnUser, diff string) {
		runWorld(t, w, func(u drawnUser, i int, text string) bool {
			u.mails = u.mails[:i+1]
			found, diff = &u, text
			return false
		})
		return found, diff
	}
	for time.Now().Before(end) {
		list := smallerUsers(u)
		slices.SortStableFunc(list, func(a, b drawnUser) int { return a.size() - b.size() })
		next := own
		next.users = nil
		for i, d := range list {
			// Other names, the same texts.
			name := fmt.Sprintf("v%d@example.com", i)
			old, _, _ := strings.Cut(d.name, "@")
			rename := func(s string) string { return strings.ReplaceAll(s, old, strings.TrimSuffix(name, "@example.com")) }
			d.mails = slices.Clone(d.mails)
			for j := range d.mails {
				d.mails[j].Text, d.mails[j].To = rename(d.mails[j].Text), rename(d.mails[j].To)
				d.mails[j].User, d.mails[j].From, d.mails[j].Original = name, rename(d.mails[j].From), rename(d.mails[j].Original)
			}
			d.name = name
			next.users = append(next.users, d)
		}
		found, text := try(&next)
		if found == nil {
			break
		}
		u, diff = *found, text
	}
	own.users = []drawnUser{u}
	for i := len(own.settings) - 1; i >= 0; i-- {
		if strings.Contains(own.settings[i], "_period") || strings.Contains(own.settings[i], "test_") ||
			strings.Contains(own.settings[i], "sieve_extensions") ||
			strings.Contains(own.settings[i], "recipient_delimiter") {
			continue // 2.4 doesn't start without some of them; without a delimiter the message is another user's
		}
		next := own
		next.settings = slices.Delete(slices.Clone(own.settings), i, i+1)
		if found, text := try(&next); found != nil {
			own, diff = next, text
		}
	}
	for name := range own.global {
		next := own
		next.global = maps.Clone(own.global)
		delete(next.global, name)
		if found, text := try(&next); found != nil {
			own, diff = next, text
		}
	}
	return &own, diff
}

// String shows a world.
func (w *drawnWorld) String() string {
	var b strings.Builder
	for _, line := range w.settings {
		b.WriteString(line + "\n")
	}
	for name, text := range w.global {
		fmt.Fprintf(&b, "--- global %s\n%s", name, text)
	}
	for _, u := range w.users {
		for name, text := range u.personal {
			fmt.Fprintf(&b, "--- personal %s\n%s", name, text)
		}
		fmt.Fprintf(&b, "--- before\n%s--- own\n%s--- after\n%s", u.before, u.own, u.after)
		for _, m := range u.mails {
			fmt.Fprintf(&b, "--- from %q to %q (%q)\n%s", m.From, m.To, m.Original, m.Text)
		}
	}
	return b.String()
}
