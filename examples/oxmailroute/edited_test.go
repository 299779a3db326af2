package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// addLine adds a line to each of the files.
func addLine(t *testing.T, dir, line string, names ...string) {
	t.Helper()
	for _, name := range names {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteString(line + "\n")
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// wholeOnes are the files that are ours alone, one of each kind.
var wholeOnes = []string{
	"dovecot/99-conbool.conf", "nftables/conbool.nft", "postfix/conbool_clients.cidr", "postfix/conbool_scope",
	"sieve/before/10-conbool.sieve",
}

// TestRemoveKeepsEdited: remove leaves what somebody edited and says where, why, what it
// is, and how to clean up.
func TestRemoveKeepsEdited(t *testing.T) {
	policy := policyWith(t, `"Sieve": {"Slot": 1}`, `"Sieve": {"Slot": 1}, "Firewall": {"Ports": [25]}`)
	dir := t.TempDir()
	if status, _, errs := call("", "write", "-policy", policy, "-base", "testdata/base", "-out", dir); status != 0 {
		t.Fatalf("write: %d: %s", status, errs)
	}
	addLine(t, dir, "# by hand", wholeOnes...)
	main := filepath.Join(dir, "postfix/main.cf")
	text, err := os.ReadFile(main)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(main, []byte(strings.Replace(string(text), "# END oxmailroute-conbool",
		"by_hand = 1,\n  2\n# END oxmailroute-conbool", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	first := read(t, dir)
	line := 1 + strings.Count(first["postfix/main.cf"][:strings.Index(first["postfix/main.cf"], "by_hand")], "\n")

	status, _, errs := call("", "remove", "-policy", policy, "-base", filepath.Join(dir, "postfix"), "-out", dir)
	if status != 0 {
		t.Fatalf("remove: %d: %s", status, errs)
	}
	const clean = "\tto clean up: compare it with what the policy emits, keep elsewhere what you need of it, then delete it\n"
	want := "left: dovecot/99-conbool.conf: was edited by hand; Dovecot reads it as long as it lies in conf.d\n" + clean +
		"left: nftables/conbool.nft: was edited by hand; nft loads it as long as it is included\n" + clean +
		"left: postfix/conbool_clients.cidr: was edited by hand\n" + clean +
		"left: postfix/conbool_scope: was edited by hand\n" + clean +
		"left: postfix/main.cf:" + strconv.Itoa(line) + ": was added within the block of oxmailroute-conbool; it stays\n" +
		"\t| by_hand = 1,\n\t|   2\n\tto clean up: keep the line if it is yours, else delete it\n" +
		"left: sieve/before/10-conbool.sieve: was edited by hand\n" + clean
	if diff := cmp.Diff(want, errs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	after := read(t, dir)
	var names []string
	for name, text := range after {
		if strings.Contains(name, "conbool") {
			names = append(names, name)
			if text != first[name] {
				t.Errorf("%s: %s", name, text)
			}
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff(wholeOnes, names); diff != "" {
		t.Errorf("there (-want +got):\n%s", diff)
	}
	if !strings.Contains(after["postfix/main.cf"], "by_hand = 1,\n  2\n") {
		t.Errorf("main.cf:\n%s", after["postfix/main.cf"])
	}
}

// TestWriteKeepsEdited: a second write keeps what somebody edited under another name,
// with base and output in one directory or two; and remove names that.
func TestWriteKeepsEdited(t *testing.T) {
	policy := policyWith(t, `"Sieve": {"Slot": 1}`, `"Sieve": {"Slot": 1}, "Firewall": {"Ports": [25]}`)
	dir := t.TempDir()
	write := func(base string) (int, string) {
		t.Helper()
		status, _, errs := call("", "write", "-policy", policy, "-base", base, "-out", dir)
		return status, errs
	}
	if status, errs := write("testdata/base"); status != 0 {
		t.Fatalf("write: %d: %s", status, errs)
	}
	first := read(t, dir)
	addLine(t, dir, "# by hand", wholeOnes...)
	edited := read(t, dir)

	// From the base of old, the tables of the output are not seen: nothing is written.
	if status, errs := write("testdata/base"); status != 2 || !strings.Contains(errs, "postfix/conbool_scope: was edited by hand") {
		t.Errorf("write from another base: %d: %s", status, errs)
	}
	if diff := cmp.Diff(edited, read(t, dir)); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}

	status, errs := write(filepath.Join(dir, "postfix"))
	if status != 0 {
		t.Fatalf("write: %d: %s", status, errs)
	}
	got := read(t, dir)
	kept := map[string]string{}
	for name, text := range got {
		if of, _, ok := strings.Cut(name, ".edited-"); ok {
			if kept[of] = text; !strings.Contains(errs, name) {
				t.Errorf("no word of %s in\n%s", name, errs)
			}
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v %v", name, info, err)
			}
			delete(got, name)
		}
	}
	if diff := cmp.Diff(first, got); diff != "" {
		t.Errorf("written anew (-want +got):\n%s", diff)
	}
	for _, name := range wholeOnes {
		if kept[name] != edited[name] {
			t.Errorf("%s is not kept", name)
		}
	}
	if len(kept) != len(wholeOnes) {
		t.Errorf("kept %d files", len(kept))
	}

	before := read(t, dir)
	if status, errs := write(filepath.Join(dir, "postfix")); status != 0 || !strings.Contains(errs, ".edited-") {
		t.Fatalf("write: %d: %s", status, errs)
	}
	if diff := cmp.Diff(before, read(t, dir)); diff != "" {
		t.Errorf("a third time (-want +got):\n%s", diff)
	}
	status, _, errs = call("", "remove", "-policy", policy, "-base", filepath.Join(dir, "postfix"), "-out", dir)
	if n := strings.Count(errs, "left: "); status != 0 || n != len(wholeOnes) || strings.Count(errs, ".edited-") != n {
		t.Errorf("remove: %d: %s", status, errs)
	}
	for name := range read(t, dir) {
		if strings.Contains(name, "conbool") && !strings.Contains(name, ".edited-") {
			t.Errorf("%s is there", name)
		}
	}
}
