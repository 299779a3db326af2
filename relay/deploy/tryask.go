package deploy

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"time"
)

// askAll asks all listeners at once. Those that say nothing more once the log
// has why, and three seconds nothing new of the kind, are not waited for:
// master(8) starts what died anew after a minute only.
func (s *stage) askAll(ctx context.Context, listeners []listener) []complaint {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	done := make(chan struct{})
	go func() {
		for seen, quiet := 0, 0; quiet < 15; quiet++ {
			select {
			case <-done:
				return
			case <-time.After(200 * time.Millisecond):
			}
			data, _, _ := s.t.ReadFile(strings.TrimPrefix(s.dir+"/log", "/"))
			if n := strings.Count(string(data), " fatal: "); n > seen || n == 0 {
				seen, quiet = n, 0
			}
		}
		cancel()
	}()
	var mu sync.Mutex
	var all []complaint
	var wg sync.WaitGroup
	for _, l := range listeners {
		wg.Go(func() {
			s.ask(ctx, l, func(silent bool, format string, args ...any) {
				mu.Lock()
				defer mu.Unlock()
				all = append(all, complaint{l, silent, fmt.Sprintf(format, args...)})
			})
		})
	}
	wg.Wait()
	close(done)
	slices.SortFunc(all, func(a, b complaint) int { return strings.Compare(a.at, b.at) })
	return all
}

// wake has master(8) start each smtp(8) and lmtp(8), which reads its settings
// and opens its tables before it says that it is ready for a message. None is
// given. What one died of is in the log. Other agents may be there without being
// used: virtual(8) of a fresh Postfix can't start.
func (s *stage) wake(ctx context.Context, files configuration) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, sv := range files.master.Services() {
		if sv.Type != "unix" || sv.Command != "smtp" && sv.Command != "lmtp" {
			continue
		}
		dir := "private"
		if sv.Private == "n" {
			dir = "public"
		}
		wg.Go(func() {
			conn, err := s.t.Dial(ctx, "unix", s.dir+"/queue/"+dir+"/"+sv.Name)
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				s.untried("%s(8), service %s: %v", sv.Command, sv.Name, cause(err))
				return
			}
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
			conn.Read(make([]byte, 1))
		})
	}
	wg.Wait()
}

// complaint is what is wrong with a listener's answers; silent: there was none.
type complaint struct {
	listener
	silent bool
	text   string
}

// ask speaks with a listener of the instance, as far as RCPT; no message comes
// of it.
func (s *stage) ask(ctx context.Context, l listener, complain func(silent bool, format string, args ...any)) {
	refuse := func(format string, args ...any) { complain(true, format, args...) }
	conn, err := s.t.Dial(ctx, "tcp", l.address)
	if err != nil {
		refuse("nobody listens: %v", err)
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	on := func(name string) string { v, _ := l.settings.Get(name); return strings.ToLower(v) }
	if on("smtpd_upstream_proxy_protocol") == "haproxy" || l.settings.Program == "postscreen" &&
		on("postscreen_upstream_proxy_protocol") == "haproxy" {
		fmt.Fprintf(conn, "PROXY TCP4 127.0.0.1 127.0.0.1 40000 25\r\n")
	}
	wrapped := on("smtpd_tls_wrappermode") == "yes"
	if wrapped {
		if conn, err = secure(ctx, conn); err != nil {
			refuse("TLS: %v", err)
			return
		}
	}
	c := dialogue{textproto.NewConn(conn)}
	code, text, err := c.reply()
	switch {
	case err != nil:
		refuse("the greeting: %v", err)
		return
	case broken(code, text):
		complain(false, "the greeting: %d %s", code, text)
		return
	}
	if code != 220 {
		return // it takes no mail from here
	}
	say := func(command string) (int, string, bool) {
		code, text, err := c.say(command)
		switch {
		case err != nil:
			refuse("%s: %v", command, err)
		case broken(code, text):
			complain(false, "%s: %d %s", command, code, text)
			return code, text, false
		}
		return code, text, err == nil
	}
	code, text, ok := say("EHLO trial.invalid")
	if !ok {
		return
	}
	level := on("smtpd_tls_security_level")
	wanted := level == "may" || level == "encrypt" || on("smtpd_use_tls") == "yes" || on("smtpd_enforce_tls") == "yes"
	hidden := strings.Contains(on("smtpd_discard_ehlo_keywords"), "starttls") || on("smtpd_discard_ehlo_keyword_address_maps") != ""
	switch offered := strings.Contains(text, "STARTTLS"); {
	case offered:
		if _, _, ok := say("STARTTLS"); !ok {
			return
		}
		if conn, err = secure(ctx, conn); err != nil {
			refuse("STARTTLS: %v", err)
			return
		}
		c = dialogue{textproto.NewConn(conn)}
		if _, _, ok := say("EHLO trial.invalid"); !ok {
			return
		}
	case wanted && !hidden && !wrapped && code == 250:
		complain(false, "it offers no STARTTLS, though smtpd_tls_security_level = %s", level)
	}
	if _, _, ok := say("MAIL FROM:<>"); !ok {
		return
	}
	ask := s.o.Ask
	if len(ask) == 0 {
		ask = []string{"postmaster", "nobody@trial.invalid"}
	}
	for _, to := range ask {
		if _, _, ok := say("RCPT TO:<" + to + ">"); !ok {
			return
		}
	}
	say("RSET")
	c.say("QUIT")
}

// secure begins TLS. Whose certificate it is doesn't count here.
func secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	t := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	return t, t.HandshakeContext(ctx)
}

type dialogue struct{ *textproto.Conn }

func (d dialogue) reply() (int, string, error) {
	code, text, err := d.ReadResponse(0)
	return code, text, err
}

func (d dialogue) say(command string) (int, string, error) {
	if err := d.PrintfLine("%s", command); err != nil {
		return 0, "", err
	}
	return d.reply()
}
