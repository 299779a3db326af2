package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/sieve/managesieve"
	"github.com/oxmailroute/oxmailroute/sieve/provision"
)

// syncMailboxes does what script does to the scripts of many mailboxes.
func syncMailboxes(args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	fs := flags("sync", "[MAILBOX]...", stderr)
	policyFile := fs.String("policy", "", "policy `file` (JSON)")
	list := fs.String("mailboxes", "", "`file` with a mailbox's address a line (- for standard input); # begins a comment")
	remove := fs.Bool("remove", false, "take the rules out of every mailbox's script")
	dry := fs.Bool("n", false, "store nothing, but let the server check what would be stored")
	var login server
	fs.StringVar(&login.address, "server", "", "the ManageSieve server's `host:port`; the port is 4190 where it is left out")
	fs.StringVar(&login.user, "user", "", "`name` of the master user")
	fs.StringVar(&login.passwordFile, "password-file", "", "`file` whose first line is the master user's password")
	fs.StringVar(&login.authorities, "ca", "", "PEM `file` of the authorities that issue the server's certificate (default: the system's)")
	fs.StringVar(&login.name, "tls-name", "", "`name` in the server's certificate (default: the host of -server)")
	fs.BoolVar(&login.implicit, "implicit-tls", false, "TLS from the first byte, instead of STARTTLS")
	fs.BoolVar(&login.cleartext, "cleartext", false, "no TLS; for a server on loopback only")
	var o provision.Options
	fs.StringVar(&o.Script, "script", "", "`name` of the script (default: the active one)")
	inactive := fs.String("inactive", "leave", "where the script of -script isn't active: `what` to do: leave the mailbox alone, edit that "+
		"one (named), or the active one instead (active)")
	fs.BoolVar(&o.Create, "create", false, "make a script where there is none")
	fs.BoolVar(&o.Activate, "activate", false, "activate scripts that -create makes")
	fs.IntVar(&o.Parallel, "parallel", 8, "`number` of mailboxes at a time")
	mailboxes, err := parseMixed(fs, args, 0, math.MaxInt)
	if err != nil {
		return err
	}
	var known bool
	if o.Inactive, known = whereInactive[*inactive]; !known {
		return fmt.Errorf("-inactive: %q is none of leave, named and active", *inactive)
	}
	if *list != "" {
		if mailboxes, err = readMailboxes(mailboxes, *list, stdin); err != nil {
			return err
		}
	}
	if len(mailboxes) == 0 {
		return errors.New("no mailboxes: name them as arguments, or in the file of -mailboxes")
	}
	rules, err := readRules(*policyFile, *remove, stderr)
	if err != nil {
		return err
	}
	if o.Connect, err = login.connector(stderr); err != nil {
		return err
	}
	e := editor{rules: rules, remove: *remove, findings: map[string][]string{}}
	o.Edit, o.DryRun = e.edit, *dry
	p := newProgress(stderr, len(mailboxes))
	o.Progress = p.tell

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	reports, err := provision.Sync(ctx, mailboxes, o)
	p.end()
	if len(reports) == 0 {
		return err
	}
	e.report(reports, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "oxmailroute:", err)
		return errFailed
	}
	if provision.Count(reports, provision.Failed) > 0 {
		return errFailed
	}
	return nil
}

var whereInactive = map[string]provision.Inactive{"leave": provision.LeaveAlone, "named": provision.EditNamed,
	"active": provision.EditActive}

// readMailboxes adds the addresses of a file.
func readMailboxes(mailboxes []string, file string, stdin io.Reader) ([]string, error) {
	data, err := readMessage(file, stdin)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			mailboxes = append(mailboxes, line)
		}
	}
	return mailboxes, nil
}

// server is how the server is reached.
type server struct {
	address, user, passwordFile string
	authorities, name           string
	implicit, cleartext         bool
}

func (s *server) connector(stderr io.Writer) (func(context.Context, string) (*managesieve.Client, error), error) {
	var errs []error
	if s.address == "" || s.user == "" || s.passwordFile == "" {
		errs = append(errs, errors.New("-server, -user and -password-file are needed"))
	}
	if s.implicit && s.cleartext || s.cleartext && (s.authorities != "" || s.name != "") {
		errs = append(errs, errors.New("-cleartext is without TLS: leave it or -implicit-tls, -ca and -tls-name out"))
	}
	address := s.address
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(strings.Trim(address, "[]"), managesieve.DefaultPort)
	}
	o := managesieve.Options{TLS: &tls.Config{ServerName: s.name}}
	switch {
	case s.implicit:
		o.Security = managesieve.ImplicitTLS
	case s.cleartext:
		o.Security = managesieve.LoopbackCleartext
	}
	if s.authorities != "" {
		data, err := os.ReadFile(s.authorities)
		if err != nil {
			errs = append(errs, err)
		} else if o.TLS.RootCAs = x509.NewCertPool(); !o.TLS.RootCAs.AppendCertsFromPEM(data) {
			errs = append(errs, fmt.Errorf("%s: no certificate in it: give a PEM file", s.authorities))
		}
	}
	password, err := s.password(stderr)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	return provision.Connector(address, o, func(mailbox string) sasl.Client {
		return sasl.NewPlainClient(mailbox, s.user, password)
	}), nil
}

