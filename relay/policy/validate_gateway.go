package policy

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/condition"
	"github.com/oxmailroute/oxmailroute/relay/internal/fixed"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

func (v *validator) gateway(at string, g Gateway, p Policy) {
	switch {
	case g.Name == "":
		v.errs.Required(at+".Name", "a short lower-case word, such as \"conbool\"")
	case !fixed.GatewayName.MatchString(g.Name):
		v.errs.Add(at+".Name", ErrInvalid, "a lower-case letter, then up to 15 lower-case letters or digits", "%q", g.Name)
	case postfixServices[g.Name]:
		v.errs.Add(at+".Name", ErrConflict, "choose another", "%q is a name of Postfix's own", g.Name)
	}
	v.smartHost(at+".SmartHost", g.SmartHost, p)
	if len(g.Networks) == 0 {
		v.errs.Required(at+".Networks", "list the addresses that the gateway connects from")
	}
	v.networks(at+".Networks", g.Networks, "the gateway's own networks")
	v.client(at+".Client", g.Client)
	if len(g.Client.Names) > 0 && g.ClientCAFile() == "" {
		v.errs.Required(at+".Client.CAFile", "the file with the authorities that issue the gateway's client certificate")
	}
	v.markers(at+".Markers", g.Markers, p)
}

// postfixServices are names that a generated transport would shadow.
var postfixServices = map[string]bool{
	"smtp": true, "smtps": true, "submission": true, "submissions": true, "pickup": true, "cleanup": true, "qmgr": true,
	"tlsmgr": true, "rewrite": true, "bounce": true, "defer": true, "trace": true, "verify": true, "flush": true,
	"proxymap": true, "proxywrite": true, "relay": true, "showq": true, "error": true, "retry": true, "discard": true,
	"local": true, "virtual": true, "lmtp": true, "anvil": true, "scache": true, "postlog": true, "maildrop": true,
	"uucp": true, "smtpd": true, "dnsblog": true, "tlsproxy": true, "direct": true,
	// Its parameters would be those of all transports (default_destination_rate_delay).
	"default": true,
}

func (v *validator) client(at string, c ClientCertificate) {
	if len(c.Names) > 0 && len(c.Fingerprints) > 0 {
		v.errs.Add(at, headers.ErrNotExpressible, "give names or fingerprints",
			"smtpd checks fingerprints and cleanup names, so that one of the two would always refuse what only the other allows")
	}
	for i, n := range c.Names {
		if !commonName.MatchString(n) {
			v.errs.Add(paths.Index(at+".Names", i), ErrInvalid, "letters, digits, dots, dashes and spaces", "%q", n)
		}
	}
	for i, f := range c.Fingerprints {
		v.fingerprint(paths.Index(at+".Fingerprints", i), f)
	}
	if c.CAFile != "" {
		v.file(at+".CAFile", c.CAFile, "")
	}
}

func (v *validator) condition(at string, c headers.Condition) {
	if c.Predicate == nil {
		return
	}
	err := headers.Validate(c.Predicate)
	if err == nil {
		return
	}
	if list, ok := err.(headers.Errors); ok {
		for _, e := range list {
			sub := at
			if e.Path != "" {
				sub += "." + e.Path
			}
			v.errs.Wrap(sub, e.Err, e.Fix)
		}
		return
	}
	v.errs.Wrap(at, err, "")
}

func (v *validator) markers(at string, m Markers, p Policy) {
	for _, r := range reservedOf(Gateway{Markers: m}, strings.TrimSuffix(at, ".Markers")) {
		if other := commonHeader(r); other != "" {
			v.errs.Add(r.Path, ErrInvalid, "name the gateway's own header", "%q would remove %s from everybody's mail", r.Prefix, other)
		}
	}
	d := m.Domain
	if (d.Prefix == "") != (d.Value == "") {
		v.errs.Required(at+".Domain", "give Prefix and Value, or neither")
	} else if d.Prefix != "" {
		before := len(v.errs)
		v.condition(at+".Domain", headers.When(headers.MatchPrefix{Prefix: d.Prefix, Op: headers.Is, Values: []string{d.Value}}))
		for _, e := range v.errs[before:] {
			e.Path = strings.Replace(e.Path, ".Domain.Values[0]", ".Domain.Value", 1)
		}
	}
	for i, c := range m.Loop {
		if c.Predicate == nil {
			v.errs.Required(paths.Index(at+".Loop", i), "a condition")
		}
		v.lineCondition(paths.Index(at+".Loop", i), c)
	}
	v.lineCondition(at+".Released", m.Released)
	v.lineCondition(at+".Spam", m.Spam)
	// The origin header alone ends loops through the generated listeners.
	own := !p.Loop.NoOrigin && (p.Topology == TopologyMailboxes || p.Topology == TopologyStore)
	if d.Prefix == "" && len(m.Loop) == 0 && !own {
		v.errs.Required(at, "a loop marker: Domain, or one in Loop; or leave the origin header on, in topology \"mailboxes\" or \"store\"")
	}
	for i, r := range m.Reserved {
		if err := headers.Validate(headers.Exists{Name: strings.TrimSuffix(r, "-")}); err != nil {
			v.errs.Add(paths.Index(at+".Reserved", i), ErrInvalid, "the beginning of a header name, such as \"X-Conbool-\"", "%q", r)
		}
	}
}

// lineCondition is a condition that header_checks must be able to say.
func (v *validator) lineCondition(at string, c headers.Condition) {
	before := len(v.errs)
	v.condition(at, c)
	if c.Predicate == nil || len(v.errs) > before {
		return
	}
	if _, err := postfix.PatternsFor(c.Predicate); err != nil {
		v.errs.Wrap(at, err, "name one header field, or several with Any")
	}
	if len(condition.FieldNames(c.Predicate)) == 0 {
		v.errs.Add(at, ErrInvalid, "name the gateway's own header",
			"a marker must be a header field that can be removed from other people's mail")
	}
}

// commonHeaders are fields that all mail has or may have (RFC 5322, RFC 2045
// and the usual ones beside them), those among them that Dovecot writes: what has
// no X-Sieve is not sorted (package relay, emit_reentry.go).
var commonHeaders = []string{
	"Date", "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Message-ID", "In-Reply-To", "References", "Subject", "Comments", "Keywords",
	"Resent-From", "Resent-To", "Resent-Date", "Resent-Message-ID", "Return-Path", "Received", "MIME-Version", "Content-Type",
	"Content-Transfer-Encoding", "Content-Disposition", "Content-ID", "Content-Description", "Content-Language", "DKIM-Signature",
	"ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results", "Authentication-Results", "Received-SPF", "Auto-Submitted", "List-ID",
	"List-Unsubscribe", "List-Post", "Precedence", "Importance", "User-Agent", "Organization", "Delivered-To", "X-Mailer", "X-Priority",
	"X-Original-To", "X-Sieve", "X-Sieve-Redirected-From",
}

// commonHeader returns a field that everybody uses and that r would take away.
func commonHeader(r condition.Reserved) string {
	for _, h := range commonHeaders {
		if r.Exact && strings.EqualFold(r.Prefix, h) ||
			!r.Exact && len(r.Prefix) <= len(h) && strings.EqualFold(h[:len(r.Prefix)], r.Prefix) {
			return h
		}
	}
	if short := strings.Trim(strings.ToLower(r.Prefix), "x-"); !r.Exact && len(short) < 3 {
		return "other people's headers"
	}
	return ""
}
