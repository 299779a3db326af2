package relay

import (
	"bytes"
	_ "embed" // the schema
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/fault"
	"github.com/oxmailroute/oxmailroute/relay/internal/condition"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// Exceptions are the conditions that keep mail off the gateway, for a product
// that has routing rules of its own: an OX connector module, a routing plug-in.
// Mail for which one of them holds is delivered by the recipient domain's MX, or
// stays where it is. In JSON the fields have the names of the Go type
// ([ExceptionsSchema]); [Exceptions.String] has them as sentences.
//
// Whose mail goes to the gateway at all is not said here: that is the rule's own
// condition, the senders in scope.
type Exceptions struct {
	// Gateway is its name, SmartHost where its mail goes, as transport(5) has it.
	Gateway   string
	SmartHost string
	// NullSender: mail with an empty return path. It is always true.
	NullSender bool
	// Domains are recipient domains that always go direct, in A-label and U-label
	// form; subdomains are not meant.
	Domains []string `json:",omitempty"`
	// Networks are the addresses the gateways connect from: what came from there
	// does not return. Empty with Loop.NoOrigin.
	Networks []netip.Prefix `json:",omitempty"`
	// Markers are conditions on the message's own header, which only count
	// where nobody but the gateway can have set it.
	Markers []headers.Condition `json:",omitempty"`
	// Reserved are the header fields that must be removed for that from mail
	// that is not the gateway's.
	Reserved []ReservedField `json:",omitempty"`
	// Content are conditions that anybody's mail may fulfil: calendaring.
	Content []headers.Condition `json:",omitempty"`
}

// ReservedField is a header field that only the gateway may set: one of Name and
// Prefix, the beginning of names.
type ReservedField struct {
	Name   string `json:",omitempty"`
	Prefix string `json:",omitempty"`
}

//go:embed exceptions.schema.json
var exceptionsSchema []byte

// ExceptionsSchema returns the JSON Schema (draft 2020-12) of [Exceptions].
func ExceptionsSchema() []byte { return bytes.Clone(exceptionsSchema) }

// Exceptions returns what keeps mail off each gateway, that of Policy.Gateway
// first.
func (c *Config) Exceptions() []Exceptions {
	if c == nil {
		c = new(Config)
	}
	out := make([]Exceptions, len(c.exceptions))
	for i, e := range c.exceptions {
		out[i] = e.clone()
	}
	return out
}

func (e Exceptions) clone() Exceptions {
	e.Domains, e.Networks, e.Reserved = slices.Clone(e.Domains), slices.Clone(e.Networks), slices.Clone(e.Reserved)
	e.Markers, e.Content = slices.Clone(e.Markers), slices.Clone(e.Content)
	for i := range e.Markers {
		e.Markers[i] = condition.Clone(e.Markers[i])
	}
	for i := range e.Content {
		e.Content[i] = condition.Clone(e.Content[i])
	}
	return e
}

// buildExceptions says what the tables say: each rule of them is a condition.
func (c *site) exceptions(g *gateway) Exceptions {
	p := g.policy
	e := Exceptions{Gateway: p.Gateway.Name, SmartHost: p.Gateway.SmartHost.NextHop(), NullSender: true}
	for _, d := range p.Direct {
		e.Domains = append(e.Domains, mailaddr.DomainKeys(d)...)
	}
	m := p.Gateway.Markers
	if m.Domain.Prefix != "" && p.Loop.AnyDomain {
		e.Markers = append(e.Markers, headers.When(headers.MatchPrefix{Prefix: m.Domain.Prefix, Op: headers.Is,
			Values: []string{m.Domain.Value}}))
	}
	for _, n := range g.markers {
		e.Markers = append(e.Markers, headers.When(headers.Match{Name: n.name, Op: headers.Is, Values: []string{m.Domain.Value}}))
	}
	e.Markers = append(e.Markers, m.Loop...)
	if m.Released.Predicate != nil {
		e.Markers = append(e.Markers, m.Released)
	}
	for _, r := range derived.AllReserved(p) {
		if r.Exact {
			e.Reserved = append(e.Reserved, ReservedField{Name: r.Prefix})
		} else {
			e.Reserved = append(e.Reserved, ReservedField{Prefix: r.Prefix})
		}
	}
	if c.origin() {
		// What one gateway has delivered goes to none of them again.
		for _, other := range c.gateways {
			e.Networks = append(e.Networks, other.policy.Gateway.Networks...)
		}
		e.Markers = append(e.Markers, headers.When(headers.Match{Name: p.OriginHeader(), Op: headers.Is, Values: []string{originValue}}))
		e.Reserved = append(e.Reserved, ReservedField{Name: p.OriginHeader()})
	}
	for _, r := range c.calendarTable() {
		e.Content = append(e.Content, headers.When(r.When))
	}
	return e.clone()
}

// UnmarshalJSON reads what json.Marshal writes. Unknown fields, text behind the
// end and conditions that [headers.Validate] refuses are errors that wrap
// [ErrInvalid].
func (e *Exceptions) UnmarshalJSON(data []byte) error {
	type plain Exceptions
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var read plain
	if err := d.Decode(&read); err != nil {
		return fmt.Errorf("%w: exceptions: %w", ErrInvalid, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: exceptions: something stands behind the end", ErrInvalid)
	}
	var keys map[string]json.RawMessage
	_ = json.Unmarshal(data, &keys) // it has been read once
	var errs Errors
	for _, name := range []string{"Gateway", "SmartHost", "NullSender"} {
		if _, ok := keys[name]; !ok {
			errs.Add(name, ErrInvalid, "write it", "it is missing")
		}
	}
	for i, r := range read.Reserved {
		if (r.Name == "") == (r.Prefix == "") || headers.Validate(headers.Exists{Name: r.Name + r.Prefix}) != nil {
			errs.Add(paths.Index("Reserved", i), ErrInvalid, "one of Name and Prefix, as header names are written", "%+v", r)
		}
	}
	for i, d := range read.Domains {
		if d == "" {
			errs.Add(paths.Index("Domains", i), ErrInvalid, "a domain", "it is empty")
		}
	}
	var wrong Errors
	if _, err := Exceptions(read).Matcher(); errors.As(err, &wrong) {
		errs = append(errs, wrong...)
	}
	if len(errs) > 0 {
		return errs
	}
	*e = Exceptions(read)
	return nil
}

// ExceptionMatcher answers whether one of the exceptions holds. It is immutable
// and safe for concurrent use.
type ExceptionMatcher struct {
	nullSender       bool
	domains          map[string]bool
	networks         []netip.Prefix
	markers, content *headers.Matcher
}

// Matcher prepares the exceptions for messages. Its error, an [Errors], names
// the conditions that can't be asked of a header as Postfix reads it.
func (e Exceptions) Matcher() (*ExceptionMatcher, error) {
	m := &ExceptionMatcher{nullSender: e.NullSender, domains: map[string]bool{}, networks: slices.Clone(e.Networks)}
	for _, d := range e.Domains {
		m.domains[mailaddr.Fold(d)] = true
	}
	var errs Errors
	compile := func(at string, list []headers.Condition) *headers.Matcher {
		any := make(headers.Any, 0, len(list))
		for i, c := range list {
			if err := headers.Validate(c.Predicate); err != nil {
				errs.Wrap(paths.Index(at, i), fault.Both(err, ErrInvalid), "a condition")
				continue
			}
			if _, err := headers.Compile(c.Predicate, headers.HeaderChecks); err != nil {
				errs.Wrap(paths.Index(at, i), fault.Both(err, ErrInvalid), "a condition on single header fields")
				continue
			}
			any = append(any, condition.ClonePredicate(c.Predicate))
		}
		if len(errs) > 0 {
			return nil
		}
		compiled, err := headers.Compile(any, headers.HeaderChecks)
		if err != nil {
			errs.Wrap(at, fault.Both(err, ErrInvalid), "conditions on single header fields")
		}
		return compiled
	}
	m.markers, m.content = compile("Markers", e.Markers), compile("Content", e.Content)
	if len(errs) > 0 {
		return nil, errs
	}
	return m, nil
}

// Match reports whether the message stays off the gateway. Markers count in
// mail of the gateway's listener, in what Sieve redirects (RoleReEntry) and in what
// comes back from a content filter (RoleReinjection); everybody else's, and those
// of mail that Sieve makes, are removed before they could be seen.
//
// Where Exceptions.Networks are known, mail of RoleGateway is the gateway's only if
// Origin.Client is one of its addresses: on a shared port others have that role
// too. Without them (Loop.NoOrigin), and for the other roles, which no address
// tells, Match believes the role: the caller must know that the message came in
// by that listener, and on RoleGateway that it came from the gateway.
func (m *ExceptionMatcher) Match(msg *Message) bool {
	if m == nil {
		m = new(ExceptionMatcher)
	}
	if msg == nil {
		return false
	}
	if msg.From == "" && m.nullSender {
		return true
	}
	if _, domain := mailaddr.Split(msg.To); m.domains[mailaddr.Fold(domain)] {
		return true
	}
	role := msg.Origin.Role
	if role == RoleGateway && mailaddr.InNetworks(m.networks, msg.Origin.Client) {
		return true
	}
	fields, body := headers.Scan(nil, msg.Raw, headers.HeaderChecks)
	trusted := role == RoleGateway && len(m.networks) == 0 || role == RoleReEntry || role == RoleReinjection
	return trusted && m.markers.Match(fields, nil) || m.content.Match(fields, body)
}

// String says the exceptions in plain English, for a product whose rules a
// person types in.
func (e Exceptions) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Mail does not go to %s, the smart host of %s, but to the MX of the recipient's domain, where one of these holds:\n\n",
		e.SmartHost, e.Gateway)
	n := 0
	item := func(format string, args ...any) {
		n++
		fmt.Fprintf(&b, "%3d. %s.\n", n, fmt.Sprintf(format, args...))
	}
	if e.NullSender {
		item("The return path is empty (envelope sender <>)")
	}
	for _, d := range e.Domains {
		item("The recipient's domain is %s", d)
	}
	for _, p := range e.Networks {
		item("The message came from the gateway itself, from an address in %s", p)
	}
	upper := func(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
	for _, c := range e.Content {
		item("%s", upper(headers.Sentence(c.Predicate)))
	}
	first := n + 1
	for _, c := range e.Markers {
		item("%s", upper(headers.Sentence(c.Predicate)))
	}
	if n >= first {
		fmt.Fprintf(&b, "\nConditions %d to %d are about markers, which anybody can write. Before they are asked, remove from all mail that "+
			"did not\ncome from the gateway:\n\n", first, n)
		for _, r := range e.Reserved {
			if r.Prefix != "" {
				fmt.Fprintf(&b, "  -  every header whose name begins with %s\n", r.Prefix)
			} else {
				fmt.Fprintf(&b, "  -  the header %s\n", r.Name)
			}
		}
	}
	return b.String()
}
