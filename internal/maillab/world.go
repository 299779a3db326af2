package maillab

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// World is what surrounds the site under test: addresses, names, certificates,
// the other mail servers. It is plain data; take DefaultWorld or WorldFor and
// change what the test is about.
type World struct {
	// Host is the name of the machine under test.
	Host string
	// Root is the directory with the file system whose programs run, "" for that
	// of the machine itself: System.Root. Nothing in it is changed.
	Root string
	// Interfaces are the addresses that inet_interfaces may name, beside
	// 127.0.0.1 and ::1. Loopback clients and sinks need no entry: all of
	// 127.0.0.0/8 is local. The other addresses, of IPv4 and IPv6, are those of a
	// network interface eth0, and all the world is at its other end: every client
	// and sink whose address isn't a loopback address is there and needs no entry
	// either. Without such an address here there is no eth0.
	Interfaces []string
	// Listener is where messages without To go, Client where those without
	// Source come from.
	Listener, Client string
	// Resolver is the address of the name server; port 53, UDP and TCP.
	Resolver string
	// Names is the forward zone by lower-case name. "*.test" answers for every
	// name below test that has no entry, except for names that begin with "mx."
	// or "_".
	Names map[string]Name
	// Pointers is the reverse zone: IPv4 or IPv6 address to name. Unless Names
	// says otherwise, the name has that address.
	Pointers map[string]string
	// Sinks are the other mail servers.
	Sinks []Sink
	// Milters and Filters are the programs that the site's mail is shown to.
	Milters []Milter
	Filters []Filter
	// SmartHost is the mode of those sinks of kind KindSmartHost that have none of
	// their own; "" is Good.
	SmartHost Mode
	// Certificates are issued for the run and stored as NAME.pem and NAME.key in
	// CertificateDir. "ca" is the authority everybody trusts, "ox" the
	// certificate of the machine under test.
	Certificates map[string]Certificate
	// Keys are certificates issued before, by Issue; a test that needs their
	// fingerprints in its files sets this. Run issues those that are missing.
	Keys map[string]KeyPair
	// Password is the password of every user of the SASL service.
	Password string
	// Senders is the number of connections used at once; 0 is 8, and 2 up to
	// TEST_SCALE=1, where each connection more costs processes of Postfix's.
	Senders int
	// Connect bounds the wait for a connection to the site, Settle that for idle
	// queues after the last message, Timeout the whole run. 0 is 20 s (3 s under
	// Site.NFTables, which may leave a client without answer), 60 s and 5 min.
	Connect, Settle, Timeout time.Duration
	// Reply bounds one dialogue; 0 is 2 min.
	Reply time.Duration
}

// CertificateDir is where the certificates are in the run's file system. The
// system's list /etc/ssl/certs/ca-certificates.crt has the run's "ca" only.
const CertificateDir = "/etc/ssl/lab"

// Name is the DNS entry of one name. Secure answers carry the AD bit, as from
// a validating resolver.
type Name struct {
	A    []string
	AAAA []string
	MX   []MX
	// TLSA are the certificates, keys of World.Certificates, whose public keys
	// the name publishes as "3 1 1" records (RFC 7672). The name is that of the
	// port, as _25._tcp.mail.example.com; DANE needs Secure here and at the host's
	// own name.
	TLSA   []string
	Secure bool
}

// MX is one mail exchanger of a name.
type MX struct {
	Preference uint16
	Host       string
}

// Certificate describes a certificate to be issued. The key is P-256.
type Certificate struct {
	// CommonName and Organization make the subject; an empty Organization is
	// left out.
	CommonName, Organization string
	// Names are the DNS names of the subjectAltName extension; none: no
	// extension.
	Names []string
	// Issuer is the key of the issuing Certificate; "" is self-signed.
	Issuer string
	// Authority makes a CA certificate.
	Authority bool
	// Expired makes one whose time was over in 2020.
	Expired bool
}

// Mode is the behaviour of a sink.
type Mode string

