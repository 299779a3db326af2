package postfix

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// confDir is a configuration directory for postmap and postconf.
func confDir(tb testing.TB, mainCf, masterCf string) string {
	tb.Helper()
	// Not TempDir, which has the test's name: postconf expands $name in it.
	dir, err := os.MkdirTemp("", "pfconf")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	write(tb, filepath.Join(dir, "main.cf"), mainCf)
	write(tb, filepath.Join(dir, "master.cf"), masterCf)
	return dir
}

func write(tb testing.TB, name, text string) {
	tb.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		tb.Fatal(err)
	}
	// Postfix reads a file that has just changed again and again.
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(name, past, past); err != nil {
		tb.Fatal(err)
	}
}

// run runs a program of Postfix's with -c dir, and returns what it wrote. Its
// exit status isn't looked at: postmap -q says 1 for "nothing found".
func run(tb testing.TB, stdin []byte, program, dir string, args ...string) (stdout, stderr string) {
	tb.Helper()
	path := servertest.Need(tb, program)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append([]string{"-c", dir}, args...)...)
	cmd.Dir = dir
	cmd.Stdin = bytes.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if _, ok := err.(*exec.ExitError); !ok || ctx.Err() != nil {
			tb.Fatalf("%s %q: %v", program, args, err)
		}
	}
	return out.String(), errs.String()
}

const minimalMain = "compatibility_level = 3.6\n"

var lineNumber = regexp.MustCompile(`line (\d+)`)

// warnedLines returns the line numbers that a program's warnings name.
func warnedLines(stderr string) []int {
	var list []int
	for _, m := range lineNumber.FindAllStringSubmatch(stderr, -1) {
		n, _ := strconv.Atoi(m[1])
		list = append(list, n)
	}
	return list
}
