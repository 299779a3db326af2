package relay_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// gatewayName and spareName are the smart hosts of the tests' world.
const (
	gatewayName = "mail.conbool.com"
	spareName   = "spare.conbool.com"
)

// spare adds a second smart host, and the port for TLS from the first octet.
func spare(w *maillab.World) {
	w.Names[spareName] = maillab.Name{A: []string{"127.0.2.2"}, Secure: true}
	for key, name := range map[string]string{"bücher": "mail.xn--bcher-kva.test", "ersatz": "ersatz.xn--bcher-kva.test"} {
		w.Certificates[key] = maillab.Certificate{CommonName: name, Organization: "Lab", Names: []string{name}, Issuer: "ca"}
	}
	w.Certificates["spare"] = maillab.Certificate{CommonName: spareName, Organization: "Lab", Names: []string{spareName}, Issuer: "ca"}
	w.Sinks = append(w.Sinks, maillab.Sink{Address: "127.0.2.2:25", Kind: maillab.KindSmartHost, Name: spareName, Certificate: "spare", Mode: maillab.Good})
}

// first is the smart host's sink.
func first(w *maillab.World) *maillab.Sink {
	return &w.Sinks[slices.IndexFunc(w.Sinks, func(s maillab.Sink) bool { return s.Name == gatewayName })]
}

// smartHostCase is a way to the gateway and what must become of the mail.
type smartHostCase struct {
	name   string
	policy func(s *relay.SmartHost, w *maillab.World)
	world  func(w *maillab.World)
	files  map[string]string
	peer   relay.Peer
	// want is the smart host that takes the mail; empty: the mail waits.
	want string
	// login is the name it must have been given, and bare: no certificate.
	login string
	bare  bool
	text  string // a part of the reason for waiting
}

const passwords = "/etc/postfix/sasl_gateway"

func withLogin(mechanisms ...string) func(*relay.SmartHost, *maillab.World) {
	return func(s *relay.SmartHost, _ *maillab.World) {
		s.CertFile, s.KeyFile = "", ""
		s.Auth = relay.Auth{PasswordFile: passwords, Mechanisms: mechanisms}
	}
}

func fallback(alter func(*relay.FallbackHost)) func(*relay.SmartHost, *maillab.World) {
	return func(s *relay.SmartHost, _ *maillab.World) {
		f := relay.FallbackHost{Host: spareName, Port: 25}
		if alter != nil {
			alter(&f)
		}
		s.Fallback = []relay.FallbackHost{f}
	}
}

func mode(m maillab.Mode) func(*maillab.World) {
	return func(w *maillab.World) { first(w).Mode = m }
}

func loginWorld(mechanisms ...string) func(*maillab.World) {
	return func(w *maillab.World) {
		first(w).Login = &maillab.Login{Users: map[string]string{"ox": "a secret: word"}, Mechanisms: mechanisms}
	}
}

var withPassword = map[string]string{"sasl_gateway": "[" + gatewayName + "]:25 ox:a secret: word\n"}

