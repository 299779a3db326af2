package maillab

import (
	"bytes"
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

// dovecot23 is the configuration of the mail store in the language of Dovecot
// 2.3: LMTP with Sieve for Postfix at private/dovecot-lmtp, SASL at
// private/auth of the queue directory (%[1]s), users (%[5]s, %[6]s) with the world's
// password (%[2]s), personal scripts in /etc/dovecot/sieve/users. It has no
// global script. One process does all deliveries, since 2.3 fails (panic, or
// "Mailbox already exists") where two at once make the same mailbox. Customer settings (%[3]s) and the fragments come last, since
// later settings win.
const dovecot23 = `protocols = lmtp
base_dir = /run/dovecot
state_dir = /run/dovecot-state
log_path = syslog
syslog_facility = mail
auth_verbose = yes
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_home = ` + mailHomes + `/%%d/%%n
mail_location = maildir:~/Maildir:LAYOUT=fs:UTF-8
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
first_valid_gid = 1
recipient_delimiter = +
lda_mailbox_autocreate = yes
lda_mailbox_autosubscribe = yes
lmtp_save_to_detail_mailbox = no
postmaster_address = postmaster@%[4]s
hostname = %[4]s
%[5]suserdb {
  driver = static
  args = uid=mail gid=mail %[6]shome=` + mailHomes + `/%%d/%%n
}
namespace inbox {
  inbox = yes
  separator = /
}
service lmtp {
  process_limit = 1
  client_limit = 1000
  unix_listener %[1]s/private/dovecot-lmtp {
    user = postfix
    group = postfix
    mode = 0600
  }
  inet_listener lmtp {
    address = 127.0.0.1
    port = 24
  }
}
service auth {
  unix_listener %[1]s/private/auth {
    user = postfix
    group = postfix
    mode = 0660
  }
}
protocol lmtp {
  mail_plugins = $mail_plugins sieve
}
plugin {
  sieve = file:~/sieve;active=/etc/dovecot/sieve/users/%%u.sieve
  sieve_max_redirects = 8
}
%[3]s
!include_try conf.d/*.conf
`

// dovecotTemplate is the configuration for the version that "dovecot --version"
// printed. Dovecot 2.4 has another configuration language.
func dovecotTemplate(version string) (string, error) {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return "", fmt.Errorf("dovecot --version: %q isn't a version", version)
	}
	if major == 2 && minor == 3 {
		return dovecot23, nil
	}
	return "", fmt.Errorf("no configuration for Dovecot %d.%d, only for 2.3", major, minor)
}

// startDovecot configures and starts the mail store. The addresses are those
// whose homes must exist, because Pigeonhole's record of what it sent is there
// and doesn't make the directory itself.
func (r *runner) startDovecot(queue string, addresses []string) error {
	version, err := exec.Command("dovecot", "--version").Output()
	if err != nil {
		return fmt.Errorf("dovecot --version: %w", err)
	}
	template, err := dovecotTemplate(string(version))
	if err != nil {
		return err
	}
	users, all := "passdb {\n  driver = static\n  args = password="+r.task.World.Password+"\n}\n", "allow_all_users=yes "
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
	}
	conf := fmt.Sprintf(template, queue, r.task.World.Password, r.task.Site.Dovecot, r.task.World.Host, users, all)
	if err := install("/etc/dovecot/dovecot.conf", []byte(conf)); err != nil {
		return err
	}
	check := exec.Command("doveconf", "-n")
	check.Stdout = nil
	r.complain("doveconf -n", check)
	if err := r.compileScripts(); err != nil {
		return err
	}
	if err := makeHomes(addresses); err != nil {
		return err
	}
	server := exec.Command("dovecot", "-F")
	var said bytes.Buffer
	server.Stdout, server.Stderr = &said, &said
	if err := server.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	socket := queue + "/private/dovecot-lmtp"
	for range 200 {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("dovecot: %w\n%s%s", err, said.Bytes(), r.logTail())
		case <-time.After(25 * time.Millisecond):
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
