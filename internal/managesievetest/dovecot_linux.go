package managesievetest

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// The owner of the homes: any account that isn't root's will do.
const homeOwner = 65534

// A Dovecot is a real server with ManageSieve on loopback, in a directory and a
// process namespace of its own: killing its first process ends all of them.
// Every address has a mailbox; its scripts are in Home(address)/sieve, the active
// one is what Home(address)/.dovecot.sieve points to.
type Dovecot struct {
	Addr, TLSAddr    string // with STARTTLS, and with TLS from the first byte
	Master, Password string // for every mailbox, by PLAIN with an authorization identity
	// Authority verifies the server's certificate, which is for "localhost".
	Authority *tls.Config
	// Client has a certificate of Authority with the common name
	// carol@example.com, for settings that ask for one.
	Client tls.Certificate

	tb      testing.TB
	dir     string
	process *exec.Cmd
	ended   chan error
}

const dovecotConf = `protocols = sieve
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
ssl = required
ssl_cert = <%[1]s/cert.pem
ssl_key = <%[1]s/key.pem
disable_plaintext_auth = yes
auth_mechanisms = plain
auth_failure_delay = 0
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/Maildir
passdb {
  driver = passwd-file
  args = %[1]s/masters
  master = yes
}
passdb {
  driver = static
  args = password=user-password
}
userdb {
  driver = static
  args = uid=%[4]d gid=%[4]d home=%[1]s/home/%%u allow_all_users=yes
}
service managesieve-login {
  service_count = 0
  process_min_avail = 2
  inet_listener sieve {
    address = 127.0.0.1
    port = %[2]s
  }
  inet_listener sieves {
    address = 127.0.0.1
    port = %[3]s
    ssl = yes
  }
}
service managesieve {
  service_count = 100
}
# No delay after a failed login, which holds up all of the same address.
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
plugin {
  sieve = file:~/sieve;active=~/.dovecot.sieve
}
%[5]s
`