var smartHostCases = []smartHostCase{
	{name: "implicit TLS", policy: func(s *relay.SmartHost, _ *maillab.World) { s.ImplicitTLS, s.Port = true, 465 },
		world: func(w *maillab.World) {
			first(w).Address, first(w).ImplicitTLS = "127.0.2.1:465", true
		}, want: gatewayName},
	{name: "implicit TLS, another name", policy: func(s *relay.SmartHost, _ *maillab.World) { s.ImplicitTLS, s.Port = true, 465 },
		world: func(w *maillab.World) {
			first(w).Address, first(w).ImplicitTLS, first(w).Mode = "127.0.2.1:465", true, maillab.WrongName
		}, peer: relay.PeerUnverified, text: "not verified"},
	{name: "the first of two", policy: fallback(nil), want: gatewayName},
	{name: "the first is down", policy: fallback(nil), world: mode(maillab.Down), want: spareName},
	{name: "the first has another name", policy: fallback(nil), world: mode(maillab.WrongName), want: spareName},
	{name: "the first has the second's name", policy: fallback(nil), world: func(w *maillab.World) { first(w).Certificate = "spare" }, want: spareName},
	{name: "the first has no TLS", policy: fallback(nil), world: mode(maillab.NoTLS), want: spareName},
	{name: "the first puts off", policy: fallback(nil), world: mode(maillab.TempFail), want: spareName},
	{name: "both have the first's name", policy: fallback(nil), world: func(w *maillab.World) {
		first(w).Mode = maillab.Down
		w.Sinks[len(w.Sinks)-1].Certificate = "conbool"
	}, peer: relay.PeerUnverified, text: "not verified"},
	{name: "one name for both", policy: fallback(func(f *relay.FallbackHost) { f.TLSName = gatewayName }), world: func(w *maillab.World) {
		first(w).Mode = maillab.Down
		w.Sinks[len(w.Sinks)-1].Certificate = "conbool"
	}, want: spareName},
	{name: "DANE", policy: dane, world: tlsa("conbool", true), want: gatewayName},
	{name: "DANE, any authority", policy: dane, world: both(tlsa("otherca-leaf", true), mode(maillab.OtherCA)), want: gatewayName},
	{name: "DANE, another key", policy: dane, world: tlsa("stranger", true), peer: relay.PeerUnverified, text: "not verified"},
	{name: "DANE without records", policy: dane, world: tlsa("", true), peer: relay.PeerUnverified, text: "TLSA"},
	{name: "DANE, not signed", policy: dane, world: tlsa("conbool", false), peer: relay.PeerUnverified, text: "TLSA"},
	{name: "DANE by MX", policy: byMX(dane), world: exchanger(true, "spare"), want: spareName},
	{name: "DANE by MX, the MX not signed", policy: byMX(dane), world: exchanger(false, "spare"), peer: relay.PeerUnverified},
	{name: "DANE by MX, the MX without records", policy: byMX(dane), world: exchanger(true, ""), peer: relay.PeerUnverified, text: "TLSA"},
	{name: "DANE at the second host", policy: func(s *relay.SmartHost, w *maillab.World) { dane(s, w); fallback(nil)(s, w) },
		world: func(w *maillab.World) {
			tlsa("", true)(w)
			w.Names["_25._tcp."+spareName] = maillab.Name{TLSA: []string{"spare"}, Secure: true}
		}, want: spareName},
	{name: "by MX, the name of the exchanger", policy: byMX(func(s *relay.SmartHost, _ *maillab.World) { s.TLSName = spareName }), world: exchanger(false, ""), want: spareName},
	{name: "by MX, any exchanger", policy: byMX(func(*relay.SmartHost, *maillab.World) {}), world: exchanger(false, ""), peer: relay.PeerUnverified, text: "not verified"},
	{name: "fingerprint", policy: fingerprints("conbool", "spare"), want: gatewayName},
	{name: "fingerprint of the second for the first", policy: fingerprints("spare", "conbool"), peer: relay.PeerUnverified, text: "not verified"},
	{name: "one fingerprint", policy: func(s *relay.SmartHost, w *maillab.World) { fingerprints("conbool", "spare")(s, w); s.Fallback = nil }, want: gatewayName},
	{name: "login", policy: withLogin(), world: loginWorld(), files: withPassword, want: gatewayName, login: "ox", bare: true},
	{name: "login by LOGIN, password under the host's name", policy: withLogin("login"), world: loginWorld("LOGIN"),
		files: map[string]string{"sasl_gateway": gatewayName + " ox:a secret: word\n"}, want: gatewayName, login: "ox", bare: true},
	{name: "login and certificate", policy: func(s *relay.SmartHost, _ *maillab.World) { s.Auth.PasswordFile = passwords }, world: loginWorld(), files: withPassword, want: gatewayName, login: "ox"},
	{name: "no password for the host", policy: withLogin(), world: loginWorld(), files: map[string]string{"sasl_gateway": "[other.test]:25 ox:a secret: word\n"}, peer: relay.PeerNoLogin},
	{name: "no password, and the host takes everybody", policy: withLogin(), files: map[string]string{"sasl_gateway": "[other.test]:25 ox:a secret: word\n"}, peer: relay.PeerNoLogin},
	{name: "wrong password", policy: withLogin(), world: loginWorld(), files: map[string]string{"sasl_gateway": gatewayName + " ox:wrong\n"}, peer: relay.PeerNoLogin, text: "authentication failed"},
	{name: "no login offered", policy: withLogin(), files: withPassword, peer: relay.PeerNoLogin, text: "authentication failed"},
	{name: "no login offered, mechanisms named", policy: withLogin("PLAIN"), files: withPassword, peer: relay.PeerNoLogin, text: "authentication failed"},
	{name: "another mechanism offered", policy: withLogin("PLAIN"), world: loginWorld("LOGIN"), files: withPassword, peer: relay.PeerNoLogin, text: "authentication failed"},
	{name: "login offered to an unverified server", policy: withLogin(), world: both(loginWorld(), mode(maillab.WrongName)), files: withPassword, peer: relay.PeerUnverified, text: "not verified"},
	{name: "login at the second host", policy: func(s *relay.SmartHost, w *maillab.World) { withLogin()(s, w); fallback(nil)(s, w) },
		world: func(w *maillab.World) {
			loginWorld()(w)
			w.Sinks[len(w.Sinks)-1].Login = &maillab.Login{Users: map[string]string{"ox2": "other"}}
			first(w).Mode = maillab.Down
		}, files: map[string]string{"sasl_gateway": withPassword["sasl_gateway"] + spareName + " ox2:other\n"}, want: spareName, login: "ox2", bare: true},
	{name: "a name beyond ASCII", policy: beyondASCII(nil), world: booksellers, want: gatewayName},
	{name: "a name beyond ASCII in the certificate alone", policy: func(s *relay.SmartHost, _ *maillab.World) { s.TLSName = "Mail.Bücher.test" }, world: booksellers, want: gatewayName},
	{name: "two names beyond ASCII, the first is down", policy: beyondASCII(booksellersSpare), world: both(booksellers, mode(maillab.Down)), want: spareName},
	{name: "two names beyond ASCII, the second's for the first", policy: beyondASCII(func(s *relay.SmartHost) {
		booksellersSpare(s)
		s.TLSName, s.Fallback[0].TLSName = s.Fallback[0].Host, s.Host
	}), world: booksellers, peer: relay.PeerUnverified, text: "not verified"},
	{name: "a name beyond ASCII, login", policy: func(s *relay.SmartHost, w *maillab.World) { beyondASCII(nil)(s, w); withLogin()(s, w) },
		world: both(booksellers, loginWorld()), files: map[string]string{"sasl_gateway": "[mail.xn--bcher-kva.test]:25 ox:a secret: word\n"}, want: gatewayName, login: "ox", bare: true},
	{name: "a name beyond ASCII, DANE", policy: func(s *relay.SmartHost, w *maillab.World) { beyondASCII(nil)(s, w); dane(s, w) },
		world: func(w *maillab.World) {
			booksellers(w)
			w.Names["_25._tcp.mail.xn--bcher-kva.test"] = maillab.Name{TLSA: []string{"bücher"}, Secure: true}
		}, want: gatewayName},
	{name: "known by address", policy: func(s *relay.SmartHost, _ *maillab.World) {
		s.CertFile, s.KeyFile, s.KnownByAddress = "", "", true
	}, want: gatewayName, bare: true},
}

