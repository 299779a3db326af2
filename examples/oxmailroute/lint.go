package main

import (
	"fmt"
	"io"

	"github.com/oxmailroute/oxmailroute/sieve/mailfilter"
)

// lint prints what OX App Suite can't read in a script, or doesn't keep.
func lint(args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	fs := flags("lint", "SCRIPT (- for standard input)", stderr)
	ox := fs.String("ox", "", "`generation` of OX App Suite: older or 8 (default: every one)")
	arguments, err := parseMixed(fs, args, 1, 1)
	if err != nil {
		return err
	}
	generation, err := mailfilter.ParseGeneration(*ox)
	if err != nil {
		return fmt.Errorf("-ox: %w", err)
	}
	src, err := readMessage(arguments[0], stdin)
	if err != nil {
		return err
	}
	problems, err := mailfilter.Lint(arguments[0], src, generation)
	if err != nil {
		return err
	}
	for _, p := range problems {
		fmt.Fprintf(stdout, "%s:%s\n", arguments[0], p)
	}
	if len(problems) > 0 {
		return errFailed
	}
	return nil
}
