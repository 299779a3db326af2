package deploy

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// listener is one that the instance is asked on.
type listener struct {
	at       string // in master.cf
	name     string // as it is there
	address  string // of the instance
	settings postfix.Settings
}

// instance starts a Postfix of the trial's own on the stage, asks it, reads its
// log, and stops it. It has its own queue, data directory and ports on loopback,
// and delivers nothing.
func (s *stage) instance(ctx context.Context) {
	if !s.root {
		s.untried("a Postfix of the trial's own: only root can start one")
		return
	}
	if len(s.errs) > 0 {
		s.untried("a Postfix of the trial's own: not with what is wrong already")
		return
	}
	files, err := s.parse()
	if err != nil {
		s.refuse(s.o.Places.Postfix, "mend the line", "%v", err)
		return
	}
	var listeners []listener
	started, again := false, true
	for tries := 0; again && tries < 3; tries++ {
		if listeners, err = s.prepare(ctx, files); err != nil {
			s.errs = append(s.errs, err)
			return
		}
		started, again = s.start(ctx)
	}
	if again {
		s.untried("a Postfix of the trial's own: all ports that it was given, between 20000 and 32000 on loopback, were taken")
		return
	}
	var complaints []complaint
	if started {
		s.wake(ctx, files)
		complaints = s.askAll(ctx, listeners)
		// What daemons that were woken have to say.
		sleep(ctx, 300*time.Millisecond)
	}
	s.stop()
	s.log(files)
	known := len(s.errs) > 0
	for _, c := range complaints {
		if !c.silent || !known { // else the log has said why
			s.refuse(c.at+": "+c.name, "look at the settings of the listener", "%s", c.text)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// queueDirectory makes the queue directory: what chrooted daemons look up, and the
// sockets of other services in the live one, which daemons connect to.
const queueDirectory = `set -e
live=$1 queue=$2 data=$3 owner=$4 group=$5
umask 022
mkdir -p "$queue/etc" "$queue/pid" "$data"
(
	cd "$queue"
	mkdir -p active bounce corrupt defer deferred flush hold incoming saved trace private public maildrop
	chmod 0700 active bounce corrupt defer deferred flush hold incoming saved trace private
	chown "$owner" active bounce corrupt defer deferred flush hold incoming saved trace private public maildrop "$data"
	chgrp "$group" public maildrop
	chmod 0710 public
	chmod 1730 maildrop
	: >quick-start # postfix-script(1) looks at nothing more; "postfix check" is among the commands
)
case $live in
''|/) live= ;; # there already, or the system's own /usr
*)
	for d in etc lib lib64 usr; do
		if [ -d "$live/$d" ]; then cp -a "$live/$d" "$queue/" 2>/dev/null || :; fi
	done
	;;
esac
for f in resolv.conf hosts nsswitch.conf services localtime; do
	if [ ! -e "$queue/etc/$f" ] && [ -e "/etc/$f" ]; then cp -L "/etc/$f" "$queue/etc/" || :; fi
done
if [ -n "$live" ] && [ -d "$live" ]; then
	cd "$live"
	find . -maxdepth 3 -type s 2>/dev/null | while IFS= read -r f; do
		mkdir -p "$queue/${f%/*}"
		ln "$f" "$queue/$f" 2>/dev/null || ln -s "$live/${f#./}" "$queue/$f" || :
	done
fi
`

// prepare makes the stage's configuration the instance's.
func (s *stage) prepare(ctx context.Context, files configuration) ([]listener, error) {
	dir := s.dir + s.o.Places.Postfix
	settings, err := s.must(ctx, "postconf", "-c", dir, "-xh", "queue_directory", "mail_owner", "inet_protocols", "mail_version",
		"setgid_group")
	values := strings.Split(settings, "\n")
	if err != nil || len(values) != 5 {
		return nil, problem("postconf", fmt.Errorf("%w: %q %w", ErrRefused, settings, err), refusedFix)
	}
	live, owner, version, group := values[0], values[1], values[3], values[4]
	if strings.HasPrefix(live, s.dir) {
		live = "" // the second attempt
	}
	host := "127.0.0.1"
	if values[2] == "ipv6" {
		host = "::1"
	}
	if _, err := s.must(ctx, "sh", "-c", queueDirectory, "sh", live, s.dir+"/queue", s.dir+"/data", owner, group); err != nil {
		return nil, err
	}
	var listeners []listener
	var master strings.Builder
	var names []string
	own := []string{"rm", "-f", "--"} // sockets that must not be the live ones
	logger := false
	for _, sv := range files.master.Services() {
		logger = logger || sv.Name == "postlog"
		switch sv.Type {
		case "inet":
			l := listener{at: fmt.Sprintf("%s/master.cf:%d", s.o.Places.Postfix, sv.Line), name: sv.Name, address: s.port(ctx, host)}
			l.settings = postfix.Settings{Main: files.main, Release: version, ConfigDirectory: dir}.Of(sv)
			if sv.Command == "smtpd" || sv.Command == "postscreen" {
				listeners = append(listeners, l)
			}
			if sv.Command == "smtpd" && !s.login(ctx, l.settings) {
				// Without, smtpd(8) ends at once.
				sv.Options = slices.DeleteFunc(slices.Clone(sv.Options), func(p postfix.Param) bool { return p.Name == "smtpd_sasl_auth_enable" })
				sv.Options = append(sv.Options, postfix.Param{Name: "smtpd_sasl_auth_enable", Value: "no"})
			}
			sv.Name = l.address
		default:
			names = append(names, sv.Name)
			own = append(own, s.dir+"/queue/private/"+sv.Name, s.dir+"/queue/public/"+sv.Name)
		}
		sv.Comment = ""
		text, err := postfix.FormatService(sv)
		if err != nil {
			return nil, problem(s.o.Places.Postfix+"/master.cf:"+strconv.Itoa(sv.Line), fmt.Errorf("%w: %w", ErrRefused, err), "mend the line")
		}
		master.Write(text)
	}
	if _, err := s.must(ctx, own...); err != nil {
		return nil, err
	}
	if !logger {
		master.WriteString("postlog unix-dgram n - n - 1 postlogd\n")
	}
	main := string(files.main.Format())
	if !strings.HasSuffix(main, "\n") {
		main += "\n"
	}
	for _, p := range [][2]string{
		{"queue_directory", s.dir + "/queue"}, {"data_directory", s.dir + "/data"}, {"maillog_file", s.dir + "/log"},
		{"maillog_file_prefixes", s.dir},
		{"multi_instance_directories", ""}, {"multi_instance_wrapper", ""}, {"multi_instance_name", ""}, {"multi_instance_group", ""},
		{"defer_transports", strings.Join(names, " ")}, {"postscreen_greet_wait", "1s"}, {"address_verify_map", ""},
	} {
		main += p[0] + " = " + p[1] + "\n"
	}
	for name, text := range map[string]string{"main.cf": main, "master.cf": master.String()} {
		p := strings.TrimPrefix(dir+"/"+name, "/")
		if err := s.t.Remove(p); err != nil {
			return nil, failure(p, err)
		}
		if err := s.t.Create(p, []byte(text), Attr{Mode: 0o644}); err != nil {
			return nil, failure(p, err)
		}
	}
	return listeners, nil
}

// login reports whether the service that a listener asks of passwords is there,
// where it asks one.
func (s *stage) login(ctx context.Context, settings postfix.Settings) bool {
	on, _ := settings.Get("smtpd_sasl_auth_enable")
	kind, _ := settings.Get("smtpd_sasl_type")
	path, _ := settings.Get("smtpd_sasl_path")
	if on != "yes" || kind != "dovecot" || strings.Contains(path, ":") {
		return true
	}
	file := path
	if !strings.HasPrefix(file, "/") {
		file = s.dir + "/queue/" + file
	}
	if out, err := s.run(ctx, "test", "-S", file); err == nil && out.Status == 0 {
		return true
	}
	s.warn("Dovecot's socket " + path + " (smtpd_sasl_path) is not there: start Dovecot before Postfix is reloaded; login was not tried")
	return false
}

// port is an address that nobody listens on.
func (s *stage) port(ctx context.Context, host string) string {
	address := ""
	for range 20 {
		address = net.JoinHostPort(host, strconv.Itoa(20000+rand.IntN(12000)))
		dial, cancel := context.WithTimeout(ctx, 2*time.Second)
		c, err := s.t.Dial(dial, "tcp", address)
		cancel()
		if err != nil {
			break
		}
		c.Close()
	}
	return address
}

// start starts it; again says that a port was taken.
func (s *stage) start(ctx context.Context) (ok, again bool) {
	if ctx.Err() != nil {
		return false, false
	}
	// Not cut short by the caller: what is killed half-way could leave a master(8)
	// that nobody knows of.
	begin, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	out, err := s.run(begin, "postfix", "-c", s.dir+s.o.Places.Postfix, "start")
	text := ""
	for range 50 {
		data, _, _ := s.t.ReadFile(strings.TrimPrefix(s.dir+"/log", "/"))
		if text = string(data); strings.Contains(text, "daemon started") || strings.Contains(text, "fatal:") || err != nil || out.Status != 0 {
			break
		}
		sleep(ctx, 100*time.Millisecond)
	}
	if strings.Contains(text, "Address already in use") {
		s.stop()
		s.t.Remove(strings.TrimPrefix(s.dir+"/log", "/"))
		return false, true
	}
	if err != nil || out.Status != 0 || !strings.Contains(text, "daemon started") {
		if said := s.said(out, err); !strings.Contains(text, "fatal:") {
			s.refuse("postfix start", refusedFix, "it doesn't start: %s", said)
		}
		return false, false
	}
	return true, false
}

// stop stops it, also when ctx is over.
func (s *stage) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s.run(ctx, "sh", "-c", `read p <"$0" || exit 0
kill -TERM "$p"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
	kill -0 "$p" 2>/dev/null || exit 0
	sleep 0.1
done
kill -KILL "-$p"`, s.dir+"/queue/pid/master.pid")
}

var (
	logLine = regexp.MustCompile(`(postfix\S*?/[\w/.-]+)\[\d+\]: (?:[0-9A-Za-z]+: )?(fatal|panic|error|warning): (.*)`)
	// deadly are warnings after which mail is not taken or not delivered.
	deadly = regexp.MustCompile(`unknown smtpd restriction|bad command startup|exit status|killed by signal|is unavailable\. ` +
		`|lookup (problem|error)|restriction .* (ignored|needs|requires)|cannot get (RSA|DSA|ECDSA|EC) |TLS library problem: .*(PEM|key)` +
		`|no SASL|Server configuration|unsupported (dictionary|SASL)|bad (parameter|numerical|boolean)|not a valid|parameter error` +
		`|ignoring unknown|map .* line \d+|specified without|malformed|missing`)
	// harmless are those that hang on the moment, or on the trial itself.
	harmless = regexp.MustCompile(`overriding earlier entry|clock|file time stamps|not owned by|/etc/\S+ differ` +
		`|hostname .* does not resolve|exit status 1$.*kill`)
)

// log reads the instance's log.
func (s *stage) log(files configuration) {
	data, _, err := s.t.ReadFile(strings.TrimPrefix(s.dir+"/log", "/"))
	if err != nil {
		s.untried("the log of the trial's Postfix: %v", cause(err))
		return
	}
	var fatal []string
	var exits []string
	for line := range strings.Lines(string(data)) {
		m := logLine.FindStringSubmatch(strings.TrimSpace(line))
		switch {
		case m == nil || harmless.MatchString(m[3]):
		case m[2] == "warning" && !deadly.MatchString(m[3]):
			s.warn(m[1] + ": " + m[3])
		case m[2] == "warning" && strings.Contains(m[1], "/master"):
			exits = append(exits, m[1]+": "+m[3])
		default:
			fatal = append(fatal, m[1]+": "+m[3])
		}
	}
	if len(fatal) == 0 {
		fatal = exits // of a program that didn't say why
	}
	for _, text := range fatal {
		s.refuse(s.place(files, text), refusedFix, "%s", text)
	}
}

// quoted is a value in a program's words.
var quoted = regexp.MustCompile(`"([^"]+)"`)

// place is where the setting stands that a program's words name, or whose value
// they quote.
func (s *stage) place(files configuration, text string) string {
	at := s.find(files, func(_ string, p postfix.Param) bool {
		return regexp.MustCompile(`(?:^|\W)` + regexp.QuoteMeta(p.Name) + `(?:\W|$)`).MatchString(text)
	})
	if m := quoted.FindStringSubmatch(text); at == "" && m != nil {
		who, _, _ := strings.Cut(text, ":")
		at = s.find(files, func(program string, p postfix.Param) bool {
			return p.Value == m[1] && (program == "" || program == path.Base(who))
		})
	}
	return cmp.Or(at, s.o.Places.Postfix)
}

// find is where the setting stands that is meant, of main.cf or of a service
// that runs a program; "" where there is none.
func (s *stage) find(files configuration, meant func(program string, p postfix.Param) bool) string {
	dir := s.o.Places.Postfix
	for _, p := range slices.Backward(files.main.Params()) {
		if meant("", p) {
			return fmt.Sprintf("%s/main.cf:%d: %s", dir, p.Line, p.Name)
		}
	}
	for _, sv := range files.master.Services() {
		for _, p := range sv.Options {
			if meant(sv.Command, p) {
				return fmt.Sprintf("%s/master.cf:%d: %s", dir, sv.Line, p.Name)
			}
		}
	}
	return ""
}

// broken reports whether a reply says that the server can't do its work.
func broken(code int, text string) bool {
	return code == 421 || code/100 == 4 && slices.ContainsFunc([]string{"configuration", "lookup", "Local error", "local error",
		"local problem"}, func(w string) bool {
		return strings.Contains(text, w)
	})
}
