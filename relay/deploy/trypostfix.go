package deploy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// postfix tries main.cf, master.cf and what they name. It reports whether
// they can be read at all.
func (s *stage) postfix(ctx context.Context) bool {
	dir := s.o.Places.Postfix
	for _, name := range []string{"main.cf", "master.cf"} {
		if !s.written(name) {
			s.restage(name) // the live one, which stays
		}
	}
	if !s.has(ctx, "postconf") {
		s.untried("%s: the server has no postconf", dir)
		return false
	}
	for _, what := range []string{"-n", "-M", "-P"} {
		out, err := s.run(ctx, "postconf", "-c", s.dir+dir, what)
		if err != nil || out.Status != 0 {
			s.refuse("postconf "+what, "change the setting that it names", "%v", s.said(out, err))
			return false
		}
		for line := range strings.Lines(string(out.Stderr)) {
			s.warn(line)
		}
	}
	files, err := s.parse()
	if err != nil {
		s.refuse(dir, "mend the line", "%v", err)
		return false
	}
	// What kills every program of Postfix's, by name and once.
	if out, err := s.run(ctx, "postmap", "-c", s.dir+dir, "-q", "x", "static:x"); err != nil || out.Status != 0 {
		text := s.said(out, err)
		s.refuse(s.place(files, text), "change the setting", "%s", text)
		return false
	}
	version, _ := s.must(ctx, "postconf", "-c", s.dir+dir, "-h", "mail_version")
	host, _ := s.must(ctx, "uname", "-n")
	base := postfix.Settings{Main: files.main, Release: version, ConfigDirectory: s.dir + dir, Hostname: host,
		ReadFile: func(name string) ([]byte, error) {
			out, err := s.run(ctx, "cat", "--", name)
			if err == nil && out.Status != 0 {
				err = errors.New(strings.TrimSpace(string(out.Stderr)))
			}
			return out.Stdout, err
		}}
	c := checker{stage: s, base: base, tried: map[string]bool{}, known: map[string]answer{}}
	out, err := s.run(ctx, "postconf", "-c", s.dir+dir, "-m")
	if err == nil {
		c.types = strings.Fields(string(out.Stdout))
	}
	c.index(ctx)
	daemons, _ := base.Get("daemon_directory")
	var programs []string
	for _, sv := range files.master.Services() {
		programs = append(programs, daemon(daemons, sv))
	}
	gone := c.missing(ctx, programs)
	for _, p := range files.main.Params() {
		at := fmt.Sprintf("%s/main.cf:%d", dir, p.Line)
		c.setting(ctx, base, at, p)
		c.services(files.master, base, at, p)
	}
	c.pairs(ctx, base, dir+"/main.cf")
	c.ports(ctx, files.master)
	seen := map[string]bool{}
	for _, sv := range files.master.Services() {
		at := fmt.Sprintf("%s/master.cf:%d", dir, sv.Line)
		if key := sv.Name + "/" + sv.Type; seen[key] {
			s.refuse(at, "delete one of them, or give it another name", "the service %s %s is there twice", sv.Name, sv.Type)
		} else {
			seen[key] = true
		}
		of := base.Of(sv)
		for _, p := range sv.Options {
			c.setting(ctx, of, at, p)
			c.services(files.master, of, at, p)
		}
		c.pairs(ctx, of, at)
		if file := daemon(daemons, sv); gone[file] {
			c.refuse(at, "correct the program's name, or install its package", "the program %s of the service %s is not there", file, sv.Name)
		} else {
			c.arguments(ctx, at, sv)
		}
	}
	return true
}

// written reports whether a file of Postfix's is among the new ones.
func (s *stage) written(name string) bool {
	for _, f := range s.files {
		if f.Name == "postfix/"+name {
			return true
		}
	}
	return false
}

// restage rewrites the paths in a copy, where there is one.
func (s *stage) restage(name string) {
	p := strings.TrimPrefix(s.dir+s.o.Places.Postfix+"/"+name, "/")
	data, info, err := s.t.ReadFile(p)
	if err != nil {
		return // an error of postconf's
	}
	if err = s.t.Remove(p); err == nil {
		err = s.t.Create(p, []byte(s.rewrite(string(data))), info.Attr)
	}
	if err != nil {
		s.errs = append(s.errs, failure(p, err))
	}
}

type configuration struct {
	main   *postfix.Main
	master *postfix.Master
}

func (s *stage) parse() (c configuration, err error) {
	dir := s.o.Places.Postfix
	data, err := s.read(dir + "/main.cf")
	if err == nil {
		c.main, err = postfix.ParseMain(dir+"/main.cf", data)
	}
	if err != nil {
		return c, err
	}
	if data, err = s.read(dir + "/master.cf"); err == nil {
		c.master, err = postfix.ParseMaster(dir+"/master.cf", data)
	}
	return c, err
}

