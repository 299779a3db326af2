package maillab

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// record is one transaction that a sink took.
type record struct {
	sink       *Sink
	peer       string
	sender     string
	recipients []string
	data       []byte // CRLF line ends, unstuffed
	tls        string
	clientCert string
	verified   bool
	sni        string
	login      string
	lmtp       bool
}

// recordBook numbers the transactions of all sinks. The number is in the reply
// to the message, so that the client's log tells which record is which
// delivery.
type recordBook struct {
	mu      sync.Mutex
	records []record
}

func (b *recordBook) add(r record) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = append(b.records, r)
	return len(b.records) - 1
}

// all returns what was recorded so far.
func (b *recordBook) all() []record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.records[:len(b.records):len(b.records)]
}

// recordedAs is what a sink's reply to a message begins with; the number
// follows.
const recordedAs = "Ok: recorded as "

// sinkServer is a running sink.
type sinkServer struct {
	spec    *Sink
	mode    Mode
	tls     *tls.Config
	trusted *x509.CertPool
	book    *recordBook
	l       net.Listener
}

// listenSink starts a sink with the world's keys. A sink that is Down gives
// nil.
func listenSink(world *World, spec *Sink, keys map[string]KeyPair, book *recordBook, listen func(string) (net.Listener,
	error)) (*sinkServer, error) {
	s := &sinkServer{spec: spec, mode: world.mode(*spec), book: book, trusted: x509.NewCertPool()}
	if s.mode == Down {
		return nil, nil
	}
	s.trusted.AppendCertsFromPEM(keys["ca"].Certificate)
	certificate := spec.Certificate
	if name, ok := spec.Modes[s.mode]; ok {
		certificate = name
	}
	if certificate != "" && s.mode != NoTLS {
		pair, ok := keys[certificate]
		if !ok {
			return nil, fmt.Errorf("sink %s: no certificate %q", spec.Address, certificate)
		}
		c, err := tls.X509KeyPair(pair.Certificate, pair.Key)
		if err != nil {
			return nil, fmt.Errorf("sink %s: %w", spec.Address, err)
		}
		s.tls = &tls.Config{
			Certificates:           []tls.Certificate{c},
			ClientAuth:             tls.RequestClientCert,
			SessionTicketsDisabled: true,
		}
	}
	if spec.ImplicitTLS && s.tls == nil {
		return nil, fmt.Errorf("sink %s: implicit TLS without certificate", spec.Address)
	}
	l, err := listen(spec.Address)
	if err != nil {
		return nil, err
	}
	s.l = l
	go s.serve()
	return s, nil
}

// Close ends the service.
func (s *sinkServer) Close() error { return s.l.Close() }

func (s *sinkServer) serve() {
	for {
		conn, err := s.l.Accept()
		if err != nil {
			return
		}
		go s.session(conn)
	}
}

// reply is the reply to a verb: the one the sink's data says, its mode's, or
// the good one.
func (s *sinkServer) reply(verb, good string) string {
	if r, ok := s.spec.Replies[verb]; ok {
		return r
	}
	switch {
	case s.mode == Reject && verb == "RCPT":
		return "550 5.7.1 rejected here"
	case s.mode == TempFail && verb == "MAIL":
		return "451 4.3.0 not now"
	default:
		return good
	}
}

