package relay

import "strings"

// toSmartHost is the transport to the gateway, which verifies whom it reaches.
// Several hosts are tried in order; the answer names the first, the way the
// others.
func (w *walk) toSmartHost(h hop, to string) {
	if w.rule == "" {
		w.rule = "Gateway.SmartHost"
	}
	first, others, _ := strings.Cut(h.nexthop, ",")
	end := func(rule, note, text string) {
		w.step("smtp", rule, h.at, first, note)
		for i, other := range w.e.fallback(others) {
			w.step("smtp", index("Gateway.SmartHost.Fallback", i), h.at, other, "likewise")
		}
		w.end(Defer, "450", to, text)
	}
	switch peer := w.m.SmartHost; {
	case peer == PeerUnverified:
		end(w.e.proof, "certificate not verified", "4.7.5 Server certificate not verified")
	case peer == PeerPlaintext:
		end("Gateway.SmartHost", "no TLS offered", "4.7.4 TLS is required, but was not offered by host")
	case peer == PeerDown:
		end("Gateway.SmartHost", "not reachable", "4.4.1 Connection refused")
	case peer == PeerNoLogin && w.e.login:
		end("Gateway.SmartHost.Auth", "no login", "4.7.0 SASL authentication failed")
	default:
		w.step("smtp", w.rule, h.at, first, "to the gateway")
		for i, other := range w.e.fallback(others) {
			w.step("smtp", index("Gateway.SmartHost.Fallback", i), h.at, other, "where those before can't take it")
		}
		w.end(Relay, first, to, "")
	}
}

// fallback splits the hosts behind the first.
func (e *evaluator) fallback(others string) []string {
	if others == "" {
		return nil
	}
	return strings.Split(others, ",")
}

// buildSmartHost takes over what decides about the way to the gateway.
func (c *compiler) buildSmartHost() {
	s := c.policy.Gateway.SmartHost
	e := &c.cfg.eval
	e.login = !s.Auth.isZero()
	switch s.level() {
	case LevelDANE:
		e.proof = "Gateway.SmartHost.Level"
	case LevelFingerprint:
		e.proof = "Gateway.SmartHost.Fingerprints"
	default:
		e.proof = "Gateway.SmartHost.TLSName"
	}
}
