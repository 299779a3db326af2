package dovecot

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// Extensions are those that the server has on: what the release has, changed by
// sieve_extensions; those that package sieve doesn't know are left out. What is off
// is on all the same where another one that is on brings it; 2.4 has the drafts
// imapflags and notify no more.
func (c *Config) Extensions() (sieve.Extensions, error) {
	on, err := c.set()
	if on&sieve.ExtVacationSeconds != 0 {
		on |= sieve.ExtVacation
	}
	if on&sieve.ExtDovecotEnvironment != 0 {
		on |= sieve.ExtEnvironment
	}
	if c.Is24() {
		on &^= sieve.ExtIMAPFlags | sieve.ExtNotify
	}
	return on, err
}

// set are the extensions as sieve_extensions says.
func (c *Config) set() (sieve.Extensions, error) {
	if !c.Is24() {
		on := sieve.Debian12
		v, ok := c.Get("", "sieve_extensions")
		if !ok {
			return on, nil
		}
		return on.Set(known(v))
	}
	on := sieve.Debian13
	for _, s := range c.Settings {
		if !slices.Equal(s.Sections, []string{"sieve_extensions"}) {
			continue
		}
		x := sieve.ExtensionNamed(s.Name)
		if s.Value == "yes" {
			on |= x
		} else {
			on &^= x
		}
	}
	if v, ok := c.find("sieve_extensions", nil); ok && v != "" {
		return on.Set(known(v))
	}
	return on, nil
}

// known leaves out the extensions that package sieve doesn't know, such as
// vnd.dovecot.filter of a plugin: a script that requires one isn't read.
func known(setting string) string {
	return strings.Join(slices.DeleteFunc(strings.Fields(setting), func(s string) bool {
		return sieve.ExtensionNamed(strings.TrimLeft(s, "+-")) == 0
	}), " ")
}

// Options are what the settings come to for deliveries by a protocol, "lda" or
// "lmtp". A value that the server doesn't take leaves the default, as 2.3 does
// with a warning, and is in the error; 2.4 then runs no script with that
// extension, or none at all, and stores the message in the inbox. Of a
// sieve_user_email with variables nothing is in the options: see [Config.UserEmail].
func (c *Config) Options(protocol string) (interp.Options, error) {
	r := &reader{Config: c, protocol: protocol}
	var o interp.Options
	var err error
	if o.Extensions, err = c.Extensions(); err != nil {
		r.errs = append(r.errs, err)
	}
	if _, v, ok := r.value("recipient_delimiter"); ok {
		o.Delimiter = v
	}
	o.MaxRedirects = r.number("sieve_max_redirects")
	o.MaxActions = r.number("sieve_max_actions")
	o.AutoCreate = r.yes(false, "lda_mailbox_autocreate")
	o.Store = c.Store()
	if _, v, ok := r.value("sieve_user_email"); ok && !strings.Contains(v, "%") {
		o.UserEmail = v
	}
	o.RedirectPeriod = r.period("sieve_redirect_duplicate_period")
	s := &o.Settings
	s.MaxIncludes, s.MaxIncludeDepth = r.number("sieve_include_max_includes"), r.number("sieve_include_max_nesting_depth")
	s.MaxVariables = r.number("sieve_variables_max_scope_size", "sieve_variables_max_scope_count")
	if s.MaxVariables != 0 && s.MaxVariables < 128 {
		r.refuse("sieve_variables_max_scope_size", strconv.Itoa(max(s.MaxVariables, 0)), "write 128 or more")
		s.MaxVariables = 0
	}
	s.MaxVariableSize = r.size(4000, "sieve_variables_max_variable_size", "sieve_variables_max_value_size")
	s.DuplicatePeriod, s.DuplicateMax = r.period("sieve_duplicate_default_period"), r.period("sieve_duplicate_max_period")
	s.RedirectFrom, s.NotifyFrom = r.source("sieve_redirect_envelope_from"), r.source("sieve_notify_mailto_envelope_from")
	v := &s.Vacation
	v.DefaultPeriod, v.MinPeriod = r.period("sieve_vacation_default_period"), r.period("sieve_vacation_min_period")
	v.MaxPeriod = r.period("sieve_vacation_max_period")
	if !c.Is24() {
		least, usual, most := cmp.Or(v.MinPeriod, 24*time.Hour), cmp.Or(v.DefaultPeriod, 7*24*time.Hour), v.MaxPeriod
		if most > 0 && (max(least, 0) > most || max(usual, 0) < max(least, 0) || usual > most) {
			r.refuse("sieve_vacation_max_period", v.MaxPeriod.String(),
				"let min_period < default_period < max_period; 2.3 takes the defaults of all three")
			v.DefaultPeriod, v.MinPeriod, v.MaxPeriod = 0, 0, 0
		}
	}
	_, v.DefaultSubject, _ = r.value("sieve_vacation_default_subject")
	_, v.SubjectTemplate, _ = r.value("sieve_vacation_default_subject_template")
	v.SubjectTemplate = c.unescaped(v.SubjectTemplate)
	v.MaxSubject = r.number("sieve_vacation_max_subject_codepoints")
	v.HeaderOnly = r.yes(false, "sieve_vacation_to_header_ignore_envelope")
	v.SendFromRecipient = r.yes(false, "sieve_vacation_send_from_recipient")
	v.AnyRecipient = r.yes(false, "sieve_vacation_dont_check_recipient") || !r.yes(true, "sieve_vacation_check_recipient")
	v.OriginalRecipient = r.yes(false, "sieve_vacation_use_original_recipient")
	e := &s.EditHeader
	e.MaxSize = r.size(1024, "sieve_editheader_max_header_size")
	for _, name := range []string{"sieve_editheader_protected", "sieve_editheader_forbid_add"} {
		_, list, _ := r.value(name)
		e.NoAdd = append(e.NoAdd, strings.Fields(list)...)
	}
	for _, name := range []string{"sieve_editheader_protected", "sieve_editheader_forbid_delete"} {
		_, list, _ := r.value(name)
		e.NoDelete = append(e.NoDelete, strings.Fields(list)...)
	}
	if c != nil {
		for _, set := range c.Settings {
			if len(set.Sections) != 1 || set.Value != "yes" {
				continue
			}
			name, ok := strings.CutPrefix(set.Sections[0], "sieve_editheader_header ")
			switch name = unquote(name); {
			case !ok:
			case set.Name == "sieve_editheader_header_forbid_add" || set.Name == "forbid_add":
				e.NoAdd = append(e.NoAdd, name)
			case set.Name == "sieve_editheader_header_forbid_delete" || set.Name == "forbid_delete":
				e.NoDelete = append(e.NoDelete, name)
			}
		}
	}
	return o, errors.Join(r.errs...)
}

