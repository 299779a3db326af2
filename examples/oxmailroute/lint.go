package main

import (
	"fmt"
	"io"

	"github.com/oxmailroute/oxmailroute/sieve/mailfilter"
)

// lint prints what OX App Suite can't read in a script.
func lint(args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	fs := flags("lint", "SCRIPT (- for standard input)", stderr)
	newer := fs.Bool("newer", false, "of an OX App Suite that reads the tests exists, date and string, and fileinto :copy")
	arguments, err := parseMixed(fs, args, 1, 1)
	if err != nil {
		return err
	}
	src, err := readMessage(arguments[0], stdin)
	if err != nil {
		return err
	}
	reader := mailfilter.Classic
	if *newer {
		reader = mailfilter.Newer
	}
	problems, err := mailfilter.Lint(arguments[0], src, reader)
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
