// Package delivery has the rules for delivery: where released mail and spam go.
package delivery

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/fault"
	"github.com/oxmailroute/oxmailroute/relay/internal/condition"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/mailfilter"
)

const (
	// ReleaseComment is the comment above the rule for released mail.
	ReleaseComment = "Released from the gateway's quarantine (Gateway.Markers.Released)"
	// SpamComment is the comment above the rule that files spam.
	SpamComment = "Held for spam by the gateway (Gateway.Markers.Spam, Spam.Folder)"

	releasedFlag = "released"
	spamFlag     = "spam"
)

// Form is which Sieve a rule may use.
type Form int

const (
	InMailbox Form = iota // what OX App Suite reads
	InGlobal              // all of it
)

// Rule is one rule for delivery.
type Rule struct {
	flag, title   string
	Comment, path string
	Command       sieve.If
}

// Marked is the mail that the rules are about. The zero value has none.
type Marked struct {
	released, spam headers.Any
	Folder         string // of spam; empty: it isn't filed
	Create         bool
}

// Add adds a gateway's markers.
func (m *Marked) Add(released, spam headers.Condition) {
	m.released, m.spam = condition.AddTo(m.released, released), condition.AddTo(m.spam, spam)
}

// Rules are the rules for delivery: release first, so that nothing after it
// runs, then spam. fileinto "INBOX" ends the whole sequence of scripts, which
// keep would not: after keep, Pigeonhole goes on with the next script.
func (m Marked) Rules(errs *fault.Errors, form Form) []Rule {
	var out []Rule
	add := func(r Rule, when headers.Predicate, path string, file sieve.FileInto) {
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
	if len(m.released) > 0 {
		add(Rule{flag: releasedFlag, title: "Released mail", Comment: ReleaseComment, path: "Gateway.Markers.Released"},
			condition.One(m.released), "Gateway.Markers.Released", sieve.FileInto{Mailbox: sieve.Inbox})
	}
	if len(m.spam) > 0 && m.Folder != "" {
		add(Rule{flag: spamFlag, title: "Spam", Comment: SpamComment, path: "Spam.Folder"},
			condition.One(m.spam), "Gateway.Markers.Spam", sieve.FileInto{Mailbox: m.Folder, Create: m.Create && form == InGlobal})
	}
	return out
}

// Managed are the rules for mailboxes' own scripts; what OX App Suite can't read
// goes into errs.
func (m Marked) Managed(errs *fault.Errors, gateway string, ox mailfilter.Generation) []mailfilter.Managed {
	empty, err := mailfilter.Parse("", nil)
	if err != nil {
		errs.Wrap("Sieve.Form", err, "leave it out")
		return nil
	}
	empty.OX = ox
	var out []mailfilter.Managed
	for _, r := range m.Rules(errs, InMailbox) {
		rule := mailfilter.Managed{Flag: flagPrefix(gateway) + r.flag, Name: r.title + " (" + gateway + ")", Command: r.Command}
		if _, err := empty.Upsert(rule); err != nil {
			errs.Wrap(r.path, fault.Both(err, headers.ErrNotExpressible), `use another condition, or Sieve.Form "global" or "tenant"`)
		}
		out = append(out, rule)
	}
	return out
}

// Flags are the flags that the rules of a gateway's name have.
func Flags(gateway string) []string {
	return []string{flagPrefix(gateway) + releasedFlag, flagPrefix(gateway) + spamFlag}
}

// flagPrefix: OX reads no 0 in flags.
func flagPrefix(gateway string) string { return strings.ReplaceAll(gateway, "0", "O") }

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
