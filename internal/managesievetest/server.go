// Package managesievetest has a small ManageSieve server (RFC 5804) in memory
// for tests, with the faults that a test asks for.
package managesievetest

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Server holds mailboxes. Its fields aren't changed while it serves.
type Server struct {
	// Master and Password are the credentials for every mailbox, by PLAIN with
	// an authorization identity.
	Master, Password string
	TLS              *tls.Config // STARTTLS is offered where it is set
	Old              bool        // a server before RFC 5804: no VERSION, CHECKSCRIPT, NOOP, RENAMESCRIPT
	MaxSize          int         // bytes of a script; 0: no limit
	MaxScripts       int         // of a mailbox; 0: no limit
	// Dozes makes the server overlook a command until more comes, up to the
	// first AUTHENTICATE without initial response, as Pigeonhole 0.5 may with TLS
	// from the first byte.
	Dozes bool
	// Check judges scripts; nil takes all. Warnings may be empty.
	Check func(script []byte) (warnings string, err error)
	// Answer may answer a command itself, by a whole answer with its line end;
	// the empty string leaves it to the server. It is called without locks held.
	Answer func(mailbox, command string) string

	mu        sync.Mutex
	mailboxes map[string]*mailbox
	puts      int
}

type mailbox struct {
	names   []string
	scripts map[string][]byte
	active  string
}

// Put stores a script without any check; active activates it.
func (s *Server) Put(address, name string, script []byte, active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mailbox(address)
	m.put(name, slices.Clone(script))
	if active {
		m.active = name
	}
}

// Deactivate leaves a mailbox without an active script.
func (s *Server) Deactivate(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mailbox(address).active = ""
}

// Get is a mailbox's script, nil if there is none, and whether it is active.
func (s *Server) Get(address, name string) (script []byte, active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mailbox(address)
	return slices.Clone(m.scripts[name]), m.active == name && name != ""
}

// Active is the name of the mailbox's active script, empty if there is none.
func (s *Server) Active(address string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mailbox(address).active
}

// Puts is how many scripts clients stored.
func (s *Server) Puts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.puts
}

func (s *Server) mailbox(address string) *mailbox {
	m := s.mailboxes[address]
	if m == nil {
		m = &mailbox{scripts: map[string][]byte{}}
		if s.mailboxes == nil {
			s.mailboxes = map[string]*mailbox{}
		}
		s.mailboxes[address] = m
	}
	return m
}

func (m *mailbox) put(name string, script []byte) {
	if _, ok := m.scripts[name]; !ok {
		m.names = append(m.names, name)
	}
	m.scripts[name] = script
}

// DialContext connects to the server; the address is ignored. The connection is
// a pipe in memory, or one over loopback where the server has TLS: a pipe has no
// buffer, so that both ends of a failing handshake wait for each other.
func (s *Server) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	if s.TLS == nil {
		client, server := net.Pipe()
		go s.Serve(server)
		return client, nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		defer listener.Close()
		if conn, err := listener.Accept(); err == nil {
			s.Serve(conn)
		}
	}()
	return (&net.Dialer{}).DialContext(ctx, "tcp", listener.Addr().String())
}

// Serve serves one connection to its end.
func (s *Server) Serve(conn net.Conn) {
	c := &session{server: s, conn: conn, r: bufio.NewReader(conn)}
	defer func() { c.conn.Close() }()
	if err := c.reply(c.capabilities() + "OK \"ready\"\r\n"); err != nil {
		return
	}
	dozes := false // overlooked this command, not the one that woke it
	for !c.over {
		words, err := c.read()
		if err != nil || len(words) == 0 {
			return
		}
		if dozes = s.Dozes && !c.awake && !dozes; dozes {
			if _, err := c.r.Peek(1); err != nil {
				return
			}
		}
		if strings.EqualFold(words[0], "AUTHENTICATE") && len(words) == 2 {
			c.awake = true
			if c.reply("\"\"\r\n") != nil {
				return
			}
			answer, err := c.read()
			if err != nil {
				return
			}
			words = append(words, answer...)
		}
		if err := c.reply(c.run(words)); err != nil {
			return
		}
		if c.tls {
			c.tls = false
			t := tls.Server(c.conn, s.TLS)
			if t.Handshake() != nil {
				return
			}
			c.conn, c.r, c.secure = t, bufio.NewReader(t), true
			if err := c.reply(c.capabilities() + "OK\r\n"); err != nil {
				return
			}
		}
	}
}