// said is what a program that failed said.
func (s *stage) said(out Output, err error) string {
	text := strings.TrimSpace(string(out.Stderr))
	if err != nil {
		return strings.TrimSpace(err.Error() + " " + text)
	}
	if text == "" {
		text = fmt.Sprintf("exit status %d", out.Status)
	}
	return strings.ReplaceAll(text, "\n", "; ")
}

// checker looks at settings.
type checker struct {
	*stage
	base  postfix.Settings
	types []string // postconf -m
	tried map[string]bool
	known map[string]answer // of programs that only look
}

type answer struct {
	out Output
	err error
}

// look runs a program that only looks, once.
func (c *checker) look(ctx context.Context, args ...string) (Output, error) {
	key := strings.Join(args, "\x00")
	a, ok := c.known[key]
	if !ok {
		a.out, a.err = c.run(ctx, args...)
		c.known[key] = a
	}
	return a.out, a.err
}

// missing returns those of the files that can't be run.
func (c *checker) missing(ctx context.Context, files []string) map[string]bool {
	out, err := c.look(ctx, append([]string{"sh", "-c", `for f; do test -f "$f" && test -x "$f" || printf '%s\n' "$f"; done`, "sh"},
		files...)...)
	gone := map[string]bool{}
	if err == nil {
		for f := range strings.Lines(string(out.Stdout)) {
			gone[strings.TrimSuffix(f, "\n")] = true
		}
	}
	return gone
}

// index compiles the tables that are new.
func (c *checker) index(ctx context.Context) {
	text := ""
	for _, name := range []string{"main.cf", "master.cf"} {
		data, _ := c.read(c.o.Places.Postfix + "/" + name)
		text += string(data)
	}
	for _, f := range c.files {
		p := c.o.Places.Path(f.Name)
		for _, kind := range []string{"hash", "btree", "lmdb", "cdb", "dbm", "sdbm"} {
			named := regexp.MustCompile(`\b` + kind + `:[^\s,{}]*/` + regexp.QuoteMeta(path.Base(p)) + `(?:[^\w.-]|$)`)
			if !strings.HasPrefix(f.Name, "postfix/") || !named.MatchString(text) {
				continue
			}
			out, err := c.run(ctx, "postmap", "-c", c.dir+c.o.Places.Postfix, kind+":"+c.dir+p)
			if err != nil || out.Status != 0 || len(out.Stderr) > 0 {
				c.refuse(p, "mend the table", "postmap: %s", c.said(out, err))
			}
		}
	}
}

var (
	tableName = regexp.MustCompile(`(?:^|[\s,{])((?:proxy:)*)([a-z0-9_-]+):([^\s,{}]+)`)
	fileTypes = []string{"hash", "btree", "lmdb", "cdb", "dbm", "sdbm", "texthash", "regexp", "pcre", "cidr", "ldap", "mysql",
		"pgsql", "sqlite", "mongodb"}
	textTypes = []string{"texthash", "regexp", "pcre", "cidr"}
	remote    = []string{"ldap", "mysql", "pgsql", "mongodb"}
	listNames = regexp.MustCompile(`^(mynetworks|mydestination|.*_(domains|networks|clients|hosts))$`)
)

// setting looks at one setting as its program sees it.
func (c *checker) setting(ctx context.Context, s postfix.Settings, at string, p postfix.Param) {
	at += ": " + p.Name
	value, err := s.Get(p.Name)
	if err != nil {
		c.refuse(at, "mend the value", "%v", err)
		return
	}
	for _, m := range tableName.FindAllStringSubmatch(value, -1) {
		switch kind := m[2]; {
		case slices.Contains(fileTypes, kind):
			c.table(ctx, at, m[1] != "", kind, m[3])
		case strings.HasSuffix(p.Name, "_maps") && len(c.types) > 0 && !slices.Contains(c.types, kind) && kind != "proxy":
			c.refuse(at, "write a type that postconf -m lists, or install its package", "%s is no type of table that this Postfix has", kind)
		}
	}
	if listNames.MatchString(p.Name) {
		for _, w := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t,", r) }) {
			if w = strings.TrimPrefix(w, "!"); strings.HasPrefix(w, "/") {
				c.readable(ctx, at, w)
			}
		}
	}
	if strings.HasPrefix(p.Name, "smtpd_") && strings.HasSuffix(p.Name, "_restrictions") {
		c.restrictions(ctx, s, at, value, map[string]bool{})
	}
}

