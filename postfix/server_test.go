package postfix

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

func TestMain(m *testing.M) {
	servertest.Overlap()
	os.Exit(m.Run())
}

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

// A found is what postmap -q finds in one of several tables, and what it says of
// that table.
type found struct {
	values map[string]string
	stderr string
}

// lookUpAll asks one postmap for the keys in each of the tables, which are
// members of a unionmap between constants that tell whose the results are. The
// tables have to be UTF-8: of others postmap finds an error only when it reads a
// result, and the union has none then.
func lookUpAll(tb testing.TB, dir, kind string, texts, keys []string) []found {
	tb.Helper()
	const mark = "<%d>"
	list := make([]found, len(texts))
	var union strings.Builder
	fmt.Fprintf(&union, "unionmap:{static:{"+mark+"}", 0)
	for i, text := range texts {
		list[i].values = make(map[string]string)
		name := fmt.Sprintf("t%d", i)
		write(tb, filepath.Join(dir, name), text)
		fmt.Fprintf(&union, ", %s:%s, static:{"+mark+"}", kind, name, i+1)
	}
	stdout, stderr := run(tb, []byte(strings.Join(keys, "\n")+"\n"), "postmap", dir, "-q", "-", union.String()+"}")
	for line := range strings.Lines(stderr) {
		m := mapName.FindStringSubmatch(line)
		if m == nil {
			tb.Fatalf("postmap: %s", stderr)
		}
		i, _ := strconv.Atoi(m[1])
		list[i].stderr += line
	}
	answered := 0
	for line := range strings.Lines(stdout) {
		key, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		rest, ok := strings.CutPrefix(rest, fmt.Sprintf(mark, 0))
		answered++
		for i := range texts {
			var value string
			if ok {
				value, rest, ok = strings.Cut(rest, ","+fmt.Sprintf(mark, i+1))
			}
			if !ok {
				tb.Fatalf("postmap: %q", line)
			}
			if value != "" {
				list[i].values[key] = value[1:]
			}
		}
	}
	if answered != len(keys) {
		tb.Fatalf("postmap answers %d of %d keys: %s%s", answered, len(keys), stdout, stderr)
	}
	return list
}

// mapName finds the number of a table of lookUpAll's in a warning.
var mapName = regexp.MustCompile(`^postmap: warning: (?:\w+ map )?t(\d+)(?:, line \d+)?: `)

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