func dane(s *relay.SmartHost, _ *maillab.World) {
	s.Level, s.TLSName = relay.LevelDANE, ""
}

// tlsa publishes the key of a certificate, for a host that has the right one
// all the same.
func tlsa(certificate string, secure bool) func(*maillab.World) {
	return func(w *maillab.World) {
		host := w.Names[gatewayName]
		host.Secure = secure
		w.Names[gatewayName] = host
		n := maillab.Name{Secure: secure}
		if certificate != "" {
			n.TLSA = []string{certificate}
		}
		w.Names["_25._tcp."+gatewayName] = n
	}
}

// byMX asks for the exchangers of the smart host's name, and exchanger makes
// the second host the one.
func byMX(alter func(*relay.SmartHost, *maillab.World)) func(*relay.SmartHost, *maillab.World) {
	return func(s *relay.SmartHost, w *maillab.World) { alter(s, w); s.LookupMX = true }
}

func exchanger(secure bool, certificate string) func(*maillab.World) {
	return func(w *maillab.World) {
		w.Names[gatewayName] = maillab.Name{A: []string{"127.0.2.1"}, MX: []maillab.MX{{Preference: 10, Host: spareName}}, Secure: secure}
		n := maillab.Name{Secure: true}
		if certificate != "" {
			n.TLSA = []string{certificate}
		}
		w.Names["_25._tcp."+spareName] = n
	}
}

func fingerprints(one, two string) func(*relay.SmartHost, *maillab.World) {
	return func(s *relay.SmartHost, w *maillab.World) {
		s.Level, s.TLSName = relay.LevelFingerprint, ""
		f := func(name string) []string {
			h, err := w.Keys[name].Fingerprint()
			if err != nil {
				panic(err)
			}
			return []string{strings.ToLower(h)}
		}
		s.Fingerprints = f(one)
		s.Fallback = []relay.FallbackHost{{Host: spareName, Port: 25, Fingerprints: f(two)}}
	}
}

// booksellers gives both hosts names beyond ASCII, which DNS and certificates
// have as A-labels.
func booksellers(w *maillab.World) {
	const domain = "xn--bcher-kva.test"
	w.Names["mail."+domain] = maillab.Name{A: []string{"127.0.2.1"}, MX: []maillab.MX{{Preference: 10, Host: "ersatz." + domain}}, Secure: true}
	w.Names["ersatz."+domain] = maillab.Name{A: []string{"127.0.2.2"}, Secure: true}
	first(w).Certificate, w.Sinks[len(w.Sinks)-1].Certificate = "bücher", "ersatz"
}

func beyondASCII(alter func(*relay.SmartHost)) func(*relay.SmartHost, *maillab.World) {
	return func(s *relay.SmartHost, _ *maillab.World) {
		s.Host, s.TLSName = "mail.Bücher.test", ""
		if alter != nil {
			alter(s)
		}
	}
}