// unescaped takes the percent signs out of a value that the server would expand,
// but for the template's own.
func (c *Config) unescaped(s string) string {
	if c.Is24() {
		return strings.ReplaceAll(s, "%%{", "%{")
	}
	return strings.ReplaceAll(s, "%%", "%")
}

// source reads a setting that is an address source.
func (r *reader) source(name string) interp.AddressSource {
	_, v, _ := r.value(name)
	if s := interp.AddressSource(v); s.Valid() {
		return s
	}
	r.refuse(name, v, "write sender, recipient, orig_recipient, user_email, postmaster or an address in angle brackets")
	return ""
}

var periodForm = regexp.MustCompile(`^([0-9]+) *([a-z]*)$`)

// periodUnits are the beginnings of the units that Dovecot takes.
var periodUnits = []struct {
	name string
	unit time.Duration
}{
	{"seconds", time.Second}, {"secs", time.Second}, {"minutes", time.Minute}, {"mins", time.Minute}, {"hours", time.Hour},
	{"days", 24 * time.Hour}, {"weeks", 7 * 24 * time.Hour},
}

// period reads a period such as 12h or 7 days; without a unit it is seconds. 0 comes
// back as -1, so that it isn't the default.
func (r *reader) period(name string) time.Duration {
	_, v, ok := r.value(name)
	if !ok {
		return 0
	}
	m := periodForm.FindStringSubmatch(strings.ToLower(v))
	if m != nil && !r.Is24() {
		// Pigeonhole 0.5 reads no further than the first letter, and knows no weeks.
		if m[2] = m[2][:min(len(m[2]), 1)]; m[2] == "w" || strings.Contains(v, " ") {
			m = nil
		}
	}
	if m == nil {
		r.refuse(name, v, "write a period such as 12h or 7d")
		return 0
	}
	n, err := strconv.ParseUint(m[1], 10, 31)
	if err == nil && n == 0 {
		return -1
	}
	for _, u := range periodUnits {
		if err == nil && strings.HasPrefix(u.name, m[2]) && n < uint64(1<<62/u.unit) {
			return time.Duration(n) * u.unit
		}
	}
	r.refuse(name, v, "write a period such as 12h or 7d")
	return 0
}

// Store is what the mail store makes of the names of mailboxes: mail_location of
// 2.3, mail_driver and mailbox_list_layout of 2.4, and the separator of the
// namespace with inbox = yes. Of stores that keep no tree of directories, and of
// the plugin listescape, nothing is known. doveconf -n of 2.4 doesn't print a layout
// that is fs.
func (c *Config) Store() interp.Store {
	var s interp.Store
	for _, p := range []string{"mail_plugins", "protocol lmtp/mail_plugins"} {
		if v, ok := c.find(p, nil); ok && strings.Contains(v, "listescape") {
			return interp.Store{Any: true}
		}
	}
	driver, layout := "", ""
	if c.Is24() {
		driver, _ = c.find("mail_driver", nil)
		layout, _ = c.find("mailbox_list_layout", nil)
		utf8, _ := c.find("mailbox_list_utf8", nil)
		s.UTF8, s.Either = utf8 == "yes", layout == ""
	} else {
		location, _ := c.find("mail_location", nil)
		parts := strings.Split(location, ":")
		driver = parts[0]
		for _, p := range parts[1:] {
			if v, ok := strings.CutPrefix(p, "LAYOUT="); ok {
				layout = v
			}
			s.UTF8 = s.UTF8 || p == "UTF-8"
		}
	}
	switch {
	case layout != "" && layout != "fs" && !strings.EqualFold(layout, "maildir++"), driver != "maildir":
		return interp.Store{Any: true}
	}
	s.FS = layout == "fs"
	if c == nil {
		return s
	}
	for _, set := range c.Settings {
		if len(set.Sections) == 1 && strings.HasPrefix(set.Sections[0], "namespace ") && set.Name == "separator" && len(set.Value) == 1 {
			if inbox, ok := c.find("inbox", set.Sections); ok && inbox == "yes" {
				s.Separator = set.Value[0]
			}
		}
	}
	return s
}
