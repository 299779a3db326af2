package headers

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// realPostfix is a Postfix of our own in a temporary directory: smtpd and
// cleanup, and header_checks tables that are a socketmap in this process, so
// that every look-up arrives here byte for byte. Nothing is delivered: every
// message is held and dies with the directory.
type realPostfix struct {
	dir string
	mu  sync.Mutex
	log []seen
}

var socketmapClass = map[string]Class{"primary": Primary, "mime": MIME, "nested": Nested}

func startPostfix(t *testing.T) *realPostfix {
	t.Helper()
	servertest.Need(t, "postmap")
	out, err := exec.Command(servertest.Need(t, "postconf"), "-d", "-h", "daemon_directory").Output()
	if err != nil {
		t.Fatal(err)
	}
	daemons := strings.TrimSpace(string(out))
	if os.Geteuid() != 0 {
		servertest.Missing(t, "a Postfix of our own needs root")
	}
	owner, err := user.Lookup("postfix")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(owner.Uid)

	// t.TempDir is too long for a socket's path and closed to other users.
	dir, err := os.MkdirTemp("", "pfx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &realPostfix{dir: dir}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.Chmod(dir, 0o755))
	for _, sub := range []string{"etc", "data", "queue"} {
		check(os.Mkdir(filepath.Join(dir, sub), 0o755))
	}
	check(os.Chown(filepath.Join(dir, "data"), uid, -1))
	check(os.Mkdir(filepath.Join(dir, "queue", "pid"), 0o755))
	for _, sub := range []string{"active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "public", "saved",
		"trace", "maildrop"} {
		path := filepath.Join(dir, "queue", sub)
		check(os.Mkdir(path, 0o700))
		check(os.Chown(path, uid, -1))
	}

	// Every look-up is answered with "not found".
	tables, err := net.Listen("unix", filepath.Join(dir, "tables"))
	check(err)
	check(os.Chmod(filepath.Join(dir, "tables"), 0o777))
	t.Cleanup(func() { tables.Close() })
	go func() {
		for {
			conn, err := tables.Accept()
			if err != nil {
				return
			}
			go p.answer(conn)
		}
	}()

	table := func(name string) string { return "socketmap:unix:" + dir + "/tables:" + name }
	main := strings.Join([]string{
		"compatibility_level = 3.6",
		"queue_directory = " + dir + "/queue",
		"data_directory = " + dir + "/data",
		"maillog_file = " + dir + "/log",
		"maillog_file_prefixes = " + dir,
		"myhostname = test.invalid",
		"mydestination =",
		"mynetworks = 127.0.0.0/8",
		"inet_interfaces = loopback-only",
		"alias_maps =",
		"local_recipient_maps =",
		"smtpd_client_connection_count_limit = 0",
		"smtpd_client_connection_rate_limit = 0",
		"smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination",
		"smtpd_recipient_restrictions = check_client_access static:HOLD, permit",
		"smtpd_peername_lookup = no",
		"smtpd_error_sleep_time = 0",
		"smtpd_soft_error_limit = 1000000",
		"smtpd_hard_error_limit = 1000000",
		"header_checks = " + table("primary"),
		"mime_header_checks = " + table("mime"),
		"nested_header_checks = " + table("nested"),
		"",
	}, "\n")
	check(os.WriteFile(filepath.Join(dir, "etc", "main.cf"), []byte(main), 0o644))
	master := "smtpd unix n - n - - smtpd\ncleanup unix n - n - 0 cleanup\nrewrite unix - - n - - trivial-rewrite\npostlog unix-dgram n - n - 1 postlogd\n"
	check(os.WriteFile(filepath.Join(dir, "etc", "master.cf"), []byte(master), 0o644))

	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, filepath.Join(daemons, "master"), "-d", "-c", filepath.Join(dir, "etc"))
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "MAIL_CONFIG=" + filepath.Join(dir, "etc")}
	cmd.Dir = filepath.Join(dir, "queue")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	// The master's children end with its process group.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	check(cmd.Start())
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })

	socket := filepath.Join(dir, "queue", "public", "smtpd")
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			return p
		}
		if time.Since(start) > 15*time.Second {
			t.Fatalf("Postfix didn't start: %s", stderr.String())
		}
	}
}

// answer speaks the server's side of socketmap (socketmap_table(5)).
func (p *realPostfix) answer(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		size, err := r.ReadString(':')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(size, ":"))
		if err != nil || n > 1<<20 {
			return
		}
		request := make([]byte, n+1)
		if _, err := io.ReadFull(r, request); err != nil {
			return
		}
		name, key, _ := strings.Cut(string(request[:n]), " ")
		p.mu.Lock()
		p.log = append(p.log, seen{socketmapClass[name], key})
		p.mu.Unlock()
		if _, err := io.WriteString(conn, "9:NOTFOUND ,"); err != nil {
			return
		}
	}
}

