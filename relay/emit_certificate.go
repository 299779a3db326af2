package relay

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
	"github.com/oxmailroute/oxmailroute/relay/internal/tracepattern"
)

// certNameTable checks the client certificate's name in the Received: line that
// smtpd(8) writes for the gateway's listener, which is recognized by its
// private mail_name; no access restriction of Postfix can compare names.
// Anchored from end to end, because certificate and issuer names are chosen by
// the client.
func (c task) certNameTable(g *gateway) postfix.CheckTable {
	names := g.policy.Gateway.Client.Names
	if len(names) == 0 {
		return nil
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = strings.NewReplacer(".", `\.`, "*", `\*`).Replace(n)
	}
	cn := quoted[0]
	if len(quoted) > 1 {
		cn = "(" + strings.Join(quoted, "|") + ")"
	}
	right := `^Received: from [^[:space:]]+ \([^()]*\)[[:space:]]+\(using TLS[^()]*( \([^()]*\)[^()]*)*\)[[:space:]]+` +
		`\(Client CN "` + cn + `", Issuer "[^"()]*" \(verified OK\)\)[[:space:]]+by `
	const received = "^Received:"
	ours := `\(` + g.names.mailName + `\) (with|id) `
	refuse := postfix.Reject{Text: "5.7.1 client certificate " + strings.Join(names, " or ") + " required"}
	if g.policy.Inbound.Shared {
		return c.sharedCertificate(g, []postfix.CheckGuard{{Regexp: received}, {Regexp: ours}, {Regexp: right, Negate: true}}, refuse)
	}
	return postfix.CheckTable{{
		Guards: []postfix.CheckGuard{{Regexp: received}},
		Guard:  ours,
		Negate: true,
		Regexp: right,
		Action: refuse,
		Rule:   "Gateway.Client.Names",
	}}
}

// sharedCertificate is the check of the certificate's name on a listener that
// others use, too: it is asked of those alone whose address is the gateway's,
// as smtpd(8) writes it into its own line. The HELO name before it can have no
// space and no parenthesis (smtpd(8) replaces them), the host's name in front of
// the address neither (valid_hostname), so that both are where they are looked
// for.
func (c task) sharedCertificate(g *gateway, guards []postfix.CheckGuard, refuse postfix.CheckAction) postfix.CheckTable {
	const client = `^Received: from [^[:space:]]+ \([^()]* \[`
	var t postfix.CheckTable
	for i, n := range g.policy.Gateway.Networks {
		at := paths.Index("Gateway.Networks", i)
		pattern, err := tracepattern.Network(n)
		if err != nil {
			c.errs.Add(at, headers.ErrNotExpressible,
				"use Gateway.Client.Fingerprints, a network in another form, or a listener for the gateway alone (Inbound.Shared)",
				"%s: %v, and on a shared listener the certificate's name is checked by the client's address in that line", n, err)
			continue
		}
		t = append(t, postfix.CheckRule{Guards: guards, Regexp: client + pattern + `\]\)`, Action: refuse, Rule: "Gateway.Client.Names"})
	}
	return append(t, postfix.CheckRule{
		Guards: guards, Negate: true, Regexp: client + `(IPv6:)?[0-9A-Fa-f:.]+\]\)`,
		Action: postfix.Reject{Text: "5.7.1 the client's address can't be read in the trace line"}, Rule: "Gateway.Client.Names",
	})
}
