package relay

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/relay/internal/doveconf"
	"github.com/oxmailroute/oxmailroute/sieve/dovecot"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// checkDoveconf refuses what isn't the whole output of `doveconf -n`: a server
// that has scripts and settings would be taken for one that has none, and the
// fragment would replace them.
func (c *reader) checkDoveconf() {
	if c.in.Doveconf == nil {
		return
	}
	if why := doveconf.Wrong(c.in.Doveconf); why != "" {
		c.errs.Add("Installation.Doveconf", ErrInvalid,
			"run `doveconf -n` as root, mend what it complains of, and give all that it prints to standard output; nil where there is no Dovecot "+
				"yet", "%s", why)
		c.in.Doveconf, c.noDoveconf = nil, true
	}
}

// dovecotUsers are the settings that a script's delivery has by the user; without
// a Config they are the defaults.
type dovecotUsers struct{ *dovecot.Config }

// user returns sieve_user_email of a mailbox, sieve_redirect_envelope_from, and
// the environment with the postmaster.
func (d dovecotUsers) user(mailbox string) (email string, from interp.AddressSource, environment map[string]string) {
	if d.Config == nil {
		return "", "", nil
	}
	email, _ = d.UserEmail("lmtp", dovecot.User{Name: mailbox})
	if v, _ := d.Get("lmtp", "sieve_redirect_envelope_from"); interp.AddressSource(v).Valid() {
		from = interp.AddressSource(v)
	}
	if v, _ := d.Get("lmtp", "postmaster_address"); v != "" && !strings.Contains(v, "%") {
		environment = map[string]string{"postmaster": v}
	}
	return email, from, environment
}

// sieveOptions are what the settings of Installation.Doveconf make of scripts at
// delivery by LMTP. Without it nothing is known of the mail store. Values that the
// server doesn't take it warns of itself.
func (c *site) sieveOptions() interp.Options {
	if c.in.Doveconf == nil {
		return interp.Options{Store: interp.Store{Any: true}}
	}
	o, _ := dovecot.Read(c.in.Doveconf).Options("lmtp")
	return o
}
