package maillab

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Where mail and homes are in the run: HOMES/DOMAIN/USER, with Maildir below.
const mailHomes = "/var/spool/maillab"

// dovecotTemplate is the configuration for the version that "dovecot --version"
// printed, and whether it is in the language of Dovecot 2.4.
func dovecotTemplate(version string) (template string, is24 bool, err error) {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return "", false, fmt.Errorf("dovecot --version: %q isn't a version", version)
	}
	switch {
	case major == 2 && minor == 3:
		return dovecot23, false, nil
	case major == 2 && minor == 4:
		return dovecot24, true, nil
	}
	return "", false, fmt.Errorf("no configuration for Dovecot %d.%d, only for 2.3 and 2.4", major, minor)
}

// startDovecot configures and starts the mail store. The addresses are those
// whose homes must exist, because Pigeonhole's record of what it sent is there
// and doesn't make the directory itself.
func (r *runner) startDovecot(queue string, addresses []string) error {
	template, is24, err := dovecotTemplate(r.task.Defaults.Dovecot)
	if err != nil {
		return err
	}
	own, users, all := r.task.Site.Dovecot, "passdb {\n  driver = static\n  args = password="+r.task.World.Password+"\n}\n", "allow_all_users=yes "
	if is24 {
		own, users, all = r.task.Site.Dovecot24, "passdb static {\n  password = "+r.task.World.Password+"\n}\n", "allow_all_users = yes"
	}
	if len(r.task.Site.Users) > 0 {
		const file = "/etc/dovecot/maillab.users"
		var list strings.Builder
		for _, u := range r.task.Site.Users {
			fmt.Fprintf(&list, "%s:{PLAIN}%s::::::\n", u, r.task.World.Password)
		}
		if err := install(file, []byte(list.String())); err != nil {
			return err
		}
		users, all = "passdb {\n  driver = passwd-file\n  args = "+file+"\n}\n", ""
		if is24 {
			users = "passdb passwd-file {\n  passwd_file_path = " + file + "\n}\n"
		}
	}
	conf := fmt.Sprintf(template, queue, own, r.task.World.Host, users, all)
	if err := install("/etc/dovecot/dovecot.conf", []byte(conf)); err != nil {
		return err
	}
	if err := r.compileScripts(); err != nil {
		return err
	}
	if err := makeHomes(addresses); err != nil {
		return err
	}
	// It reads its configuration by doveconf(1), which complains on standard error.
	server := exec.Command("dovecot", "-F")
	out, err := os.CreateTemp("/run", "dovecot")
	if err != nil {
		return err
	}
	defer out.Close()
	said := func() []byte {
		text, _ := os.ReadFile(out.Name())
		return text
	}
	server.Stdout, server.Stderr = out, out
	if err := server.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	socket := queue + "/private/dovecot-lmtp"
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
			r.complaint("dovecot -F", string(said()))
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("dovecot: %w\n%s%s", err, said(), r.logTail())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("dovecot isn't listening at %s\n%s", socket, r.logTail())
}

// compileScripts compiles the global scripts and gives the personal ones to the
// user who runs them, who compiles them at the first delivery.
func (r *runner) compileScripts() error {
	const root = "/etc/dovecot/sieve"
	uid, gid, err := mailUser()
	if err != nil {
		return err
	}
	var scripts []string
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		personal := strings.HasPrefix(name, root+"/users")
		switch {
		case os.IsNotExist(err):
			return nil
		case err != nil:
			return err
		case personal:
			return os.Chown(name, uid, gid)
		case strings.HasSuffix(name, ".sieve"):
			scripts = append(scripts, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	sort.Strings(scripts)
	for _, name := range scripts {
		r.complain("sievec "+name, exec.Command("sievec", name))
	}
	return nil
}

func mailUser() (uid, gid int, err error) {
	u, err := user.Lookup("mail")
	if err != nil {
		return 0, 0, err
	}
	uid, _ = strconv.Atoi(u.Uid)
	gid, _ = strconv.Atoi(u.Gid)
	return uid, gid, nil
}

// makeHomes makes the home directories of the addresses.
func makeHomes(addresses []string) error {
	uid, gid, err := mailUser()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(mailHomes, 0o755); err != nil {
		return err
	}
	if err := os.Chown(mailHomes, uid, gid); err != nil {
		return err
	}
	for _, a := range addresses {
		local, domain, ok := cutAddress(mailbox(a))
		if !ok || strings.ContainsAny(local+domain, "/\x00") || local == "" || domain == "" || local[0] == '.' || domain[0] == '.' {
			continue
		}
		domainDir := filepath.Join(mailHomes, domain)
		for _, dir := range []string{domainDir, filepath.Join(domainDir, local)} {
			if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
				continue // a name no file can have has no mailbox either
			}
			if err := os.Chown(dir, uid, gid); err != nil {
				return err
			}
		}
	}
	return nil
}
