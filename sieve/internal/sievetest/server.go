package sievetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// Server is a Dovecot of one of the releases that delivers to its users by LMTP
// and by dovecot-lda. User u@example.com has the home Dir/u@example.com with the
// scripts .before.sieve, .active.sieve and .after.sieve, and the user's own to include in
// sieve/; others to include are in Dir/global.
type Server struct {
	Dovecot24 bool
	Dir       string
	Conf      string // the file of the configuration

	sent   *Submission
	ldaSrv *LDA
	conn   *textproto.Conn
	ended  chan error // of the daemon
	pid    int        // of the daemon
	log    int64      // how much of the log was read
}

// Mail is a message for a user.
type Mail struct {
	Text     string
	User     string // the user's name
	From, To string
	Original string // -a of dovecot-lda; "" is To
}

// Outcome is what a delivery did.
type Outcome struct {
	Reply  string // of LMTP, its first word; or the exit status of dovecot-lda
	Stored []Stored
	Sent   []interp.Outgoing
	Log    string
}

// Compare puts what was stored in order.
func (s Stored) Compare(o Stored) int {
	return cmp.Or(strings.Compare(s.Mailbox, o.Mailbox), strings.Compare(s.Flags, o.Flags), strings.Compare(s.Text, o.Text))
}

// Crash is the reply of a server that crashed.
const Crash = "crash"

// Stored is a message in a mailbox.
type Stored struct {
	Mailbox string
	Flags   string
	Text    string // with LF
}

const server23 = `protocols = lmtp
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
ssl = no
mail_uid = %[2]d
mail_gid = %[3]d
first_valid_uid = 0
first_valid_gid = 0
mail_fsync = never
mail_home = %[1]s/%%u
mail_location = maildir:~/mail:UTF-8
postmaster_address = postmaster@example.org
hostname = mail.example.org
submission_host = %[4]s
lmtp_add_received_header = no
lmtp_hdr_delivery_address = none
default_vsz_limit = 0
default_internal_user = %[5]s
default_internal_group = %[6]s
default_login_user = %[5]s
userdb {
  driver = static
  args = uid=%[2]d gid=%[3]d home=%[1]s/%%u allow_all_users=yes
}
passdb {
  driver = static
  args = password=x
}
service lmtp {
  process_limit = 4
  process_min_avail = 1
  service_count = 0
  unix_listener lmtp {
    mode = 0600
  }
}
service config {
  unix_listener config {
    mode = 0666
  }
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
protocol lmtp {
  mail_plugins = sieve
}
protocol lda {
  mail_plugins = sieve
}
plugin {
  sieve = file:~/sieve;active=~/.active.sieve
  sieve_before = %[1]s/%%u/.before.sieve
  sieve_after = %[1]s/%%u/.after.sieve
  sieve_global = %[1]s/global
%[7]s}
%[8]s`

const server24 = `dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols = lmtp
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
ssl = no
mail_uid = %[2]d
mail_gid = %[3]d
first_valid_uid = 0
first_valid_gid = 0
mail_fsync = never
mail_home = %[1]s/%%{user}
mail_driver = maildir
mail_path = ~/mail
mail_inbox_path =
mailbox_list_utf8 = yes
mailbox_list_layout = maildir++
postmaster_address = postmaster@example.org
hostname = mail.example.org
submission_host = %[4]s
lmtp_add_received_header = no
lmtp_hdr_delivery_address = none
default_vsz_limit = unlimited
default_internal_user = %[5]s
default_internal_group = %[6]s
default_login_user = %[5]s
userdb static {
  fields {
    uid = %[2]d
    gid = %[3]d
    home = %[1]s/%%{user}
  }
  allow_all_users = yes
}
passdb static {
  password = x
}
service lmtp {
  process_limit = 4
  process_min_avail = 1
  restart_request_count = unlimited
  unix_listener lmtp {
    mode = 0600
  }
}
service config {
  unix_listener config {
    mode = 0666
  }
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
protocol lmtp {
  mail_plugins {
    sieve = yes
  }
}
protocol lda {
  mail_plugins {
    sieve = yes
  }
}
sieve_script before {
  type = before
  path = %[1]s/%%{user}/.before.sieve
}
sieve_script own {
  type = personal
  path = ~/sieve
  active_path = ~/.active.sieve
}
sieve_script after {
  type = after
  path = %[1]s/%%{user}/.after.sieve
}
sieve_script global {
  type = global
  path = %[1]s/global
}
%[7]s%[8]s`