// The modes of a sink. Those of certificates take the one that Sink.Modes
// names for them.
const (
	Good       Mode = "good"       // takes everything, with its own certificate
	CNOnly     Mode = "cnonly"     // right name in the subject, no subjectAltName
	WrongName  Mode = "wrongname"  // somebody else's name
	Expired    Mode = "expired"    // right name, its time is over
	OtherCA    Mode = "otherca"    // right name, issued by an authority nobody trusts
	SelfSigned Mode = "selfsigned" // right name, no authority
	NoTLS      Mode = "notls"      // STARTTLS isn't offered
	Reject     Mode = "reject"     // 550 5.7.1 to every RCPT
	TempFail   Mode = "tempfail"   // 451 4.3.0 to every MAIL
	Down       Mode = "down"       // connections are refused
)

// Modes lists the modes of the smart host, Good first.
func Modes() []Mode {
	return []Mode{Good, CNOnly, WrongName, Expired, OtherCA, SelfSigned, NoTLS, Reject, TempFail, Down}
}

// Sink is a mail server that takes and records mail.
type Sink struct {
	// Address is its address and port, as "127.0.2.1:25" or "[2001:db8::1]:25".
	Address string
	// Kind is the kind of place its records are: KindSmartHost, KindMX or KindRelay.
	Kind Kind
	// Name is the name of the place. For an MX it stands only where the DNS
	// doesn't make this sink the exchanger of the recipient's domain; else the
	// domain is the name.
	Name string
	// Banner is the host name in its greeting; "" is Name.
	Banner string
	// Certificate is its key in World.Certificates; "" offers no STARTTLS.
	Certificate string
	// ImplicitTLS makes TLS begin with the connection (port 465, RFC 8314).
	ImplicitTLS bool
	// Login makes it take mail from those only who log in; nil from everybody.
	Login *Login
	// Mode is its behaviour; "" is World.SmartHost for the smart host and Good
	// for others.
	Mode Mode
	// Modes names the certificates of the modes that differ by it.
	Modes map[Mode]string
	// Extensions are the EHLO keywords beside STARTTLS and AUTH; nil is
	// DefaultExtensions, which has no SMTPUTF8.
	Extensions []string
	// Replies are the replies to verbs (MAIL, RCPT, DATA, "." for the end of
	// the data) instead of success, as "550 5.7.1 text".
	Replies map[string]string
}

// DefaultExtensions are the EHLO keywords of a sink: SIZE, 8BITMIME, DSN,
// ENHANCEDSTATUSCODES, PIPELINING, and those of more.
func DefaultExtensions(more ...string) []string {
	return append([]string{"SIZE 50000000", "8BITMIME", "DSN", "ENHANCEDSTATUSCODES", "PIPELINING"}, more...)
}

// Login describes the authentication of a sink (RFC 4954).
type Login struct {
	// Users are the passwords by name.
	Users map[string]string
	// Mechanisms are those offered, of PLAIN and LOGIN; nil is both.
	Mechanisms []string
	// InClear offers and takes AUTH without TLS, too.
	InClear bool
}

// Milter is a mail filter in the sense of smtpd_milters. To each message it
// adds the header field FieldMilter with its name.
type Milter struct {
	Name string
	// Address is where it listens: "127.0.0.1:8891", or the absolute path of a
	// socket, with its directories.
	Address string
	// Reject and TempFail are words; it refuses the messages whose Subject has
	// one, with 550 and 451. "" refuses none.
	Reject, TempFail string
	// Down makes it refuse connections.
	Down bool
}

// Filter is a content filter: an SMTP server that passes commands on to
// another one and to each message adds the header field FieldFilter with its
// name. It serves as content_filter as well as smtpd_proxy_filter, and passes
// XFORWARD through where the next server offers it.
type Filter struct {
	Name string
	// Listen is its address and port, Next those of the listener it hands mail
	// back to.
	Listen, Next string
	// Reject is a word; it refuses the messages whose Subject has it, with 554.
	Reject string
	// Down makes it refuse connections.
	Down bool
}