type session struct {
	server            *Server
	conn              net.Conn
	r                 *bufio.Reader
	user              string
	secure, tls, over bool
	awake             bool
}

func (c *session) reply(s string) error {
	_, err := io.WriteString(c.conn, s)
	return err
}

func (c *session) capabilities() string {
	var b strings.Builder
	b.WriteString("\"IMPLEMENTATION\" \"managesievetest\"\r\n\"SIEVE\" \"fileinto vacation\"\r\n")
	if c.server.TLS != nil && !c.secure {
		b.WriteString("\"SASL\" \"\"\r\n\"STARTTLS\"\r\n")
	} else {
		b.WriteString("\"SASL\" \"PLAIN\"\r\n")
	}
	if !c.server.Old {
		b.WriteString("\"UNAUTHENTICATE\"\r\n\"VERSION\" \"1.0\"\r\n")
	}
	return b.String()
}

// read reads a command's words, strings without their quotes.
func (c *session) read() ([]string, error) {
	var words []string
	for {
		b, err := c.r.ReadByte()
		if err != nil {
			return nil, err
		}
		switch {
		case b == ' ':
		case b == '\r':
			if b, err = c.r.ReadByte(); err == nil && b != '\n' {
				err = errors.New("a bare CR")
			}
			return words, err
		case b == '"':
			s, err := c.quoted()
			if err != nil {
				return nil, err
			}
			words = append(words, s)
		case b == '{':
			size, err := c.r.ReadString('\n')
			if err != nil {
				return nil, err
			}
			n, err := strconv.Atoi(strings.TrimSuffix(size, "+}\r\n"))
			if err != nil {
				return nil, err
			}
			s := make([]byte, n)
			if _, err := io.ReadFull(c.r, s); err != nil {
				return nil, err
			}
			words = append(words, string(s))
		default:
			word := []byte{b}
			for {
				b, err := c.r.Peek(1)
				if err != nil {
					return nil, err
				}
				if b[0] == ' ' || b[0] == '\r' {
					break
				}
				c.r.ReadByte()
				word = append(word, b[0])
			}
			words = append(words, string(word))
		}
	}
}

func (c *session) quoted() (string, error) {
	var s []byte
	for {
		b, err := c.r.ReadByte()
		if err != nil {
			return "", err
		}
		switch b {
		case '"':
			return string(s), nil
		case '\\':
			if b, err = c.r.ReadByte(); err != nil {
				return "", err
			}
		case '\r', '\n':
			return "", errors.New("a line end in a quoted string")
		}
		s = append(s, b)
	}
}

const done = "OK\r\n"

func no(code, text string) string {
	if code != "" {
		code = " (" + code + ")"
	}
	return fmt.Sprintf("NO%s {%d}\r\n%s\r\n", code, len(text), text)
}

