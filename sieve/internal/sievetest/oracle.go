package sievetest

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
	"github.com/oxmailroute/oxmailroute/sieve/internal/imapflag"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailto"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mboxname"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// AllOn are the settings that turn every extension of Debian's Pigeonhole on.
var AllOn = []string{
	"-o", "plugin/sieve_extensions=+editheader +vacation-seconds +special-use +mboxmetadata +servermetadata +spamtest +spamtestplus +virustest +imapflags +notify +vnd.dovecot.environment +vnd.dovecot.report",
	"-o", "plugin/sieve_spamtest_status_type=score", "-o", "plugin/sieve_spamtest_status_header=X-Spam-Score: ([0-9.]+)", "-o", "plugin/sieve_spamtest_max_value=10",
	"-o", "plugin/sieve_virustest_status_type=score", "-o", "plugin/sieve_virustest_status_header=X-Virus-Score: ([0-9.]+)", "-o", "plugin/sieve_virustest_max_value=5",
}

// Scored is the input of a message with the scores of its header, as the
// settings above read them.
func Scored(raw []byte) *interp.Input {
	in := &interp.Input{Raw: raw, Now: time.Now(), Environment: map[string]string{
		"location": "MS", "phase": "post", "default-mailbox": "INBOX"}}
	if name, err := os.Hostname(); err == nil {
		in.Environment["host"], in.Environment["domain"] = name, name
		if _, domain, ok := strings.Cut(name, "."); ok {
			in.Environment["domain"] = domain
		}
	}
	in.Spam, in.Virus = score(raw, "X-Spam-Score", 10), score(raw, "X-Virus-Score", 5)
	return in
}

func score(raw []byte, name string, most float64) interp.Score {
	for line := range strings.Lines(string(raw)) {
		if strings.TrimRight(line, "\r\n") == "" {
			break
		}
		text, ok := strings.CutPrefix(line, name+": ")
		if !ok {
			continue
		}
		text = strings.TrimSpace(text)
		text = strings.TrimPrefix(text, "-") // the pattern finds the digits
		n, dot, digits := 0.0, 0.0, 0
		for _, c := range text {
			if c == '.' {
				dot = 1
				continue
			}
			if c < '0' || c > '9' {
				return interp.Score{}
			}
			digits++
			if dot > 0 {
				dot /= 10
				n += float64(c-'0') * dot
			} else {
				n = n*10 + float64(c-'0')
			}
		}
		if digits == 0 {
			return interp.Score{}
		}
		return interp.Score{Scanned: true, Ratio: min(n/most, 1)}
	}
	return interp.Score{}
}

// QuoteText makes a quoted string on one line.
func QuoteText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Oracle asks Pigeonhole. It has a configuration and a mail store of its own.
type Oracle struct {
	Dir, Conf string
	sievec    string
	Test      string
	filter    string
	Scripts   int
	Settings  []string // for every call
	Dupes     []byte   // what the last call of sends remembered
	Home      string   // where sends delivers to, if not to a new place
	root      string   // of Debian 13, for 2.4
}

