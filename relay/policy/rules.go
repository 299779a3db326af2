package policy

import (
	"fmt"
	"slices"

	"github.com/oxmailroute/oxmailroute/internal/clone"
	"github.com/oxmailroute/oxmailroute/relay/internal/delivery"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/sieve/mailfilter"
)

// MailboxRules are a policy's rules for delivery as rules of mailboxes' own
// scripts, which OX App Suite shows to the user among the others and keeps. It
// is immutable and safe for concurrent use.
//
// The rules are the same as the global script's, whichever gateway delivered
// the mail, because an alias of one tenant can lead to a mailbox of another.
//
// Which mailbox has them is the tenants' switch, [Tenant].Scope: a mailbox has
// the rules if mail that it sends is in scope. So with [ScopeAll] every
// address of the tenant's domains has them, with [ScopeDomains] those of
// Scope.Domains, with [ScopeSenders] those that Scope.Senders names, with
// [ScopeNone] none; an address or domain in Scope.Except has none. Whatever the
// scope, none has them where Sieve.Form isn't [SievePerMailbox], since the rules run
// before the mailbox's script then, and none where the tenant's mailboxes are
// on another host (Tenant.Store, topology [TopologyStore]).
type MailboxRules struct {
	rules []mailfilter.Managed
	flags []string
	on    bool // the form is PerMailbox, and mailboxes are here
	ox    mailfilter.Generation
	scope delivery.Switches
}

// MailboxRules returns the rules for mailboxes' own scripts, for a program that
// has the policy and no installation to compile it for. It fails as
// [Policy.Validate] does, and where the rules can't be said in what OX App
// Suite reads.
func (p Policy) MailboxRules() (*MailboxRules, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	var errs Errors
	rules := p.delivery().Managed(&errs, p.Gateway.Name, p.Sieve.OX)
	if len(errs) > 0 {
		return nil, errs.Err()
	}
	m := &MailboxRules{
		rules: rules,
		flags: delivery.Flags(p.Gateway.Name),
		on:    p.SieveForm() == SievePerMailbox && p.Topology == TopologyMailboxes,
		ox:    p.Sieve.OX,
		scope: delivery.NewSwitches(),
	}
	for _, t := range p.Tenants {
		m.scope.Add(t.Domains, t.Store == "", delivery.Scope{All: t.Scope.Use == ScopeAll, ByDomain: t.Scope.Use == ScopeDomains,
			BySender: t.Scope.Use == ScopeSenders, Domains: t.Scope.Domains, Senders: t.Scope.Senders, Except: t.Scope.Except})
	}
	return m, nil
}

// delivery is what the rules for delivery look at.
func (p Policy) delivery() delivery.Marked {
	if p.Topology != TopologyMailboxes {
		return delivery.Marked{}
	}
	m := delivery.Marked{Folder: p.Spam.Folder, Create: p.Spam.Create}
	for _, g := range p.Gateways() {
		m.Add(g.Markers.Released, g.Markers.Spam)
	}
	return m
}

// All returns the rules, release first, for callers with a switch of their own.
func (m *MailboxRules) All() []mailfilter.Managed {
	if m == nil {
		m = new(MailboxRules)
	}
	return clone.Of(m.rules)
}

// Flags returns the flags that the policy's rules have, those too that it has
// no rule for: the gateway's name, with a capital O for each 0 since OX reads
// no 0 in flags, and "released" or "spam" ("conboolreleased"). They are what
// [mailfilter.Document.Remove] needs and, of the rules that are there,
// [mailfilter.Document.Findings].
func (m *MailboxRules) Flags() []string {
	if m == nil {
		m = new(MailboxRules)
	}
	return slices.Clone(m.flags)
}

// For returns the rules that the mailbox has by the policy, release first, and
// none where it has none. An address that isn't hosted is an error: it is more
// likely misspelt than without rules.
func (m *MailboxRules) For(mailbox string) ([]mailfilter.Managed, error) {
	if m == nil {
		m = new(MailboxRules)
	}
	address, err := mailaddr.Check(mailbox)
	if err != nil {
		return nil, err
	}
	_, domain := mailaddr.Split(address)
	in, hosted := m.scope.Domains[domain]
	if !hosted {
		return nil, fmt.Errorf("%s: the policy has no tenant with the domain %s", mailbox, domain)
	}
	if own, ok := m.scope.Single[address]; ok {
		in = own
	}
	if !in || !m.on {
		return nil, nil
	}
	return m.All(), nil
}

// Edit puts the mailbox's rules into its script, before the user's, or takes
// them out where it has none by the policy; a rule that the policy has no more
// goes too. Everything else stays, byte for byte. Where the user has moved a
// rule, renamed it or switched it off, that stays as well: see
// [mailfilter.Document.Findings]. It fails with every place where the script
// can't be parsed.
//
// It is fit for Options.Edit of package provision.
func (m *MailboxRules) Edit(mailbox string, script []byte) ([]byte, error) {
	if m == nil {
		m = new(MailboxRules)
	}
	rules, err := m.For(mailbox)
	if err != nil {
		return nil, err
	}
	return m.put(mailbox, script, rules)
}

// Insert is Edit for a mailbox that has the rules whatever the scope says. The
// name is for errors.
func (m *MailboxRules) Insert(name string, script []byte) ([]byte, error) {
	if m == nil {
		m = new(MailboxRules)
	}
	return m.put(name, script, m.rules)
}

// Remove takes the rules out of a script; without any it stays as it is. The
// name is for errors. It is fit for Options.Edit of package provision.
func (m *MailboxRules) Remove(name string, script []byte) ([]byte, error) {
	if m == nil {
		m = new(MailboxRules)
	}
	return m.put(name, script, nil)
}

func (m *MailboxRules) put(name string, script []byte, rules []mailfilter.Managed) ([]byte, error) {
	d, err := mailfilter.Parse(name, script)
	if err != nil {
		return nil, err
	}
	d.OX = m.ox
	stale := slices.DeleteFunc(m.Flags(), func(f string) bool {
		return slices.ContainsFunc(rules, func(r mailfilter.Managed) bool { return r.Flag == f })
	})
	if len(stale) > 0 { // no argument would be all managed rules
		if _, err := d.Remove(stale...); err != nil {
			return nil, err
		}
	}
	if len(rules) > 0 {
		if _, err := d.Upsert(rules...); err != nil {
			return nil, err
		}
	}
	return d.Format(), nil
}
