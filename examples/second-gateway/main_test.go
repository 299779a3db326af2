package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRun(t *testing.T) {
	dir := t.TempDir()
	var out strings.Builder
	if err := run(&out, dir); err != nil {
		t.Fatal(err)
	}
	want := `ann to the world                           relay [mail.conbool.com]:25
ben to the world                           relay [outbound-eu1.ppe-hosted.com]:587
ann to ben                                 mailbox INBOX
the second gateway to ben                  mailbox INBOX
the second gateway to an alias that leaves mx elsewhere.example <someone@elsewhere.example>
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(filepath.Join(dir, "postfix", "proofpoint_auth_demand")); err != nil {
		t.Error(err)
	}
}