// NewServer starts a Dovecot with settings: lines of plugin {} of 2.3 where they
// begin with "sieve", else lines behind all others.
func NewServer(tb testing.TB, dovecot24 bool, settings []string) *Server {
	tb.Helper()
	l := NewLDA(tb, dovecot24)
	if os.Getuid() != 0 {
		servertest.Missing(tb, "only root can start Dovecot")
	}
	uid, gid, name := Owner(tb)
	s := &Server{Dovecot24: dovecot24, Dir: l.dir, sent: NewSubmission(tb), ldaSrv: l, Conf: filepath.Join(l.dir, "dovecot.conf")}
	for _, sub := range []string{"run", "state", "global"} {
		if err := os.MkdirAll(filepath.Join(l.dir, sub), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	l.make(tb, "global")
	var plugin, rest strings.Builder
	for _, line := range settings {
		if !dovecot24 && strings.HasPrefix(line, "sieve") {
			plugin.WriteString("  " + line + "\n")
		} else {
			rest.WriteString(line + "\n")
		}
	}
	form := server23
	if dovecot24 {
		form = server24
	}
	conf := fmt.Sprintf(form, l.dir, uid, gid, s.sent.Addr, name, "nogroup", plugin.String(), rest.String())
	if err := os.WriteFile(s.Conf, []byte(conf), 0o644); err != nil {
		tb.Fatal(err)
	}
	s.start(tb)
	return s
}

// start starts the daemon and connects to it.
func (s *Server) start(tb testing.TB) {
	tb.Helper()
	args := []string{"/usr/sbin/dovecot", "-c", s.Conf, "-F"}
	if s.Dovecot24 {
		args = InRoot(s.ldaSrv.root, s.Dir, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = s.Dir
	said, err := os.Create(filepath.Join(s.Dir, "said"))
	if err != nil {
		tb.Fatal(err)
	}
	defer said.Close()
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	s.ended, s.pid = make(chan error, 1), cmd.Process.Pid
	ended := s.ended
	go func() { ended <- cmd.Wait() }()
	tb.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
	})
	s.connect(tb)
}

// connect connects to the LMTP server.
func (s *Server) connect(tb testing.TB) {
	tb.Helper()
	fail := func(err error) {
		text, _ := os.ReadFile(filepath.Join(s.Dir, "said"))
		tb.Fatalf("dovecot: %v\n%s%s", err, text, s.logged())
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("unix", filepath.Join(s.Dir, "run", "lmtp"))
		if err == nil {
			c.SetDeadline(time.Now().Add(10 * time.Minute))
			s.conn = textproto.NewConn(c)
			tb.Cleanup(func() { c.Close() })
			break
		}
		select {
		case err := <-s.ended:
			s.ended <- err
			fail(err)
		default:
		}
		if time.Now().After(end) {
			fail(err)
		}
	}
	if _, _, err := s.conn.ReadResponse(220); err != nil {
		fail(err)
	}
	if _, err := s.say("LHLO localhost"); err != nil {
		fail(err)
	}
}

// say says a line and returns the reply; the error is that of the connection.
func (s *Server) say(line string) (reply string, err error) {
	if err := s.conn.PrintfLine("%s", line); err != nil {
		return "", err
	}
	return s.reply()
}

func (s *Server) reply() (string, error) {
	code, text, err := s.conn.ReadResponse(0)
	var refused *textproto.Error
	if err != nil && !errors.As(err, &refused) {
		return "", err
	}
	return fmt.Sprint(code, " ", text), nil
}

// logged is what came to the log since the last call.
func (s *Server) logged() string {
	f, err := os.Open(filepath.Join(s.Dir, "log"))
	if err != nil {
		return ""
	}
	defer f.Close()
	text := make([]byte, 1<<20)
	n, _ := f.ReadAt(text, s.log)
	s.log += int64(n)
	return string(text[:n])
}

// User makes a user with a personal script and those before and after it; a
// script "" is missing. He has scripts to include.
func (s *Server) User(tb testing.TB, name, before, own, after string, include map[string]string) {
	tb.Helper()
	s.ldaSrv.make(tb, name)
	for _, sub := range []string{"/sieve", "/mail", "/mail/cur", "/mail/new", "/mail/tmp"} {
		s.ldaSrv.make(tb, name+sub)
	}
	for file, text := range map[string]string{".before.sieve": before, ".active.sieve": own, ".after.sieve": after} {
		if text != "" {
			s.ldaSrv.write(tb, name+"/"+file, text, 0o644)
		}
	}
	for file, text := range include {
		s.ldaSrv.write(tb, name+"/sieve/"+file+".sieve", text, 0o644)
	}
}

// Global writes a script that all can include.
func (s *Server) Global(tb testing.TB, name, text string) {
	tb.Helper()
	s.ldaSrv.write(tb, "global/"+name+".sieve", text, 0o644)
}

// Doveconf is what doveconf prints of the configuration.
func (s *Server) Doveconf(tb testing.TB, flags ...string) []byte {
	tb.Helper()
	return s.ldaSrv.Doveconf(tb, s.Conf, flags...)
}

// LMTP delivers a message, whose lines end with CRLF or LF.
func (s *Server) LMTP(tb testing.TB, m Mail) Outcome {
	tb.Helper()
	var out Outcome
	for _, line := range []string{"RSET", "MAIL FROM:<" + m.From + ">", "RCPT TO:<" + m.To + ">", "DATA"} {
		reply, err := s.say(line)
		if err != nil {
			tb.Fatalf("LMTP: %s: %v\n%s", line, err, s.logged())
		}
		if reply[0] > '3' {
			out.Reply = line + ": " + reply
			return out
		}
	}
	w := s.conn.DotWriter()
	if _, err := w.Write([]byte(m.Text)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	reply, err := s.reply()
	if err != nil {
		out.Reply = Crash
		s.conn.Close()
		s.connect(tb)
	} else {
		out.Reply, _, _ = strings.Cut(reply, " ")
	}
	s.collect(tb, m.User, &out)
	out.Log += s.logged()
	return out
}

// LDA delivers a message with dovecot-lda.
func (s *Server) LDA(tb testing.TB, m Mail) Outcome {
	tb.Helper()
	if m.Original == "" {
		m.Original = m.To
	}
	uid, gid, _ := Owner(tb)
	home := filepath.Join(s.Dir, m.User)
	file := s.ldaSrv.write(tb, m.User+"/.message", m.Text, 0o644)
	// The daemon's config service spares a doveconf for each message.
	args := []string{s.ldaSrv.lda, "-c", filepath.Join(s.Dir, "run", "config"), "-o", "log_path=/dev/stderr", "-f", m.From, "-a", m.Original,
		"-r", m.To, "-p", file}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = s.Dir
	root := ""
	if s.Dovecot24 {
		root = fmt.Sprintf("/proc/%d/root", s.pid)
	}
	as(cmd, uid, gid, root)
	cmd.Env = append(os.Environ(), "HOME="+home, "USER="+m.User)
	var logged bytes.Buffer
	cmd.Stderr = &logged
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tb.Fatal(err)
	}
	out := Outcome{Reply: strconv.Itoa(cmd.ProcessState.ExitCode()), Log: logged.String()}
	if cmd.ProcessState.ExitCode() < 0 {
		out.Reply = Crash
	}
	s.collect(tb, m.User, &out)
	return out
}