func (c *session) run(words []string) string {
	s := c.server
	command := strings.ToUpper(words[0])
	if s.Answer != nil {
		if a := s.Answer(c.user, command); a != "" {
			c.over = strings.HasPrefix(a, "BYE")
			return a
		}
	}
	args := words[1:]
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	switch command {
	case "CAPABILITY":
		return c.capabilities() + done
	case "LOGOUT":
		c.over = true
		return done
	case "STARTTLS":
		if s.TLS == nil || c.secure {
			return no("", "no TLS")
		}
		c.tls = true
		return done
	case "AUTHENTICATE":
		plain, err := base64.StdEncoding.DecodeString(arg(1))
		fields := strings.Split(string(plain), "\x00")
		if err != nil || len(fields) != 3 || arg(0) != "PLAIN" || fields[1] != s.Master || fields[2] != s.Password {
			return no("", "authentication failed")
		}
		c.user = fields[0]
		return done
	case "NOOP":
		if !s.Old {
			return fmt.Sprintf("OK (TAG \"%s\") \"done\"\r\n", arg(0))
		}
	}
	if c.user == "" {
		return no("", "log in first")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mailbox(c.user)
	switch command {
	case "UNAUTHENTICATE":
		c.user = ""
		return done
	case "LISTSCRIPTS":
		return m.list() + done
	case "GETSCRIPT":
		script, ok := m.scripts[arg(0)]
		if !ok {
			return no("NONEXISTENT", "no such script")
		}
		return fmt.Sprintf("{%d}\r\n%s\r\n%s", len(script), script, done)
	case "HAVESPACE":
		size, _ := strconv.Atoi(arg(1))
		return s.space(m, arg(0), size, done)
	case "CHECKSCRIPT":
		if !s.Old {
			return s.check([]byte(arg(0)))
		}
	case "PUTSCRIPT":
		answer := s.space(m, arg(0), len(arg(1)), s.check([]byte(arg(1))))
		if strings.HasPrefix(answer, "OK") {
			m.put(arg(0), []byte(arg(1)))
			s.puts++
		}
		return answer
	case "SETACTIVE":
		if _, ok := m.scripts[arg(0)]; !ok && arg(0) != "" {
			return no("NONEXISTENT", "no such script")
		}
		m.active = arg(0)
		return done
	case "DELETESCRIPT":
		return m.remove(arg(0))
	case "RENAMESCRIPT":
		if !s.Old {
			return m.rename(arg(0), arg(1))
		}
	}
	return no("", "unknown command")
}

func (m *mailbox) list() string {
	var b strings.Builder
	for _, name := range m.names {
		b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`)
		if name == m.active {
			b.WriteString(" ACTIVE")
		}
		b.WriteString("\r\n")
	}
	return b.String()
}

func (s *Server) space(m *mailbox, name string, size int, ok string) string {
	_, there := m.scripts[name]
	switch {
	case s.MaxSize > 0 && size > s.MaxSize:
		return no("QUOTA/MAXSIZE", "too large")
	case s.MaxScripts > 0 && !there && len(m.names) >= s.MaxScripts:
		return no("QUOTA/MAXSCRIPTS", "too many")
	}
	return ok
}

func (s *Server) check(script []byte) string {
	if s.Check == nil {
		return done
	}
	warnings, err := s.Check(script)
	switch {
	case err != nil:
		return no("", err.Error())
	case warnings != "":
		return fmt.Sprintf("OK (WARNINGS) {%d}\r\n%s\r\n", len(warnings), warnings)
	}
	return done
}

func (m *mailbox) remove(name string) string {
	if _, ok := m.scripts[name]; !ok {
		return no("NONEXISTENT", "no such script")
	}
	if name == m.active {
		return no("ACTIVE", "it is active")
	}
	delete(m.scripts, name)
	m.names = slices.DeleteFunc(m.names, func(n string) bool { return n == name })
	return done
}

func (m *mailbox) rename(old, name string) string {
	script, ok := m.scripts[old]
	if !ok {
		return no("NONEXISTENT", "no such script")
	}
	if _, ok := m.scripts[name]; ok {
		return no("ALREADYEXISTS", "the name is taken")
	}
	m.put(name, script)
	if m.active == old {
		m.active = name
	}
	delete(m.scripts, old)
	m.names = slices.DeleteFunc(m.names, func(n string) bool { return n == old })
	return done
}
