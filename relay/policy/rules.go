package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/clone"
	"github.com/oxmailroute/oxmailroute/internal/fault"
	"github.com/oxmailroute/oxmailroute/relay/internal/condition"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/mailfilter"
)

// ReleaseComment is the comment above the rule for released mail.
const ReleaseComment = "Released from the gateway's quarantine (Gateway.Markers.Released)"

// SpamComment is the comment above the rule that files spam.
const SpamComment = "Held for spam by the gateway (Gateway.Markers.Spam, Spam.Folder)"

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
	scope switches
}

// switches say which mailboxes here send through a gateway.
type switches struct {
	domains map[string]bool // hosted ones, by A-labels: whether all of it does
	single  map[string]bool // addresses for which it is otherwise than for their domain
}

const releasedFlag = "released"

const spamFlag = "spam"

// MailboxRules returns the rules for mailboxes' own scripts, for a program that
// has the policy and no installation to compile it for. It fails as
// [Policy.Validate] does, and where the rules can't be said in what OX App
// Suite reads.
func (p Policy) MailboxRules() (*MailboxRules, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	var errs Errors
	m := p.RulesInto(&errs)
	if len(errs) > 0 {
		return nil, errs.Err()
	}
	return m, nil
}

// RulesInto is [Policy.MailboxRules] of a valid policy; what is wrong goes into errs.
func (p Policy) RulesInto(errs *Errors) *MailboxRules {
	name := strings.ReplaceAll(p.Gateway.Name, "0", "O")
	m := &MailboxRules{
		flags: []string{name + releasedFlag, name + spamFlag},
		on:    p.SieveForm() == SievePerMailbox && p.Topology == TopologyMailboxes,
		ox:    p.Sieve.OX,
		scope: p.Switches(),
	}
	empty, err := mailfilter.Parse("", nil)
	if err != nil {
		errs.Wrap("Sieve.Form", err, "leave it out")
		return nil
	}
	empty.OX = m.ox
	for _, r := range p.DeliveryRules(errs, InMailbox) {
		rule := mailfilter.Managed{Flag: name + r.flag, Name: r.title + " (" + p.Gateway.Name + ")", Command: r.Command}
		if _, err := empty.Upsert(rule); err != nil {
			errs.Wrap(r.path, fault.Both(err, headers.ErrNotExpressible), `use another condition, or Sieve.Form "global" or "tenant"`)
		}
		m.rules = append(m.rules, rule)
	}
	return m
}

// Switches say which mailboxes here send through a gateway.
func (p Policy) Switches() switches {
	s := switches{map[string]bool{}, map[string]bool{}}
	for _, t := range p.Tenants {
		s.add(t)
	}
	return s
}

func (s switches) add(t Tenant) {
	out := map[string]bool{}
	for _, e := range t.Scope.Except {
		if strings.Contains(e, "@") {
			e, _ = mailaddr.Check(e)
		} else {
			e, _ = headers.ASCIIDomain(e)
		}
		out[e] = true
	}
	here := t.Store == ""
	for _, d := range t.Domains {
		d, _ = headers.ASCIIDomain(d)
		s.domains[d] = here && t.Scope.Use == ScopeAll && !out[d]
	}
	if !here {
		return
	}
	if t.Scope.Use == ScopeDomains {
		for _, d := range t.Scope.Domains {
			d, _ = headers.ASCIIDomain(d)
			s.domains[d] = !out[d]
		}
	}
	if t.Scope.Use == ScopeSenders {
		for _, a := range t.Scope.Senders {
			a, _ = mailaddr.Check(a)
			if _, d := mailaddr.Split(a); !out[a] && !out[d] {
				s.single[a] = true
			}
		}
		return
	}
	for e := range out {
		if strings.Contains(e, "@") {
			s.single[e] = false
		}
	}
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
	in, hosted := m.scope.domains[domain]
	if !hosted {
		return nil, fmt.Errorf("%s: the policy has no tenant with the domain %s", mailbox, domain)
	}
	if own, ok := m.scope.single[address]; ok {
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

// RuleForm is which Sieve a rule may use.
type RuleForm int

const (
	InMailbox RuleForm = iota // what OX App Suite reads
	InGlobal                  // all of it
)

// deliveryRule is one rule for delivery.
type deliveryRule struct {
	flag, title   string
	Comment, path string
	Command       sieve.If
}

// DeliveryRules are the rules for delivery: release first, so that nothing
// after it runs, then spam. fileinto "INBOX" ends the whole sequence of
// scripts, which keep would not: after keep, Pigeonhole goes on with the next
// script.
func (p Policy) DeliveryRules(errs *Errors, form RuleForm) []deliveryRule {
	if p.Topology != TopologyMailboxes {
		return nil
	}
	var released, spam headers.Any
	for _, g := range p.Gateways() {
		released, spam = condition.AddTo(released, g.Markers.Released), condition.AddTo(spam, g.Markers.Spam)
	}
	var out []deliveryRule
	add := func(r deliveryRule, when headers.Predicate, path string, file sieve.FileInto) {
		if form == InMailbox {
			when = withoutExists(when)
		}
		test, err := sieve.FromPredicate(when)
		if err != nil {
			errs.Wrap(path, err, "name a header and its value")
		}
		r.Command = sieve.If{Test: test, Then: []sieve.Command{file, sieve.Stop{}}}
		out = append(out, r)
	}
	if len(released) > 0 {
		add(deliveryRule{flag: releasedFlag, title: "Released mail", Comment: ReleaseComment, path: "Gateway.Markers.Released"},
			condition.One(released), "Gateway.Markers.Released", sieve.FileInto{Mailbox: sieve.Inbox})
	}
	if len(spam) > 0 && p.Spam.Folder != "" {
		add(deliveryRule{flag: spamFlag, title: "Spam", Comment: SpamComment, path: "Spam.Folder"},
			condition.One(spam), "Gateway.Markers.Spam", sieve.FileInto{Mailbox: p.Spam.Folder, Create: p.Spam.Create && form == InGlobal})
	}
	return out
}

// withoutExists says Exists as a comparison, since OX App Suite reads the test
// exists in newer versions only: every value contains the empty string (RFC
// 5228 section 2.7.1), and a field that isn't there has none.
func withoutExists(p headers.Predicate) headers.Predicate {
	list := func(l []headers.Predicate) []headers.Predicate {
		l = slices.Clone(l)
		for i := range l {
			l[i] = withoutExists(l[i])
		}
		return l
	}
	switch p := p.(type) {
	case headers.Exists:
		return headers.Match{Name: p.Name, Op: headers.Contains, Values: []string{""}}
	case headers.Not:
		return headers.Not{Predicate: withoutExists(p.Predicate)}
	case headers.All:
		return headers.All(list(p))
	case headers.Any:
		return headers.Any(list(p))
	case headers.Condition:
		return withoutExists(p.Predicate)
	default: // compares values already
		return p
	}
}

// Sending are the domains with anybody who sends through a gateway.
func (s switches) Sending() map[string]bool {
	out := map[string]bool{}
	for d, in := range s.domains {
		if in {
			out[d] = true
		}
	}
	for a, in := range s.single {
		if in {
			_, d := mailaddr.Split(a)
			out[d] = true
		}
	}
	return out
}
