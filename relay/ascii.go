package relay

import (
	"strings"
	"unicode/utf8"

	"github.com/oxmailroute/oxmailroute/headers"
)

// inASCII spells the hosts that mail is sent to, and this server's own name, with
// A-labels, which DNS and certificates have. Postfix would translate U-labels
// itself, but only with smtputf8_enable, not in the case in which they are
// written, and with a warning for each message where smtp_tls_policy_maps is
// asked for a next hop with a port; and the password of a smart host is looked up
// by the name as it is written. Domains of senders and recipients are keys that
// are compared with addresses, and stay in both spellings.
func (p Policy) inASCII() Policy {
	p.Gateway.SmartHost = p.Gateway.SmartHost.inASCII()
	for i := range p.Further {
		p.Further[i].SmartHost = p.Further[i].SmartHost.inASCII()
	}
	p.Server.Hostname = asciiHost(p.Server.Hostname)
	p.DirectVia = asciiHop(p.DirectVia)
	for i := range p.Tenants {
		p.Tenants[i].Store = asciiHop(p.Tenants[i].Store)
	}
	return p
}

func (s SmartHost) inASCII() SmartHost {
	s.Host, s.TLSName = asciiHost(s.Host), asciiHost(s.TLSName)
	for i := range s.Fallback {
		f := &s.Fallback[i]
		f.Host, f.TLSName = asciiHost(f.Host), asciiHost(f.TLSName)
	}
	return s
}

// asciiHost leaves names in ASCII as they are, and those that are no names.
func asciiHost(host string) string {
	if !beyondASCII(host) {
		return host
	}
	ascii, err := headers.ASCIIDomain(host)
	if err != nil {
		return host
	}
	return ascii
}

func beyondASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0
}

// asciiHop is a next hop with its host in ASCII: all but the host is.
func asciiHop(hop string) string {
	if !beyondASCII(hop) {
		return hop
	}
	host, rest := strings.TrimPrefix(hop, "["), ""
	if i := strings.IndexAny(host, "]:"); i >= 0 {
		host, rest = host[:i], host[i:]
	}
	return hop[:strings.Index(hop, host)] + asciiHost(host) + rest
}
