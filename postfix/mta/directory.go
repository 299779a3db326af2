package mta

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// Directory answers which domains and addresses there are, for an installation
// that keeps them in SQL, LDAP or another table that can't be read here.
// [Instance.Route] asks each question once for a decision, and where main.cf names
// files in place of a database, it asks those. Methods must be safe for
// concurrent use. An error is what a failed look-up is to Postfix: the mail is
// refused for now or deferred, and [Decision].Err has it.
type Directory interface {
	// Domain returns the class of a domain, which is written as in the address,
	// in lower case. It is asked where a list of domains can't be read here and
	// those that can don't have the domain.
	Domain(ctx context.Context, domain string) (Class, error)
	// Mailbox reports whether the key is a mailbox. The keys, in this order, are
	// those of postconf(5)'s virtual_mailbox_maps: the whole address, the address
	// without its extension, "@domain"; lower case.
	Mailbox(ctx context.Context, key string) (bool, error)
	// Alias returns the members of a virtual alias; none: no such alias. The keys
	// are those of virtual(5).
	Alias(ctx context.Context, key string) ([]string, error)
}

// Class is the class of a domain (ADDRESS_CLASS_README).
type Class string

// The classes, with the parameter that lists their domains.
const (
	ClassNone    Class = ""        // none of the others: the domain is remote
	ClassLocal   Class = "local"   // mydestination
	ClassAlias   Class = "alias"   // virtual_alias_domains
	ClassMailbox Class = "mailbox" // virtual_mailbox_domains
	ClassRelay   Class = "relay"   // relay_domains
)

// tables are an installation's tables and the caller's own lists, where there is
// no Directory.
type tables struct {
	boxMaps   []Source
	mailboxes map[string]bool
	opaque    []string // virtual_mailbox_maps that can't be read, where nobody else knows
}

// mailbox asks the installation's files, then the caller's list.
func (t *tables) mailbox(key string) (bool, error) {
	for _, m := range t.boxMaps {
		if _, ok, err := m.Table.Lookup(key); ok || err != nil {
			return ok, err
		}
	}
	return t.mailboxes[key], nil
}

// inquiry asks the Directory for one decision, each distinct
// question once, and keeps what failed.
type inquiry struct {
	e         *Instance
	ctx       context.Context
	domains   map[string]Class
	mailboxes map[string]bool
	aliases   map[string][]string
	failed    map[string]error // by question
	errs      []error          // in the order of the first question
	size      int64            // of the message, once it was counted
	seen      map[string]bool  // of [Way.Once]
	down      *Outcome         // where a table can't be asked
}

// inquiry is for one decision.
func (e *Instance) inquiry(ctx context.Context) *inquiry {
	if ctx == nil {
		ctx = context.Background()
	}
	return &inquiry{e: e, ctx: ctx}
}

// err is everything that failed; nil where nothing did.
func (q *inquiry) err() error {
	if len(q.errs) == 1 {
		return q.errs[0]
	}
	return errors.Join(q.errs...)
}

// ask answers a question from memory, or by f.
func ask[T any](q *inquiry, known *map[string]T, what, key string, f func() (T, error)) (T, error) {
	var none T
	if err := q.failed[what+key]; err != nil {
		return none, err
	}
	if v, ok := (*known)[key]; ok {
		return v, nil
	}
	v, err := none, q.ctx.Err()
	if err == nil {
		v, err = f()
	}
	if err != nil {
		err = fmt.Errorf("%s of %s: %w", what, key, err)
		if q.failed == nil {
			q.failed = map[string]error{}
		}
		q.failed[what+key] = err
		q.errs = append(q.errs, err)
		return none, err
	}
	if *known == nil {
		*known = map[string]T{}
	}
	(*known)[key] = v
	return v, nil
}

func (q *inquiry) domain(name string) (Class, error) {
	return ask(q, &q.domains, "domain", name, func() (Class, error) {
		class, err := q.e.directory.Domain(q.ctx, name)
		switch class {
		case ClassNone, ClassLocal, ClassAlias, ClassMailbox, ClassRelay:
		default: // "Mailbox" would be a remote domain
			err = errors.Join(err, fmt.Errorf("the Directory answers %q, which is no Class", class))
		}
		return class, err
	})
}

func (q *inquiry) mailbox(key string) (bool, error) {
	if q.e.directory == nil {
		ok, err := q.e.lists.mailbox(key)
		if err != nil {
			err = fmt.Errorf("virtual_mailbox_maps of %s: %w", key, err)
			q.errs = append(q.errs, err)
		}
		return ok, err
	}
	return ask(q, &q.mailboxes, "mailbox", key, func() (bool, error) { return q.e.directory.Mailbox(q.ctx, key) })
}

func (q *inquiry) alias(key string) ([]string, error) {
	if q.e.directory == nil {
		return nil, nil
	}
	return ask(q, &q.aliases, "alias", key, func() ([]string, error) { return q.e.directory.Alias(q.ctx, key) })
}

// directory makes a Directory a table.
type directory struct {
	q     *inquiry
	alias bool
}

// Lookup asks the Directory.
func (d *directory) Lookup(key string) (row postfix.Row, ok bool, err error) {
	row.Key = fold(key)
	if !d.alias {
		ok, err = d.q.mailbox(row.Key)
		return row, ok && err == nil, err
	}
	members, err := d.q.alias(row.Key)
	row.Value = strings.Join(members, ", ")
	return row, err == nil && len(members) > 0, err
}
