package managesieve_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"

	"github.com/oxmailroute/oxmailroute/sieve/managesieve"
)

func TestTLSIsVerified(t *testing.T) {
	t.Parallel()
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	tests := []struct {
		name, certificate, host string
		config                  *tls.Config
		want                    any
	}{
		{"authority", "server", "server.test", &tls.Config{RootCAs: x509.NewCertPool()}, &unknown},
		{"name", "server", "other.test", authority(t), &name},
		{"expired", "old", "server.test", authority(t), &invalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := memoryServer()
			s.TLS = certificate(t, test.certificate)
			_, err := managesieve.Dial(context.Background(), test.host, managesieve.Options{TLS: test.config, DialContext: s.DialContext})
			if !errors.As(err, test.want) {
				t.Errorf("error %v, want a %T", err, test.want)
			}
		})
	}
}

func TestNoCredentialsWithoutTLS(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	t.Run("STARTTLS not offered", func(t *testing.T) {
		s := memoryServer()
		_, err := managesieve.Dial(ctx, "server.test", managesieve.Options{DialContext: s.DialContext})
		if !errors.Is(err, managesieve.ErrNoTLS) {
			t.Errorf("error %v, want ErrNoTLS", err)
		}
	})
	t.Run("cleartext beyond loopback", func(t *testing.T) {
		options := managesieve.Options{Security: managesieve.LoopbackCleartext}
		options.DialContext = func(context.Context, string, string) (net.Conn, error) {
			return remoteConn{scripted(t, greeting)}, nil
		}
		if _, err := managesieve.Dial(ctx, "192.0.2.1", options); err == nil || !strings.Contains(err.Error(), "192.0.2.1") {
			t.Errorf("error %v, want a refusal", err)
		}
	})
	t.Run("unverified", func(t *testing.T) {
		_, err := managesieve.Dial(ctx, "192.0.2.1", managesieve.Options{TLS: &tls.Config{InsecureSkipVerify: true}})
		if err == nil || !strings.Contains(err.Error(), "RootCAs") {
			t.Errorf("error %v, want a refusal", err)
		}
	})
	t.Run("mechanism not offered", func(t *testing.T) {
		c, err := dialScripted(t, pipeOptions(), strings.Replace(greeting, "PLAIN", "SCRAM-SHA-1", 1), hang)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Authenticate(ctx, sasl.NewPlainClient("", "u", "secret")); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("error %v, want a refusal", err)
		}
	})
	t.Run("NUL in the identity", func(t *testing.T) {
		c, err := dialScripted(t, pipeOptions(), greeting, hang)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Authenticate(ctx, sasl.NewPlainClient("alice\x00bob", "u", "p")); err == nil || !strings.Contains(err.Error(), "NUL") {
			t.Errorf("error %v, want a refusal", err)
		}
	})
	t.Run("data before the handshake", func(t *testing.T) {
		offer := "\"STARTTLS\"\r\nOK\r\n"
		_, err := dialScripted(t, managesieve.Options{TLS: &tls.Config{ServerName: "x"}}, offer, "STARTTLS\r\n",
			"OK\r\n\"SASL\" \"PLAIN\"\r\nOK\r\n", hang)
		var protocol *managesieve.ProtocolError
		if !errors.As(err, &protocol) {
			t.Errorf("error %v, want a ProtocolError", err)
		}
	})
}

type remoteConn struct{ net.Conn }

func (remoteConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4190}
}

