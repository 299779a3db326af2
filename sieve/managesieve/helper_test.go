package managesieve_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/managesievetest"
	"github.com/oxmailroute/oxmailroute/sieve/managesieve"
)

const (
	hang  = "\x00hang" // the scripted server says nothing more and keeps the connection
	mailb = "alice@example.com"
)

// greeting is that of a server with everything.
const greeting = "\"IMPLEMENTATION\" \"scripted\"\r\n\"SASL\" \"PLAIN\"\r\n\"SIEVE\" \"fileinto\"\r\n\"VERSION\" \"1.0\"\r\nOK\r\n"

// scripted plays a server: it sends the first string, waits for exactly the
// second, sends the third and so on, and closes the connection at the end.
func scripted(t testing.TB, steps ...string) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	var done sync.WaitGroup
	done.Add(1)
	release := make(chan struct{})
	go func() {
		defer done.Done()
		defer server.Close()
		for i, step := range steps {
			if step == hang {
				io.Copy(io.Discard, server)
				<-release
				return
			}
			if i%2 == 0 {
				if _, err := io.WriteString(server, step); err != nil {
					return
				}
				continue
			}
			got := make([]byte, len(step))
			n, err := io.ReadFull(server, got)
			if string(got[:n]) != step {
				if err == nil {
					t.Errorf("the client sent %q, want %q", got, step)
				}
				return
			}
		}
	}()
	t.Cleanup(func() {
		client.Close()
		close(release)
		done.Wait()
	})
	return client
}

func pipeOptions() managesieve.Options {
	return managesieve.Options{Security: managesieve.LoopbackCleartext, DialTimeout: 10 * time.Second, CommandTimeout: 10 * time.Second}
}

// dialScripted connects to a scripted server.
func dialScripted(t testing.TB, options managesieve.Options, steps ...string) (*managesieve.Client, error) {
	t.Helper()
	c, err := managesieve.NewClient(context.Background(), scripted(t, steps...), options)
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

// login connects to the server in memory and authenticates.
func login(t testing.TB, s *managesievetest.Server, options managesieve.Options) *managesieve.Client {
	t.Helper()
	options.DialContext = s.DialContext
	c, err := managesieve.Dial(context.Background(), "server.test", options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Authenticate(context.Background(), sasl.NewPlainClient(mailb, s.Master, s.Password)); err != nil {
		t.Fatal(err)
	}
	return c
}

func memoryServer() *managesievetest.Server {
	return &managesievetest.Server{Master: "master", Password: "hunter2"}
}

// testCertificates are a server certificate for server.test and localhost, and
// the authority behind it.
var testCertificates = sync.OnceValues(func() (map[string]maillab.KeyPair, error) {
	return maillab.Issue(map[string]maillab.Certificate{
		"ca":     {CommonName: "test authority", Authority: true},
		"server": {CommonName: "server.test", Names: []string{"server.test", "localhost"}, Issuer: "ca"},
		"old":    {CommonName: "server.test", Names: []string{"server.test"}, Issuer: "ca", Expired: true},
	}, nil)
})

func certificate(t testing.TB, name string) *tls.Config {
	t.Helper()
	pairs, err := testCertificates()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(pairs[name].Certificate, pairs[name].Key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}
}

func authority(t testing.TB) *tls.Config {
	t.Helper()
	pairs, err := testCertificates()
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pairs["ca"].Certificate) {
		t.Fatal("no authority")
	}
	return &tls.Config{RootCAs: pool}
}

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// refuser is a server over loopback that refuses a command after its first bytes
// and closes the connection with a part of it unread.
func refuser(t testing.TB) (<-chan struct{}, net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		io.WriteString(conn, greeting)
		io.ReadFull(conn, make([]byte, 100))
		io.WriteString(conn, "NO (QUOTA/MAXSIZE) \"too large\"\r\n")
		conn.(*net.TCPConn).CloseWrite()
		time.Sleep(20 * time.Millisecond)
		conn.Close()
	}()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return done, client
}
