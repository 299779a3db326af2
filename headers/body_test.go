package headers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// TestLines holds the lines of bodies to postmap -bm, which shows each to a
// table that answers every one of them. What cleanup(8) does to long lines and
// carriage returns is package relay's to test, with real servers.
func TestLines(t *testing.T) {
	postmap := servertest.Need(t, "postmap")
	dir := t.TempDir()
	for name, text := range map[string]string{"main.cf": "compatibility_level = 3.6\n", "t": "/^(.+)$/ is $1\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, raw := range map[string]string{
		"plain":               "Subject: x\n\nhello\n\nworld\n",
		"no body":             "Subject: x\n",
		"body that looks so":  "Subject: x\n\nName: value\n",
		"no empty line":       "Subject: x\nthis is no header\nName: value\n",
		"multipart":           "Content-Type: multipart/mixed; boundary=b\n\npre\n--b\nContent-Type: text/plain\n\nhi\n--b\n\nthere\n--b--\npost\n",
		"part without header": "Content-Type: multipart/mixed; boundary=b\n\n--b\nno header\nX: y\n--b--\n",
		"attached":            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nSubject: inner\n\ninner body\n--b--\n",
		"message":             "Content-Type: message/rfc822\n\nSubject: inner\n folded\n\ninner body\nX: y\n",
		"dashes":              "Subject: x\n\n--\n-- \n--b\n",
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(postmap, "-c", dir, "-bm", "-q", "-", "regexp:"+filepath.Join(dir, "t"))
			cmd.Stdin = strings.NewReader(raw)
			out, _ := cmd.Output()
			var b strings.Builder
			fields, body := Scan(nil, []byte(raw), HeaderChecks)
			Lines(fields, body, func(line []byte, _ int) bool {
				b.Write(line)
				b.WriteString("\tis ")
				b.Write(line)
				b.WriteByte('\n')
				return true
			})
			if diff := cmp.Diff(string(out), b.String()); diff != "" {
				t.Errorf("(-postmap +ours):\n%s", diff)
			}
		})
	}
}