// read sends each message, as it is but for the dots and the last line's end,
// and returns what cleanup looked up, without smtpd's own Received: line, and
// smtpd's reply to the end of the data.
func (p *realPostfix) read(t *testing.T, messages [][]byte) (all [][]seen, replies []string) {
	t.Helper()
	conn, err := net.Dial("unix", filepath.Join(p.dir, "queue", "public", "smtpd"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	reply := func(want string) string {
		t.Helper()
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
				t.Fatalf("smtpd: %v\n%s", err, log)
			}
			if len(line) < 4 || line[3] != '-' {
				if !strings.HasPrefix(line, want) {
					t.Fatalf("smtpd says %q, want %s", line, want)
				}
				return strings.TrimSpace(line)
			}
		}
	}
	reply("220")
	fmt.Fprintf(conn, "EHLO test.invalid\r\n")
	reply("250")
	for _, m := range messages {
		p.mu.Lock()
		p.log = nil
		p.mu.Unlock()
		fmt.Fprintf(conn, "MAIL FROM:<a@test.invalid>\r\n")
		reply("250")
		fmt.Fprintf(conn, "RCPT TO:<b@test.invalid>\r\n")
		reply("250")
		fmt.Fprintf(conn, "DATA\r\n")
		reply("354")
		data := dotStuff(m)
		if _, err := conn.Write(data); err != nil {
			t.Fatal(err)
		}
		replies = append(replies, reply(""))
		p.mu.Lock()
		log := p.log
		p.mu.Unlock()
		if len(log) == 0 || !strings.HasPrefix(log[0].Line, "Received:") {
			t.Fatalf("no Received: line of smtpd's own in %q", log)
		}
		all = append(all, log[1:])
	}
	fmt.Fprintf(conn, "QUIT\r\n")
	return all, replies
}

// dotStuff makes a message's DATA (RFC 5321 section 4.5.2). smtpd takes LF for
// a line's end too, so a dot behind one is doubled as well.
func dotStuff(m []byte) []byte {
	var b bytes.Buffer
	start := true
	for _, c := range m {
		if start && c == '.' {
			b.WriteByte('.')
		}
		b.WriteByte(c)
		start = c == '\n'
	}
	if !start {
		b.WriteString("\r\n")
	}
	b.WriteString(".\r\n")
	return b.Bytes()
}

// TestPostfixReads asks a real cleanup(8) what it looks up for every table case
// and for random messages.
func TestPostfixReads(t *testing.T) {
	postfix := startPostfix(t)
	var raws [][]byte
	var names []string
	add := func(name, raw string) {
		raws = append(raws, []byte(raw))
		names = append(names, name)
	}
	for _, tt := range postfixTests {
		add(tt.name, tt.raw)
	}
	for _, tt := range walkTests {
		add(tt.name, tt.raw)
	}
	refused := len(raws)
	add("103 levels", levels(103))
	pieces := []string{
		"A: b", "B : c", "\n", "\r\n", "\n", "\n\n", " x", "\t", "\r", "\x00", "From x", ">From ", "junk", ":", "X", "\x80", "\"",
		"--b", "--b--", "--c", "--", "\n--b\n", "\n--b--\n", "\n--c\nX: y\n", "\n\n", "--b \" cd\n", "Subject: x\n", "MIME-Version: 1.0\n",
		mixed + "\n", digest + "\n", attached + "\n", "Content-Type: image/png\n", "Content-Type: multipart/x; boundary=c; boundary=b\n",
		"Content-type:\n", "Content-type: message/partial\n", "Content-Type: text/plain\n", "Content-Type: message / (c) RFC822;x\n",
		"Content-Type: multipart/mixed; boundary=\"b \\\" c\n \td\"\n", "Content-Transfer-Encoding: base64\n",
		"Content-Type: multipart/mixed;boundary=\n", "Content-Type: multipart/mixed;boundary=\"\"\n", long(1500), strings.Repeat(" y", 700),
	}
	r := rand.New(rand.NewSource(1))
	for range servertest.Deep(t, 50, 225) {
		var b strings.Builder
		for n := r.Intn(16); n >= 0; n-- {
			b.WriteString(pieces[r.Intn(len(pieces))])
		}
		// Two things that Scan and Line leave out, as their comments say.
		raw := b.String()
		if _, rest, ok := strings.Cut(raw, "From "); ok && len(rest) > 1500 || strings.ContainsRune(raw, 0) && len(raw) > lineLengthLimit {
			continue
		}
		add("random", raw)
	}
	all, replies := postfix.read(t, raws)
	for i, raw := range raws {
		if i == refused {
			if !strings.HasPrefix(replies[i], "5") {
				t.Errorf("%s: %s", names[i], replies[i])
			}
			continue
		}
		if diff := cmp.Diff(all[i], walked(raw), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %.9000q (-postfix +ours)\n%s", names[i], raw, diff)
		}
	}
	t.Logf("%d messages", len(raws))
}