// NewOracle skips the test where Pigeonhole's programs are missing.
func NewOracle(tb testing.TB) *Oracle {
	tb.Helper()
	o := &Oracle{
		sievec: servertest.Need(tb, "sievec"),
		Test:   servertest.Need(tb, "sieve-test"),
		filter: servertest.Need(tb, "sieve-filter"),
		Dir:    tb.TempDir(),
	}
	o.Conf = filepath.Join(o.Dir, "dovecot.conf")
	o.open(tb)
	_, gid, user := Owner(tb)
	o.Mailbox(tb, "mail", nil)
	conf := fmt.Sprintf("mail_uid = %s\nmail_gid = %d\nfirst_valid_uid = 0\nfirst_valid_gid = 0\n"+
		"mail_location = maildir:%s/mail\nmail_home = %s/home\nssl = no\npostmaster_address = postmaster@example.org\n"+
		"plugin {\n  sieve_extensions = %s\n  sieve = file:%s/scripts\n  sieve_global = %s/scripts\n}\n",
		user, gid, o.Dir, o.Dir, ServerExtensions, o.Dir, o.Dir)
	for _, name := range includable {
		if err := os.MkdirAll(o.Dir+"/scripts", 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(o.Dir+"/scripts/"+name+".sieve", []byte("keep;\n"), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	if err := os.WriteFile(o.Conf, []byte(conf), 0o644); err != nil {
		tb.Fatal(err)
	}
	return o
}

// ServerExtensions is all that Debian 12 has and can turn on. Its ereject is not
// built, and i;unicode-casemap is of a later version.
const ServerExtensions = sieve.AllExtensions &^ sieve.ExtEReject &^ sieve.ExtUnicodeCasemap &^ sieve.QuoteRegexModifier

// includable are the scripts that others can include.
var includable = []string{"a", "A b", "übung", "Subject", "x"}

// Owner returns who the programs run as: nobody where the test is root.
func Owner(tb testing.TB) (uid, gid int, name string) {
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

// Mailbox makes a maildir with the messages and returns its path.
func (o *Oracle) Mailbox(tb testing.TB, name string, messages [][]byte) string {
	tb.Helper()
	dir := filepath.Join(o.Dir, name)
	uid, gid, _ := Owner(tb)
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

// Script writes a script and returns its path.
func (o *Oracle) Script(tb testing.TB, src []byte) string {
	tb.Helper()
	o.Scripts++
	path := filepath.Join(o.Dir, fmt.Sprintf("s%d.sieve", o.Scripts))
	if err := os.WriteFile(path, src, 0o644); err != nil {
		tb.Fatal(err)
	}
	return path
}

// Run runs one of the programs, bounded in time.
func (o *Oracle) Run(tb testing.TB, program string, args ...string) (stdout, stderr string, err error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	args = append(append([]string{"-c", o.Conf}, o.Settings...), args...)
	args = append([]string{program}, args...)
	if o.root != "" {
		args = InRoot(o.root, o.Dir, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Dir = o.Dir
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tb.Fatal(err)
	}
	return out.String(), errs.String(), err
}

// verdict is what sievec says of a script.
type verdict string

// The verdicts.
const (
	Accepted verdict = "accepted"
	Rejected verdict = "rejected"
	Crashed  verdict = "crashed"
)

// Compile asks sievec. The lines are those of its errors.
func (o *Oracle) Compile(tb testing.TB, src []byte) (v verdict, text string, lines []int) {
	tb.Helper()
	path := o.Script(tb, src)
	_, stderr, err := o.Run(tb, o.sievec, path, path+".bin")
	os.Remove(path)
	os.Remove(path + ".bin")
	if err == nil {
		return Accepted, stderr, nil
	}
	var exit *exec.ExitError
	errors.As(err, &exit)
	if exit.ExitCode() != 89 {
		return Crashed, stderr + err.Error(), nil
	}
	for _, m := range errorLine.FindAllStringSubmatch(stderr, -1) {
		n, _ := strconv.Atoi(m[1])
		lines = append(lines, n)
	}
	return Rejected, stderr, lines
}

// AcceptsAll reports whether sievec compiles all of the scripts, in one process
// that stops at the first one that it refuses.
func (o *Oracle) AcceptsAll(tb testing.TB, scripts ...[]byte) bool {
	tb.Helper()
	o.Scripts++
	dir := filepath.Join(o.Dir, fmt.Sprintf("all%d", o.Scripts))
	if err := os.Mkdir(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for i, src := range scripts {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("s%d.sieve", i)), src, 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	if _, _, err := o.Run(tb, o.sievec, dir); err != nil {
		return false
	}
	for i := range scripts {
		if _, err := os.Stat(filepath.Join(dir, fmt.Sprintf("s%d.svbin", i))); err != nil {
			return false
		}
	}
	return true
}

var errorLine = regexp.MustCompile(`: line (\d+): error: `)

// Decision is what a script comes to, in words that fit both sides.
type Decision struct {
	Actions  []string
	Implicit bool
	Failed   bool
}

// Decide runs one script over many messages with sieve-filter. The messages
// must hold a Message-ID of their own.
func (o *Oracle) Decide(tb testing.TB, src []byte, mailbox string, settings ...string) ([]Decision, bool) {
	tb.Helper()
	path := o.Script(tb, src)
	defer os.Remove(path)
	args := append(slices.Clone(settings), "-C", "-o", "mail_location=maildir:"+mailbox, path, "INBOX")
	if o.root != "" {
		args = []string{"-C", "-o", "mail_path=" + mailbox, "-o", "mail_inbox_path=" + mailbox, path, "INBOX"}
	}
	stdout, stderr, err := o.Run(tb, o.filter, args...)
	if err != nil {
		tb.Logf("sieve-filter: %v\n%s", err, stderr)
		return nil, false
	}
	var out []Decision
	for _, block := range strings.Split(stdout, ">> Filtering message:")[1:] {
		out = append(out, parseDecision(block))
	}
	return out, true
}

// DecideOne runs sieve-test on one message.
func (o *Oracle) DecideOne(tb testing.TB, from, to string, src, message []byte, before ...[]byte) Decision {
	tb.Helper()
	path := o.Script(tb, src)
	defer os.Remove(path)
	msg := filepath.Join(o.Dir, "message.eml")
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
		args = append(args, "-s", filepath.Base(o.Script(tb, b)))
	}
	stdout, stderr, err := o.Run(tb, o.Test, append(args, path, msg)...)
	if err != nil && !strings.Contains(stderr, "failed; resolved with successful implicit keep") {
		tb.Fatalf("sieve-test: %v\n%s%s\nscript:\n%s", err, stdout, stderr, src)
	}
	return parseDecision(stdout)
}

// parseDecision reads the report of sieve-test and sieve-filter.
func parseDecision(text string) Decision {
	var d Decision
	_, performed, ok := strings.Cut(text, "Performed actions:")
	if !ok {
		return Decision{Failed: true}
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
				action = "store " + Inbox(strings.TrimPrefix(action, "store message in folder: "))
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
				list := imapflag.Stored(strings.Split(flags, " "))
				list = slices.DeleteFunc(list, func(f string) bool { return !imapflag.Valid(f) || strings.Contains(f, "?") })
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

// Inbox makes the two spellings of the inbox one.
func Inbox(name string) string {
	if mboxname.Same(name, sieve.Inbox) {
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

// DecisionOf puts a Result in the same words.
func DecisionOf(r interp.Result) Decision {
	if r.Keep == interp.KeepFailure || r.Keep == interp.KeepLost {
		return Decision{Failed: true}
	}
	d := Decision{Implicit: r.Keep == interp.KeepImplicit}
	for _, a := range r.Actions {
		var s string
		var flags []string
		copied := false
		switch a := a.(type) {
		case interp.ActionKeep:
			s, flags = "store INBOX", a.Flags
		case interp.ActionFileInto:
			s, copied, flags = "store "+shown(Inbox(a.Mailbox)), a.Copy, a.Flags
		case interp.ActionRedirect:
			s, copied = "redirect "+a.Address, a.Copy
		case interp.ActionDiscard:
			s = "discard"
		case interp.ActionReject:
			s = "reject"
		case interp.ActionVacation:
			s = "vacation"
		case interp.ActionNotify:
			s = "notify" + notified(a)
		case interp.ActionReport:
			s = fmt.Sprintf("report incoming message as `%s' to: <%s>", a.Type, a.Address)
		case interp.ActionAddHeader, interp.ActionDeleteHeader:
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
		return strings.ToValidUTF8(b.String()[:125], "") + "..."
	}
	return b.String()
}

// notified is whom a notification goes to.
func notified(a interp.ActionNotify) string {
	uri, err := mailto.Parse(a.Method)
	if err != nil {
		return err.Error()
	}
	s := ""
	for _, to := range a.Recipients {
		kind := " Cc: "
		if slices.Contains(uri.Addressees(false), to) {
			kind = " To: "
		}
		s += kind + to
	}
	return s
}

// Input is a message as the server would hand it to the script.
func Input(raw []byte, from, to string) *interp.Input {
	in := &interp.Input{Size: int64(len(raw)), From: from, To: to}
	in.Header, in.Body = headers.Scan(nil, raw, headers.Sieve)
	return in
}
