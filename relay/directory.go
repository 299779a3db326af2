package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// Directory answers which domains and addresses there are, for an installation
// that keeps them in SQL, LDAP or another table that can't be read here.
// [Config.Route] asks each question once for a decision, and where main.cf names
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

// Scripts answers for the Sieve scripts of mailboxes. Its methods must be safe
// for concurrent use. An error defers the mail, as Pigeonhole does where it
// can't read the active script.
type Scripts interface {
	// Script returns the compiled active script of a mailbox (its address
	// without extension, lower case), or nil where it has none.
	Script(ctx context.Context, mailbox string) (*interp.Program, error)
}

// ScriptMap is Scripts in memory, by address. [Compile] copies it.
type ScriptMap map[string]*interp.Program

// Script returns the script of the mailbox.
func (s ScriptMap) Script(_ context.Context, mailbox string) (*interp.Program, error) {
	return s[mailbox], nil
}

// Table is what is known of a table that isn't among Installation.Files.
type Table struct {
	// Rows are all rows of the table, as `postmap -s` prints them. Nil: not known.
	Rows postfix.Table
	// Map is asked in place of Rows, for a table that is too large, or that
	// computes its answers. It tells nobody what is not in the table: where a
	// guarantee hangs on that, Harmless is needed too.
	Map postfix.Map
	// Harmless says that the caller vouches for a table that can't be read here:
	// nothing in it takes mail past what the policy says. In header checks it has
	// no PASS, REDIRECT or FILTER, and makes and removes no marker; as an access
	// table it has no FILTER or REDIRECT; in transport_maps no route for everybody
	// and none of a next hop alone (":[host]"); as a map of senders no route for one
	// in scope; as canonical_maps it leaves the null sender alone. A policy service
	// goes by its restriction, "check_policy_service inet:127.0.0.1:10023".
	Harmless bool
}

// tables are an installation's indexed files and a policy's own lists, where
// there is no Directory.
type tables struct {
	boxMaps, aliasMaps []source
	mailboxes          map[string]bool
	aliases            map[string][]string
}

// mailbox asks the installation's files, then the policy's list.
func (t *tables) mailbox(key string) bool {
	for _, m := range t.boxMaps {
		if _, _, ok := m.table.Lookup(key); ok {
			return true
		}
	}
	return t.mailboxes[key]
}

// alias asks the installation's files, then the policy's list.
func (t *tables) alias(key string) []string {
	for _, m := range t.aliasMaps {
		if e, _, ok := m.table.Lookup(key); ok {
			return list(e.Value)
		}
	}
	return t.aliases[key]
}

// inquiry asks the Directory and the Scripts for one decision, each distinct
// question once, and keeps what failed.
type inquiry struct {
	e         *evaluator
	ctx       context.Context
	domains   map[string]Class
	mailboxes map[string]bool
	aliases   map[string][]string
	programs  map[string]*interp.Program
	failed    map[string]error // by question
	errs      []error          // in the order of the first question
	size      int64            // of the message, once it was counted
}

func (e *evaluator) inquiry(ctx context.Context) *inquiry {
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
	return ask(q, &q.domains, "domain", name, func() (Class, error) { return q.e.directory.Domain(q.ctx, name) })
}

func (q *inquiry) mailbox(key string) (bool, error) {
	if q.e.directory == nil {
		return q.e.lists.mailbox(key), nil
	}
	return ask(q, &q.mailboxes, "mailbox", key, func() (bool, error) { return q.e.directory.Mailbox(q.ctx, key) })
}

func (q *inquiry) alias(key string) ([]string, error) {
	if q.e.directory == nil {
		return q.e.lists.alias(key), nil
	}
	return ask(q, &q.aliases, "alias", key, func() ([]string, error) { return q.e.directory.Alias(q.ctx, key) })
}

func (q *inquiry) script(mailbox string) (*interp.Program, error) {
	switch s := q.e.scripts.(type) {
	case nil:
		return nil, nil
	case ScriptMap:
		return s[mailbox], nil
	default:
		return ask(q, &q.programs, "script", mailbox, func() (*interp.Program, error) { return s.Script(q.ctx, mailbox) })
	}
}

// directory makes a Directory a table and keeps its error.
type directory struct {
	q     *inquiry
	alias bool
	err   error
}

// Lookup asks the Directory. After an error it finds nothing more, as Postfix
// ends a search then.
func (d *directory) Lookup(key string) (postfix.Entry, int, bool) {
	if d.err != nil {
		return postfix.Entry{}, 0, false
	}
	key = fold(key)
	if d.alias {
		members, err := d.q.alias(key)
		if err != nil || len(members) == 0 {
			d.err = err
			return postfix.Entry{}, 0, false
		}
		return postfix.Entry{Key: key, Value: strings.Join(members, ", ")}, 0, true
	}
	ok, err := d.q.mailbox(key)
	d.err = err
	return postfix.Entry{Key: key}, 0, ok && err == nil
}
