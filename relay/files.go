package relay

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// File is one emitted file.
type File struct {
	// Name is the slash-separated path below the output directory: "postfix/"
	// for the configuration directory, "sieve/before/" for the global script, "sieve/tenants/" for those of the
	// tenants' domains,
	// "dovecot/" for the fragment, "nftables/" and "haproxy/" for what stands
	// around the servers.
	Name string
	Mode fs.FileMode
	Data []byte
}

// Files returns what the policy emits, sorted by name: the same bytes for the
// same policy and installation on every run and machine. Files of the
// installation that stay as they are are not among them.
func (c *Config) Files() []File {
	out := make([]File, len(c.files))
	for i, f := range c.files {
		f.Data = bytes.Clone(f.Data)
		out[i] = f
	}
	return out
}

// Obsolete returns the names, as in File.Name, of files that an earlier run may
// have left and that this policy does not have: to be deleted where they are
// there and as they were written ([Intact]), as [DeleteObsolete] does.
func (c *Config) Obsolete() []string { return slices.Clone(c.removed) }

func (c *compiler) collectFiles() {
	for name, data := range c.emitted {
		c.cfg.files = append(c.cfg.files, File{Name: name, Mode: 0o644, Data: data})
	}
	slices.SortFunc(c.cfg.files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	c.collectObsolete()
	c.collectCommands()
}

// WriteDir writes files below dir. Every file is staged beside its place and
// flushed to disk before the first one is renamed, and each is renamed whole,
// so that no reader ever sees half a file. On an error before the first rename
// nothing has changed.
func WriteDir(dir string, files []File) (err error) {
	type staged struct{ temporary, final string }
	if err := losing(dir, files); err != nil {
		return err
	}
	var all []staged
	var made []string
	defer func() {
		for _, s := range all {
			os.Remove(s.temporary)
		}
		if err == nil {
			return
		}
		for i := len(made) - 1; i >= 0; i-- {
			os.Remove(made[i]) // only where it is still empty
		}
	}()
	for _, f := range files {
		if !fs.ValidPath(f.Name) || f.Name == "." {
			return fmt.Errorf("%q is not a path below the directory", f.Name)
		}
		final := filepath.Join(dir, filepath.FromSlash(f.Name))
		created, err := mkdirAll(filepath.Dir(final))
		made = append(made, created...)
		if err != nil {
			return err
		}
		if info, err := os.Lstat(final); err == nil && info.IsDir() {
			return fmt.Errorf("%s is a directory", final)
		}
		temporary, err := stage(final, f)
		if err != nil {
			return err
		}
		all = append(all, staged{temporary, final})
	}
	dirs := map[string]bool{}
	for i, s := range all {
		if err := os.Rename(s.temporary, s.final); err != nil {
			return fmt.Errorf("%d of %d files are in place: %w", i, len(all), err)
		}
		dirs[filepath.Dir(s.final)] = true
	}
	for d := range dirs {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// mkdirAll is os.MkdirAll that tells which directories it made.
func mkdirAll(dir string) (made []string, err error) {
	var missing []string
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || d == filepath.Dir(d) {
			break
		}
		missing = append(missing, d)
	}
	slices.Reverse(missing)
	for _, d := range missing {
		if err := os.Mkdir(d, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return made, err
		}
		made = append(made, d)
	}
	return made, nil
}

func stage(final string, f File) (name string, err error) {
	t, err := os.CreateTemp(filepath.Dir(final), "."+filepath.Base(final)+".*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			t.Close()
			os.Remove(t.Name())
		}
	}()
	if _, err = t.Write(f.Data); err != nil {
		return "", err
	}
	if err = t.Chmod(cmp.Or(f.Mode, 0o644)); err != nil {
		return "", err
	}
	if err = t.Sync(); err != nil {
		return "", err
	}
	return t.Name(), t.Close()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	// Not every file system can flush a directory.
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}

// Command is a program to run on the server after the files are in place.
type Command struct {
	Args []string
	// Why says what it does.
	Why string
	// Silent: anything on standard error is a failure. postmap(1) exits with
	// status 0 where it skipped lines.
	Silent bool
}

// String returns the words as a shell takes them.
func (c Command) String() string {
	words := make([]string, len(c.Args))
	for i, w := range c.Args {
		if words[i] = w; w == "" || strings.ContainsAny(w, " \t\n;&|<>()$`\\\"'*?[]#~=%{}!") {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// Run runs the program. Its error has what the program printed.
func (c Command) Run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	text := strings.TrimSpace(stderr.String())
	switch {
	case err != nil && text != "":
		return fmt.Errorf("%s: %w: %s", c, err, text)
	case err != nil:
		return fmt.Errorf("%s: %w", c, err)
	case c.Silent && text != "":
		return fmt.Errorf("%s: %s", c, text)
	}
	return nil
}

// Commands activate the files once they are on the server, in this order:
// tables and scripts are compiled and checked before anything is reloaded.
func (c *Config) Commands() []Command {
	out := make([]Command, len(c.commands))
	for i, cmd := range c.commands {
		cmd.Args = slices.Clone(cmd.Args)
		out[i] = cmd
	}
	return out
}

func (c *compiler) collectCommands() {
	add := func(silent bool, why string, args ...string) {
		c.cfg.commands = append(c.cfg.commands, Command{Args: args, Why: why, Silent: silent})
	}
	dir := c.policy.configDir()
	c.checkSecret(add)
	slices.Sort(c.indexes)
	for _, f := range c.indexes {
		add(true, "compile the table", "postmap", "-c", dir, "hash:"+path.Join(dir, f))
	}
	switch {
	case c.cfg.global == nil:
	case c.tenantFiles != nil:
		add(true, "compile the tenants' scripts", "sievec", c.policy.tenantDir())
	default:
		add(true, "compile the global script", "sievec", path.Join(c.policy.sieveDir(), path.Base(c.globalName())))
	}
	firewall := path.Join(cmp.Or(c.policy.Firewall.Directory, defaultFirewallDir), path.Base(c.names.firewallName()))
	if !c.policy.Firewall.isZero() {
		add(true, "check the ruleset", "nft", "-c", "-f", firewall)
	}
	add(true, "check Postfix's configuration", "postfix", "-c", dir, "check")
	if _, ok := c.emitted[c.fragmentName()]; ok {
		add(true, "check Dovecot's configuration", "doveconf", "-n")
	}
	if !c.policy.Firewall.isZero() {
		add(true, "close the gateway's port to others", "nft", "-f", firewall)
	}
	add(false, "Postfix reads its configuration", "postfix", "-c", dir, "reload")
	if _, ok := c.emitted[c.fragmentName()]; ok {
		add(false, "Dovecot reads its configuration", "doveadm", "reload")
	}
}