func (c *checker) readable(ctx context.Context, at, file string) {
	if out, err := c.run(ctx, "sh", "-c", `test -f "$0" && test -r "$0"`, file); err != nil || out.Status != 0 {
		c.refuse(at, "create the file, or take it out of the value", "%s is not there, or not a file that can be read", file)
	}
}

// table opens a table and asks for what can't be in it.
func (c *checker) table(ctx context.Context, at string, proxied bool, kind, name string) {
	key := kind + ":" + name
	if c.tried[at+key] {
		return
	}
	c.tried[at+key] = true
	if slices.Contains(textTypes, kind) || slices.Contains(remote, kind) || kind == "sqlite" {
		// postmap waits for a pipe.
		if out, err := c.look(ctx, "test", "-f", name); err != nil || out.Status != 0 {
			c.refuse(at, "create it, or take it out of the value", "the table %s is not there, or not a file", key)
			return
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := c.look(ctx, "postmap", "-c", c.dir+c.o.Places.Postfix, "-q", "oxmailroute-trial@invalid", key)
	text := c.said(out, err)
	switch {
	case slices.Contains(remote, kind) && (err != nil || strings.Contains(text, "warning:")):
		c.warn("the table " + key + ": " + text) // its server is down, perhaps
	case err != nil || len(strings.TrimSpace(string(out.Stderr))) > 0:
		c.refuse(at, "create the table (postmap, where it is indexed), or mend the line that is named", "the table %s: %s", key, text)
	}
	if proxied && c.root && !slices.Contains(remote, kind) {
		file := name
		if !slices.Contains(textTypes, kind) {
			file += map[bool]string{true: ".db", false: "." + kind}[kind == "hash" || kind == "btree"]
		}
		if out, err := c.look(ctx, "setpriv", "--reuid=postfix", "--regid=postfix", "--init-groups", "test", "-r", file); err == nil &&
			out.Status == 1 {
			c.refuse(at, "chgrp postfix and chmod g+r it, or leave proxy: out", "proxymap(8), which is the user postfix, can't read %s", file)
		}
	}
}

// restrictions looks at each word of a list and of its classes.
func (c *checker) restrictions(ctx context.Context, s postfix.Settings, at, value string, seen map[string]bool) {
	list, err := postfix.ParseRestrictions(value)
	if err != nil {
		c.refuse(at, "mend the list", "%v", err)
		return
	}
	classes, _ := s.Get("smtpd_restriction_classes")
	known := strings.FieldsFunc(classes, func(r rune) bool { return strings.ContainsRune(" \t,", r) })
	for _, r := range list {
		name := strings.ToLower(r.Name)
		switch {
		case name == "" || restrictionName.MatchString(name):
			if kind, _, ok := strings.Cut(strings.TrimPrefix(r.Arg, "proxy:"), ":"); ok && strings.HasSuffix(name, "_access") &&
				len(c.types) > 0 && !slices.Contains(c.types, kind) {
				c.refuse(at, "write a type that postconf -m lists, or install its package", "%s is no type of table that this Postfix has", kind)
			}
		case slices.Contains(known, r.Name):
			if seen[r.Name] {
				c.refuse(at, "take the class out of its own list", "the class %s contains itself", r.Name)
				continue
			}
			inner, err := s.Get(r.Name)
			if err == nil {
				with := map[string]bool{r.Name: true}
				for k := range seen {
					with[k] = true
				}
				c.restrictions(ctx, s, at+": "+r.Name, inner, with)
			}
		default:
			c.refuse(at, "correct the word, or add the class to smtpd_restriction_classes", "%q is no restriction of smtpd(8) and no class", r.Name)
		}
	}
}

// restrictionName matches what smtpd(8) knows (postconf(5)); what takes a table
// or a number comes with its argument.
var restrictionName = regexp.MustCompile(`^(permit|defer|reject|warn_if_reject|sleep|defer_if_permit|defer_if_reject|check_policy_service` +
	`|permit_(inet_interfaces|mynetworks|sasl_authenticated|tls_all_clientcerts|tls_clientcerts|auth_destination|mx_backup|naked_ip_address)` +
	`|(reject|defer)_unauth_destination|reject_unauth_pipelining|reject_multi_recipient_bounce|reject_plaintext_session` +
	`|reject_((known_|authenticated_|unauthenticated_)?sender_login_mismatch|(unknown|non_fqdn|invalid)_(helo_)?hostname)` +
	`|reject_non_fqdn_(sender|recipient)|reject_unknown_(client|address|sender_domain|recipient_domain)` +
	`|reject_unknown_(forward_|reverse_)?client_hostname|reject_(unverified|unlisted)_(sender|recipient)` +
	`|reject_rbl(_client)?|reject_maps_rbl|reject_rhsbl_(client|reverse_client|helo|sender|recipient)|permit_(dnswl|rhswl)_client` +
	`|check_(client|reverse_client_hostname|helo|sender|recipient)(_(a|ns|mx))?_access|check_(ccert|sasl|etrn)_access` +
	`|check_recipient_maps|check_relay_domains)$`)

// daemon is a service's program.
func daemon(dir string, sv postfix.Service) string {
	if strings.HasPrefix(sv.Command, "/") {
		return sv.Command
	}
	return path.Join(dir, sv.Command)
}

// arguments looks at what pipe(8) and spawn(8) run.
func (c *checker) arguments(ctx context.Context, at string, sv postfix.Service) {
	if base := path.Base(sv.Command); base != "pipe" && base != "spawn" {
		return
	}
	argv := false
	user := false
	for _, a := range sv.Args {
		if name, ok := strings.CutPrefix(a, "user="); ok && !argv {
			user = true
			name, group, _ := strings.Cut(name, ":")
			for what, n := range map[string]string{"passwd": name, "group": group} {
				if out, err := c.look(ctx, "getent", what, n); n != "" && err == nil && out.Status != 0 {
					c.refuse(at, "create it, or name another", "user=%s: there is no such user or group as %s", strings.TrimPrefix(a, "user="), n)
				}
			}
		}
		if program, ok := strings.CutPrefix(a, "argv="); ok && !argv {
			argv = true
			if strings.HasPrefix(program, "/") && c.missing(ctx, []string{program})[program] {
				c.refuse(at, "correct the path, or install the program", "the program %s of the service %s is not there", program, sv.Name)
			}
		}
	}
	if !argv || !user {
		c.refuse(at, "add it", "%s(8) of the service %s has no user= or no argv=", path.Base(sv.Command), sv.Name)
	}
}

// pairs looks at certificates, keys and authorities as a service sees them.
func (c *checker) pairs(ctx context.Context, s postfix.Settings, at string) {
	for _, side := range []string{"smtp", "smtpd", "lmtp", "tlsproxy"} {
		if s.Program != "" && s.Program != side {
			continue
		}
		for _, algorithm := range []string{"", "d", "ec"} {
			cert, key := side+"_tls_"+algorithm+"cert_file", side+"_tls_"+algorithm+"key_file"
			if s.Set(cert) || s.Set(key) {
				c.pair(ctx, s, at, cert, key)
			}
		}
		if name := side + "_tls_CAfile"; s.Set(name) {
			if file, err := s.Get(name); err == nil && file != "" {
				c.once(at, name, file, func(text []byte) error {
					if !x509.NewCertPool().AppendCertsFromPEM(text) {
						return errors.New("has no certificate in it")
					}
					return nil
				}, ctx)
			}
		}
		if name := side + "_tls_chain_files"; s.Set(name) {
			list, _ := s.Get(name)
			for _, file := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(" \t,", r) }) {
				c.once(at, name, file, nil, ctx)
			}
		}
	}
}

