package sieve_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
)

// oracle asks Pigeonhole. It has a configuration and a mail store of its own.
type oracle struct {
	dir, conf string
	sievec    string
	test      string
	filter    string
	scripts   int
	settings  []string // for every call
	dupes     []byte   // what the last call of sends remembered
	home      string   // where sends delivers to, if not to a new place
}

// newOracle skips the test where Pigeonhole's programs are missing.
func newOracle(tb testing.TB) *oracle {
	tb.Helper()
	o := &oracle{
		sievec: servertest.Need(tb, "sievec"),
		test:   servertest.Need(tb, "sieve-test"),
		filter: servertest.Need(tb, "sieve-filter"),
		dir:    tb.TempDir(),
	}
	o.conf = filepath.Join(o.dir, "dovecot.conf")
	_, gid, user := owner(tb)
	// The programs drop root's privileges and must still get here.
	for d := o.dir; d != os.TempDir() && len(d) > 1; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			break
		}
	}
	o.mailbox(tb, "mail", nil)
	conf := fmt.Sprintf("mail_uid = %s\nmail_gid = %d\nfirst_valid_uid = 0\nfirst_valid_gid = 0\n"+
		"mail_location = maildir:%s/mail\nmail_home = %s/home\nssl = no\npostmaster_address = postmaster@example.org\n"+
		"plugin {\n  sieve_extensions = %s\n  sieve = file:%s/scripts\n  sieve_global = %s/scripts\n}\n",
		user, gid, o.dir, o.dir, serverExtensions, o.dir, o.dir)
	for _, name := range includable {
		if err := os.MkdirAll(o.dir+"/scripts", 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(o.dir+"/scripts/"+name+".sieve", []byte("keep;\n"), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	if err := os.WriteFile(o.conf, []byte(conf), 0o644); err != nil {
		tb.Fatal(err)
	}
	return o
}

// serverExtensions is all that Debian 12 has and can turn on. Its ereject is not
// built, and i;unicode-casemap is of a later version.
const serverExtensions = sieve.AllExtensions &^ sieve.ExtEReject &^ sieve.ExtUnicodeCasemap &^ sieve.QuoteRegexModifier

// includable are the scripts that others can include.
var includable = []string{"a", "A b", "übung", "Subject", "x"}

// owner returns who the programs run as: nobody where the test is root.
func owner(tb testing.TB) (uid, gid int, name string) {
	tb.Helper()
	if os.Getuid() != 0 {
		u, err := user.Current()
		if err != nil {
			tb.Fatal(err)
		}
		return os.Getuid(), os.Getgid(), u.Username
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		tb.Fatal(err)
	}
	uid, _ = strconv.Atoi(u.Uid)
	gid, _ = strconv.Atoi(u.Gid)
	return uid, gid, "nobody"
}

// mailbox makes a maildir with the messages and returns its path.
func (o *oracle) mailbox(tb testing.TB, name string, messages [][]byte) string {
	tb.Helper()
	dir := filepath.Join(o.dir, name)
	uid, gid, _ := owner(tb)
	for _, d := range []string{"", "cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.Chown(filepath.Join(dir, d), uid, gid); err != nil {
			tb.Fatal(err)
		}
	}
	for i, m := range messages {
		file := filepath.Join(dir, "cur", fmt.Sprintf("%d.M%dP1.host:2,", 1000000000+i, i))
		if err := os.WriteFile(file, m, 0o644); err != nil {
			tb.Fatal(err)
		}
		if err := os.Chown(file, uid, gid); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// script writes a script and returns its path.
func (o *oracle) script(tb testing.TB, src []byte) string {
	tb.Helper()
	o.scripts++
	path := filepath.Join(o.dir, fmt.Sprintf("s%d.sieve", o.scripts))
	if err := os.WriteFile(path, src, 0o644); err != nil {
		tb.Fatal(err)
	}
	return path
}

// run runs one of the programs, bounded in time.
func (o *oracle) run(tb testing.TB, program string, args ...string) (stdout, stderr string, err error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	args = append(append([]string{"-c", o.conf}, o.settings...), args...)
	cmd := exec.CommandContext(ctx, program, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Dir = o.dir
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tb.Fatal(err)
	}
	return out.String(), errs.String(), err
}

// verdict is what sievec says of a script.
type verdict string

const (
	accepted verdict = "accepted"
	rejected verdict = "rejected"
	crashed  verdict = "crashed"
)

// compile asks sievec. The lines are those of its errors.
func (o *oracle) compile(tb testing.TB, src []byte) (v verdict, text string, lines []int) {
	tb.Helper()
	path := o.script(tb, src)
	_, stderr, err := o.run(tb, o.sievec, path, path+".bin")
	os.Remove(path)
	os.Remove(path + ".bin")
	if err == nil {
		return accepted, stderr, nil
	}
	var exit *exec.ExitError
	errors.As(err, &exit)
	if exit.ExitCode() != 89 {
		return crashed, stderr + err.Error(), nil
	}
	for _, m := range errorLine.FindAllStringSubmatch(stderr, -1) {
		n, _ := strconv.Atoi(m[1])
		lines = append(lines, n)
	}
	return rejected, stderr, lines
}

var errorLine = regexp.MustCompile(`: line (\d+): error: `)

// decision is what a script comes to, in words that fit both sides.
type decision struct {
	Actions  []string
	Implicit bool
	Failed   bool
}

// decide runs one script over many messages with sieve-filter. The messages
// must hold a Message-ID of their own.
func (o *oracle) decide(tb testing.TB, src []byte, mailbox string, settings ...string) ([]decision, bool) {
	tb.Helper()
	path := o.script(tb, src)
	defer os.Remove(path)
	args := append(slices.Clone(settings), "-C", "-o", "mail_location=maildir:"+mailbox, path, "INBOX")
	stdout, stderr, err := o.run(tb, o.filter, args...)
	if err != nil {
		tb.Logf("sieve-filter: %v\n%s", err, stderr)
		return nil, false
	}
	var out []decision
	for _, block := range strings.Split(stdout, ">> Filtering message:")[1:] {
		out = append(out, parseDecision(block))
	}
	return out, true
}

// decideOne runs sieve-test on one message.
func (o *oracle) decideOne(tb testing.TB, from, to string, src, message []byte, before ...[]byte) decision {
	tb.Helper()
	path := o.script(tb, src)
	defer os.Remove(path)
	msg := filepath.Join(o.dir, "message.eml")
	if err := os.WriteFile(msg, message, 0o644); err != nil {
		tb.Fatal(err)
	}
	args := []string{"-C"}
	if from != "" {
		args = append(args, "-f", from)
	}
	if to != "" {
		args = append(args, "-a", to, "-r", to)
	}
	for _, b := range before {
		args = append(args, "-s", filepath.Base(o.script(tb, b)))
	}
	stdout, stderr, err := o.run(tb, o.test, append(args, path, msg)...)
	if err != nil && !strings.Contains(stderr, "failed; resolved with successful implicit keep") {
		tb.Fatalf("sieve-test: %v\n%s%s\nscript:\n%s", err, stdout, stderr, src)
	}
	return parseDecision(stdout)
}

// parseDecision reads the report of sieve-test and sieve-filter.
func parseDecision(text string) decision {
	var d decision
	_, performed, ok := strings.Cut(text, "Performed actions:")
	if !ok {
		return decision{Failed: true}
	}
	performed, implicit, _ := strings.Cut(performed, "Implicit keep:")
	quoted := false
	for _, line := range strings.Split(performed, "\n") {
		if line == "START MESSAGE" || line == "END MESSAGE" {
			quoted = line == "START MESSAGE"
		}
		if quoted {
			continue
		}
		if action, ok := strings.CutPrefix(line, " * "); ok {
			if strings.HasPrefix(action, "track") {
				continue
			}
			switch {
			case strings.HasPrefix(action, "send notification"):
				action = "notify"
			case strings.HasPrefix(action, "store message in folder: "):
				action = "store " + inbox(strings.TrimPrefix(action, "store message in folder: "))
			case action == "keep":
				action = "store INBOX"
			case strings.HasPrefix(action, "redirect message to: "):
				action = "redirect " + strings.Trim(strings.TrimPrefix(action, "redirect message to: "), "<>")
			case strings.HasPrefix(action, "reject message"):
				action = "reject"
			case strings.HasPrefix(action, "send vacation"):
				action = "vacation"
			}
			d.Actions = append(d.Actions, action)
		}
		if to, ok := strings.CutPrefix(line, "       + "); ok && len(d.Actions) > 0 && strings.HasPrefix(d.Actions[len(d.Actions)-1], "notify") {
			d.Actions[len(d.Actions)-1] += " " + to
		}
		if effect, ok := strings.CutPrefix(line, "        + "); ok {
			last := &d.Actions[len(d.Actions)-1]
			if flags, ok := strings.CutPrefix(effect, "add IMAP flags: "); ok {
				// The report shows keywords of :flags that storing leaves out.
				list := slices.DeleteFunc(strings.Split(flags, " "), func(f string) bool { return !sieve.FlagValid(f) || strings.Contains(f, "?") })
				if len(list) > 0 {
					*last += " flags " + sortFlags(list)
				}
			} else if strings.HasPrefix(effect, "preserve implicit keep") {
				*last += " copy"
			}
		}
	}
	for _, line := range strings.Split(implicit, "\n") {
		if strings.HasPrefix(line, " * ") {
			d.Implicit = true
		}
	}
	return d
}

// inbox makes the two spellings of the inbox one.
func inbox(name string) string {
	if sieve.SameMailbox(name, sieve.Inbox) {
		return sieve.Inbox
	}
	return name
}

func sortFlags(flags []string) string {
	flags = slices.Clone(flags)
	for i := range flags {
		flags[i] = strings.ToLower(flags[i])
	}
	slices.Sort(flags)
	return strings.Join(slices.Compact(flags), " ")
}

// decisionOf puts a Result in the same words.
func decisionOf(r sieve.Result) decision {
	if r.Keep == sieve.KeepFailure || r.Keep == sieve.KeepLost {
		return decision{Failed: true}
	}
	d := decision{Implicit: r.Keep == sieve.KeepImplicit}
	for _, a := range r.Actions {
		var s string
		var flags []string
		copied := false
		switch a := a.(type) {
		case sieve.ActionKeep:
			s, flags = "store INBOX", a.Flags
		case sieve.ActionFileInto:
			s, copied, flags = "store "+shown(inbox(a.Mailbox)), a.Copy, a.Flags
		case sieve.ActionRedirect:
			s, copied = "redirect "+a.Address, a.Copy
		case sieve.ActionDiscard:
			s = "discard"
		case sieve.ActionReject:
			s = "reject"
		case sieve.ActionVacation:
			s = "vacation"
		case sieve.ActionNotify:
			s = "notify" + notified(a)
		case sieve.ActionReport:
			s = fmt.Sprintf("report incoming message as `%s' to: <%s>", a.Type, a.Address)
		case sieve.ActionAddHeader, sieve.ActionDeleteHeader:
			// The server changes the header without a word.
			continue
		}
		if copied {
			s += " copy"
		}
		flags = slices.DeleteFunc(slices.Clone(flags), func(f string) bool { return strings.Contains(f, "?") })
		if len(flags) > 0 {
			s += " flags " + sortFlags(flags)
		}
		d.Actions = append(d.Actions, s)
	}
	return d
}

// shown is a name as the server's report shows it.
func shown(name string) string {
	var b strings.Builder
	for _, c := range name {
		if c < ' ' || c == 0x7f {
			c = '?'
		}
		b.WriteRune(c)
	}
	if b.Len() > 128 {
		return sieve.CutUTF8(b.String(), 125) + "..."
	}
	return b.String()
}

// notified is whom a notification goes to.
func notified(a sieve.ActionNotify) string {
	addressees, err := sieve.Addressees(a.Method)
	if err != nil {
		return err.Error()
	}
	s := ""
	for _, to := range a.Recipients {
		kind := " Cc: "
		if slices.Contains(addressees, to) {
			kind = " To: "
		}
		s += kind + to
	}
	return s
}

// input is a message as the server would hand it to the script.
func input(raw []byte, from, to string) *sieve.Input {
	in := &sieve.Input{Size: int64(len(raw)), From: from, To: to}
	in.Header, in.Body = headers.Scan(nil, raw, headers.Sieve)
	return in
}
