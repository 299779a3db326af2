package relay

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay/policy"
)

// Installation is what is on the server already. The zero Installation is an
// empty server: [Compile] then writes a whole configuration from the policy.
type Installation struct {
	// Files are files of the server by their absolute paths
	// ("/etc/postfix/main.cf", "/etc/mailname", "/etc/aliases"): the whole
	// configuration directory, and of the others those that main.cf and master.cf
	// name. Without any file in the configuration directory a new configuration is
	// written. Emitted files of an earlier run are recognized and replaced.
	Files map[string][]byte
	// ConfigDirectory is where main.cf is among Files. Empty: /etc/postfix. Where
	// Server.ConfigDirectory is given too, it must be the same.
	ConfigDirectory string
	// Tables are tables that are not among Files, by the name that main.cf or
	// master.cf has for them ("mysql:/etc/postfix/vmail.cf", "proxy:pgsql:/etc/x",
	// "hash:/var/lib/y"): their contents, or what the caller vouches for.
	Tables map[string]Table
	// Nodename is the system's name (uname -n), by which Postfix calls itself where
	// main.cf has no myhostname.
	Nodename string
	// PostfixVersion and DovecotVersion are what `postconf -h mail_version` and
	// `dovecot --version` print, as they are. Where the policy names a version
	// too, it must be the same.
	PostfixVersion string
	DovecotVersion string
	// DatabaseType is what `postconf -h default_database_type` prints: the kind of
	// indexed table that the server's postmap(1) makes, which not every build has
	// as "hash". Generated tables are of it where it is "hash", "btree", "lmdb" or
	// "cdb". Empty: main.cf's, else "hash".
	DatabaseType string
	// Doveconf is what `doveconf -n` prints to standard output, whole, for what
	// Dovecot has already: a free sieve_before<N>, scripts, editheader. Its first
	// line has the version of Dovecot, too. What a failed run leaves, nothing at
	// all included, is refused. Nil: there is no Dovecot yet, or the caller vouches
	// for Sieve.Slot, and that no other setting contradicts the fragment.
	Doveconf []byte
	// Written are the files outside of Postfix's directory that an earlier run
	// wrote, and what stands beside them, by their names as in File.Name
	// ([ReadWritten]). By them what somebody edited is kept, what was not
	// generated is not written over, and scripts of domains that the policy no longer has are
	// found.
	Written map[string][]byte
	// Directory answers for local addresses where they are not in the indexed
	// files of Postfix.
	Directory Directory
	// Scripts answers for mailboxes' own Sieve scripts; nil: there are none.
	Scripts Scripts
}

// configDir is where main.cf is.
func (in Installation) configDir() string { return cmp.Or(in.ConfigDirectory, policy.DefaultConfigDir) }

// configured are the files of the configuration directory by their names there
// ("main.cf", "tables/aliases").
func (in Installation) configured() map[string][]byte {
	out := map[string][]byte{}
	for p, data := range in.Files {
		if name, ok := strings.CutPrefix(path.Clean(p), in.configDir()+"/"); ok {
			out[name] = data
		}
	}
	return out
}

// maxInstallation bounds what ReadInstallation reads of one file; a table of a
// million addresses has less.
const maxInstallation = 1 << 28

// ReadInstallation reads a Postfix configuration directory, links to files
// included, whose name on the server is configDirectory; empty: /etc/postfix.
// Compiled tables, and what is not a file, are left out. It runs no programs:
// what they print is filled in by the caller.
func ReadInstallation(dir fs.FS, configDirectory string) (Installation, error) {
	if dir == nil {
		return Installation{}, fmt.Errorf("ReadInstallation: dir: %w", ErrRequired)
	}
	in := Installation{Files: map[string][]byte{}, ConfigDirectory: cmp.Or(configDirectory, policy.DefaultConfigDir)}
	err := fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch path.Ext(name) {
		case ".db", ".lmdb", ".cdb", ".dir", ".pag":
			return nil
		}
		info, err := fs.Stat(dir, name)
		if d.Type()&fs.ModeSymlink != 0 && err != nil {
			return nil // it leads nowhere, or out of what may be read
		}
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		if info.Size() > maxInstallation {
			return fmt.Errorf("%s: %d bytes are more than a configuration file has", name, info.Size())
		}
		in.Files[path.Join(in.ConfigDirectory, name)], err = fs.ReadFile(dir, name)
		return err
	})
	if err != nil {
		return Installation{}, err
	}
	if in.Files[path.Join(in.ConfigDirectory, "main.cf")] == nil {
		return Installation{}, fmt.Errorf("no main.cf: not a Postfix configuration directory")
	}
	return in, nil
}

// list splits a value of names, tables and files as match_list(3) reads it.
func list(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\r' || r == '\n' })
}

// takeStock gives the installation's files the names that they have in stock.
func (c *reader) takeStock() {
	c.stock = c.in.configured()
	c.conf.Files = c.stock
	elsewhere := ""
	for _, p := range slices.Sorted(maps.Keys(c.in.Files)) {
		clean := path.Clean(p)
		switch {
		case !path.IsAbs(p):
			c.errs.Add("Installation.Files", ErrInvalid, "write the path on the server, such as "+c.path(p), "%q is not an absolute path", p)
		case strings.HasPrefix(clean, c.policy.ConfigDir()+"/"):
		default:
			c.stock[clean] = c.in.Files[p]
			if path.Base(clean) == "main.cf" {
				elsewhere = clean
			}
		}
	}
	if elsewhere != "" && len(c.in.configured()) == 0 {
		c.errs.Add("Installation.ConfigDirectory", ErrConflict, "write "+path.Dir(elsewhere), "nothing is in %s, but there is %s",
			c.policy.ConfigDir(), elsewhere)
	}
}
