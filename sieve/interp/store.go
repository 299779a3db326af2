package interp

import "github.com/oxmailroute/oxmailroute/sieve/internal/mboxname"

// Store says which mailbox names the user's mail store takes. A script that
// stores under a name that is refused fails, with :create too, as one that stores
// in a mailbox that isn't there. The zero value is a maildir with the defaults of
// Dovecot (mail_location = maildir:DIR): names with an empty level ("a..b", ".x",
// "x."), with "/", with a leading "~", with a control character below 0x20, or of
// more than 254 octets in UTF-7 (RFC 3501 section 5.1.3) are refused.
type Store struct {
	// Separator is the separator of the user's namespace; 0 means the layout's,
	// "." or, where FS is set, "/".
	Separator byte
	// FS says that each level is a directory (LAYOUT=fs, mailbox_list_layout =
	// fs), as in mdbox and sdbox: the levels ".", "..", "cur", "new" and "tmp" are
	// refused, and each may have 255 octets.
	FS bool
	// UTF8 says that names are stored in UTF-8 (":UTF-8" in mail_location,
	// mailbox_list_utf8).
	UTF8 bool
	// Either says that the layout isn't known: what is refused is what the one and
	// the other refuse.
	Either bool
	// Any says that nothing is known of the store: every name is taken.
	Any bool
}

// Refused says why the store refuses a mailbox name; nil where it takes it.
func (s Store) Refused(name string) error { return mboxname.Store(s).Refused(name) }
