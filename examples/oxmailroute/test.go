package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay/relaytest"
)

// test runs fixtures and prints where they differ.
func test(args []string, _ io.Reader, stdout, stderr io.Writer) error {
	fs := flags("test", "FIXTURE...", stderr)
	if err := parseFlags(fs, args, 1, 1<<20); err != nil {
		return err
	}
	var bad []error
	passed, failed := 0, 0
	for _, name := range fs.Args() {
		root, file, err := split(name)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		c, f, err := relaytest.Load(os.DirFS(root), file)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		f.Name = name
		if err := relaytest.Check(c, f); err != nil {
			failed++
			fmt.Fprintln(stdout, err)
			continue
		}
		passed++
	}
	fmt.Fprintf(stdout, "%d passed, %d failed\n", passed, failed)
	if len(bad) > 0 {
		return errors.Join(bad...)
	}
	if failed > 0 {
		return errFailed
	}
	return nil
}

// split finds a root for a fixture, so that paths like "../lab.json" in it stay
// below the root.
func split(name string) (root, file string, err error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", "", err
	}
	volume := filepath.VolumeName(abs)
	root = volume + string(filepath.Separator)
	rel := strings.TrimPrefix(abs[len(volume):], string(filepath.Separator))
	return root, filepath.ToSlash(rel), nil
}
