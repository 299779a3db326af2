package relay

import (
	"bytes"
	"cmp"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay/internal/fixed"
)

// File is one emitted file.
type File struct {
	// Name is the slash-separated path below the output directory: "postfix/"
	// for the configuration directory, "sieve/before/" for the global script, "sieve/tenants/" for those of the
	// tenants' domains,
	// "dovecot/" for the fragment, "nftables/" and "haproxy/" for what stands
	// around the servers.
	Name string
	// Path is where it belongs on the server, absolute ([Places.Path]); "" where
	// that isn't known (of a [Removal]).
	Path string
	// Mode zero: the mode of the file that is there, and for a new one 0644, which
	// every service can read. Another one is given to a file that is there, too.
	Mode fs.FileMode
	// Owner nil: the owner of the file that is there, and for a new one whoever
	// writes it.
	Owner *Owner
	Data  []byte
}

// Files returns what the policy emits, sorted by name: the same bytes for the
// same policy and installation on every run and machine. Files of the
// installation that stay as they are are not among them.
func (c *Config) Files() []File {
	if c == nil {
		c = new(Config)
	}
	out := make([]File, len(c.files))
	for i, f := range c.files {
		f.Data = bytes.Clone(f.Data)
		out[i] = f
	}
	return out
}

// Obsolete returns the names, as in File.Name, of files that an earlier run may
// have left and that this policy does not have: to be deleted where they are
// there and as they were written ([Intact]), and no setting names them any more, as package deploy does.
func (c *Config) Obsolete() []string {
	if c == nil {
		c = new(Config)
	}
	return slices.Clone(c.removed)
}

func (c *evaluator) collectFiles() {
	c.cfg.files = c.kept
	for name, data := range c.files {
		c.cfg.files = append(c.cfg.files, File{Name: name, Data: data})
	}
	places := c.policy.Places()
	for i, f := range c.cfg.files {
		c.cfg.files[i].Path = places.Path(f.Name)
	}
	slices.SortFunc(c.cfg.files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	c.collectObsolete()
	c.collectCommands()
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

// Commands activate the files once they are on the server, in this order:
// tables and scripts are compiled and checked before anything is reloaded.
func (c *Config) Commands() []Command {
	if c == nil {
		c = new(Config)
	}
	out := make([]Command, len(c.commands))
	for i, cmd := range c.commands {
		cmd.Args = slices.Clone(cmd.Args)
		out[i] = cmd
	}
	return out
}

func (c *evaluator) collectCommands() {
	add := func(silent bool, why string, args ...string) {
		c.cfg.commands = append(c.cfg.commands, Command{Args: args, Why: why, Silent: silent})
	}
	dir := c.policy.ConfigDir()
	c.checkSecret(add)
	c.checkCertificates(add)
	for _, f := range slices.Sorted(slices.Values(c.indexes)) {
		add(true, "compile the table", "postmap", "-c", dir, c.indexedSpec(f).String())
	}
	switch {
	case c.scripts.global == nil:
	case c.scripts.tenants != nil:
		add(true, "compile the tenants' scripts", "sievec", c.policy.TenantDir())
	default:
		add(true, "compile the global script", "sievec", path.Join(c.policy.SieveDir(), path.Base(c.globalName())))
	}
	firewall := path.Join(cmp.Or(c.policy.Firewall.Directory, fixed.FirewallDir), path.Base(c.names.firewallName()))
	if !c.policy.Firewall.IsZero() {
		add(true, "check the ruleset", "nft", "-c", "-f", firewall)
	}
	add(true, "check Postfix's configuration", "postfix", "-c", dir, "check")
	if _, ok := c.files[c.fragmentName()]; ok {
		add(true, "check Dovecot's configuration", "doveconf", "-n")
	}
	if !c.policy.Firewall.IsZero() {
		add(true, "close the gateway's port to others", "nft", "-f", firewall)
	}
	add(false, "Postfix reads its configuration", "postfix", "-c", dir, "reload")
	if _, ok := c.files[c.fragmentName()]; ok {
		add(false, "Dovecot reads its configuration", "doveadm", "reload")
	}
}
