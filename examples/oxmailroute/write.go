package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay"
)

// write writes the policy's files, and beside them every file of the base that
// stays as it is.
func write(args []string, _ io.Reader, stdout, stderr io.Writer) error {
	fs := flags("write", "", stderr)
	policyFile := fs.String("policy", "", "policy `file` (JSON)")
	base := fs.String("base", "", "the existing Postfix configuration `directory`; without it, a whole configuration is written")
	doveconf := fs.String("doveconf", "", "`file` with the output of doveconf -n, for a free sieve_before number")
	out := fs.String("out", "", "output `directory`")
	if err := parseFlags(fs, args, 0, 0); err != nil {
		return err
	}
	if *out == "" {
		return errors.New("-out is missing")
	}
	policy, err := readPolicy(*policyFile)
	if err != nil {
		return err
	}
	in, err := readBase(*base)
	if err != nil {
		return err
	}
	if *doveconf != "" {
		if in.Doveconf, err = os.ReadFile(*doveconf); err != nil {
			return err
		}
	}
	c, err := relay.Compile(policy, in)
	if err != nil {
		return err
	}
	files := c.Files()
	keep(&files, in, *base, c.Obsolete())
	if err := relay.WriteDir(*out, files); err != nil {
		return err
	}
	if err := discard(*out, c.Obsolete()); err != nil {
		return err
	}
	for _, w := range c.Warnings() {
		fmt.Fprintln(stderr, "warning:", w)
	}
	fmt.Fprintf(stdout, "%d files written to %s; on the server, then run:\n", len(files), *out)
	for _, cmd := range c.Commands() {
		fmt.Fprintf(stdout, "  %-60s # %s\n", cmd, cmd.Why)
	}
	return nil
}

// remove is write's inverse.
func remove(args []string, _ io.Reader, stdout, stderr io.Writer) error {
	fs := flags("remove", "", stderr)
	policyFile := fs.String("policy", "", "policy `file` (JSON); only its Gateway.Name counts")
	base := fs.String("base", "", "the Postfix configuration `directory` as it is now")
	out := fs.String("out", "", "output `directory`")
	if err := parseFlags(fs, args, 0, 0); err != nil {
		return err
	}
	if *out == "" || *base == "" {
		return errors.New("-base and -out are needed")
	}
	policy, err := readPolicy(*policyFile)
	if err != nil {
		return err
	}
	in, err := readBase(*base)
	if err != nil {
		return err
	}
	r, err := relay.Remove(policy.Gateway.Name, in)
	if err != nil {
		return err
	}
	files := r.Files
	keep(&files, in, *base, r.Obsolete)
	if err := relay.WriteDir(*out, files); err != nil {
		return err
	}
	if err := discard(*out, r.Obsolete); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d files written to %s, without the gateway\n", len(files), *out)
	return nil
}

// keep adds the files of the base that nothing replaces, and gives each file
// the mode that it has there.
func keep(files *[]relay.File, in relay.Installation, base string, obsolete []string) {
	have := map[string]bool{}
	for _, f := range *files {
		have[f.Name] = true
	}
	for name, data := range in.Postfix {
		if n := "postfix/" + name; !have[n] && !slices.Contains(obsolete, n) {
			*files = append(*files, relay.File{Name: n, Mode: 0o644, Data: data})
		}
	}
	slices.SortFunc(*files, func(a, b relay.File) int { return strings.Compare(a.Name, b.Name) })
	for i, f := range *files {
		name, ok := strings.CutPrefix(f.Name, "postfix/")
		if !ok || base == "" {
			continue
		}
		if info, err := os.Stat(filepath.Join(base, filepath.FromSlash(name))); err == nil {
			(*files)[i].Mode = info.Mode().Perm()
		}
	}
}

// discard removes files of ours that are not needed any more.
func discard(dir string, names []string) error {
	for _, n := range names {
		if err := os.Remove(filepath.Join(dir, filepath.FromSlash(n))); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