func (s *sinkServer) session(conn net.Conn) {
	defer func() { conn.Close() }()
	conn.SetDeadline(time.Now().Add(5 * time.Minute))
	peer, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
	base := record{sink: s.spec, peer: peer}
	name := s.spec.Banner
	if name == "" {
		name = s.spec.Name
	}
	if s.spec.ImplicitTLS {
		secured, state, err := s.secure(conn, base)
		if err != nil {
			return
		}
		conn, base = secured, state
	}
	in := bufio.NewReader(conn)
	say := func(line string) bool {
		_, err := conn.Write([]byte(line + "\r\n"))
		return err == nil
	}
	ok := say("220 " + name + " ESMTP")
	current, begun := base, false
	for ok {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, rest, _ := strings.Cut(line, " ")
		switch verb = strings.ToUpper(verb); verb {
		case "EHLO", "LHLO": // LMTP has a reply for each recipient (RFC 2033)
			base.lmtp = verb == "LHLO"
			current = base
			ok = say(s.greeting(name, base.tls != ""))
		case "HELO":
			ok = say("250 " + name)
		case "STARTTLS":
			if s.tls == nil || base.tls != "" {
				ok = say("502 5.5.1 no TLS")
				continue
			}
			if !say("220 2.0.0 go ahead") {
				return
			}
			secured, state, err := s.secure(conn, base)
			if err != nil {
				return
			}
			conn, base, current, begun = secured, state, state, false
			in = bufio.NewReader(conn)
		case "AUTH":
			reply, name, err := s.login(rest, base, in, say)
			if err != nil {
				return
			}
			base.login, current, begun = name, base, false
			ok = say(reply)
		case "MAIL":
			reply := s.reply(verb, "250 2.1.0 Ok")
			if s.spec.Login != nil && base.login == "" {
				reply = "530 5.7.0 authentication required"
			}
			if reply[0] == '2' {
				current, begun = base, true
				current.sender = argumentAddress(rest)
			}
			ok = say(reply)
		case "RCPT":
			if !begun { // pipelined after a refused MAIL
				ok = say("503 5.5.1 need MAIL first")
				continue
			}
			reply := s.reply(verb, "250 2.1.5 Ok")
			if reply[0] == '2' {
				current.recipients = append(current.recipients, argumentAddress(rest))
			}
			ok = say(reply)
		case "DATA":
			if len(current.recipients) == 0 {
				ok = say("554 5.5.1 no valid recipients")
				continue
			}
			reply := s.reply(verb, "354 go ahead")
			ok = say(reply)
			if reply[0] != '3' {
				continue
			}
			if current.data, err = readData(in); err != nil {
				return
			}
			reply = s.reply(".", "")
			if reply == "" || reply[0] == '2' {
				reply = fmt.Sprintf("250 2.0.0 %s%d", recordedAs, s.book.add(current))
			}
			for range len(current.recipients) - 1 {
				if current.lmtp {
					say(reply)
				}
			}
			current, begun = base, false
			ok = say(reply)
		case "RSET":
			current, begun = base, false
			ok = say("250 2.0.0 Ok")
		case "NOOP":
			ok = say("250 2.0.0 Ok")
		case "QUIT":
			say("221 2.0.0 bye")
			return
		default:
			ok = say("502 5.5.2 unknown command")
		}
	}
}

// greeting is the reply to EHLO.
func (s *sinkServer) greeting(name string, secured bool) string {
	extensions := s.spec.Extensions
	if extensions == nil {
		extensions = DefaultExtensions()
	}
	lines := []string{name}
	if s.tls != nil && !secured {
		lines = append(lines, "STARTTLS")
	}
	if mechanisms := s.mechanisms(secured); len(mechanisms) > 0 {
		lines = append(lines, "AUTH "+strings.Join(mechanisms, " "))
	}
	lines = append(lines, extensions...)
	for i := range lines[:len(lines)-1] {
		lines[i] = "250-" + lines[i]
	}
	lines[len(lines)-1] = "250 " + lines[len(lines)-1]
	return strings.Join(lines, "\r\n")
}

// secure does the server's part of STARTTLS and notes what the client showed.
func (s *sinkServer) secure(conn net.Conn, base record) (net.Conn, record, error) {
	config := s.tls.Clone()
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		base.sni = hello.ServerName
		return nil, nil
	}
	secured := tls.Server(conn, config)
	if err := secured.Handshake(); err != nil {
		return nil, base, err
	}
	state := secured.ConnectionState()
	base.tls = tlsName(state.Version)
	if len(state.PeerCertificates) > 0 {
		leaf := state.PeerCertificates[0]
		base.clientCert = leaf.Subject.CommonName
		_, err := leaf.Verify(x509.VerifyOptions{Roots: s.trusted, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		base.verified = err == nil
	}
	return secured, base, nil
}

// tlsName is OpenSSL's name of a protocol version, as in mail logs.
func tlsName(version uint16) string {
	switch version {
	case tls.VersionTLS13:
		return "TLSv1.3"
	case tls.VersionTLS12:
		return "TLSv1.2"
	case tls.VersionTLS11:
		return "TLSv1.1"
	case tls.VersionTLS10:
		return "TLSv1"
	default:
		return tls.VersionName(version)
	}
}

// argumentAddress is the address in the argument of MAIL or RCPT. A quoted local part may
// have angle brackets of its own.
func argumentAddress(argument string) string {
	_, after, ok := strings.Cut(argument, "<")
	if !ok {
		return ""
	}
	quoted := false
	for i := 0; i < len(after); i++ {
		switch after[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case '>':
			if !quoted {
				return after[:i]
			}
		}
	}
	return ""
}

// readData reads message text up to the final dot and takes the stuffed dots
// away.
func readData(in *bufio.Reader) ([]byte, error) {
	var data bytes.Buffer
	start := true
	for {
		line, err := in.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if start && line[0] == '.' {
			if string(line) == ".\r\n" || string(line) == ".\n" {
				return data.Bytes(), nil
			}
			line = line[1:]
		}
		data.Write(line)
		start = err == nil
	}
}
