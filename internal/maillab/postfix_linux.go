package maillab

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// instance is one Postfix.
type instance struct {
	dir   string // configuration directory
	queue string // queue_directory
}

// machinery are the files of /etc/postfix that belong to the program, not to a
// configuration.
var machinery = []string{"dynamicmaps.cf", "dynamicmaps.cf.d", "postfix-files", "postfix-files.d", "postfix-script", "post-install",
	"makedefs.out"}

// stockMaster is where distributions keep an untouched master.cf.
var stockMaster = []string{"/usr/share/postfix/master.cf.dist", "/etc/postfix/master.cf.proto", "/etc/postfix/master.cf"}

// clearPostfix takes the machine's own configuration away and returns the
// distribution's master.cf.
func clearPostfix() ([]byte, error) {
	var stock []byte
	for _, name := range stockMaster {
		if data, err := os.ReadFile(name); err == nil {
			stock = data
			break
		}
	}
	entries, err := os.ReadDir("/etc/postfix")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !slices.Contains(machinery, e.Name()) {
			if err := os.RemoveAll("/etc/postfix/" + e.Name()); err != nil {
				return nil, err
			}
		}
	}
	others, err := filepath.Glob("/etc/postfix-*")
	if err != nil {
		return nil, err
	}
	for _, dir := range others {
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
	}
	return stock, nil
}

// installFiles puts the site's files in their places and returns the Postfix
// instances among them.
func installFiles(s *Site, stock []byte) ([]instance, error) {
	var instances []instance
	for name, data := range s.Files {
		if !fs.ValidPath(name) {
			return nil, fmt.Errorf("file %q: want a clean relative slash path", name)
		}
		top, rest, _ := strings.Cut(name, "/")
		target := ""
		switch {
		case rest == "":
		case top == "postfix", strings.HasPrefix(top, "postfix-"):
			target = "/etc/" + name
			if rest == "main.cf" {
				instances = append(instances, instance{dir: "/etc/" + top})
			}
		case top == "sieve":
			target = "/etc/dovecot/" + name
		case top == "dovecot" && strings.HasSuffix(rest, ".conf") && !strings.Contains(rest, "/"):
			target = "/etc/dovecot/conf.d/" + rest
		case top == "haproxy", top == "nftables":
			target = "/etc/" + name
		case top == "etc":
			target = "/etc/" + rest
		}
		if target == "" {
			return nil, fmt.Errorf("file %q: no place for it; see Site.Files", name)
		}
		if err := install(target, data); err != nil {
			return nil, err
		}
	}
	if len(instances) == 0 {
		return nil, fmt.Errorf("the site has no postfix/main.cf")
	}
	slices.SortFunc(instances, func(a, b instance) int { return strings.Compare(a.dir, b.dir) })
	for _, i := range instances {
		master := i.dir + "/master.cf"
		if _, err := os.Stat(master); os.IsNotExist(err) {
			if err := install(master, stock); err != nil {
				return nil, err
			}
		}
	}
	return instances, nil
}

// preparePostfix builds the tables of an instance, makes its directories, and
// has Postfix check it where task.Check says so.
func (r *runner) preparePostfix(i *instance) error {
	main, err := os.ReadFile(i.dir + "/main.cf")
	if err != nil {
		return err
	}
	master, err := os.ReadFile(i.dir + "/master.cf")
	if err != nil {
		return err
	}
	names := []string{"queue_directory", "data_directory", "mail_owner", "setgid_group"}
	var values []string
	for _, name := range names {
		values = append(values, r.task.Defaults.Settings[name])
		if bytes.Contains(main, []byte(name)) || values[len(values)-1] == "" {
			settings, err := r.postconf(i, append([]string{"-hx"}, names...)...)
			if err != nil {
				return err
			}
			if values = strings.Split(settings, "\n"); len(values) < len(names) {
				return fmt.Errorf("postconf -c %s: %q", i.dir, settings)
			}
			break
		}
	}
	i.queue = values[0]
	owner, err := user.Lookup(values[2])
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(owner.Uid)
	if err := os.MkdirAll(i.queue, 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(values[1], 0o755); err != nil {
		return err
	}
	if err := os.Chown(values[1], uid, -1); err != nil {
		return err
	}
	if err := fillChroot(i.queue); err != nil {
		return err
	}
	var text strings.Builder
	for line := range strings.Lines(string(master)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			text.WriteString(line)
		}
	}
	// It complains about master.cf, too.
	out, err := r.postconf(i, "-n")
	if err != nil {
		return err
	}
	text.WriteString(out)
	if err := r.buildTables(i, text.String()); err != nil {
		return err
	}
	if r.task.Check {
		r.complain("postfix -c "+i.dir+" check", exec.Command("postfix", "-c", i.dir, "check"))
	} else if err := i.makeQueue(uid, values[3]); err != nil {
		return err
	}
	// It spares postfix start the same checks.
	return os.WriteFile(i.queue+"/quick-start", nil, 0o644)
}

