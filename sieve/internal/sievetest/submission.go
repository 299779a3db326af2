package sievetest

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// Submission is an SMTP server that takes what Dovecot sends.
type Submission struct {
	Addr string
	mu   sync.Mutex
	got  []interp.Outgoing
}

// NewSubmission starts one that ends with the test.
func NewSubmission(tb testing.TB) *Submission {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Submission{Addr: l.Addr().String()}
	var wg sync.WaitGroup
	tb.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { s.serve(c) })
		}
	})
	return s
}

func (s *Submission) serve(c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(c)
	say := func(text string) { fmt.Fprintf(c, "%s\r\n", text) }
	say("220 ready")
	var m interp.Outgoing
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, arg, _ := strings.Cut(line, ":")
		switch arg, _, _ = strings.Cut(strings.TrimPrefix(arg, "<"), ">"); strings.ToUpper(strings.Fields(verb)[0]) {
		case "EHLO":
			say("250-localhost")
			say("250 8BITMIME")
		case "MAIL":
			m = interp.Outgoing{From: arg}
			say("250 ok")
		case "RCPT":
			m.To = append(m.To, arg)
			say("250 ok")
		case "DATA":
			say("354 go on")
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				m.Raw = append(m.Raw, strings.TrimPrefix(line, ".")...)
			}
			s.mu.Lock()
			s.got = append(s.got, m)
			s.mu.Unlock()
			say("250 ok")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// Take returns what came since the last call.
func (s *Submission) Take() []interp.Outgoing {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got
}