func booksellersSpare(s *relay.SmartHost) {
	s.Fallback = []relay.FallbackHost{{Host: "ersatz.bücher.test", Port: 25}}
}

func both(one, two func(*maillab.World)) func(*maillab.World) {
	return func(w *maillab.World) { one(w); two(w) }
}

// TestSmartHost: how the server proves who it is, the order of hosts, and the
// login, each with a server that falls short of it: the mail waits, and nothing
// of it has left.
func TestSmartHost(t *testing.T) {
	t.Parallel() // much of a run is waiting
	for _, tt := range servertest.Part(t, smartHostCases, len(smartHostCases)/8) {
		for _, system := range maillab.DrawnSystems(t, tt.name) {
			t.Run(system.Name+"/"+tt.name, func(t *testing.T) {
				maillab.NeedSystem(t, system)
				t.Parallel()
				tt.run(t, system)
			})
		}
	}
}

func (tt smartHostCase) run(t *testing.T, system maillab.System) {
	w := maillab.DefaultWorld()
	w.Root = system.Root
	spare(&w)
	issue(t, &w)
	if tt.world != nil {
		tt.world(&w)
	}
	p := labPolicy(t, "relay.json")
	p.Server.Postfix = system.Postfix
	tt.policy(&p.Gateway.SmartHost, &w)
	c := compile(t, p, relay.Installation{})
	site := maillab.Site{Files: map[string][]byte{}, NoDovecot: true}
	for _, f := range c.Files() {
		site.Files[f.Name] = f.Data
	}
	for name, text := range tt.files {
		site.Files["postfix/"+name] = []byte(text)
		site.Exec = append(site.Exec, "chmod 600 /etc/postfix/"+name)
	}
	for _, cmd := range c.Commands() {
		if cmd.Args[0] == "find" {
			site.Exec = append(site.Exec, cmd.String())
		}
	}
	msgs := []maillab.Message{{ID: "m", To: "127.0.1.2:25", Source: "127.0.1.20", From: "alice@example.com", Recipients: []string{"x@remote1.test"}, Raw: []byte("Subject: x\n\nx\n")}}
	result := maillab.Run(t, w, site, msgs)
	for _, c := range result.Complaints {
		t.Errorf("complaint: %s", c)
	}
	places := result.Messages["m"].Recipients["x@remote1.test"]
	if len(places) != 1 {
		t.Fatalf("%d places: %v", len(places), places)
	}
	place := places[0]
	d := c.Route(t.Context(), &relay.Message{Origin: c.Origin(relay.RoleInternal), From: "alice@example.com", To: "x@remote1.test", Raw: msgs[0].Raw, SmartHost: tt.peer})
	log := func() {
		for _, l := range result.Log {
			if strings.Contains(l, "conbool") {
				t.Log(l)
			}
		}
	}
	if tt.want == "" {
		if place.Kind != maillab.KindDeferred || !strings.Contains(place.Text, tt.text) {
			t.Errorf("it ended at %s, want it to wait for %q", place, tt.text)
			log()
		}
		if got := d.String(); !strings.HasPrefix(got, "defer") {
			t.Errorf("Route says %s", got)
		}
	} else {
		if place.Kind != maillab.KindSmartHost || place.Name != tt.want || place.Login != tt.login || place.TLS == "" || (place.ClientCert == "") != tt.bare {
			t.Errorf("it ended at %+v, want %s, login %q", place, tt.want, tt.login)
			log()
		}
		hop, err := headers.ASCIIDomain(p.Gateway.SmartHost.Host)
		if err != nil {
			t.Fatal(err)
		}
		if !p.Gateway.SmartHost.LookupMX {
			hop = "[" + hop + "]"
		}
		if got, want := d.String(), fmt.Sprintf("relay %s:%d", hop, p.Gateway.SmartHost.Port); got != want {
			t.Errorf("Route says %s, want %s", got, want)
		}
		second := tt.want
		if f := p.Gateway.SmartHost.Fallback; len(f) > 0 {
			if second, err = headers.ASCIIDomain(f[0].Host); err != nil {
				t.Fatal(err)
			}
		}
		if tt.want != gatewayName && !p.Gateway.SmartHost.LookupMX && !strings.Contains(d.Outcomes[0].Trace.String(), second) {
			t.Errorf("the way does not name %s:\n%s", tt.want, d.Outcomes[0].Trace)
		}
	}
	for _, l := range slices.Concat(result.Log, result.Warnings) {
		if strings.Contains(l, "secret") {
			t.Errorf("the password is logged: %s", l)
		}
	}
	for _, l := range result.Warnings {
		if strings.Contains(l, "midna") { // a name that Postfix had to translate
			t.Error(l)
		}
		t.Log(l)
	}
}
