// Package around writes what stands before Postfix: rules for the packet filter, and
// a load balancer's configuration.
package around

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/relay/policy"
)

// HAProxy are the sections of a policy's balancer, of one name, to be read beside
// its own configuration as a file of its own. The mark stands in the first line.
func HAProxy(p policy.Policy, name, file, mark string) []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# %s", mark)
	line("# Sections for HAProxy 2.4 or later, read behind its own configuration:")
	line("#   haproxy -f /etc/haproxy/haproxy.cfg -f %s", file)
	line("defaults %s", name)
	line("\tmode tcp")
	line("\tlog global")
	line("\toption tcplog")
	line("\toption dontlognull")
	line("\toption clitcpka")
	line("\toption srvtcpka")
	line("\ttimeout connect 30s")
	line("\t# RFC 5321 section 4.5.3.2: ten minutes for the end of the data, and more than")
	line("\t# that here, so that it is Postfix who ends a session.")
	line("\ttimeout client 11m")
	line("\ttimeout server 11m")
	line("\ttimeout check 10s")
	line("")
	line("frontend %s from %s", name, name)
	for _, a := range p.Balancer.Bind {
		line("\tbind %s", a)
	}
	if p.Inbound.Shared {
		line("\t# Others share the port; Postfix tells them apart (Inbound.Shared).")
	} else {
		for _, n := range slices.Concat(p.Gateway.Networks, p.Inbound.Allow) {
			line("\tacl gateway src %s", n)
		}
		line("\ttcp-request connection reject unless gateway")
	}
	line("\tdefault_backend %s", name)
	line("")
	line("backend %s from %s", name, name)
	line("\tbalance leastconn")
	line("\t# Greets and leaves once a minute; Postfix logs the connection, no warning.")
	host, _ := headers.ASCIIDomain(p.Inbound.Host) // EHLO takes no other spelling
	line("\toption smtpchk EHLO %s", host)
	line("\tdefault-server send-proxy-v2 check check-send-proxy inter 60s fastinter 10s downinter 10s rise 2 fall 3")
	for i, a := range p.Balancer.Servers {
		line("\tserver mx%d %s", i+1, a)
	}
	return b.Bytes()
}
