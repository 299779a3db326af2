package maillab

import (
	"bytes"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSinkAndClient(t *testing.T) {
	w := DefaultWorld()
	keys, err := Issue(w.Certificates, nil)
	if err != nil {
		t.Fatal(err)
	}
	type seen struct {
		Sender, TLS, ClientCert string
		Verified                bool
		Recipients              []string
		Data                    string
	}
	plain := Message{ID: "m", Source: "127.0.0.1", From: "a@example.com", Recipients: []string{"b@remote1.test", "c@remote1.test"},
		Raw: []byte("S: x\n\n.dot\n")}
	secured := plain
	secured.TLS, secured.Certificate = "tls", "ox"
	stranger := plain
	stranger.TLS, stranger.Certificate = "1.2", "selfsigned"
	odd := plain
	odd.NoID, odd.Raw, odd.From = true, []byte(" \x00\xff\r.\r\n..\n.\nend"), ""
	tests := []struct {
		name    string
		sink    Sink
		message Message
		want    Reply
		seen    []seen
	}{
		{"plain", Sink{}, plain, Reply{250, "2.0.0", "Ok: recorded as 0", "end"}, []seen{
			{Sender: "a@example.com", Recipients: plain.Recipients, Data: "X-Lab-Id: m\r\nS: x\r\n\r\n.dot\r\n"}}},
		{"odd octets", Sink{}, odd, Reply{250, "2.0.0", "Ok: recorded as 0", "end"}, []seen{
			{Recipients: plain.Recipients, Data: " \x00\xff\r.\r\n..\r\n.\r\nend\r\n"}}},
		{"tls", Sink{Certificate: "conbool"}, secured, Reply{250, "2.0.0", "Ok: recorded as 0", "end"}, []seen{
			{Sender: "a@example.com", TLS: "TLSv1.3", ClientCert: "ox.example.com", Verified: true, Recipients: plain.Recipients,
				Data: "X-Lab-Id: m\r\nS: x\r\n\r\n.dot\r\n"}}},
		{"stranger", Sink{Certificate: "conbool"}, stranger, Reply{250, "2.0.0", "Ok: recorded as 0", "end"}, []seen{
			{Sender: "a@example.com", TLS: "TLSv1.2", ClientCert: "mail.conbool.com", Recipients: plain.Recipients,
				Data: "X-Lab-Id: m\r\nS: x\r\n\r\n.dot\r\n"}}},
		{"no tls", Sink{}, secured, Reply{502, "5.5.1", "no TLS", "tls"}, nil},
		{"notls mode", Sink{Certificate: "conbool", Mode: NoTLS}, secured, Reply{502, "5.5.1", "no TLS", "tls"}, nil},
		{"reject", Sink{Mode: Reject}, plain, Reply{550, "5.7.1", "rejected here", "rcpt"}, nil},
		{"tempfail", Sink{Mode: TempFail}, plain, Reply{451, "4.3.0", "not now", "mail"}, nil},
		{"own reply", Sink{Replies: map[string]string{".": "554 5.6.0 not this"}}, plain, Reply{554, "5.6.0", "not this", "end"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var book recordBook
			test.sink.Address, test.sink.Name = "127.0.0.1:0", "sink.test"
			s, err := listenSink(&w, &test.sink, keys, &book, tcpListen)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			test.message.To = s.l.Addr().String()
			d := sendSMTP(&w, keys, &test.message, tcpDial)
			if diff := cmp.Diff(test.want, d.smtp); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
			var got []seen
			for _, r := range book.all() {
				got = append(got, seen{r.sender, r.tls, r.clientCert, r.verified, r.recipients, string(r.data)})
			}
			if diff := cmp.Diff(test.seen, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
	down, err := listenSink(&w, &Sink{Mode: Down}, keys, nil, tcpListen)
	if down != nil || err != nil {
		t.Errorf("down: %v, %v", down, err)
	}
}

func TestStuffed(t *testing.T) {
	for _, test := range []struct{ raw, want string }{
		{"", "\r\n"},
		{"a", "a\r\n"},
		{"a\n", "a\r\n"},
		{"a\r\n", "a\r\n"},
		{"\n", "\r\n"},
		{".", "..\r\n"},
		{".\n.\r\n", "..\r\n..\r\n"},
		{"a\r.\n", "a\r.\r\n"},
		{"a\r", "a\r\r\n"},
		{"a\r\r\n", "a\r\r\n"},
	} {
		if got := stuffed([]byte(test.raw)); !bytes.Equal(got, []byte(test.want)) {
			t.Errorf("stuffed(%q) = %q, want %q", test.raw, got, test.want)
		}
	}
}

func TestArgumentAddress(t *testing.T) {
	for argument, want := range map[string]string{
		"FROM:<a@b>":            "a@b",
		"FROM:<>":               "",
		"TO:<a@b> ORCPT=x":      "a@b",
		`TO:<"a>b"@c>`:          `"a>b"@c`,
		`TO:<"a\">b"@c> NOTIFY`: `"a\">b"@c`,
		"nothing":               "",
	} {
		if got := argumentAddress(argument); got != want {
			t.Errorf("argumentAddress(%q) = %q, want %q", argument, got, want)
		}
	}
}

func tcpListen(address string) (net.Listener, error)          { return net.Listen("tcp", address) }
func tcpDial(d *net.Dialer, address string) (net.Conn, error) { return d.Dial("tcp", address) }
