package postfix

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// private is a Postfix with directories of its own.
type private struct {
	tb   testing.TB
	root string
	etc  string
	log  string
	// ports are free ones that mainCf, masterCf and files know as $PORT0 and
	// so on.
	ports [4]int
}

// privateMain is the main.cf of a private Postfix; privateMaster are services
// that each has.
const privateMain = `compatibility_level = 3.6
queue_directory = %[1]s/spool
data_directory = %[1]s/data
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
myhostname = ox.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
smtpd_peername_lookup = no
`

const privateMaster = `cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
proxymap  unix  -       -       n       -       -       proxymap
anvil     unix  -       -       n       -       1       anvil
smtp      unix  -       -       n       -       -       smtp
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
postlog   unix-dgram n  -       n       -       1       postlogd
`

// nextPort counts through ports below those of outgoing connections, from where
// no other test process is likely to be: each private Postfix has its own.
var nextPort atomic.Int64

func init() { nextPort.Store(2600 + int64(os.Getpid()%200)*100) }

// newPrivate makes the directories and the configuration; mainCf and files may
// refer to the configuration directory as $ETC.
func newPrivate(tb testing.TB, mainCf, masterCf string, files map[string]string) *private {
	tb.Helper()
	servertest.Need(tb, "postconf")
	if os.Geteuid() != 0 {
		servertest.Missing(tb, "a private Postfix has to be started by root")
	}
	// Not TempDir: the path of a socket must be short.
	root, err := os.MkdirTemp("", "pf")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		// The last daemons may still write while they end.
		for i := 0; i < 50 && os.RemoveAll(root) != nil; i++ {
			time.Sleep(20 * time.Millisecond)
		}
	})
	p := &private{tb: tb, root: root, etc: filepath.Join(root, "etc"), log: filepath.Join(root, "log")}
	for _, dir := range []string{"", "etc", "spool", "data"} {
		dir = filepath.Join(root, dir)
		os.Mkdir(dir, 0o755)
		if err := os.Chmod(dir, 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	for i, tries := 0, 0; i < len(p.ports) && tries < 100; tries++ {
		port := int(nextPort.Add(1))
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			p.ports[i] = port
			i++
		}
	}
	expand := func(s string) string {
		for i, port := range p.ports {
			s = strings.ReplaceAll(s, fmt.Sprintf("$PORT%d", i), fmt.Sprint(port))
		}
		return strings.ReplaceAll(s, "$ETC", p.etc)
	}
	write(tb, filepath.Join(p.etc, "main.cf"), fmt.Sprintf(privateMain, root)+expand(mainCf))
	write(tb, filepath.Join(p.etc, "master.cf"), expand(masterCf)+privateMaster)
	for name, text := range files {
		write(tb, filepath.Join(p.etc, name), expand(text))
	}
	return p
}

// start runs the daemons until the test ends.
func (p *private) start() {
	p.tb.Helper()
	settings, _ := run(p.tb, nil, "postconf", p.etc, "-h", "daemon_directory", "mail_owner", "setgid_group")
	names := strings.Fields(settings)
	if len(names) != 3 {
		p.tb.Fatalf("postconf: %q", settings)
	}
	// What "postfix check" makes and takes ten times as long for.
	script := exec.Command("sh", "-ec", `
		mkdir -m 755 pid
		mkdir -m 700 active bounce corrupt defer deferred flush hold incoming private saved trace
		mkdir -m 710 public
		mkdir -m 730 maildrop
		chown "$1" active bounce corrupt defer deferred flush hold incoming private saved trace ../data
		chown "$1:$2" public maildrop`, "-", names[1], names[2])
	script.Dir = filepath.Join(p.root, "spool")
	if out, err := script.CombinedOutput(); err != nil {
		p.tb.Fatalf("making the queue: %s", out)
	}
	// It ends by itself, whatever becomes of the test.
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	cmd := exec.CommandContext(ctx, filepath.Join(names[0], "master"), "-c", p.etc, "-d", "-e", "170")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		cancel()
		p.tb.Fatal(err)
	}
	p.tb.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) // as "postfix abort" does
		if err := cmd.Wait(); ctx.Err() != nil {
			p.tb.Errorf("master: %v", err)
		}
		cancel()
		if p.tb.Failed() {
			log, _ := os.ReadFile(p.log)
			p.tb.Logf("log:\n%s", log[max(0, len(log)-4000):])
		}
	})
}

// dial connects to a port, waiting until it is there.
func (p *private) dial(port int) (net.Conn, *bufio.Reader) {
	p.tb.Helper()
	var err error
	for range 500 {
		var c net.Conn
		if c, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			c.SetDeadline(time.Now().Add(60 * time.Second))
			return c, bufio.NewReader(c)
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.tb.Fatal(err)
	return nil, nil
}

// send gives a message to smtpd and returns its last reply. Lines of raw end
// in CRLF.
func (p *private) send(port int, from, to, raw string) string {
	p.tb.Helper()
	last := p.trySend(port, from, to, raw)
	if last[0] != '2' {
		p.tb.Fatal(last)
	}
	return last
}

// trySend is send where the message may be refused.
func (p *private) trySend(port int, from, to, raw string) string {
	p.tb.Helper()
	stuffed := strings.ReplaceAll("\n"+raw, "\n.", "\n..")[1:]
	return p.talk(port, "EHLO test", "MAIL FROM:<"+from+"> SMTPUTF8", "RCPT TO:<"+to+">", "DATA", stuffed+".")
}

// talk sends commands to smtpd until one is refused, and returns the last
// reply.
func (p *private) talk(port int, commands ...string) string {
	p.tb.Helper()
	c, r := p.dial(port)
	defer c.Close()
	reply := func() string {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				p.tb.Fatalf("smtpd: %v", err)
			}
			if len(line) < 4 || line[3] != '-' {
				return line
			}
		}
	}
	last := reply()
	for _, command := range commands {
		if _, err := c.Write([]byte(command + "\r\n")); err != nil {
			p.tb.Fatal(err)
		}
		if last = reply(); last[0] != '2' && last[0] != '3' {
			break
		}
	}
	return last
}

// waitLog waits until the log holds text, and returns all of it.
func (p *private) waitLog(text string) string {
	p.tb.Helper()
	for range 1000 {
		log, _ := os.ReadFile(p.log)
		if strings.Contains(string(log), text) {
			return string(log)
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.tb.Fatalf("%q isn't logged", text)
	return ""
}

// resolver asks a trivial-rewrite(8) for the transport of an address, again and
// again on one connection.
func (p *private) resolver(service string) func(sender, address string) (transport, nextHop string) {
	p.tb.Helper()
	c, err := net.Dial("unix", filepath.Join(p.root, "spool/private", service))
	if err != nil {
		p.tb.Fatal(err)
	}
	p.tb.Cleanup(func() { c.Close() })
	r := bufio.NewReader(c)
	next := func() string {
		s, err := r.ReadString(0)
		if err != nil {
			p.tb.Fatal(err)
		}
		return strings.TrimSuffix(s, "\x00")
	}
	return func(sender, address string) (transport, nextHop string) {
		p.tb.Helper()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprintf(c, "request\x00resolve\x00sender\x00%s\x00address\x00%s\x00\x00", sender, address)
		attributes := make(map[string]string)
		for {
			// An empty name ends a list; the server's greeting is one.
			name := next()
			if name != "" {
				attributes[name] = next()
			} else if _, ok := attributes["recipient"]; ok {
				return attributes["transport"], attributes["nexthop"]
			}
		}
	}
}
