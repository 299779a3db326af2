package relay

import (
	"regexp"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/dovecot"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// doveconf is what `doveconf -n` printed: top-level settings by name, those in
// blocks by the block's first line and the name: "plugin/sieve_before" of 2.3,
// "sieve_script personal/path" of 2.4.
type doveconf map[string]string

func parseDoveconf(text []byte) doveconf {
	d := doveconf{}
	for _, s := range dovecot.Read(text).Settings {
		d[strings.Join(append(slices.Clone(s.Sections), s.Name), "/")] = s.Value
	}
	return d
}

// settingName is what a setting's name looks like: "plugin/x" has none of the
// words of a message.
var settingName = regexp.MustCompile(`^[A-Za-z0-9_:./@-]+$`)

// checkDoveconf refuses what isn't the whole output of `doveconf -n`: a server
// that has scripts and settings would be taken for one that has none, and the
// fragment would replace them. doveconf prints its version first, "# OS:" when it
// has read all files, then the settings.
func (c *reader) checkDoveconf() {
	text := string(c.in.Doveconf)
	if c.in.Doveconf == nil {
		return
	}
	conf, strange := dovecot.Read(c.in.Doveconf), ""
	for _, s := range conf.Settings {
		if strange == "" && !settingName.MatchString(s.Name) {
			strange = s.Name
		}
	}
	refuse := func(format string, args ...any) {
		c.errs.Add("Installation.Doveconf", ErrInvalid,
			"run `doveconf -n` as root, mend what it complains of, and give all that it prints to standard output; nil where there is no Dovecot "+
				"yet", format, args...)
		c.in.Doveconf, c.noDoveconf = nil, true
	}
	first, _, _ := strings.Cut(text, "\n")
	switch {
	case strings.TrimSpace(text) == "":
		refuse("`doveconf -n` printed nothing")
	case doveconfVersion(c.in.Doveconf) == "":
		refuse("the first line, %q, is not that of `doveconf -n`, which has the version", first)
	case strings.Contains(text, "doveconf: Fatal: ") || !strings.Contains(text, "\n# OS: "):
		refuse("`doveconf -n` has failed: there is no line \"# OS:\", which it prints when it has read all files")
	case strange != "":
		refuse("%q is not the name of a setting", strange)
	case len(conf.Settings) == 0 || conf.Open > 0 || !strings.HasSuffix(text, "\n"):
		refuse("the output is cut off: %d settings, %d blocks without an end", len(conf.Settings), conf.Open)
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
