package maillab

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// delivery is what the sending of one message gave.
type delivery struct {
	smtp  Reply
	rcpt  map[string]Reply
	queue string // the queue file that the reply names
}

// payload is the message as it is sent.
func (m *Message) payload() []byte {
	if m.NoID {
		return m.Raw
	}
	eol := "\n"
	if i := bytes.IndexByte(m.Raw, '\n'); i > 0 && m.Raw[i-1] == '\r' {
		eol = "\r\n"
	}
	return append([]byte(IDHeader+": "+m.ID+eol), m.Raw...)
}

// client is one SMTP connection. The project's own, because the messages and
// addresses it sends needn't be ones that a decent client would send.
type client struct {
	conn  net.Conn
	in    *bufio.Reader
	stage string
}

// refusal is a reply that ended the dialogue.
type refusal struct{ Reply }

func (r *refusal) Error() string { return fmt.Sprintf("%s: %d %s", r.Stage, r.Code, r.Text) }

// dialer opens the client's connection.
type dialer func(d *net.Dialer, to string) (net.Conn, error)

// sendSMTP sends the message over a connection of its own.
func sendSMTP(w *World, keys map[string]KeyPair, m *Message, dial dialer) delivery {
	d := delivery{rcpt: map[string]Reply{}}
	c := &client{stage: "connect"}
	err := c.send(w, keys, m, dial, &d)
	if r, ok := err.(*refusal); ok {
		d.smtp = r.Reply
	} else if err != nil {
		d.smtp = Reply{Text: err.Error(), Stage: c.stage}
	}
	if c.conn != nil {
		if d.smtp.Code != 0 {
			c.command(2, "QUIT")
		}
		c.conn.Close()
	}
	return d
}

func (c *client) send(w *World, keys map[string]KeyPair, m *Message, dial dialer, d *delivery) error {
	if err := c.connect(w, m, dial); err != nil {
		return err
	}
	if err := c.hello(m); err != nil {
		return err
	}
	if m.TLS != "" {
		if err := c.secure(m, keys); err != nil {
			return err
		}
		if err := c.hello(m); err != nil {
			return err
		}
	}
	if m.Auth != nil {
		c.stage = "auth"
		plain := base64.StdEncoding.EncodeToString([]byte("\x00" + m.Auth[0] + "\x00" + m.Auth[1]))
		if _, err := c.command(2, "AUTH PLAIN "+plain); err != nil {
			return err
		}
	}
	c.stage = "before"
	for _, command := range m.Before {
		if _, err := c.command(2, command); err != nil {
			if _, refused := err.(*refusal); !refused {
				return err
			}
		}
	}
	c.stage = "mail"
	if _, err := c.command(2, strings.Join(append([]string{"MAIL FROM:<" + m.From + ">"}, m.Options...), " ")); err != nil {
		return err
	}
	c.stage = "rcpt"
	var last error
	accepted := 0
	for _, recipient := range m.Recipients {
		reply, err := c.command(2, "RCPT TO:<"+recipient+">")
		if _, refused := err.(*refusal); err != nil && !refused {
			return err
		}
		d.rcpt[recipient] = reply
		if last = err; err == nil {
			accepted++
		}
	}
	if accepted == 0 {
		return last
	}
	reply, err := c.content(m)
	if err != nil {
		return err
	}
	d.smtp = reply
	if _, id, ok := strings.Cut(reply.Text, "queued as "); ok {
		d.queue, _, _ = strings.Cut(id, " ")
	}
	return nil
}