// What PLAIN and other mechanisms put on the wire.
func TestAuthenticate(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2000)
	plain := "AGFsaWNlAHNlY3JldA==" // NUL alice NUL secret
	start := "AUTHENTICATE \"PLAIN\" \"" + plain + "\"\r\n"
	tests := []struct {
		name      string
		mechanism sasl.Client
		steps     []string
		want      string // part of the error, empty for none
		dead      bool
	}{
		{"plain", nil, []string{start, "OK\r\n"}, "", false},
		{"external", sasl.NewExternalClient("alice"), []string{"AUTHENTICATE \"EXTERNAL\" \"YWxpY2U=\"\r\n", "OK\r\n"}, "", false},
		{"external as itself", sasl.NewExternalClient(""), []string{"AUTHENTICATE \"EXTERNAL\" \"\"\r\n", "OK\r\n"}, "", false},
		{"refused", nil, []string{start, "NO (AUTH-TOO-WEAK) \"use something else\"\r\n"}, "AUTH-TOO-WEAK", false},
		{"bye", nil, []string{start, "BYE (REFERRAL \"sieve://other.test\") \"moved\"\r\n"}, "sieve://other.test", true},
		{"password in the text", nil, []string{start, "NO \"secret is wrong\"\r\n"}, "left out", false},
		{"line in the text", nil, []string{start, "NO \"" + plain + "?\"\r\n"}, "left out", false},
		{"echo", nil, []string{start, start}, "protocol error", true},
		{"challenge", nil, []string{start, "\"\"\r\n", "\"*\"\r\n", "NO \"cancelled\"\r\n"}, "unexpected server challenge", false},
		{"challenge no base64", nil, []string{start, "\"?\"\r\n", "\"*\"\r\n", "NO\r\n"}, "base64", false},
		{"long", sasl.NewPlainClient("", long, "p"), []string{"AUTHENTICATE \"PLAIN\" {2672+}\r\n"}, "", false},
		{"rounds", &rounds{answers: []string{"a", ""}}, []string{"AUTHENTICATE \"PLAIN\"\r\n", "\"eA==\"\r\n", "\"YQ==\"\r\n",
			"{4}\r\neQ==\r\n", "\"\"\r\n", "OK\r\n"}, "", false},
		{"final data", &rounds{answers: []string{""}}, []string{"AUTHENTICATE \"PLAIN\"\r\n", "OK (SASL \"eA==\")\r\n"}, "", false},
		{"final data wrong", &rounds{}, []string{"AUTHENTICATE \"PLAIN\"\r\n", "OK (SASL \"eA==\")\r\n"}, "proof", true},
		{"endless", &rounds{endless: true}, endless(), "challenges", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.mechanism == nil {
				test.mechanism = sasl.NewPlainClient("", "alice", "secret")
			}
			greeting := strings.Replace(greeting, "PLAIN", "PLAIN EXTERNAL", 1)
			steps := append([]string{greeting}, test.steps...)
			if test.name == "long" {
				// NUL, 2000 x, NUL, p: 2003 bytes in base64.
				steps = []string{greeting, test.steps[0] + base64Of("\x00"+long+"\x00p") + "\r\n", "OK\r\n"}
			}
			if !test.dead {
				steps = append(steps, "LISTSCRIPTS\r\n", "OK\r\n")
			}
			c, err := dialScripted(t, pipeOptions(), steps...)
			if err != nil {
				t.Fatal(err)
			}
			err = c.Authenticate(context.Background(), test.mechanism)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want %q", err, test.want)
			}
			if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), plain)) {
				t.Errorf("credentials in the error: %v", err)
			}
			if _, err := c.ListScripts(context.Background()); errors.Is(err, managesieve.ErrClosed) != test.dead {
				t.Errorf("afterwards: error %v, want closed: %v", err, test.dead)
			}
		})
	}
}

// rounds is a mechanism that gives the answers in turn.
type rounds struct {
	answers []string
	endless bool
}

func (r *rounds) Start() (string, []byte, error) { return "PLAIN", nil, nil }

func (r *rounds) Next([]byte) ([]byte, error) {
	if r.endless {
		return []byte("x"), nil
	}
	if len(r.answers) == 0 {
		return nil, errors.New("not the server's signature")
	}
	a := r.answers[0]
	r.answers = r.answers[1:]
	return []byte(a), nil
}

func endless() []string {
	steps := []string{"AUTHENTICATE \"PLAIN\"\r\n"}
	for range 64 {
		steps = append(steps, "\"eA==\"\r\n", "\"eA==\"\r\n")
	}
	return append(steps, "\"eA==\"\r\n", hang)
}
