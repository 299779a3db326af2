package mta

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
)

// SMTPUTF8 is what the servers that mail is handed to offer for mail with
// addresses or header fields beyond ASCII (RFC 6531), for asking "what if".
type SMTPUTF8 string

const (
	// SMTPUTF8Unknown: not told. They are taken to offer it, which
	// Decision.Assumptions say where a message needs it.
	SMTPUTF8Unknown SMTPUTF8 = ""
	// SMTPUTF8Offered: they take such mail.
	SMTPUTF8Offered SMTPUTF8 = "offered"
	// SMTPUTF8Missing: they don't, so that Postfix returns it to its sender.
	SMTPUTF8Missing SMTPUTF8 = "missing"
)

// detection is a smtpd(8) or pickup(8) service's part in SMTPUTF8.
type detection struct {
	enabled bool // smtputf8_enable
	offered bool // and not among smtpd_discard_ehlo_keywords
	strict  bool // strict_smtputf8
	detects bool // smtputf8_autodetect_classes has the service's class
}

// buildDetection reads the settings of a service of that class: sendmail, smtpd
// or forward.
func buildDetection(s Settings, class string) detection {
	d := detection{enabled: s.Yes("smtputf8_enable"), strict: s.Yes("strict_smtputf8")}
	d.offered = d.enabled && !hasWord(list(s.Value("smtpd_discard_ehlo_keywords")), "smtputf8")
	for _, word := range list(s.Value("smtputf8_autodetect_classes")) {
		word = strings.ToLower(word)
		d.detects = d.detects || d.enabled && (word == class || word == "all")
	}
	return d
}

// declare is what a service takes from the envelope about SMTPUTF8.
func (w *Way) declare(l *listener) {
	w.utf8, w.detects = false, l.utf8.detects
	if l.rules != nil {
		w.utf8 = w.m.SMTPUTF8
		w.receivedUTF8 = w.receivedUTF8 || beyondASCII(w.written[1])
	}
}

// offered is smtpd(8)'s look at the SMTPUTF8 of MAIL FROM. It reports false for
// what it refuses.
func (s *session) offered() bool {
	if !s.w.m.SMTPUTF8 || s.l.utf8.offered {
		return true
	}
	s.code, s.text = "555", "5.5.4 Unsupported option: SMTPUTF8"
	s.w.step("smtpd", "", s.l.at, "SMTPUTF8", "rejected with 555")
	return false
}

// declared is strict_smtputf8, which each command asks of its own address.
func (s *session) declared(written string) bool {
	d := &s.l.utf8
	if !d.enabled || !d.strict || s.w.m.SMTPUTF8 || !beyondASCII(written) {
		return true
	}
	s.code, s.text = "553", "5.6.7 Must declare SMTPUTF8 to send unicode address"
	s.w.step("smtpd", "", place{"strict_smtputf8", 0}, written, "rejected with 553")
	return false
}

// detect is cleanup(8) finding out whether mail that doesn't declare SMTPUTF8
// needs it. Aliases are not looked at.
func (w *Way) detect() {
	if w.detects && !w.utf8 {
		w.utf8 = beyondASCII(w.m.From) || beyondASCII(w.m.To) || w.headerUTF8()
	}
}

// headerUTF8 reports whether a header has something beyond ASCII: those of MIME
// parts included, and smtpd(8)'s own Received: with the recipient, which it has
// in mail for one.
func (w *Way) headerUTF8() bool {
	if w.receivedUTF8 {
		return true
	}
	found := false
	headers.Walk(w.fields, w.body, func(_ headers.Class, f headers.Field) bool {
		found = beyondASCII(string(f.Name)) || beyondASCII(string(f.Body))
		return !found
	})
	return found
}

// takesUTF8 is smtp(8) and lmtp(8) with a server that may not offer SMTPUTF8,
// before anything else is asked of it: mail that declares it, and has an address
// or a header beyond ASCII, goes back. It reports false for that.
func (w *Way) takesUTF8(h hop, host, to string, offered SMTPUTF8) bool {
	if !w.utf8 || !beyondASCII(w.m.From) && !beyondASCII(to) && !w.headerUTF8() {
		return true
	}
	leaf := w.e.leaves[h.transport]
	if leaf != nil && leaf.ascii {
		offered = SMTPUTF8Missing
	}
	switch offered {
	case SMTPUTF8Missing:
		text := "SMTPUTF8 is required, but was not offered by host " + host
		if leaf == nil || !leaf.fresh {
			w.depends(h.command+"_connection_cache_on_demand", h.at, host, "a new connection") // only a new one is asked
		}
		w.step(h.command, "", h.at, host, text)
		w.end(ActionBounce, "550", to, "5.6.7 "+text)
		return false
	case SMTPUTF8Unknown:
		w.depends("SMTPUTF8", h.at, host, "offered")
	}
	return true
}