func (s *server) password(stderr io.Writer) (string, error) {
	if s.passwordFile == "" {
		return "", nil
	}
	data, err := os.ReadFile(s.passwordFile)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(s.passwordFile); err == nil && info.Mode().Perm()&0o004 != 0 {
		fmt.Fprintf(stderr, "warning: everybody can read %s: chmod o-r it\n", s.passwordFile)
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 {
		return "", fmt.Errorf("%s: its first line is empty, and should be the password", s.passwordFile)
	}
	return string(line), nil
}

// editor edits scripts and remembers what there is to say about them.
type editor struct {
	rules  *relay.MailboxRules
	remove bool

	mu       sync.Mutex
	findings map[string][]string // by mailbox
}

func (e *editor) edit(mailbox string, before []byte) ([]byte, error) {
	if e.remove {
		return e.rules.Remove(mailbox, before)
	}
	after, err := e.rules.Edit(mailbox, before)
	if err != nil {
		return nil, err
	}
	in, err := e.rules.For(mailbox)
	if err != nil {
		return nil, err
	}
	findings, err := order(mailbox, after, in)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.findings[mailbox] = findings
	return after, nil
}

// report prints a line for each mailbox, and then how many of each there are.
func (e *editor) report(reports []provision.Report, stdout, stderr io.Writer) {
	outcomes := []provision.Outcome{provision.Updated, provision.Created, provision.Unchanged, provision.NoScript, provision.Failed,
		provision.NotStarted}
	for _, r := range reports {
		text := r.Outcome.String()
		switch {
		case r.Err != nil:
			text += ": " + strings.ReplaceAll(r.Err.Error(), "\n", "; ")
			if r.Stored {
				text += " (the new script may be stored)"
			}
		case r.Outcome == provision.Updated || r.Outcome == provision.Created:
			text += fmt.Sprintf(" %q, %d to %d bytes", r.Script, r.Before, r.After)
		}
		if r.Script != "" && !r.Active {
			text += fmt.Sprintf("; the script %q is not active", r.Script)
		}
		fmt.Fprintf(stdout, "%s: %s\n", r.Mailbox, text)
		var broken *provision.PanicError
		if errors.As(r.Err, &broken) {
			fmt.Fprintf(stderr, "%s: a fault of this program, please report it: %v\n%s", r.Mailbox, broken, broken.Stack)
		}
		if r.Warnings != "" {
			fmt.Fprintf(stderr, "%s: the server warns: %s\n", r.Mailbox, strings.ReplaceAll(strings.TrimSpace(r.Warnings), "\n", "; "))
		}
		for _, f := range e.findings[r.Mailbox] {
			fmt.Fprintln(stderr, f)
		}
	}
	var counts []string
	for _, o := range outcomes {
		if n := provision.Count(reports, o); n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, o))
		}
	}
	fmt.Fprintf(stdout, "%d mailboxes: %s\n", len(reports), strings.Join(counts, ", "))
}

// progress tells how far a long work is: on a terminal in one line that is
// written over, elsewhere by a line now and then.
type progress struct {
	w        io.Writer
	terminal bool
	every    time.Duration
	now      func() time.Time
	last     time.Time
	start    time.Time
	total    int
	failed   int
	shown    bool
}

func newProgress(w io.Writer, total int) *progress {
	p := &progress{w: w, every: 10 * time.Second, now: time.Now, total: total}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	if p.terminal {
		p.every = 200 * time.Millisecond
	}
	p.start = p.now()
	p.last = p.start
	return p
}

// tell is Options.Progress.
func (p *progress) tell(at provision.Progress) {
	if at.Report.Outcome == provision.Failed {
		p.failed++
	}
	now := p.now()
	if now.Sub(p.last) < p.every {
		return
	}
	p.last, p.shown = now, true
	begin, end := "", "\n"
	if p.terminal {
		begin, end = "\r", "\x1b[K"
	}
	rate := float64(at.Done) / cmp.Or(now.Sub(p.start).Seconds(), 1)
	left := time.Duration(float64(at.Total-at.Done) / rate * float64(time.Second)).Round(time.Second)
	fmt.Fprintf(p.w, "%s%d of %d mailboxes, %d failed, %.0f a second, %s left%s", begin, at.Done, at.Total, p.failed, rate, left, end)
}

// end clears the line.
func (p *progress) end() {
	if p.terminal && p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
