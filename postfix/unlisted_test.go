package postfix

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// unlisted takes the owner's part out of a file without the lists of its blocks.
func unlisted(file, text string) (string, []Leftover, error) {
	if file == "main.cf" {
		m, err := ParseMain(file, []byte(text))
		if err != nil {
			return "", nil, err
		}
		left, err := m.Extract(owner)
		return string(m.Format()), left, err
	}
	m, err := ParseMaster(file, []byte(text))
	if err != nil {
		return "", nil, err
	}
	left, err := m.Extract(owner)
	return string(m.Format()), left, err
}

// mutilate edits a file anywhere: lines come, go, are changed, change places.
func mutilate(r *rand.Rand, lines []string, line func(*rand.Rand, int) string) []string {
	lines = slices.Clone(lines)
	for n := range 1 + r.IntN(4) {
		at := r.IntN(len(lines))
		switch r.IntN(6) {
		case 0, 1:
			lines = slices.Insert(lines, at, split(numbered("mine%d = 1\n", 100*n+r.IntN(100)))...)
		case 2:
			lines = slices.Insert(lines, at, split(line(r, 50+n))...)
		case 3:
			lines = slices.Delete(lines, at, at+1)
		case 4:
			i := r.IntN(len(lines[at]))
			lines[at] = strings.ReplaceAll(lines[at][:i]+"z"+lines[at][i:], "\n", "") + "\n"
		default:
			to := r.IntN(len(lines))
			lines[at], lines[to] = lines[to], lines[at]
		}
		for i := range lines {
			lines[i] = strings.TrimSuffix(lines[i], "\n") + "\n"
		}
	}
	return lines
}

// TestUnlisted: without the lists, an untouched block goes, and of a file edited
// in whatever way nothing goes but untouched blocks and marks.
func TestUnlisted(t *testing.T) {
	t.Parallel()
	for _, f := range edited {
		set, err := f.set(f.base)
		if err != nil {
			t.Fatal(err)
		}
		if got, left, err := unlisted(f.name, set); got != f.base || len(left) > 0 || err != nil {
			t.Errorf("%s, untouched: %v, left %v\n%s", f.name, err, left, got)
		}
		var bodies []string // of the blocks
		lines := split(set)
		for i, k := range blockLines(lines) {
			switch k {
			case 1:
				bodies = append(bodies, "")
			case 2:
				bodies[len(bodies)-1] += lines[i]
			}
		}
		gone, stayed := 0, 0
		for seed := range uint64(servertest.Scaled(t, 600)) {
			r := rand.New(rand.NewPCG(seed, 31))
			text := strings.Join(mutilate(r, lines, f.line), "")
			got, left, err := unlisted(f.name, text)
			if err != nil {
				continue // the file can't be read
			}
			// What may be gone: each block that is there as it was, once for each time.
			rest := text
			for _, b := range bodies {
				rest = strings.ReplaceAll(rest, b, "")
			}
			have := map[string]int{}
			for _, l := range split(got) {
				have[bare(l)]++
			}
			reported := ""
			for _, l := range left {
				reported += l.Text + "\n"
			}
			for _, l := range split(rest) {
				switch {
				case bare(l) == "", strings.Contains(l, "BEGIN"), strings.Contains(l, "END"), isPiece(l):
				case have[bare(l)] > 0:
					have[bare(l)]--
				default:
					t.Fatalf("%s, seed %d: %q is gone\n%s\nfrom\n%s", f.name, seed, l, got, text)
				}
			}
			for _, b := range bodies {
				if strings.Contains(got, b) {
					stayed++
				} else if strings.Contains(text, b) {
					gone++
				}
			}
		}
		if gone < 100 {
			t.Errorf("%s: %d blocks went, %d stayed", f.name, gone, stayed)
		}
	}
}

// bare is a line without what removal puts before it or takes off.
func bare(line string) string {
	line = strings.TrimSpace(line)
	for _, p := range []string{"#oxmailroute#", "#"} {
		line = strings.TrimSpace(strings.TrimPrefix(line, p))
	}
	return line
}

// isPiece reports whether a line is what an edit left of a mark.
func isPiece(line string) bool {
	return strings.Contains(line, "managed block") || strings.Contains(line, "# ") && strings.Contains(line, "oxmailroute [")
}

// TestUnlistedSet: over an edited block Set and Remove fail without the list, and
// what they say to do works: the list again, or the block taken out by hand.
func TestUnlistedSet(t *testing.T) {
	const mine = "mine = 1\n"
	set, err := setMain(edited[0].base)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(set, "# END", mine+"# END", 1)
	m, err := ParseMain("main.cf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"set": m.Set(owner, someParams), "remove": m.Remove(owner)} {
		if !errors.Is(err, ErrDamaged) || !strings.Contains(fmt.Sprint(err), `delete the lines from "# BEGIN oxmailroute"`) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if string(m.Format()) != text {
		t.Errorf("changed to\n%s", m.Format())
	}
	m.KnowSeals("# a comment", "torn", "AAAA BBBB")
	m.KnowSeals(kept()...)
	if err := m.Set(owner, someParams); err != nil {
		t.Error(err)
	}
	if !strings.Contains(string(m.Format()), mine) || strings.Count(string(m.Format()), "# BEGIN") != 1 {
		t.Errorf("with the list:\n%s", m.Format())
	}

	begin, end := strings.Index(text, "# BEGIN"), strings.Index(text, "# END")
	byHand := strings.ReplaceAll(text[:begin], "#oxmailroute# ", "") + mine + text[end+strings.Index(text[end:], "\n")+1:]
	if m, err = ParseMain("main.cf", []byte(byHand)); err != nil {
		t.Fatal(err)
	}
	if err := m.Set(owner, someParams); err != nil {
		t.Error(err)
	}
	if err := m.Remove(owner); err != nil || string(m.Format()) != edited[0].base+mine {
		t.Errorf("by hand: %v\n%s", err, m.Format())
	}
}

// TestUnlistedAsides: whether a line was changed while it was out of use is known
// without the list, which one isn't.
func TestUnlistedAsides(t *testing.T) {
	set, err := setMain(edited[0].base)
	if err != nil {
		t.Fatal(err)
	}
	n := strings.Count(set, "\n#oxmailroute# ")
	got, left, err := unlisted("main.cf", strings.Replace(set, "#oxmailroute# relayhost = [x]", "#oxmailroute# relayhost = [z]", 1))
	if err != nil || len(left) != n || got != strings.Replace(edited[0].base, "= [x]", "= [z]", 1) {
		t.Errorf("%v: left %v of %d\n%s", err, left, n, got)
	}
	for _, l := range left {
		if !strings.Contains(l.Why, "may have been changed") {
			t.Errorf("%+v", l)
		}
	}
}