// once reads a file of a setting and looks at it.
func (c *checker) once(at, name, file string, look func([]byte) error, ctx context.Context) []byte {
	out, err := c.look(ctx, "cat", "--", file)
	if err == nil && out.Status != 0 {
		err = errors.New(c.said(out, nil))
	}
	if err == nil && look != nil {
		err = look(out.Stdout)
	}
	if err != nil {
		c.refuse(at+": "+name, "put the file there, readable for root", "%s: %v", file, err)
		return nil
	}
	return out.Stdout
}

func (c *checker) pair(ctx context.Context, s postfix.Settings, at, certName, keyName string) {
	file, _ := s.Get(certName)
	keyFile, _ := s.Get(keyName)
	if file == "" || file == "none" || c.tried[at+file+" "+keyFile] {
		return
	}
	c.tried[at+file+" "+keyFile] = true
	if keyFile == "" {
		keyFile = file
	}
	var leaf *x509.Certificate
	chain := c.once(at, certName, file, func(text []byte) (err error) {
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			if block.Type == "CERTIFICATE" {
				leaf, err = x509.ParseCertificate(block.Bytes)
				return err
			}
		}
		return errors.New("has no certificate in it")
	}, ctx)
	key := c.once(at, keyName, keyFile, nil, ctx)
	if chain == nil || key == nil {
		return
	}
	if now := time.Now(); now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		c.refuse(at+": "+certName, "renew it, or set the clock", "%s is valid from %s to %s only",
			file, leaf.NotBefore.Format(time.DateOnly), leaf.NotAfter.Format(time.DateOnly))
	}
	if _, err := tls.X509KeyPair(chain, key); err != nil {
		c.refuse(at+": "+keyName, "give the key of the certificate", "%s and %s: %v", file, keyFile, err)
	}
}
