package relay

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
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
	// Doveconf is what `doveconf -n` prints, for what Dovecot has already: a
	// free sieve_before<N>, scripts, editheader. Its first line has the version
	// of Dovecot, too.
	Doveconf []byte
	// Written are the files outside of Postfix's directory that an earlier run
	// wrote, and what stands beside them, by their names as in File.Name
	// ([ReadWritten]). By them what somebody edited is kept, what isn't ours is
	// not written over, and scripts of domains that the policy no longer has are
	// found.
	Written map[string][]byte
	// Directory answers for local addresses where they are not in the indexed
	// files of Postfix.
	Directory Directory
	// Scripts answers for mailboxes' own Sieve scripts; nil: there are none.
	Scripts Scripts
}

// configDir is where main.cf is.
func (in Installation) configDir() string { return cmp.Or(in.ConfigDirectory, defaultConfigDir) }

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
	in := Installation{Files: map[string][]byte{}, ConfigDirectory: cmp.Or(configDirectory, defaultConfigDir)}
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

// settings are the parameters as one service sees them: its own -o options
// over main.cf over the defaults.
type settings struct {
	main    *postfix.Main
	options map[string]string
	line    int // of the service in master.cf
}

func (s settings) service(sv postfix.Service) settings {
	o := make(map[string]string, len(sv.Options))
	for _, p := range sv.Options {
		o[p.Name] = p.Value
	}
	return settings{s.main, o, sv.Line}
}

// get returns the value with every $name expanded; empty where nothing says
// anything.
func (s settings) get(name string) string {
	raw, ok := s.lookup(name)
	if !ok {
		return ""
	}
	value, err := s.main.Expand(raw, s.lookup)
	if err != nil {
		// Postfix would not start on it; postfix check says so better than we.
		return raw
	}
	return strings.TrimSpace(value)
}

func (s settings) lookup(name string) (string, bool) {
	if v, ok := s.options[name]; ok {
		return v, true
	}
	if v, ok := s.main.Get(name); ok {
		return v, true
	}
	v, ok := s.defaultOf(name)
	return v, ok
}

// set reports whether the installation itself sets the parameter.
func (s settings) set(name string) bool {
	if _, ok := s.options[name]; ok {
		return true
	}
	_, ok := s.main.Get(name)
	return ok
}

func (s settings) yes(name string) bool { return strings.EqualFold(s.get(name), "yes") }

// defaultOf gives the built-in defaults of Postfix 3.7 to 3.9 (postconf -d)
// that routing depends on. Those that hang on compatibility_level follow
// COMPATIBILITY_README.
func (s settings) defaultOf(name string) (string, bool) {
	switch name {
	case "relay_domains":
		if s.level() < 2 {
			return "$mydestination", true
		}
		return "", true
	case "append_dot_mydomain":
		if s.level() < 1 {
			return "yes", true
		}
		return "no", true
	case "smtputf8_enable":
		if s.level() < 1 {
			return "no", true
		}
		return "yes", true
	case "mydomain":
		if host, ok := s.main.Get("myhostname"); ok {
			if _, domain, ok := strings.Cut(strings.TrimSpace(host), "."); ok {
				return domain, true
			}
		}
	case "smtpd_relay_restrictions":
		if s.level() < 1 {
			return "", true
		}
	case "smtpd_relay_before_recipient_restrictions":
		if s.level() < 306 {
			return "no", true
		}
	}
	v, ok := defaults[name]
	return v, ok
}

// level is compatibility_level as major*100+minor, small values as they are.
func (s settings) level() int {
	v, ok := s.main.Get("compatibility_level")
	if !ok {
		return 0
	}
	major, minor, ok := version(v)
	if !ok {
		fmt.Sscan(v, &major)
		if major >= 3 {
			return major * 100
		}
		return major
	}
	return major*100 + minor
}

