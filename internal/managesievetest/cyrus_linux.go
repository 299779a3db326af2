package managesievetest

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// A Cyrus is Cyrus's real timsieved on loopback, under a cyrmaster of its own in
// a directory and a process namespace of its own.
type Cyrus struct {
	Addr             string // with STARTTLS, and PLAIN without
	Master, Password string // for every mailbox, by PLAIN with an authorization identity
	Authority        *tls.Config
}

const cyrusConf = `configdirectory: DIR/conf
defaultpartition: default
partition-default: DIR/spool
sievedir: DIR/sieve
admins: master
sasl_pwcheck_method: saslauthd
sasl_saslauthd_path: DIR/mux
sasl_mech_list: PLAIN
allowplaintext: yes
unixhierarchysep: yes
virtdomains: userid
defaultdomain: example.com
servername: localhost
tls_server_cert: DIR/cert.pem
tls_server_key: DIR/key.pem
tls_server_ca_file: DIR/ca.pem
proc_path: DIR/conf/proc
mboxname_lockpath: DIR/conf/lock
lmtpsocket: DIR/conf/socket/lmtp
idlesocket: DIR/conf/socket/idle
notifysocket: DIR/conf/socket/notify
`

// StartCyrus starts a server with the mailboxes and stops it when the test ends.
// Where there is none the test is skipped, or fails under REQUIRE_SERVERS=1.
func StartCyrus(tb testing.TB, mailboxes ...string) *Cyrus {
	tb.Helper()
	servertest.Need(tb, "cyrmaster")
	if os.Getuid() != 0 {
		servertest.Missing(tb, "Cyrus with process namespaces needs root")
	}
	account, err := user.Lookup("cyrus")
	if err != nil {
		servertest.Missing(tb, "Cyrus is not installed: "+err.Error())
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	dir, err := os.MkdirTemp("", "cy")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	pairs, err := maillab.Issue(map[string]maillab.Certificate{
		"ca":     {CommonName: "test authority", Authority: true},
		"server": {CommonName: "localhost", Names: []string{"localhost"}, Issuer: "ca"},
	}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pairs["ca"].Certificate)
	ports := freePorts(tb, 2)
	c := &Cyrus{Addr: "127.0.0.1:" + ports[1], Master: "master", Password: "master-password",
		Authority: &tls.Config{RootCAs: pool, ServerName: "localhost"}}
	for name, content := range map[string]string{
		"imapd.conf": strings.ReplaceAll(cyrusConf, "DIR", dir),
		"cyrus.conf": fmt.Sprintf("START {\n}\nSERVICES {\n"+
			"  imap cmd=\"/usr/lib/cyrus/bin/imapd -C %[1]s/imapd.conf\" listen=\"127.0.0.1:%[2]s\" prefork=0\n"+
			"  sieve cmd=\"/usr/lib/cyrus/bin/timsieved -C %[1]s/imapd.conf\" listen=\"%[3]s\" prefork=0\n}\nEVENTS {\n}\n", dir, ports[0], c.Addr),
		"ca.pem":   string(pairs["ca"].Certificate),
		"cert.pem": string(pairs["server"].Certificate),
		"key.pem":  string(pairs["server"].Key),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	for _, sub := range []string{"conf/socket", "conf/proc", "conf/db", "conf/lock", "conf/msg", "conf/log", "conf/quota", "conf/user",
		"spool", "sieve"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	err = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
	if err != nil {
		tb.Fatal(err)
	}
	passwords(tb, dir+"/mux", c.Password)
	log, err := os.Create(dir + "/log")
	if err != nil {
		tb.Fatal(err)
	}
	defer log.Close()
	process := exec.Command("/usr/sbin/cyrmaster", "-C", dir+"/imapd.conf", "-M", dir+"/cyrus.conf", "-p", dir+"/pid", "-D")
	process.Stdout, process.Stderr = log, log
	process.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	if err := process.Start(); err != nil {
		servertest.Missing(tb, "no process namespace: "+err.Error())
	}
	tb.Cleanup(func() {
		process.Process.Kill()
		process.Wait()
	})
	if err := makeMailboxes("127.0.0.1:"+ports[0], c, mailboxes); err != nil {
		said, _ := os.ReadFile(dir + "/log")
		tb.Fatalf("cyrus: %v\n%s", err, said)
	}
	return c
}

// makeMailboxes makes them over IMAP, as soon as the server listens.
func makeMailboxes(addr string, c *Cyrus, mailboxes []string) error {
	var conn net.Conn
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if conn, err = net.DialTimeout("tcp", addr, time.Second); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	lines := []string{"LOGIN " + c.Master + " " + c.Password}
	for _, m := range mailboxes {
		lines = append(lines, "CREATE user/"+m)
	}
	r := bufio.NewReader(conn)
	for _, line := range append(lines, "LOGOUT") {
		fmt.Fprintf(conn, "a %s\r\n", line)
		for {
			answer, err := r.ReadString('\n')
			if err != nil {
				return fmt.Errorf("%s: %w", line, err)
			}
			if strings.HasPrefix(answer, "a ") {
				if !strings.HasPrefix(answer, "a OK") {
					return fmt.Errorf("%s: %s", line, answer)
				}
				break
			}
		}
	}
	return nil
}

// passwords plays saslauthd(8): everybody has the same password.
func passwords(tb testing.TB, path, password string) {
	listener, err := net.Listen("unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { listener.Close() })
	if err := os.Chmod(path, 0o777); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			var fields [4]string // name, password, service, realm
			for i := range fields {
				var size uint16
				if binary.Read(conn, binary.BigEndian, &size) != nil {
					break
				}
				b := make([]byte, size)
				io.ReadFull(conn, b)
				fields[i] = string(b)
			}
			answer := "NO"
			if fields[1] == password {
				answer = "OK"
			}
			conn.Write(append([]byte{0, byte(len(answer))}, answer...))
			conn.Close()
		}
	}()
}
