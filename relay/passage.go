package relay

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// passage is the way to a gateway and from it: the agent of the transport to its
// smart host.
type passage struct {
	smartHost string // transport to the smart host
	login     bool   // which is logged in to
	origin    Origin // what the gateway looks like as a client
	// certNames are the client certificate names that certAt's rule lets in.
	certNames []string
	certAt    place
	certText  string
	// shared says that only clients of the networks are asked for it, each by a
	// rule of its own, so many lines behind the first one.
	shared    bool
	networks  []netip.Prefix
	certLines []int
	// Paths of the policy's values.
	hostRule, proofRule, loginRule, certRule string
	fallbackRules                            []string
}

// buildPassage reads the current gateway's, and the way into its second pass.
func (c *evaluator) buildPassage(g *gateway, o *mta.Options) *passage {
	gate := g.policy.Gateway
	p := &passage{
		smartHost: g.names.smartHost, login: !gate.SmartHost.Auth.IsZero(), origin: originOf(gate),
		hostRule: g.rule("Gateway.SmartHost"), loginRule: g.rule("Gateway.SmartHost.Auth"), certRule: g.rule("Gateway.Client.Names"),
	}
	switch gate.SmartHost.EffectiveLevel() {
	case LevelDANE:
		p.proofRule = g.rule("Gateway.SmartHost.Level")
	case LevelFingerprint:
		p.proofRule = g.rule("Gateway.SmartHost.Fingerprints")
	default:
		p.proofRule = g.rule("Gateway.SmartHost.TLSName")
	}
	for i := range gate.SmartHost.Fallback {
		p.fallbackRules = append(p.fallbackRules, g.rule(paths.Index("Gateway.SmartHost.Fallback", i)))
	}
	transport, nexthop, _ := strings.Cut(g.hop(), ":")
	o.Passes = append(o.Passes, mta.Pass{
		Kind: mta.PassRouted, Transport: transport, NextHop: nexthop, Service: g.policy.SecondPass().String(),
		Stage: "second pass", Rule: p.hostRule, Note: "nothing keeps it off the gateway", FilteredNote: "past the gateway",
	})
	if g.policy.Topology != TopologyOutbound {
		c.buildCertificate(g, p)
	}
	return p
}

// buildCertificate takes over the rule on the Received: line. Route compares
// names instead of running the expression over a line that it would have to
// make up; the tests hold the two together with real certificates.
func (c *evaluator) buildCertificate(g *gateway, p *passage) {
	if len(g.policy.Gateway.Client.Names) == 0 {
		return
	}
	t := c.certNameTable(g)
	p.certNames, p.shared, p.networks = g.policy.Gateway.Client.Names, g.policy.Inbound.Shared, g.policy.Gateway.Networks
	p.certAt = place{"postfix/" + g.names.certName, 0}
	if lines, err := t.Lines(); err == nil && len(lines) > 0 {
		p.certAt.line = lines[0] + 1 // behind the managed-file comment
		for _, l := range lines {
			p.certLines = append(p.certLines, l-lines[0])
		}
	}
	if r, ok := t[0].Action.(postfix.Reject); ok {
		p.certText = r.Text
	}
}

// certificateLine is the check of the client certificate's name, which cleanup
// makes on the Received: line that smtpd writes. The line itself depends on the
// clock and the queue; its certificate part is what the rule looks at.
func (c *Config) certificateLine(w *mta.Way) bool {
	o := w.Origin()
	d := c.named(o.Service)
	if d == nil || d.role != RoleGateway {
		return true
	}
	p := c.passages[d.gateway]
	if len(p.certNames) == 0 {
		return true
	}
	at := p.certAt
	if p.shared {
		i := slices.IndexFunc(p.networks, func(n netip.Prefix) bool { return n.Contains(o.Client.Unmap()) })
		if i < 0 {
			return true // others show no certificate
		}
		at.line += p.certLines[i]
	}
	if o.TLS == TLSEncrypted && o.Certificate.Verified {
		for _, n := range p.certNames {
			if strings.EqualFold(n, o.Certificate.Name) {
				step(w, "cleanup", p.certRule, at, o.Certificate.Name, "client certificate verified")
				return true
			}
		}
	}
	step(w, "cleanup", p.certRule, at, o.Certificate.Name, "client certificate not the gateway's")
	w.SetRule(p.certRule)
	w.End(ActionReject, TargetReply("550"), w.To(), p.certText)
	return false
}

// step adds a step to the trace of a way.
func step(w *mta.Way, stage, rule string, at place, input, note string) {
	w.Step(Step{Stage: stage, Rule: rule, File: at.file, Line: at.line, Input: input, Note: note})
}

// Reached reports whether the smart host answers.
func (p *passage) Reached(w *mta.Way) bool { return passingBy(w).m.SmartHost != PeerDown }

// Deliver is the transport to a gateway, which verifies whom it reaches.
// Several hosts are tried in order; the answer names the first, the way the
// others.
func (p *passage) Deliver(w *mta.Way, h mta.Hop, to string) {
	if w.Rule() == "" {
		w.SetRule(p.hostRule)
	}
	at := place{h.File, h.Line}
	first, others, _ := strings.Cut(h.NextHop, ",")
	fallback := func(note string) {
		for _, rule := range p.fallbackRules {
			var other string
			other, others, _ = strings.Cut(others, ",")
			step(w, "smtp", rule, at, other, note)
		}
	}
	end := func(rule, note, text string) {
		step(w, "smtp", rule, at, first, note)
		fallback("likewise")
		w.End(ActionDefer, TargetReply("450"), to, text)
	}
	switch peer := passingBy(w).m.SmartHost; {
	case peer == PeerUnverified:
		end(p.proofRule, "certificate not verified", "4.7.5 Server certificate not verified")
	case peer == PeerPlaintext:
		end(p.hostRule, "no TLS offered", "4.7.4 TLS is required, but was not offered by host")
	case peer == PeerDown:
		end(p.hostRule, "not reachable", "4.4.1 Connection refused")
	case peer == PeerNoLogin && p.login:
		end(p.loginRule, "no login", "4.7.0 SASL authentication failed")
	default:
		step(w, "smtp", w.Rule(), at, first, "to the gateway")
		fallback("where those before can't take it")
		w.End(ActionRelay, TargetNextHop(first), to, "")
	}
}

// originOf is what the gateway looks like as a client.
func originOf(g Gateway) Origin {
	o := Origin{Role: RoleGateway, Client: g.Networks[0].Addr(), TLS: TLSEncrypted}
	if o.Client == g.Networks[0].Masked().Addr() && g.Networks[0].Bits() < o.Client.BitLen()-1 {
		o.Client = o.Client.Next() // the first host, not the network itself
	}
	switch {
	case len(g.Client.Names) > 0:
		o.Certificate = Certificate{Name: g.Client.Names[0], Verified: true}
	case len(g.Client.Fingerprints) > 0:
		o.Certificate = Certificate{Fingerprint: strings.ToUpper(g.Client.Fingerprints[0])}
	}
	return o
}