// The header fields by which filters say that they have seen a message: one
// field each time.
const (
	FieldMilter = "X-Lab-Milter"
	FieldFilter = "X-Lab-Filter"
)

// DefaultWorld is the world of a gateway mail.conbool.com: WorldFor with its
// certificate called conbool.
func DefaultWorld() World { return WorldFor("mail.conbool.com", "conbool") }

// WorldFor is the world of a gateway by its host name; leaf is what its
// certificate is called.
//
// The machine under test is ox.example.com, 127.0.1.1 to 127.0.1.9; its
// internal clients come from 127.0.1.20. The gateway sends from, and listens
// at, 127.0.2.1 (in 127.0.2.0/28); the MX of its *name* is a decoy, 127.0.2.9.
// Exchangers: remote1.test 127.0.3.1, remote2.test 127.0.3.2, every other
// domain below test 127.0.3.254. The internal mail store is
// mailstore.example.com, 127.0.4.1; strangers come from 127.0.66.6. The hosted
// example.com, example.net and sub.example.com have the gateway as MX,
// example.org has the machine under test. Nothing else exists: not
// nxdomain.invalid, for one.
//
// Certificates: ox, the gateway's leaf and its variants cnonly, wrongname,
// expired, otherca-leaf, selfsigned; stranger (same authority, other name),
// evilcn and evilissuer (names built to fool a check of the Received field),
// decoy, mxremote; and the authorities ca, otherca, evilca.
func WorldFor(gateway, leaf string) World {
	_, domain, ok := strings.Cut(gateway, ".")
	if !ok {
		domain = gateway
	}
	decoy := "decoy." + domain
	w := World{
		Host:     "ox.example.com",
		Listener: "127.0.1.1:25",
		Client:   "127.0.1.20",
		Resolver: "127.0.0.53",
		Password: "secret",
		Names: map[string]Name{
			domain:                  {MX: []MX{{10, decoy}}},
			gateway:                 {A: []string{"127.0.2.1"}, MX: []MX{{10, decoy}}, Secure: true},
			decoy:                   {A: []string{"127.0.2.9"}},
			"mailstore.example.com": {A: []string{"127.0.4.1"}},
			"ox.example.com":        {A: []string{"127.0.1.1"}},
			"example.com":           {MX: []MX{{10, gateway}}},
			"example.net":           {MX: []MX{{10, gateway}}},
			"sub.example.com":       {MX: []MX{{10, gateway}}},
			"example.org":           {MX: []MX{{10, "ox.example.com"}}},
			"remote1.test":          {MX: []MX{{10, "mx.remote1.test"}}},
			"mx.remote1.test":       {A: []string{"127.0.3.1"}},
			"remote2.test":          {MX: []MX{{10, "mx.remote2.test"}}},
			"mx.remote2.test":       {A: []string{"127.0.3.2"}},
			"mx.other.test":         {A: []string{"127.0.3.254"}},
			"stranger.test":         {A: []string{"127.0.66.6"}, MX: []MX{{10, "mx.other.test"}}},
			"*.test":                {MX: []MX{{10, "mx.other.test"}}},
		},
		Pointers: map[string]string{
			"127.0.2.1":  gateway,
			"127.0.1.20": "middleware.ox.example.com",
			"127.0.66.6": "stranger.test",
		},
		Sinks: []Sink{
			{Address: "127.0.2.1:25", Kind: KindSmartHost, Name: gateway, Certificate: leaf, Modes: map[Mode]string{
				CNOnly: "cnonly", WrongName: "wrongname", Expired: "expired", OtherCA: "otherca-leaf", SelfSigned: "selfsigned",
			}},
			{Address: "127.0.2.9:25", Kind: KindMX, Name: "decoy", Banner: decoy, Certificate: "decoy"},
			{Address: "127.0.3.1:25", Kind: KindMX, Name: "remote1.test", Banner: "mx.remote1.test", Certificate: "mxremote"},
			{Address: "127.0.3.2:25", Kind: KindMX, Name: "remote2.test", Banner: "mx.remote2.test"},
			{Address: "127.0.3.254:25", Kind: KindMX, Name: "other", Banner: "mx.other.test", Certificate: "mxremote"},
			{Address: "127.0.4.1:25", Kind: KindRelay, Name: "mailstore.example.com"},
		},
		Certificates: map[string]Certificate{
			"ca":           {CommonName: "Lab Root CA", Authority: true},
			"otherca":      {CommonName: "Other Root CA", Authority: true},
			"evilca":       {CommonName: fmt.Sprintf(`(Client CN %q, Issuer "x" (verified OK))`, gateway), Authority: true},
			"ox":           lab("ox.example.com"),
			leaf:           lab(gateway),
			"cnonly":       {CommonName: gateway, Organization: "Lab", Issuer: "ca"},
			"wrongname":    lab("mail.evil.test"),
			"expired":      {CommonName: gateway, Organization: "Lab", Names: []string{gateway}, Issuer: "ca", Expired: true},
			"otherca-leaf": {CommonName: gateway, Organization: "Lab", Names: []string{gateway}, Issuer: "otherca"},
			"selfsigned":   {CommonName: gateway, Organization: "Lab", Names: []string{gateway}},
			"stranger":     lab("stranger.test"),
			"evilcn":       {CommonName: gateway + `", Issuer "(" (verified OK))`, Organization: "Lab"},
			"evilissuer":   {CommonName: "x", Organization: "Lab", Names: []string{"x"}, Issuer: "evilca"},
			"decoy":        lab(decoy),
			"mxremote":     {CommonName: "mx.remote1.test", Organization: "Lab", Names: []string{"mx.remote1.test"}, Issuer: "otherca"},
		},
	}
	for i := 1; i < 10; i++ {
		w.Interfaces = append(w.Interfaces, fmt.Sprintf("127.0.1.%d", i))
	}
	return w
}

