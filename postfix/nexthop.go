package postfix

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// NextHop is a delivery transport and where it delivers to, "transport:nexthop"
// (transport(5), the RESULT FORMAT section), for transports that speak SMTP or
// LMTP. It is comparable.
type NextHop struct {
	// Transport is the name of the service in master.cf. Where it is empty,
	// the transport of the address class is used.
	Transport string
	// Host is a host or domain name, an IP address, or for LMTP a socket
	// "unix:private/dovecot-lmtp". Where it is empty, the recipient's domain
	// is the next hop.
	Host string
	// Port is 0 for the transport's own (25 for smtp).
	Port uint16
	// MX asks for the mail exchangers of Host; otherwise Host itself is
	// connected to, which the text says by brackets. It is false for addresses
	// and sockets.
	MX bool
}

// ParseNextHop reads "conbool:[mail.conbool.com]:25", "smtp:", "smtp:example.com",
// "lmtp:unix:private/dovecot-lmtp", ":[10.0.0.1]". Ports have to be numbers; a
// list of next hops (Postfix 3.5) is an error. The error is ErrSyntax.
func ParseNextHop(s string) (NextHop, error) {
	bad := func(format string, args ...any) (NextHop, error) {
		return NextHop{}, fault.New(ErrSyntax, fmt.Sprintf("next hop %q: ", s)+fmt.Sprintf(format, args...))
	}
	transport, rest, _ := strings.Cut(s, ":")
	h := NextHop{Transport: transport}
	if transport != "" {
		if err := ValidTransport(transport); err != nil {
			return bad("%v", err)
		}
	}
	for i := 0; i < len(rest); i++ {
		if c := rest[i]; c <= ' ' || c == ',' || c == 0x7f {
			return bad("write one host, without white space")
		}
	}
	if path, ok := strings.CutPrefix(rest, "unix:"); ok {
		if path == "" {
			return bad("no socket after \"unix:\"")
		}
		h.Host = rest
		return h, nil
	}
	if rest == "" {
		return h, nil
	}
	port := ""
	if strings.HasPrefix(rest, "[") {
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			return bad("no \"]\"")
		}
		h.Host, port = rest[1:end], rest[end+1:]
		if port != "" && port[0] != ':' {
			return bad("want \":port\" after \"]\"")
		}
		port = strings.TrimPrefix(port, ":")
		if rest[end+1:] == ":" {
			return bad("no port after \":\"")
		}
	} else {
		h.MX = true
		var ok bool
		if h.Host, port, ok = strings.Cut(rest, ":"); ok && port == "" {
			return bad("no port after \":\"")
		}
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return bad("port %q: write a number from 1 to 65535", port)
		}
		h.Port = uint16(n)
	}
	if h.Host == "" || strings.ContainsAny(h.Host, "[]") {
		return bad("no host")
	}
	return h, nil
}

// Format is String for a next hop that is to be written: it refuses what
// Postfix would read as something else. The error is ErrIllegal.
func (h NextHop) Format() (string, error) {
	bad := func(format string, args ...any) (string, error) {
		return "", fault.New(ErrIllegal, fmt.Sprintf(format, args...))
	}
	text := h.String()
	switch back, err := ParseNextHop(text); {
	case err != nil:
		return bad("%v", err)
	case back != h:
		return bad("next hop %q would be read as %#v: MX is for a domain name only, a socket has no port, a port needs a host", text, back)
	}
	if _, err := netip.ParseAddr(strings.TrimPrefix(h.Host, "IPv6:")); err == nil && h.MX {
		return bad("next hop %q: an address has no MX", text)
	}
	return text, nil
}

// String writes "transport:nexthop" with brackets around the host unless MX is
// set. It doesn't check; see [NextHop.Format].
func (h NextHop) String() string {
	var b strings.Builder
	b.WriteString(h.Transport)
	b.WriteByte(':')
	switch {
	case h.Host == "":
	case h.MX || strings.HasPrefix(h.Host, "unix:"):
		b.WriteString(h.Host)
	default:
		b.WriteString("[" + h.Host + "]")
	}
	if h.Port != 0 {
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(int(h.Port)))
	}
	return b.String()
}

// Destination is String without the transport: what relayhost and smtp_tls_policy_maps
// know the next hop by.
func (h NextHop) Destination() string {
	return strings.TrimPrefix(NextHop{Host: h.Host, Port: h.Port, MX: h.MX}.String(), ":")
}
