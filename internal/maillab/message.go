package maillab

import "time"

// Site is the configuration under test. The harness adds nothing to it and
// changes nothing in it; what it must contain for the world (inet_interfaces,
// mynetworks, certificates in CertificateDir) is the test's business.
type Site struct {
	// Files are the files by slash path:
	//
	//	postfix/NAME        /etc/postfix/NAME
	//	postfix-I/NAME      /etc/postfix-I/NAME, a further Postfix instance
	//	sieve/users/U.sieve the personal script of U, as alice@example.com
	//	sieve/DIR/NAME      /etc/dovecot/sieve/DIR/NAME; each .sieve is compiled by
	//	                    sievec before Dovecot starts
	//	dovecot/NAME.conf   /etc/dovecot/conf.d/NAME.conf, included in the order of
	//	                    names at the end of dovecot.conf
	//	haproxy/NAME        /etc/haproxy/NAME
	//	nftables/NAME       /etc/nftables/NAME
	//	etc/NAME            /etc/NAME
	//
	// Without master.cf the distribution's own is used. Indexed tables (hash,
	// btree, lmdb, cdb, dbm) named in the configuration are built by postmap. No
	// global Sieve script is installed for the site: its own fragment says
	// sieve_before.
	Files map[string][]byte
	// Dovecot is text for dovecot.conf before the included fragments: settings
	// of the customer's, in the language of Dovecot 2.3. Dovecot24 is what stands
	// there instead under Dovecot 2.4.
	Dovecot, Dovecot24 string
	// Users are the addresses that Dovecot knows, for delivery and for the SASL
	// service; none: everybody exists.
	Users []string
	// Exec are shell commands run in the namespaces, in this order, after the
	// files are in place and before anything reads them. What one prints on
	// standard error, or a failure, is a complaint.
	Exec []string
	// After are shell commands run there when the queues are idle; their output
	// is Result.After.
	After []string
	// NoDovecot starts Postfix alone.
	NoDovecot bool
	// Direct starts master(8) itself, at every TEST_SCALE: without Postfix's script
	// and its checks, which take a second for each instance.
	Direct bool
	// HAProxy is the configuration of a haproxy(1) in front of Postfix, installed
	// as /etc/haproxy/haproxy.cfg; nil starts none. Its log is in Result.Log if
	// the configuration says "log /dev/log local0".
	HAProxy []byte
	// NFTables is the ruleset that "nft -f" loads before anything listens, as
	// /etc/nftables.conf; nil is none.
	NFTables []byte
}

// Message is one message to be sent, and how.
type Message struct {
	// ID names the message in Result.Messages: letters, digits, "-", "_", ".".
	ID string
	// Source is the client's address; "" is World.Client. One that isn't a
	// loopback address comes in at eth0 (World.Interfaces), and To must then be
	// an address there.
	Source string
	// To is the listener, as "127.0.1.1:25" or "[2001:db8::1]:25"; "" is World.Listener. "sendmail" is
	// local pickup, by a user of its own for each message; "sendmail:I" that of
	// instance I.
	To string
	// TLS is "" for none, "tls" for STARTTLS, "1.2" for STARTTLS with at most
	// that version.
	TLS string
	// Certificate is the client certificate, a key of World.Certificates.
	Certificate string
	// Auth is the name and password for AUTH PLAIN.
	Auth *[2]string
	// Proxy is a line for the PROXY protocol, sent first, without its CRLF.
	Proxy string
	// Helo is the name in EHLO; "" is client.lab.test.
	Helo string
	// From is the envelope sender; "" is the null sender. Options are
	// parameters of MAIL, as SMTPUTF8.
	From    string
	Options []string
	// Recipients are the envelope recipients.
	Recipients []string
	// Raw is the message. Over SMTP a bare LF is sent as CRLF, lines that begin
	// with a dot are stuffed, a missing last line end is added; all other octets
	// go as they are. sendmail gets the very octets.
	Raw []byte
	// Before are commands between EHLO (the second one under TLS) and MAIL, as
	// "XCLIENT ADDR=192.0.2.1"; that they are refused doesn't end the dialogue.
	Before []string
	// BDAT sends the message in one chunk (RFC 3030) instead of by DATA.
	BDAT bool
	// Stream, where not empty, is sent behind DATA in place of Raw, octet by octet
	// as it is and with its own end, Pause between its parts; the dialogue then
	// goes on with one reply. It may have commands behind an end of the data:
	// copies of messages that come about so are in Result.Stray.
	Stream [][]byte
	Pause  time.Duration
	// NoID sends Raw alone, without the field IDHeader before it, for messages
	// whose first octets matter.
	NoID bool
}
