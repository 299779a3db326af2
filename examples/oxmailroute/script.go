package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/relay/deploy"
	"github.com/oxmailroute/oxmailroute/sieve/mailfilter"
)

// script puts the policy's rules into a user's script, or takes them out.
func script(args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	fs := flags("script", "SCRIPT (- for standard input and output)", stderr)
	policyFile := fs.String("policy", "", "policy `file` (JSON)")
	mailbox := fs.String("mailbox", "", "the mailbox's `address`, for which the policy says whether it has the rules (default: it has)")
	remove := fs.Bool("remove", false, "take the rules out")
	dry := fs.Bool("n", false, "change nothing, and print what would change as a unified diff")
	arguments, err := parseMixed(fs, args, 1, 1)
	if err != nil {
		return err
	}
	file := arguments[0]
	rules, err := readRules(*policyFile, *remove, stderr)
	if err != nil {
		return err
	}
	before, err := readMessage(file, stdin)
	if err != nil {
		return err
	}
	in := rules.All()
	if *mailbox != "" {
		if in, err = rules.For(*mailbox); err != nil {
			return fmt.Errorf("-mailbox: %w", err)
		}
	}
	if *remove {
		in = nil
	}
	var after []byte
	if len(in) > 0 {
		after, err = rules.Insert(file, before)
	} else {
		after, err = rules.Remove(file, before)
	}
	if err != nil {
		return err
	}
	findings, err := order(file, after, in)
	if err != nil {
		return err
	}
	for _, f := range findings {
		fmt.Fprintln(stderr, f)
	}
	switch {
	case *dry:
		_, err = io.WriteString(stdout, unified(file, string(before), string(after)))
	case file == "-":
		_, err = stdout.Write(after)
	case string(before) != string(after):
		err = replace(file, after)
	}
	return err
}

// readRules reads the policy's rules for mailboxes' own scripts.
func readRules(policyFile string, remove bool, stderr io.Writer) (*relay.MailboxRules, error) {
	policy, err := readPolicy(policyFile)
	if err != nil {
		return nil, err
	}
	if policy.Sieve.Form != relay.SievePerMailbox && !remove {
		fmt.Fprintf(stderr, "warning: Sieve.Form: the policy's rules run before mailboxes' own scripts, where no mailbox needs them; "+
			"\"mailbox\" is for rules in the scripts\n")
	}
	return policy.MailboxRules()
}

// order is what there is to say about the order of a script's rules.
func order(file string, script []byte, in []mailfilter.Managed) ([]string, error) {
	if len(in) == 0 {
		return nil, nil
	}
	d, err := mailfilter.Parse(file, script)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range in {
		names = append(names, r.Flag)
	}
	var out []string
	for _, f := range d.Findings(names...) {
		out = append(out, fmt.Sprintf("%s:%d: rule %q: %s", file, f.Line, f.Name, f.Text))
	}
	return out, nil
}

// replace puts a file in the place of another whole, with its mode and owner.
// A link stays one.
func replace(file string, data []byte) error {
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return err
	}
	dir, name := filepath.Split(file)
	_, err = deploy.Write(context.Background(), deploy.Local{Dir: cmp.Or(dir, ".")}, []relay.File{{Name: name, Data: data}}, deploy.Options{})
	return err
}