var defaults = map[string]string{
	"mydomain":                                  "localdomain",
	"myorigin":                                  "$myhostname",
	"mydestination":                             "$myhostname, localhost.$mydomain, localhost",
	"virtual_alias_maps":                        "",
	"virtual_alias_domains":                     "$virtual_alias_maps",
	"virtual_mailbox_maps":                      "",
	"virtual_mailbox_domains":                   "$virtual_mailbox_maps",
	"virtual_transport":                         "virtual",
	"relay_recipient_maps":                      "",
	"relay_transport":                           "relay",
	"local_transport":                           "local:$myhostname",
	"local_recipient_maps":                      "proxy:unix:passwd.byname $alias_maps",
	"default_transport":                         "smtp",
	"relayhost":                                 "",
	"smtpd_relay_restrictions":                  "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination",
	"smtpd_relay_before_recipient_restrictions": "yes",
	"smtpd_delay_reject":                        "yes",
	"smtpd_reject_unlisted_recipient":           "yes",
	"smtpd_tls_security_level":                  "",
	"cleanup_service_name":                      "cleanup",
	"header_checks":                             "",
	"mime_header_checks":                        "$header_checks",
	"nested_header_checks":                      "$header_checks",
	"plaintext_reject_code":                     "450",
	"swap_bangpath":                             "yes",
	"allow_percent_hack":                        "yes",
	"resolve_dequoted_address":                  "yes",
	"append_at_myorigin":                        "yes",
	"empty_address_recipient":                   "MAILER-DAEMON",
	"message_drop_headers":                      "bcc, content-length, resent-bcc, return-path",
	"inet_interfaces":                           "all",
	"smtputf8_autodetect_classes":               "sendmail, verify",
	"smtp_connection_cache_on_demand":           "yes",
	"lmtp_connection_cache_on_demand":           "yes",
	"message_size_limit":                        "10240000",
	"body_checks_size_limit":                    "51200",
	"unknown_local_recipient_reject_code":       "550",
	"unknown_virtual_alias_reject_code":         "550",
	"unknown_virtual_mailbox_reject_code":       "550",
	"unknown_relay_recipient_reject_code":       "550",
	"alias_maps":                                "hash:/etc/aliases, nis:mail.aliases",
	"local_header_rewrite_clients":              "permit_inet_interfaces",
	"propagate_unmatched_extensions":            "canonical, virtual",
	"parent_domain_matches_subdomains":          "debug_peer_list,fast_flush_domains,mynetworks,permit_mx_backup_networks,qmqpd_authorized_clients,relay_domains,smtpd_access_maps",
}

// list splits a value of names, tables and files as match_list(3) reads it.
func list(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\r' || r == '\n' })
}

// source is a table with the file name that traces give.
type source struct {
	file  string
	table postfix.Map
}

// indexed are the types whose source text postmap(1) compiles.
var indexed = []string{"hash", "btree", "texthash", "lmdb", "cdb", "dbm", "sdbm"}

// fileName maps a path of the server to a name in stock; false: a file outside
// of the configuration directory that isn't there.
func (c *compiler) fileName(p string) (string, bool) {
	p = path.Clean(p)
	if name, ok := strings.CutPrefix(p, c.policy.configDir()+"/"); ok {
		return name, true
	}
	_, ok := c.stock[p]
	return p, ok
}

// label is what traces call a file of stock.
func label(name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return "postfix/" + name
}

// takeStock gives the installation's files the names that they have in stock.
func (c *compiler) takeStock() {
	c.stock = c.in.configured()
	elsewhere := ""
	for _, p := range slices.Sorted(maps.Keys(c.in.Files)) {
		clean := path.Clean(p)
		switch {
		case !path.IsAbs(p):
			c.errs.add("Installation.Files", ErrInvalid, "write the path on the server, such as "+c.path(p), "%q is not an absolute path", p)
		case strings.HasPrefix(clean, c.policy.configDir()+"/"):
		default:
			c.stock[clean] = c.in.Files[p]
			if path.Base(clean) == "main.cf" {
				elsewhere = clean
			}
		}
	}
	if elsewhere != "" && len(c.in.configured()) == 0 {
		c.errs.add("Installation.ConfigDirectory", ErrConflict, "write "+path.Dir(elsewhere), "nothing is in %s, but there is %s", c.policy.configDir(), elsewhere)
	}
}

// file returns a table's text: ours where we emit it, else the installation's.
func (c *compiler) file(name string) ([]byte, bool) {
	if f, ok := c.emitted["postfix/"+name]; ok {
		return f, true
	}
	f, ok := c.stock[name]
	return f, ok
}

func (c *compiler) tableWarnings(ws []postfix.Warning) {
	for _, w := range ws {
		c.warn(fmt.Sprintf("%s:%d", w.Name, w.Line), "%s", w.Text)
	}
}

// maps reads a list of tables; opaque are those that can't be read here.
func (c *compiler) maps(value string) (known []source, opaque []string) {
	specs, err := postfix.ParseMaps(value)
	if err != nil {
		return nil, []string{value}
	}
	for _, spec := range specs {
		if src, ok := c.table(spec); ok {
			known = append(known, src)
		} else {
			opaque = append(opaque, spec.Type+":"+spec.Name)
		}
	}
	return known, opaque
}
