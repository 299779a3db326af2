package interp

import (
	"slices"
	"strings"
	"time"

	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
)

// Settings are the settings of Pigeonhole that change what extensions do. The
// zero value has the defaults of the release that Options.Extensions are of; of a
// number or a period 0 is the default and what is negative is 0. Package
// [github.com/oxmailroute/oxmailroute/sieve/dovecot] fills them from what doveconf
// prints.
type Settings struct {
	Vacation   VacationSettings
	EditHeader EditHeaderSettings
	// MaxIncludes and MaxIncludeDepth are how many scripts can be included, and how
	// deep (sieve_include_max_includes, 255; sieve_include_max_nesting_depth, 10).
	MaxIncludes, MaxIncludeDepth int
	// MaxVariables is how many variables a script has
	// (sieve_variables_max_scope_size, max_scope_count of 2.4; 255), and
	// MaxVariableSize how many octets one holds (sieve_variables_max_variable_size,
	// max_value_size of 2.4; 4096).
	MaxVariables, MaxVariableSize int
	// DuplicatePeriod is for how long the test duplicate remembers without
	// :seconds (sieve_duplicate_default_period, 12 hours), and DuplicateMax the most
	// (sieve_duplicate_max_period, 2 days; where it is negative there is no limit).
	DuplicatePeriod, DuplicateMax time.Duration
	// RedirectFrom is the sender of the envelope of what is redirected
	// (sieve_redirect_envelope_from): "" and [FromSender] are that of the message.
	// The null sender stays.
	RedirectFrom AddressSource
	// NotifyFrom is that of notifications (sieve_notify_mailto_envelope_from): ""
	// is :from, or where there is none UserEmail or the postmaster.
	NotifyFrom AddressSource
}

// AddressSource says where an address comes from: one of the constants, or an
// address in angle brackets.
type AddressSource string

// What the settings that are address sources take.
const (
	FromSender            AddressSource = "sender"
	FromRecipient         AddressSource = "recipient"
	FromOriginalRecipient AddressSource = "orig_recipient"
	FromUserEmail         AddressSource = "user_email" // the recipient where there is none
	FromPostmaster        AddressSource = "postmaster"
)

// Valid reports whether s is an address source.
func (s AddressSource) Valid() bool {
	switch s {
	case "", FromSender, FromRecipient, FromOriginalRecipient, FromUserEmail, FromPostmaster:
		return true
	}
	_, ok := s.address()
	return ok
}

func (s AddressSource) address() (string, bool) {
	in, ok := strings.CutPrefix(string(s), "<")
	in, end := strings.CutSuffix(in, ">")
	if !ok || !end {
		return "", false
	}
	a, err := mailaddr.Parse(in)
	return a.String(), err == nil
}

// VacationSettings are those of vacation.
type VacationSettings struct {
	// DefaultPeriod is for how long an answer is remembered without :days and
	// :seconds (sieve_vacation_default_period, 7 days), MinPeriod the least
	// (sieve_vacation_min_period, 1 day) and MaxPeriod the most
	// (sieve_vacation_max_period, none in 0.5 and 60 days in 2.4).
	DefaultPeriod, MinPeriod, MaxPeriod time.Duration
	// DefaultSubject is the subject of the answer to a message without one
	// (sieve_vacation_default_subject, "Automated reply").
	DefaultSubject string
	// SubjectTemplate is that of other answers, in which "%{subject}" and, with 0.5,
	// "%$" are the subject of the message
	// (sieve_vacation_default_subject_template, "Auto: %{subject}").
	SubjectTemplate string
	// MaxSubject is how many characters a subject has
	// (sieve_vacation_max_subject_codepoints, 256).
	MaxSubject int
	// HeaderOnly addresses the answer in the field To as the message's header names
	// the sender, whether that is the envelope's or not
	// (sieve_vacation_to_header_ignore_envelope).
	HeaderOnly bool
	// SendFromRecipient gives the answer the recipient as the envelope's sender, not
	// the null sender (sieve_vacation_send_from_recipient).
	SendFromRecipient bool
	// AnyRecipient answers messages that don't name the user too
	// (sieve_vacation_dont_check_recipient, check_recipient = no of 2.4).
	AnyRecipient bool
	// OriginalRecipient counts Input.OriginalTo as an address of the user
	// (sieve_vacation_use_original_recipient).
	OriginalRecipient bool
}