// content sends the message itself.
func (c *client) content(m *Message) (Reply, error) {
	c.stage = "data"
	if m.BDAT {
		data := bytes.ReplaceAll(bytes.ReplaceAll(m.payload(), []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		return c.command(2, fmt.Sprintf("BDAT %d LAST\r\n%s", len(data), bytes.TrimSuffix(data, []byte("\r\n"))))
	}
	if _, err := c.command(3, "DATA"); err != nil {
		return Reply{}, err
	}
	c.stage = "end"
	if len(m.Stream) == 0 {
		if _, err := c.conn.Write(stuffed(m.payload())); err != nil {
			return Reply{}, err
		}
		return c.command(2, ".")
	}
	for i, part := range m.Stream {
		if i > 0 {
			time.Sleep(m.Pause)
		}
		if _, err := c.conn.Write(part); err != nil {
			return Reply{}, err
		}
	}
	return c.expect(2)
}

// connect opens the connection from the message's client address, and waits for
// the banner.
func (c *client) connect(w *World, m *Message, dial dialer) error {
	source, to := m.Source, m.To
	if source == "" {
		source = w.Client
	}
	if to == "" {
		to = w.Listener
	}
	conn, err := dial(&net.Dialer{Timeout: w.Connect, LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}, to)
	if err != nil {
		return err
	}
	c.conn, c.in = conn, bufio.NewReader(conn)
	reply := w.Reply
	if reply == 0 {
		reply = 2 * time.Minute
	}
	conn.SetDeadline(time.Now().Add(reply))
	if m.Proxy != "" {
		if _, err := conn.Write([]byte(m.Proxy + "\r\n")); err != nil {
			return err
		}
	}
	_, err = c.expect(2)
	return err
}

// hello says EHLO, or HELO where that isn't known.
func (c *client) hello(m *Message) error {
	name := m.Helo
	if name == "" {
		name = "client.lab.test"
	}
	c.stage = "helo"
	reply, err := c.command(2, "EHLO "+name)
	if reply.Code == 500 || reply.Code == 502 {
		_, err = c.command(2, "HELO "+name)
	}
	return err
}

// secure does STARTTLS. The server's certificate isn't looked at: messages test
// what the server makes of the client.
func (c *client) secure(m *Message, keys map[string]KeyPair) error {
	c.stage = "tls"
	config := &tls.Config{InsecureSkipVerify: true}
	switch m.TLS {
	case "tls":
	case "1.2":
		config.MaxVersion = tls.VersionTLS12
	default:
		return fmt.Errorf("message %s: TLS %q: want tls or 1.2", m.ID, m.TLS)
	}
	if m.Certificate != "" {
		pair, ok := keys[m.Certificate]
		if !ok {
			return fmt.Errorf("message %s: no certificate %q", m.ID, m.Certificate)
		}
		certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
		if err != nil {
			return err
		}
		// By the callback, because by the list Go wouldn't present a certificate of
		// an authority that the server doesn't name.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &certificate, nil
		}
	}
	if _, err := c.command(2, "STARTTLS"); err != nil {
		return err
	}
	secured := tls.Client(c.conn, config)
	if err := secured.Handshake(); err != nil {
		return err
	}
	c.conn, c.in = secured, bufio.NewReader(secured)
	return nil
}

// command sends a line and reads the reply, whose first digit should be class.
func (c *client) command(class int, line string) (Reply, error) {
	if _, err := c.conn.Write([]byte(line + "\r\n")); err != nil {
		return Reply{}, err
	}
	return c.expect(class)
}

// expect reads a reply. One of another class is a *refusal.
func (c *client) expect(class int) (Reply, error) {
	var texts []string
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return Reply{}, err
		}
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 3 {
			return Reply{}, fmt.Errorf("not a reply: %q", line)
		}
		code, err := strconv.Atoi(line[:3])
		if err != nil {
			return Reply{}, fmt.Errorf("not a reply: %q", line)
		}
		texts = append(texts, strings.TrimLeft(line[3:], "- "))
		if len(line) > 3 && line[3] == '-' {
			continue
		}
		reply := Reply{Code: code, Stage: c.stage}
		for i, text := range texts {
			enhanced, rest := cutEnhanced(text)
			if enhanced != "" {
				reply.Enhanced, texts[i] = enhanced, rest
			}
		}
		reply.Text = strings.Join(texts, " ")
		if code/100 != class {
			return reply, &refusal{reply}
		}
		return reply, nil
	}
}

// cutEnhanced cuts an enhanced status code (RFC 3463) off the beginning of a
// reply's text.
func cutEnhanced(text string) (code, rest string) {
	word, rest, _ := strings.Cut(text, " ")
	parts := strings.Split(word, ".")
	if len(parts) != 3 || len(parts[0]) != 1 || !strings.Contains("245", parts[0]) {
		return "", text
	}
	for _, part := range parts {
		if n, err := strconv.Atoi(part); err != nil || n < 0 {
			return "", text
		}
	}
	return word, rest
}

// stuffed is the message in the form of DATA, without the final dot: LF is
// CRLF, dots that begin a line are doubled. A CR without LF stays alone.
func stuffed(raw []byte) []byte {
	out := make([]byte, 0, len(raw)+len(raw)/16+2)
	start := true
	for i, b := range raw {
		if start && b == '.' {
			out = append(out, '.')
		}
		if b == '\n' && (i == 0 || raw[i-1] != '\r') {
			out = append(out, '\r')
		}
		out = append(out, b)
		start = b == '\n'
	}
	if !bytes.HasSuffix(out, []byte("\r\n")) {
		out = append(out, "\r\n"...)
	}
	return out
}