// StartDovecot starts a server with the additional settings, in which DIR is its
// directory, and stops it when the test ends. Where there is none the test is skipped, or fails under
// REQUIRE_SERVERS=1.
func StartDovecot(tb testing.TB, settings string) *Dovecot {
	tb.Helper()
	servertest.Need(tb, "dovecot")
	servertest.Need(tb, "managesieve-login")
	if os.Getuid() != 0 {
		servertest.Missing(tb, "Dovecot with process namespaces needs root")
	}
	version, err := exec.Command("dovecot", "--version").Output()
	if err != nil || !strings.HasPrefix(string(version), "2.3.") {
		servertest.Missing(tb, fmt.Sprintf("Dovecot 2.3 is needed, this is %q (%v)", version, err))
	}
	// Not the test's own directory: its path is too long for Unix sockets, and
	// nobody but root may enter it.
	dir, err := os.MkdirTemp("", "ms")
	if err != nil {
		tb.Fatal(err)
	}
	d := &Dovecot{Master: "master", Password: "master-password", tb: tb, dir: dir}
	tb.Cleanup(func() {
		d.Kill()
		os.RemoveAll(dir)
	})
	pairs, err := maillab.Issue(map[string]maillab.Certificate{
		"ca":     {CommonName: "test authority", Authority: true},
		"server": {CommonName: "localhost", Names: []string{"localhost"}, Issuer: "ca"},
		"client": {CommonName: "carol@example.com", Issuer: "ca"},
	}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pairs["ca"].Certificate)
	d.Authority = &tls.Config{RootCAs: pool, ServerName: "localhost"}
	if d.Client, err = tls.X509KeyPair(pairs["client"].Certificate, pairs["client"].Key); err != nil {
		tb.Fatal(err)
	}
	ports := freePorts(tb, 2)
	d.Addr, d.TLSAddr = "127.0.0.1:"+ports[0], "127.0.0.1:"+ports[1]
	if err := os.Chmod(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.Mkdir(dir+"/home", 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chown(dir+"/home", homeOwner, homeOwner); err != nil {
		tb.Fatal(err)
	}
	settings = strings.ReplaceAll(settings, "DIR", dir)
	conf := fmt.Sprintf(dovecotConf, dir, ports[0], ports[1], homeOwner, settings)
	for name, content := range map[string]string{
		"dovecot.conf": conf,
		"masters":      d.Master + ":{PLAIN}" + d.Password + "\n",
		"ca.pem":       string(pairs["ca"].Certificate),
		"cert.pem":     string(pairs["server"].Certificate),
		"key.pem":      string(pairs["server"].Key),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	d.Start()
	return d
}

func freePorts(tb testing.TB, n int) []string {
	tb.Helper()
	var ports []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
	}
	return ports
}

// Start starts the server again after Kill and waits until it listens.
func (d *Dovecot) Start() {
	d.tb.Helper()
	os.Remove(d.dir + "/run/master.pid")
	d.process = exec.Command("dovecot", "-F", "-c", d.dir+"/dovecot.conf")
	d.process.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	if err := d.process.Start(); err != nil {
		servertest.Missing(d.tb, "no process namespace: "+err.Error())
	}
	process, ended := d.process, make(chan error, 1)
	d.ended = ended
	go func() { ended <- process.Wait() }()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if conn, err := net.DialTimeout("tcp", d.TLSAddr, time.Second); err == nil {
			conn.Close()
			return
		}
		select {
		case err := <-ended:
			d.tb.Fatalf("dovecot: %v\n%s", err, d.Log())
		case <-time.After(20 * time.Millisecond):
		}
	}
	d.tb.Fatalf("dovecot isn't listening at %s\n%s", d.TLSAddr, d.Log())
}

// Kill ends all processes of the server at once, by SIGKILL.
func (d *Dovecot) Kill() {
	if d.process == nil || d.process.Process == nil {
		return
	}
	d.process.Process.Kill()
	select {
	case <-d.ended:
	case <-time.After(20 * time.Second):
		d.tb.Error("dovecot doesn't die")
	}
	d.process = nil
}

// Log is the end of the server's log.
func (d *Dovecot) Log() string {
	log, _ := os.ReadFile(d.dir + "/log")
	return string(log[max(0, len(log)-4000):])
}

// AuthorityFile is the PEM file with the certificate of Authority.
func (d *Dovecot) AuthorityFile() string { return d.dir + "/ca.pem" }

// Home is the home directory of a mailbox.
func (d *Dovecot) Home(address string) string { return filepath.Join(d.dir, "home", address) }

// Put writes a script into a mailbox as the server would; active activates it.
func (d *Dovecot) Put(address, name string, script []byte, active bool) error {
	home := d.Home(address)
	file := filepath.Join(home, "sieve", name+".sieve")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(file, script, 0o600); err != nil {
		return err
	}
	for _, path := range []string{home, filepath.Dir(file), file} {
		if err := os.Chown(path, homeOwner, homeOwner); err != nil {
			return err
		}
	}
	if !active {
		return nil
	}
	link := filepath.Join(home, ".dovecot.sieve")
	if err := os.Symlink("sieve/"+name+".sieve", link); err != nil {
		return err
	}
	return os.Lchown(link, homeOwner, homeOwner)
}

// Get is a mailbox's script and whether it is active, from the server's files.
func (d *Dovecot) Get(address, name string) (script []byte, active bool, err error) {
	file := filepath.Join(d.Home(address), "sieve", name+".sieve")
	if script, err = os.ReadFile(file); err != nil {
		return nil, false, err
	}
	target, err := os.Readlink(filepath.Join(d.Home(address), ".dovecot.sieve"))
	if os.IsNotExist(err) {
		return script, false, nil
	}
	return script, filepath.Base(target) == name+".sieve", err
}
