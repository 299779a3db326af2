package relay

import (
	"github.com/oxmailroute/oxmailroute/sieve"
)

// Directory answers which local addresses there are, for an installation that
// keeps them in SQL or LDAP. [Config.Route] asks with the keys and in the order
// of postconf(5)'s virtual_mailbox_maps and virtual(5): the whole address, the
// address without its extension, "@domain"; lower case. Methods must be safe
// for concurrent use. An error is what a failed look-up is to Postfix: the
// mail is deferred.
type Directory interface {
	// Mailbox reports whether the key is a mailbox.
	Mailbox(key string) (bool, error)
	// Alias returns the members of a virtual alias; none: no such alias.
	Alias(key string) ([]string, error)
	// Script returns the compiled active Sieve script of a mailbox (its address
	// without extension), or nil where it has none.
	Script(mailbox string) (*sieve.Program, error)
}

// tables is the Directory of an installation's indexed files and a policy's own
// lists.
type tables struct {
	boxMaps, aliasMaps []source
	mailboxes          map[string]bool
	aliases            map[string][]string
	scripts            map[string]*sieve.Program
}

// Mailbox asks the installation's files, then the policy's list.
func (t *tables) Mailbox(key string) (bool, error) {
	for _, m := range t.boxMaps {
		if _, _, ok := m.table.Lookup(key); ok {
			return true, nil
		}
	}
	return t.mailboxes[key], nil
}

// Alias asks the installation's files, then the policy's list.
func (t *tables) Alias(key string) ([]string, error) {
	for _, m := range t.aliasMaps {
		if e, _, ok := m.table.Lookup(key); ok {
			return list(e.Value), nil
		}
	}
	return t.aliases[key], nil
}

// Script returns a script that was given beside the files.
func (t *tables) Script(mailbox string) (*sieve.Program, error) { return t.scripts[mailbox], nil }
