package relay_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay"
)

const sealsFile = "conbool_seals"

// worlds are what the golden files are compiled from.
func worlds(t *testing.T) map[string]relay.Installation {
	_, two := pair(t)
	return map[string]relay.Installation{
		"mailboxes": labBase(t), "one-tenant-in-a-store": withoutOrg(t), "shared": labBase(t),
		"two-gateways": two, "postfix-3.10-dovecot-2.4": labBase(t),
	}
}

// TestFormerBlocks: blocks as commits before the short seals wrote them are
// removed, untouched and edited, and written anew by Compile.
func TestFormerBlocks(t *testing.T) {
	for _, commit := range []string{"8fe4b26", "98c1527"} {
		a, err := txtar.ParseFile(filepath.Join("testdata", "blocks", commit+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(a.Files[0].Data, []byte(" [")) || len(a.Files) != 12 {
			t.Fatalf("%s: %d files", commit, len(a.Files))
		}
		for name, before := range worlds(t) {
			t.Run(commit+"/"+name, func(t *testing.T) {
				after := result(before, nil, nil)
				for _, f := range a.Files {
					if base, ok := strings.CutPrefix(f.Name, name+"/"); ok {
						after.Files[inPostfix(after, base)] = f.Data
					}
				}
				r, err := relay.Remove("conbool", after)
				if err != nil || len(r.Left) > 0 {
					t.Fatal(err, r.Left)
				}
				if diff := cmp.Diff(filesOf(before), filesOf(result(after, r.Files, r.Obsolete))); diff != "" {
					t.Errorf("(-before +removed):\n%s", diff)
				}
				// What was written into a block stays, and is named.
				main, master := inPostfix(after, "main.cf"), inPostfix(after, "master.cf")
				after.Files[main] = bytes.Replace(after.Files[main], []byte("# END "), []byte("mine = 1\n# END "), 1)
				after.Files[master] = bytes.Replace(after.Files[master], []byte("\n# END "), []byte("\n  -o mine=1\n# END "), 1)
				if r, err = relay.Remove("conbool", after); err != nil || len(r.Left) != 2 {
					t.Fatal(err, r.Left)
				}
				for _, f := range r.Files {
					is := string(f.Data)
					if !strings.Contains(is, "mine") || strings.Contains(is, "conbool") {
						t.Errorf("%s", is)
					}
				}
			})
		}
	}
	// Over the blocks of old, Compile writes what it writes over none.
	for _, commit := range []string{"8fe4b26", "98c1527"} {
		a, err := txtar.ParseFile(filepath.Join("testdata", "blocks", commit+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		before := labBase(t)
		after := result(before, nil, nil)
		for _, f := range a.Files {
			if base, ok := strings.CutPrefix(f.Name, "mailboxes/"); ok {
				after.Files[inPostfix(after, base)] = f.Data
			}
		}
		p := labPolicy(t, "lab.json")
		after.PostfixVersion, after.DovecotVersion, after.Doveconf = before.PostfixVersion, before.DovecotVersion, before.Doveconf
		if diff := cmp.Diff(compile(t, p, before).Files(), compile(t, p, after).Files()); diff != "" {
			t.Errorf("%s, compiled again (-over none +over old):\n%s", commit, diff)
		}
	}
}

func filesOf(in relay.Installation) map[string]string {
	out := map[string]string{}
	for name, data := range configured(in) {
		out[name] = string(data)
	}
	return out
}

// TestShortSeals: no mark has more than twelve characters of the block, and what
// they stand for is in a file that is removed with the tables.
func TestShortSeals(t *testing.T) {
	before := withMain("smtpd_relay_restrictions = permit_mynetworks,\n  reject\n", nil)(t)
	c := compile(t, labPolicy(t, "lab.json"), before)
	after := result(before, c.Files(), nil)
	mark := regexp.MustCompile(`(?m)^# (?:BEGIN|END) .*\[(.*)\]`)
	n := 0
	for _, name := range []string{"main.cf", "master.cf"} {
		for _, m := range mark.FindAllSubmatch(after.Files[inPostfix(after, name)], -1) {
			n++
			if len(m[1]) > 12 || !bytes.Contains(after.Files[inPostfix(after, sealsFile)], append([]byte("\n"), append(m[1], ' ')...)) {
				t.Errorf("%s: %q, or no list of it", name, m[0])
			}
		}
	}
	if n < 4 {
		t.Errorf("%d marks", n)
	}
	r, err := relay.Remove("conbool", after)
	if err != nil || len(r.Left) > 0 || !slices.Contains(r.Obsolete, "postfix/"+sealsFile) {
		t.Errorf("%v: left %v, obsolete %v", err, r.Left, r.Obsolete)
	}
	// The list stays with a block that does.
	damaged := result(after, nil, nil)
	main := inPostfix(damaged, "main.cf")
	damaged.Files[main] = regexp.MustCompile(`(?m)^# BEGIN .*\n.*\n`).ReplaceAll(damaged.Files[main], []byte("mine = 1\n"))
	r, err = relay.Remove("conbool", damaged)
	if err != nil || slices.Contains(r.Obsolete, "postfix/"+sealsFile) ||
		!slices.ContainsFunc(r.Left, func(l relay.Left) bool { return l.File == "postfix/"+sealsFile && l.Fix != "" }) {
		t.Errorf("damaged: %v: left %v, obsolete %v", err, r.Left, r.Obsolete)
	}
}

// lists are states of the file with the lists in which nothing tells an edited
// block's lines apart.
func lists(t *testing.T, before relay.Installation, data []byte) map[string][]byte {
	other := labPolicy(t, "lab.json")
	other.Direct = []string{"remote1.test"}
	var older []byte
	for _, f := range compile(t, other, before).Files() {
		if f.Name == "postfix/"+sealsFile {
			older = f.Data
		}
	}
	if len(older) == 0 || bytes.Equal(older, data) {
		t.Fatalf("the older list is %q", older)
	}
	return map[string][]byte{"none": nil, "edited": append(bytes.Clone(data), "# mine\n"...), "torn": data[:len(data)/2], "older": older}
}

// TestSealsLost: without the list, or with an older one, an untouched block is
// taken out, an edited one stays as it is and all of it is named; Compile over it
// fails and says what leads on.
func TestSealsLost(t *testing.T) {
	before := withMain("smtpd_relay_restrictions = permit_mynetworks,\n  reject\n", nil)(t)
	p := labPolicy(t, "lab.json")
	set := result(before, compile(t, p, before).Files(), nil)
	for name, list := range lists(t, before, set.Files[inPostfix(set, sealsFile)]) {
		after := result(set, nil, nil)
		after.PostfixVersion, after.DovecotVersion, after.Doveconf = before.PostfixVersion, before.DovecotVersion, before.Doveconf
		if after.Files[inPostfix(after, sealsFile)] = list; list == nil {
			delete(after.Files, inPostfix(after, sealsFile))
		}
		r, err := relay.Remove("conbool", after)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Files {
			if base := strings.TrimPrefix(f.Name, "postfix/"); !bytes.Equal(f.Data, before.Files[inPostfix(before, base)]) {
				t.Errorf("%s: %s isn't as it was: %v", name, base, r.Left)
			}
		}
		if slices.ContainsFunc(r.Left, func(l relay.Left) bool { return !strings.HasSuffix(l.File, sealsFile) }) {
			t.Errorf("%s: left %v", name, r.Left)
		}
		compile(t, p, after)

		for seed := range uint64(20) {
			text := string(set.Files[inPostfix(set, "main.cf")])
			edited := editInside(rand.New(rand.NewPCG(seed, 12)), text)
			if edited == text {
				t.Fatal("no edit")
			}
			after.Files[inPostfix(after, "main.cf")] = []byte(edited)
			if name == "older" && seed > 3 {
				continue
			}
			r, err := relay.Remove("conbool", after)
			if err != nil {
				t.Fatal(err)
			}
			is := ""
			for _, f := range r.Files {
				if f.Name == "postfix/main.cf" {
					is = string(f.Data)
				}
			}
			block := edited[strings.Index(edited, "# BEGIN oxmail"):]
			if !strings.HasSuffix(is, block) {
				t.Fatalf("%s, seed %d: the block is not as it was:\n%s", name, seed, cmp.Diff(block, is))
			}
			named := ""
			for _, l := range r.Left {
				named += l.Text + "\n"
			}
			for line := range strings.Lines(block) {
				if strings.TrimSpace(line) != "" && !strings.Contains(named, strings.TrimRight(line, " \t\n")) {
					t.Errorf("%s, seed %d: %q isn't named", name, seed, line)
				}
			}
			if regexp.MustCompile(`conbool_scope\b`).MatchString(block) && slices.Contains(r.Obsolete, "postfix/conbool_scope") {
				t.Errorf("%s, seed %d: a table goes that the block names", name, seed)
			}
			// Compile fails, and what it says to do leads on.
			_, err = tryCompile(t, p, after)
			var all relay.Errors
			if !errors.As(err, &all) || !errors.Is(err, postfix.ErrDamaged) || all[0].Fix == "" {
				t.Fatalf("%s, seed %d: %v", name, seed, err)
			}
			mended := result(after, nil, nil)
			mended.PostfixVersion, mended.DovecotVersion, mended.Doveconf = before.PostfixVersion, before.DovecotVersion, before.Doveconf
			mended.Files[inPostfix(mended, "main.cf")] = []byte(strings.ReplaceAll(
				regexp.MustCompile(`(?s)# BEGIN oxmail.*# END [^\n]*\n`).ReplaceAllString(edited, "mine = 1\n"), "#oxmailroute-conbool# ", ""))
			compile(t, p, mended)
		}
	}
}

// editInside edits a line of a block, puts one in or takes one out.
func editInside(r *rand.Rand, text string) string {
	lines := strings.SplitAfter(text, "\n")
	begin := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "# BEGIN oxmail") })
	end := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "# END oxmail") })
	at := begin + 1 + r.IntN(end-begin-1)
	switch r.IntN(3) {
	case 0:
		lines = slices.Insert(lines, at, fmt.Sprintf("mine%d = 1\n", r.IntN(9)))
	case 1:
		lines[at] = strings.TrimSuffix(lines[at], "\n") + "x\n"
	default:
		lines = slices.Delete(lines, at, at+1)
	}
	return strings.Join(lines, "")
}

