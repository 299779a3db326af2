package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/relay/deploy"
)

// write writes the policy's files, and beside them every file of the base that
// stays as it is.
func write(args []string, _ io.Reader, stdout, stderr io.Writer) error {
	fs := flags("write", "", stderr)
	policyFile := fs.String("policy", "", "policy `file` (JSON)")
	base := fs.String("base", "", "the existing Postfix configuration `directory`; without it, a whole configuration is written")
	database := fs.String("database-type", "", "`type` of indexed tables, as postconf -h default_database_type prints it (default: main.cf's, else hash)")
	doveconf := fs.String("doveconf", "", "`file` with the output of doveconf -n, for a free sieve_before number")
	vouched := vouches(fs)
	out := fs.String("out", "", "output `directory`")
	try := fs.Bool("try", false,
		"try the files on this machine, which must be the server, before they are written; as root with a Postfix of the trial's own")
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	tree := deploy.Local{Dir: *out}
	if err := resume(ctx, tree, stderr); err != nil {
		return err
	}
	in, err := readBase(*base, policy, *vouched)
	if err != nil {
		return err
	}
	in.DatabaseType = *database
	if *doveconf != "" {
		if in.Doveconf, err = os.ReadFile(*doveconf); err != nil {
			return err
		}
	}
	if in.Written, err = relay.ReadWritten(os.DirFS(*out)); err != nil {
		return err
	}
	c, err := relay.Compile(policy, in)
	if err != nil {
		return err
	}
	files := c.Files()
	if err := keep(&files, *base, policy.Gateway.Name, c.Obsolete()); err != nil {
		return err
	}
	if *try {
		trial, err := deploy.Try(ctx, deploy.Local{Dir: "/"}, files, deploy.Options{Places: policy.Places(), Obsolete: c.Obsolete()})
		for _, w := range trial.Warnings {
			fmt.Fprintln(stderr, "warning:", w)
		}
		for _, u := range trial.Untried {
			fmt.Fprintln(stderr, "not tried:", u)
		}
		if err != nil {
			return err
		}
	}
	done, err := deploy.Write(ctx, tree, files, deploy.Options{Gateway: policy.Gateway.Name, Obsolete: c.Obsolete()})
	if err != nil {
		return err
	}
	printLeft(stderr, done.Left)
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	tree := deploy.Local{Dir: *out}
	if err := resume(ctx, tree, stderr); err != nil {
		return err
	}
	in, err := readBase(*base, policy, nil)
	if err != nil {
		return err
	}
	if in.Written, err = relay.ReadWritten(os.DirFS(*out)); err != nil {
		return err
	}
	r, err := relay.Remove(policy.Gateway.Name, in)
	if err != nil {
		return err
	}
	files := r.Files
	if err := keep(&files, *base, policy.Gateway.Name, r.Obsolete); err != nil {
		return err
	}
	done, err := deploy.Write(ctx, tree, files, deploy.Options{Gateway: policy.Gateway.Name, Obsolete: r.Obsolete})
	if err != nil {
		return err
	}
	printLeft(stderr, append(r.Left, done.Left...))
	fmt.Fprintf(stdout, "%d files written to %s, without the gateway\n", len(files), *out)
	fmt.Fprintf(stdout, "where a firewall was loaded, then run:\n  %s\n", r.Firewall)
	return nil
}

// printLeft says what stays, where, why and what to do about it.
func printLeft(w io.Writer, left []relay.Left) {
	for _, l := range left {
		text := l.Text
		l.Text = ""
		fmt.Fprintln(w, "left:", l)
		if text != "" {
			fmt.Fprintln(w, "\t| "+strings.ReplaceAll(text, "\n", "\n\t| "))
		}
		fmt.Fprintln(w, "\tto clean up:", l.Fix)
	}
}

// resume finishes or undoes what an earlier run was killed in, before anything
// is read.
func resume(ctx context.Context, tree deploy.Local, stderr io.Writer) error {
	if _, err := os.Stat(tree.Root()); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	found, finished, err := deploy.Recover(ctx, tree)
	switch {
	case err != nil:
		return err
	case finished:
		fmt.Fprintln(stderr, "note: an earlier run was interrupted; what it wrote is complete now")
	case found:
		fmt.Fprintln(stderr, "note: an earlier run was interrupted; all is as before it")
	}
	return nil
}

// keep adds the files of the base that nothing replaces, whatever they are, and
// gives each file the mode that it has there, and the owner as far as root runs
// it: for anybody else the output is a copy of their own.
func keep(files *[]relay.File, base, gateway string, obsolete []string) error {
	if base == "" {
		return nil
	}
	ours := map[string]int{}
	for i, f := range *files {
		ours[f.Name] = i
	}
	return filepath.WalkDir(base, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path) // a link's target
		if err != nil || !info.Mode().IsRegular() {
			if d.Type()&os.ModeSymlink != 0 || d.IsDir() {
				return nil
			}
			return err
		}
		rel, err := filepath.Rel(base, path)
		if err != nil {
			return err
		}
		name := "postfix/" + filepath.ToSlash(rel)
		if i, ok := ours[name]; ok {
			(*files)[i].Mode, (*files)[i].Owner = info.Mode().Perm(), ownerThere(info)
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if slices.Contains(obsolete, name) && (slices.Contains([]string{".db", ".lmdb", ".cdb"}, filepath.Ext(name)) ||
			relay.Intact(gateway, data)) {
			return nil
		}
		*files = append(*files, relay.File{Name: name, Mode: info.Mode().Perm(), Owner: ownerThere(info), Data: data})
		return nil
	})
}

// ownerThere is the owner of a file of the base; nil where only root could give
// it to another file.
func ownerThere(info os.FileInfo) *relay.Owner {
	if os.Geteuid() > 0 {
		return nil
	}
	return deploy.Owner(info)
}
