package sievetest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/sieve/internal/mboxname"
)

// Mailboxes are those of a user that are there, besides the inbox.
func (s *Server) Mailboxes(tb testing.TB, user string) []string {
	tb.Helper()
	list, err := os.ReadDir(filepath.Join(s.Dir, user, "mail"))
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	for _, e := range list {
		if name, ok := strings.CutPrefix(e.Name(), "."); ok && e.IsDir() {
			out = append(out, name)
		}
	}
	return out
}

// collect takes what was stored and sent.
func (s *Server) collect(tb testing.TB, user string, out *Outcome) {
	tb.Helper()
	out.Sent = s.sent.Take()
	root := filepath.Join(s.Dir, user, "mail")
	for _, box := range append(s.Mailboxes(tb, user), "") {
		dir := root
		if box != "" {
			dir = filepath.Join(root, "."+box)
		} else {
			box = mboxname.Inbox
		}
		for _, sub := range []string{"new", "cur"} {
			files, err := os.ReadDir(filepath.Join(dir, sub))
			if err != nil {
				continue
			}
			for _, f := range files {
				path := filepath.Join(dir, sub, f.Name())
				text, err := os.ReadFile(path)
				if err != nil {
					tb.Fatal(err)
				}
				out.Stored = append(out.Stored, Stored{box, flagsOf(dir, f.Name()), strings.ReplaceAll(string(text), "\r\n", "\n")})
				if err := os.Remove(path); err != nil {
					tb.Fatal(err)
				}
			}
		}
	}
	slices.SortFunc(out.Stored, Stored.Compare)
}