// makeQueue makes the queue directories that "postfix check" would make, by
// Postfix's own list of them. What that command does beside it looks at the
// machine's files, and takes three times as long as all the rest of a set-up.
func (i *instance) makeQueue(owner int, group string) error {
	g, err := user.LookupGroup(group)
	if err != nil {
		return err
	}
	gid, _ := strconv.Atoi(g.Gid)
	list, err := os.ReadFile("/etc/postfix/postfix-files")
	if err != nil {
		return err
	}
	made := 0
	for line := range strings.Lines(string(list)) {
		// $queue_directory/maildrop:d:$mail_owner:$setgid_group:730:uc
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "$queue_directory")
		parts := strings.Split(rest, ":")
		if !ok || len(parts) < 6 || parts[1] != "d" {
			continue
		}
		mode, err := strconv.ParseUint(parts[4], 8, 32)
		if err != nil {
			return fmt.Errorf("postfix-files: %q: %w", line, err)
		}
		uid, gidOf := 0, -1
		if parts[2] == "$mail_owner" {
			uid = owner
		}
		if parts[3] == "$setgid_group" {
			gidOf = gid
		}
		dir := i.queue + parts[0]
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.Chown(dir, uid, gidOf); err != nil {
			return err
		}
		if err := os.Chmod(dir, os.FileMode(mode)); err != nil {
			return err
		}
		made++
	}
	if made < 10 {
		return fmt.Errorf("postfix-files names %d queue directories only", made)
	}
	return nil
}

// postconf asks postconf; what it says on standard error is a complaint.
func (r *runner) postconf(i *instance, arguments ...string) (string, error) {
	arguments = append([]string{"-c", i.dir}, arguments...)
	cmd := exec.Command("postconf", arguments...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	r.complaint("postconf "+strings.Join(arguments, " "), stderr.String())
	if err != nil {
		return "", fmt.Errorf("postconf %s: %w\n%s", strings.Join(arguments, " "), err, stderr.Bytes())
	}
	return stdout.String(), nil
}

// indexed finds the indexed tables that a configuration names.
var indexed = regexp.MustCompile(`\b(hash|btree|lmdb|cdb|dbm|sdbm):(/[^\s,{}"]+)`)

// buildTables indexes the tables whose source files are there; one that isn't
// is left to Postfix to complain about. A table that Site.Exec has built
// already is left alone.
func (r *runner) buildTables(i *instance, configuration string) error {
	seen := map[string]bool{}
	var tables []string
	for _, m := range indexed.FindAllStringSubmatch(configuration, -1) {
		table, source := m[0], m[2]
		if seen[table] {
			continue
		}
		seen[table] = true
		if info, err := os.Stat(source); err != nil || !info.Mode().IsRegular() {
			continue
		}
		suffix := "." + m[1]
		if m[1] == "hash" || m[1] == "btree" {
			suffix = ".db"
		}
		if _, err := os.Stat(source + suffix); err == nil {
			continue
		}
		if source == "/etc/aliases" {
			r.complain("postalias "+table, exec.Command("postalias", "-c", i.dir, table))
			continue
		}
		tables = append(tables, table)
	}
	if len(tables) > 0 {
		// All in one process; it stops at the first that it can't read.
		r.complain("postmap", exec.Command("postmap", append([]string{"-c", i.dir}, tables...)...))
	}
	return nil
}

// fillChroot copies what a chrooted daemon looks up into the queue directory,
// as the start scripts of distributions do.
func fillChroot(queue string) error {
	for _, name := range []string{"resolv.conf", "hosts", "nsswitch.conf", "services", "localtime"} {
		data, err := os.ReadFile("/etc/" + name)
		if err != nil {
			continue
		}
		if err := install(queue+"/etc/"+name, data); err != nil {
			return err
		}
	}
	for _, name := range []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"} {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := install(queue+name, data); err != nil {
			return err
		}
	}
	return os.CopyFS(queue+CertificateDir, os.DirFS(CertificateDir))
}

// queued counts the files in the moving queues of the instance, and lists those
// at rest by queue: "deferred" and "hold".
func (i *instance) queued() (moving int, resting map[string][]string) {
	count := func(queue string, file func(name string)) {
		filepath.WalkDir(filepath.Join(i.queue, queue), func(name string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				file(entry.Name())
			}
			return nil // files come and go meanwhile
		})
	}
	for _, queue := range []string{"maildrop", "incoming", "active"} {
		count(queue, func(string) { moving++ })
	}
	resting = map[string][]string{}
	for _, queue := range []string{"deferred", "hold"} {
		count(queue, func(name string) { resting[queue] = append(resting[queue], name) })
	}
	return moving, resting
}

// header reads the header section of a queued message.
func (i *instance) header(id string) []byte {
	out, err := exec.Command("postcat", "-c", i.dir, "-h", "-q", id).Output()
	if err != nil {
		return nil
	}
	return out
}
