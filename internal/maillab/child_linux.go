package maillab

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// runner is a run, seen from inside its namespaces.
type runner struct {
	task       task
	keys       map[string]KeyPair
	start      time.Time
	log        *sysLog
	book       recordBook
	instances  []instance
	outside    *outside
	complaints []string
}

// clockWarning are cleanup's remarks that the file system's clock (which ticks
// more coarsely) isn't in step with the system's. They come by chance and say
// nothing about the site.
var clockWarning = regexp.MustCompile(`warning: (file system clock is \d+ seconds (ahead of|behind) local clock|resetting file time stamps)`)

// conduct does the whole run.
func conduct(t task) (Result, error) {
	r := &runner{task: t, start: time.Now()}
	go func() {
		time.Sleep(time.Until(t.Deadline))
		fmt.Fprintf(os.Stderr, "out of time\n%s\n", r.logTail())
		os.Exit(2)
	}()
	if err := checkMessages(&t.World, t.Messages); err != nil {
		return Result{}, err
	}
	// Programs need neither this program's settings nor the caller's environment.
	os.Clearenv()
	os.Setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	os.Setenv("LC_ALL", "C.UTF-8")
	syscall.Umask(0o022)
	if err := r.setUp(); err != nil {
		return Result{}, err
	}
	result := Result{Setup: time.Since(r.start).Seconds()}
	sent := r.send()
	result.Sending = time.Since(r.start).Seconds() - result.Setup
	result.Drained = r.settle()
	for _, command := range t.Site.After {
		out, err := exec.Command("/bin/sh", "-c", command).CombinedOutput()
		if err != nil {
			out = fmt.Appendf(out, "%v\n", err)
		}
		result.After = append(result.After, string(out))
	}
	if err := r.collect(sent, &result); err != nil {
		return Result{}, err
	}
	for _, line := range r.log.all() {
		text := fmt.Sprintf("%.3f %s", line.seconds, line.text)
		result.Log = append(result.Log, text)
		if line.severity <= 4 && !clockWarning.MatchString(line.text) {
			result.Warnings = append(result.Warnings, line.text)
		}
	}
	result.Complaints = r.complaints
	result.Seconds = time.Since(r.start).Seconds()
	return result, nil
}

// checkMessages refuses a list that can't be reported on.
func checkMessages(w *World, msgs []Message) error {
	_, external, err := splitInterfaces(w.Interfaces)
	if err != nil {
		return err
	}
	var errs []error
	seen := map[string]bool{}
	for i, m := range msgs {
		switch {
		case m.ID == "" || strings.Trim(m.ID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "":
			errs = append(errs, fmt.Errorf("message %d: ID %q: want letters, digits and -_. only", i, m.ID))
		case seen[m.ID]:
			errs = append(errs, fmt.Errorf("message %d: ID %q is there twice", i, m.ID))
		case len(m.Recipients) == 0:
			errs = append(errs, fmt.Errorf("message %s has no recipients", m.ID))
		}
		seen[m.ID] = true
		if m.Source == "" {
			continue
		}
		if ip, err := netip.ParseAddr(m.Source); err != nil || !ip.IsLoopback() && len(external) == 0 {
			// It would look like a listener that can't be reached.
			errs = append(errs, fmt.Errorf("message %s: client %q: want a loopback address, or World.Interfaces with one for eth0", m.ID, m.Source))
		}
	}
	return errors.Join(errs...)
}

// setUp makes the world and starts the site in it.
func (r *runner) setUp() error {
	w := &r.task.World
	var err error
	if r.keys, err = Issue(w.Certificates, w.Keys); err != nil {
		return err
	}
	if err := enter(); err != nil {
		return err
	}
	local, external, err := splitInterfaces(w.Interfaces)
	if err != nil {
		return err
	}
	if err := loopback(local); err != nil {
		return err
	}
	if r.outside, err = newOutside(external); err != nil {
		return err
	}
	if w.Root != "" {
		if err := enterRoot(w.Root, r.task.Scratch); err != nil {
			return err
		}
		r.task.Scratch = "/mnt"
	}
	if err := privateTree(r.task.Scratch); err != nil {
		return err
	}
	if err := furnish(w, r.keys); err != nil {
		return err
	}
	// More log lines may wait than the default of ten; where the system doesn't
	// let this program, the programs wait instead.
	os.WriteFile("/proc/sys/net/unix/max_dgram_qlen", []byte("1000"), 0)
	if r.log, err = listenSyslog("/dev/log", r.start); err != nil {
		return err
	}
	if _, err := listenDNS(w, r.keys, w.Resolver+":53"); err != nil {
		return fmt.Errorf("name server: %w", err)
	}
	for i := range w.Sinks {
		if _, err := listenSink(w, &w.Sinks[i], r.keys, &r.book, r.outside.listen); err != nil {
			return fmt.Errorf("sink: %w", err)
		}
	}
	for i := range w.Milters {
		if err := listenMilter(&w.Milters[i]); err != nil {
			return fmt.Errorf("milter: %w", err)
		}
	}
	for i := range w.Filters {
		if err := listenFilter(&w.Filters[i]); err != nil {
			return fmt.Errorf("filter: %w", err)
		}
	}
	stock, err := clearPostfix()
	if err != nil {
		return err
	}
	for _, dir := range []string{"/etc/dovecot", "/etc/haproxy", "/etc/nftables", "/etc/nftables.conf"} {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	if r.instances, err = installFiles(&r.task.Site, stock); err != nil {
		return err
	}
	for _, command := range r.task.Site.Exec {
		cmd := exec.Command("/bin/sh", "-c", command)
		r.complain(command, cmd)
	}
	if err := r.loadRuleset(); err != nil {
		return err
	}
	for i := range r.instances {
		if err := r.preparePostfix(&r.instances[i]); err != nil {
			return err
		}
	}
	if !r.task.Site.NoDovecot {
		if err := r.startDovecot(r.instances[0].queue, r.localUsers()); err != nil {
			return err
		}
	}
	for _, i := range r.instances {
		start := exec.Command(r.task.Defaults.Settings["daemon_directory"]+"/master", "-c", i.dir, "-w")
		if r.task.Script {
			start = exec.Command("postfix", "-c", i.dir, "start")
		}
		if out, err := start.CombinedOutput(); err != nil {
			time.Sleep(200 * time.Millisecond) // for the log
			return fmt.Errorf("%s: %w\n%s%s", start, err, out, r.logTail())
		}
	}
	return r.startHAProxy()
}

// localUsers are the addresses that may have a mailbox: of the messages and of
// the personal scripts.
func (r *runner) localUsers() []string {
	var users []string
	for name := range r.task.Site.Files {
		if script, ok := strings.CutPrefix(name, "sieve/users/"); ok {
			users = append(users, strings.TrimSuffix(script, ".sieve"))
		}
	}
	for _, m := range r.task.Messages {
		users = append(users, m.Recipients...)
	}
	slices.Sort(users)
	return slices.Compact(users)
}

// complain runs a program that should have nothing to say on standard error;
// what it says, or logs as a warning, and a failure are complaints.
func (r *runner) complain(what string, cmd *exec.Cmd) {
	before := len(r.log.all())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	text := stderr.String()
	if err != nil {
		text += err.Error()
	}
	r.complaint(what, text)
	for _, line := range r.log.all()[before:] {
		if line.severity <= 4 {
			r.complaint(what, line.text)
		}
	}
}

func (r *runner) complaint(what, text string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" { // postconf repeats itself
			line = what + ": " + line
			if !slices.Contains(r.complaints, line) {
				r.complaints = append(r.complaints, line)
			}
		}
	}
}

