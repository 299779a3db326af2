package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/ciphers"
)

// sessionCommands are what the gateway needs for a message.
var sessionCommands = []string{"ehlo", "starttls", "mail", "rcpt", "data"}

// checkSession refuses what would keep the gateway from a session that its mail
// can come by: commands that smtpd(8) ignores, and ciphers that hide nothing.
func (c task) checkSession(sv postfix.Service, own settings) {
	at := place{"master.cf", sv.Line}.String()
	const noop = "smtpd_noop_commands" // smtpd_forbidden_commands is asked for unknown ones only
	for _, word := range list(own.get(noop)) {
		if slices.Contains(sessionCommands, strings.ToLower(word)) {
			c.errs.Add(at, ErrConflict, "take "+word+" out of it for this listener", "%s has %s, without which the gateway can't send mail here",
				noop, word)
		}
	}
	// Where only main.cf says so, the listener gets an option of its own.
	const tls = "smtpd_tls_security_level"
	level := strings.ToLower(own.get(tls))
	off := level == "none" || level == "" && !own.yes("smtpd_use_tls") && !own.yes("smtpd_enforce_tls")
	if _, set := sv.Option(tls); set && off && !own.yes("smtpd_tls_wrappermode") {
		c.errs.Add(at, ErrConflict, "set smtpd_tls_security_level to may or encrypt for this listener",
			"smtpd_tls_security_level is %q: the gateway could not use TLS, and without it its mail is refused", level)
	}
	for _, name := range ciphers.Grades(own.Settings) {
		if weak := ciphers.Weak(own.Settings, name); weak != "" {
			c.errs.Add(at, ErrConflict, "set "+name+" to medium or high for this listener",
				"%s: the gateway's mail would not be encrypted, or not come by TLS 1.2", weak)
		}
	}
}