// EditHeaderSettings are those of editheader.
type EditHeaderSettings struct {
	// NoAdd and NoDelete name fields that are not added or deleted
	// (sieve_editheader_forbid_add, sieve_editheader_forbid_delete, in both
	// sieve_editheader_protected). Subject can't be among them.
	NoAdd, NoDelete []string
	// MaxSize is how many octets a value has (sieve_editheader_max_header_size,
	// 2048); below 1024 the default is taken.
	MaxSize int
}

// filled returns the settings with the defaults in place of zeros, and zeros in
// place of what is negative.
func (s Settings) filled(release24 bool) Settings {
	fillInt := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
		*v = max(*v, 0)
	}
	fill := func(v *time.Duration, def time.Duration) {
		if *v == 0 {
			*v = def
		}
		*v = max(*v, 0)
	}
	const day = 24 * time.Hour
	v := &s.Vacation
	fill(&v.DefaultPeriod, 7*day)
	fill(&v.MinPeriod, day)
	if release24 {
		fill(&v.MaxPeriod, 60*day)
	} else {
		v.MaxPeriod = max(v.MaxPeriod, 0)
	}
	if v.DefaultSubject == "" {
		v.DefaultSubject = "Automated reply"
	}
	if v.SubjectTemplate == "" {
		v.SubjectTemplate = "Auto: %{subject}"
	}
	fillInt(&v.MaxSubject, 256)
	fillInt(&s.MaxIncludes, 255)
	fillInt(&s.MaxIncludeDepth, 10)
	fillInt(&s.MaxVariables, 255)
	fillInt(&s.MaxVariableSize, 4096)
	fill(&s.DuplicatePeriod, 12*time.Hour)
	fill(&s.DuplicateMax, 2*day)
	if s.EditHeader.MaxSize < 1024 {
		s.EditHeader.MaxSize = 2048
	}
	s.EditHeader.NoAdd, s.EditHeader.NoDelete = lowered(s.EditHeader.NoAdd), lowered(s.EditHeader.NoDelete)
	return s
}

func lowered(names []string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		if n = ascii.Lower(n); n != "subject" {
			out = append(out, n)
		}
	}
	return out
}

// forbids reports whether a field is not to be added or deleted.
func (s *EditHeaderSettings) forbids(name string, remove bool) bool {
	list := s.NoAdd
	if remove {
		list = s.NoDelete
	}
	return len(list) > 0 && slices.Contains(list, ascii.Lower(name))
}

// subject is the default subject of an answer.
func (v *VacationSettings) subject(subject string, release24 bool) string {
	pairs := []string{"%{subject}", subject}
	if !release24 {
		pairs = append(pairs, "%$", subject, "%%", "%")
	}
	return strings.NewReplacer(pairs...).Replace(v.SubjectTemplate)
}

// source returns the address that a source comes to; "" is the null sender.
func (r *run) source(s AddressSource) string {
	encode := func(address string) string {
		a, _ := mailaddr.Envelope(address)
		return a.String()
	}
	switch s {
	case FromSender:
		return r.in.From
	case FromOriginalRecipient:
		return encode(r.originalTo())
	case FromUserEmail:
		if s := r.userEmail(); s != "" {
			return s
		}
	case FromPostmaster:
		return r.postmaster().String()
	case FromRecipient, "":
	default:
		if a, ok := s.address(); ok {
			return a
		}
	}
	return encode(r.in.To)
}

// userEmail is the user's own address as SMTP spells it, or "".
func (r *run) userEmail() string {
	if a, err := mailaddr.Parse(r.in.UserEmail); err == nil {
		return a.String()
	}
	return r.program.userEmail
}

// account is the address that Pigeonhole takes the user for: sieve_user_email, or
// the user's name with the host's.
func (r *run) account() mailaddr.Address {
	name := r.userEmail()
	if name == "" {
		name = r.in.Environment["username"]
	}
	a, ok := mailaddr.Envelope(name)
	if !ok {
		a, _ = mailaddr.Envelope(r.in.To)
		return a
	}
	if a.Domain == "" {
		a.Domain = r.host()
	}
	return a
}