// logTail is the end of the log, for messages about failures.
func (r *runner) logTail() string {
	if r.log == nil {
		return ""
	}
	var b strings.Builder
	lines := r.log.all()
	for _, line := range lines[max(0, len(lines)-20):] {
		fmt.Fprintf(&b, "%.3f %s\n", line.seconds, line.text)
	}
	return b.String()
}

// send sends all messages and returns what became of each, in their order.
func (r *runner) send() []delivery {
	msgs := r.task.Messages
	sent := make([]delivery, len(msgs))
	next := make(chan int)
	var wg sync.WaitGroup
	for range r.task.World.Senders {
		wg.Go(func() {
			for i := range next {
				if m := &msgs[i]; m.To == "sendmail" || strings.HasPrefix(m.To, "sendmail:") {
					sent[i] = sendmail(m, firstUID+i)
				} else {
					sent[i] = sendSMTP(&r.task.World, r.keys, m, r.dial)
				}
			}
		})
	}
	for i := range msgs {
		next <- i
	}
	close(next)
	wg.Wait()
	return sent
}

// sendmail submits a message by local pickup, as the user.
func sendmail(m *Message, uid int) delivery {
	dir := "/etc/postfix"
	if _, name, ok := strings.Cut(m.To, ":"); ok && name != "" {
		dir += "-" + name
	}
	from := m.From
	if from == "" {
		from = "<>"
	}
	cmd := exec.Command("sendmail", slices.Concat([]string{"-C", dir, "-i", "-f", from, "--"}, m.Recipients)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: 65534, NoSetGroups: true}}
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "NAME=user"+strconv.Itoa(uid))
	cmd.Stdin = bytes.NewReader(m.payload())
	out, err := cmd.CombinedOutput()
	d := delivery{smtp: Reply{Code: 250, Text: strings.TrimSpace(string(out)), Stage: "sendmail"}}
	if err != nil {
		d.smtp.Code = 550
		d.smtp.Text = strings.TrimSpace(d.smtp.Text + " " + err.Error())
	}
	return d
}

// settle waits until no queue file moves any more.
func (r *runner) settle() bool {
	limit := r.task.World.Settle
	if limit == 0 {
		limit = time.Minute
	}
	// A file is there until its successor is, so one look at empty queues would
	// do; the others are for the last lines of the log.
	for end, idle := time.Now().Add(limit), 0; time.Now().Before(end); {
		moving := 0
		for i := range r.instances {
			n, _ := r.instances[i].queued()
			moving += n
		}
		if moving > 0 {
			idle = 0
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if idle++; idle == 4 {
			return true
		}
		time.Sleep(25 * time.Millisecond)
	}
	return false
}

// collect joins log, records, mailboxes and queues into the outcomes.
func (r *runner) collect(sent []delivery, result *Result) error {
	e := evidence{
		world:   &r.task.World,
		msgs:    r.task.Messages,
		sent:    sent,
		trace:   readTrace(r.log.all()),
		records: r.book.all(),
		resting: map[string]string{},
	}
	var err error
	if e.mailboxes, err = readMaildirs(mailHomes); err != nil && !os.IsNotExist(err) {
		return err
	}
	where := map[string]*instance{}
	for i := range r.instances {
		_, resting := r.instances[i].queued()
		for queue, ids := range resting {
			for _, id := range ids {
				e.resting[id] = queue
				where[id] = &r.instances[i]
			}
		}
	}
	e.header = func(id string) []byte {
		if i := where[id]; i != nil {
			return i.header(path.Base(id))
		}
		return nil
	}
	e.join(result)
	return nil
}