// lab describes an ordinary certificate for one name.
func lab(name string) Certificate {
	return Certificate{CommonName: name, Organization: "Lab", Names: []string{name}, Issuer: "ca"}
}

// node finds the entry of a name, following the wildcard rule of World.Names.
func (w *World) node(name string) (Name, bool) {
	if n, ok := w.Names[name]; ok {
		return n, true
	}
	for ip, pointed := range w.Pointers {
		if strings.EqualFold(pointed, name) {
			if strings.Contains(ip, ":") {
				return Name{AAAA: []string{ip}}, true
			}
			return Name{A: []string{ip}}, true
		}
	}
	first, rest, _ := strings.Cut(name, ".")
	if first == "mx" || strings.HasPrefix(first, "_") {
		return Name{}, false
	}
	for rest != "" {
		if n, ok := w.Names["*."+rest]; ok {
			return n, true
		}
		_, rest, _ = strings.Cut(rest, ".")
	}
	return Name{}, false
}

// exchanges reports whether the address is where mail for the domain goes by
// MX, or by its A record where it has none.
func (w *World) exchanges(domain, ip string) bool {
	n, ok := w.node(strings.ToLower(domain))
	if !ok {
		return false
	}
	addresses := slices.Concat(n.A, n.AAAA)
	if len(n.MX) > 0 {
		addresses = nil
		for _, mx := range n.MX {
			if host, ok := w.node(mx.Host); ok {
				addresses = append(append(addresses, host.A...), host.AAAA...)
			}
		}
	}
	for _, a := range addresses {
		if a == ip {
			return true
		}
	}
	return false
}

// mode is the behaviour of the sink in this world.
func (w *World) mode(s Sink) Mode {
	switch {
	case s.Mode != "":
		return s.Mode
	case s.Kind == KindSmartHost && w.SmartHost != "":
		return w.SmartHost
	default:
		return Good
	}
}
