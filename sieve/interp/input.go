package interp

import (
	"time"

	"github.com/oxmailroute/oxmailroute/headers"
)

// Input is a message and its delivery. What is left at its zero value has the
// default that is named here.
type Input struct {
	// Raw is the message: a header section, an empty line and the body. A run
	// reads no more of it than the script asks for.
	Raw []byte
	// Header and Body take the place of Raw where Header isn't nil; they come
	// from headers.Scan with headers.Sieve. Body is only read by tests of the
	// body and of MIME parts.
	Header headers.Section
	Body   []byte
	// Size is the size of the message in octets as the server holds it. Zero
	// means the length of Raw, where that is given.
	Size int64
	// From and To are the addresses of the envelope, without angle brackets;
	// an empty From is the null sender: in a [Sequence] then the first field
	// Return-Path says whose the message is, as in dovecot-lda; LMTP puts one with "<>"
	// before all others. Auth is what the envelope part "auth"
	// has. All servers give the name of the user whose script it is; "" means
	// Environment["username"].
	From, To, Auth string
	// OriginalTo is the recipient before the mail system rewrote it (dovecot-lda
	// -a, ORCPT of LMTP), which the envelope part "to" has; "" means To.
	OriginalTo string
	// UserEmail is the user's own address, in place of Options.UserEmail, for a
	// sieve_user_email that has variables or comes from the user database; ""
	// means Options.UserEmail.
	UserEmail string
	// RedirectFrom is the sender of the envelope of what is redirected, in place
	// of Settings.RedirectFrom; "" means that.
	RedirectFrom AddressSource
	// MailboxExists says whether a mailbox is there and can be stored in before the
	// scripts run; nil means that all are. Those in which one script of a [Sequence]
	// stores with :create are there for the next.
	MailboxExists func(name string) bool
	// Mailboxes tells more of the mailboxes; nil means that none has an
	// annotation or a special use.
	Mailboxes Mailboxes
	// Now is the time of the delivery; the zero time means time.Now. Its
	// location is the server's time zone.
	Now time.Time
	// Memory is what the server remembers of earlier messages; nil means that it
	// has no memory, as sieve-filter: then no test duplicate holds.
	Memory Memory
	// Spam and Virus are the results of scanners.
	Spam, Virus Score
	// Environment holds items of the environment (RFC 5183 section 4.1) and
	// of vnd.dovecot.environment "username" and what sieve_env_NAME sets, as
	// "config.NAME". It comes before the defaults: "location" is "MDA", "phase"
	// is "during", "name" is "Pigeonhole Sieve", "version" is "0.5.19" or "2.4.1-4"; "host" is
	// empty, and "domain" that of "username" or what stands behind the first dot of
	// "host". vnd.dovecot.default-mailbox is always INBOX.
	Environment map[string]string
}

// Mailboxes tells of the mailboxes of the user. The methods are called while a
// script runs.
type Mailboxes interface {
	// SpecialUse returns the mailbox that carries a special-use attribute
	// (RFC 6154 section 2), such as `\Junk`, be it there or not. With a mailbox it
	// reports whether that one does.
	SpecialUse(mailbox, attribute string) (name string, ok bool)
	// Metadata returns the annotation of a mailbox (RFC 5464), or where the
	// mailbox is "", that of the server.
	Metadata(mailbox, annotation string) (value string, ok bool)
}

// Memory is what a server remembers of the messages of one user: duplicate
// (RFC 7352), vacation (RFC 5230 section 4.2) and redirect need it. The methods are
// called while a script runs; one that is used by several runs at a time must
// allow that.
type Memory interface {
	// Seen reports whether the id is remembered at the time.
	Seen(id string, now time.Time) bool
	// Remember remembers the id until a time. It is called where all scripts of a
	// delivery ended without an error only.
	Remember(id string, until time.Time)
}

// Score is the result of a scanner. The zero Score is that of a message that
// was not scanned.
type Score struct {
	Scanned bool
	// Ratio is 0 for a clean message and 1 for one that is certainly spam, or
	// that has a virus.
	Ratio float64
}

// originalTo is the recipient as the mail system first had it.
func (r *run) originalTo() string {
	if r.in.OriginalTo != "" {
		return r.in.OriginalTo
	}
	return r.in.To
}

// now returns the time of the delivery.
func (r *run) now() time.Time {
	if r.in.Now.IsZero() {
		r.in.Now = time.Now()
	}
	return r.in.Now
}