// TestSealsHalf: of a run over an earlier one, some files are in place and some
// aren't, as when they are copied one by one: a removal takes out what is as it was
// written, and brings the rest back as it stood.
func TestSealsHalf(t *testing.T) {
	before := withMain("smtpd_relay_restrictions = permit_mynetworks,\n  reject\n", nil)(t)
	p := labPolicy(t, "lab.json")
	old := result(before, compile(t, p, before).Files(), nil)
	p.Direct = []string{"remote1.test"}
	p.Spam.Mark = true
	now := result(before, compile(t, p, before).Files(), nil)
	names := []string{"main.cf", "master.cf", sealsFile}
	for bits := range 8 {
		after := result(old, nil, nil)
		for i, name := range names {
			if bits>>i&1 == 1 {
				after.Files[inPostfix(after, name)] = now.Files[inPostfix(now, name)]
			}
		}
		r, err := relay.Remove("conbool", after)
		if err != nil || len(r.Left) > 0 {
			t.Fatalf("%03b: %v: left %v", bits, err, r.Left)
		}
		for _, f := range r.Files {
			if base := strings.TrimPrefix(f.Name, "postfix/"); !bytes.Equal(f.Data, before.Files[inPostfix(before, base)]) {
				t.Errorf("%03b: %s isn't as it was", bits, base)
			}
		}
	}
}
