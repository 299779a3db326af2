package policy

import "github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"

// InASCII spells the hosts that mail is sent to, and this server's own name, with
// A-labels, which DNS and certificates have. Postfix would translate U-labels
// itself, but only with smtputf8_enable, not in the case in which they are
// written, and with a warning for each message where smtp_tls_policy_maps is
// asked for a next hop with a port; and the password of a smart host is looked up
// by the name as it is written. Domains of senders and recipients are keys that
// are compared with addresses, and stay in both spellings.
func (p Policy) InASCII() Policy {
	p.Gateway.SmartHost = p.Gateway.SmartHost.inASCII()
	for i := range p.Further {
		p.Further[i].SmartHost = p.Further[i].SmartHost.inASCII()
	}
	p.Server.Hostname = mailaddr.AsciiHost(p.Server.Hostname)
	p.DirectVia = mailaddr.AsciiHop(p.DirectVia)
	for i := range p.Tenants {
		p.Tenants[i].Store = mailaddr.AsciiHop(p.Tenants[i].Store)
	}
	return p
}

func (s SmartHost) inASCII() SmartHost {
	s.Host, s.TLSName = mailaddr.AsciiHost(s.Host), mailaddr.AsciiHost(s.TLSName)
	for i := range s.Fallback {
		f := &s.Fallback[i]
		f.Host, f.TLSName = mailaddr.AsciiHost(f.Host), mailaddr.AsciiHost(f.TLSName)
	}
	return s
}
