package deploy

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// An inet service that can't be bound kills master(8) at the reload, and with it
// all of Postfix: a port that somebody else has, a name that no file of services
// has, a host that isn't found, an address of another machine. The trial's own
// instance has ports of its own and doesn't see it.

// endpoint is where an inet service listens.
type endpoint struct {
	at, name string
	hosts    []string // literal addresses, or names; "" is every one
	port     int
	fresh    bool // the live master.cf doesn't have it
}

// knownPorts are those that Postfix knows by itself (known_tcp_ports).
var knownPorts = map[string]int{"lmtp": 24, "smtp": 25, "smtps": 465, "submissions": 465, "submission": 587}

// ports looks at the inet services.
func (c *checker) ports(ctx context.Context, master *postfix.Master) {
	live := map[string]bool{}
	if data, _, err := c.t.ReadFile(strings.TrimPrefix(path.Join(c.o.Places.Postfix, "master.cf"), "/")); err == nil {
		if m, err := postfix.ParseMaster("master.cf", data); err == nil {
			for _, sv := range m.Services() {
				live[sv.Name+"/"+sv.Type] = true
			}
		}
	}
	interfaces, _ := c.base.Get("inet_interfaces")
	var all []endpoint
	for _, sv := range master.Services() {
		if sv.Type != "inet" {
			continue
		}
		e := endpoint{at: fmt.Sprintf("%s/master.cf:%d", c.o.Places.Postfix, sv.Line), name: sv.Name, fresh: !live[sv.Name+"/"+sv.Type]}
		host, port := "", sv.Name
		if i := strings.LastIndexByte(sv.Name, ':'); i >= 0 {
			host, port = strings.Trim(sv.Name[:i], "[]"), sv.Name[i+1:]
		}
		if e.port = c.portNumber(ctx, port); e.port == 0 {
			if e.fresh {
				c.refuse(e.at, "write the number", "the port %q of the service %s is known to nobody: master(8) would end", port, sv.Name)
			}
			continue
		}
		e.hosts = []string{host}
		if host == "" {
			e.hosts = interfaceHosts(interfaces)
		}
		all = append(all, e)
	}
	mine := c.addresses(ctx)
	for i, e := range all {
		for _, other := range all[:i] {
			if e.port == other.port && (e.fresh || other.fresh) && e.name != other.name && e.overlaps(other) {
				c.refuse(e.at, "delete one of them, or give it another port or address",
					"%s and %s are the same port: master(8) would end", other.name, e.name)
			}
		}
		if e.fresh {
			c.bindable(ctx, e, mine)
		}
	}
}

// bindable looks whether a new service could be bound.
func (c *checker) bindable(ctx context.Context, e endpoint, mine map[netip.Addr]bool) {
	for _, host := range e.hosts {
		ask := host
		if host == "" {
			ask = "127.0.0.1"
		} else if a, err := netip.ParseAddr(host); err == nil {
			if len(mine) > 0 && !mine[a.Unmap().WithZone("")] && !a.IsLoopback() && !a.IsUnspecified() {
				c.refuse(e.at, "write an address of this server",
					"%s is no address of this server, so that nobody can listen on %s: master(8) would end", host, e.name)
				continue
			}
		} else if out, err := c.look(ctx, "getent", "ahosts", host); err == nil && out.Status != 0 {
			c.refuse(e.at, "correct the name, or write the address", "the host %s of the service %s is not found: master(8) would end", host, e.name)
			continue
		}
		dial, cancel := context.WithTimeout(ctx, 2*time.Second)
		conn, err := c.t.Dial(dial, "tcp", net.JoinHostPort(ask, strconv.Itoa(e.port)))
		cancel()
		if err == nil {
			conn.Close()
			c.refuse(e.at, "choose another port (Server), or stop what has it",
				"somebody listens on %s already, so that Postfix can't: master(8) would end", net.JoinHostPort(ask, strconv.Itoa(e.port)))
		}
	}
}

// portNumber is 0 for a name that nobody knows.
func (c *checker) portNumber(ctx context.Context, port string) int {
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		return int(n)
	}
	if n, ok := knownPorts[port]; ok {
		return n
	}
	out, err := c.look(ctx, "getent", "services", port+"/tcp")
	if m := servicePort.FindSubmatch(out.Stdout); err == nil && m != nil {
		n, _ := strconv.Atoi(string(m[1]))
		return n
	}
	return 0
}

var servicePort = regexp.MustCompile(`\s(\d+)/tcp`)

// interfaceHosts are the addresses of services without a host.
func interfaceHosts(value string) []string {
	var out []string
	for _, w := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t,", r) }) {
		switch w {
		case "all":
			return []string{""}
		case "loopback-only":
			out = append(out, "127.0.0.1", "::1")
		default:
			out = append(out, strings.Trim(w, "[]"))
		}
	}
	return out
}

func (e endpoint) overlaps(other endpoint) bool {
	every := func(h string) bool { return h == "" || h == "0.0.0.0" || h == "::" }
	return slices.ContainsFunc(e.hosts, func(h string) bool {
		return every(h) || slices.Contains(other.hosts, h) || slices.ContainsFunc(other.hosts, every)
	})
}

// addresses are the server's own; nil where that isn't known, or where it may
// listen on others (ip(7)).
func (c *checker) addresses(ctx context.Context) map[netip.Addr]bool {
	if out, err := c.look(ctx, "cat", "/proc/sys/net/ipv4/ip_nonlocal_bind"); err == nil && strings.TrimSpace(string(out.Stdout)) == "1" {
		return nil
	}
	out, err := c.look(ctx, "ip", "-o", "addr", "show")
	if err != nil || out.Status != 0 {
		return nil
	}
	mine := map[netip.Addr]bool{}
	for _, m := range interfaceAddress.FindAllStringSubmatch(string(out.Stdout), -1) {
		if a, err := netip.ParseAddr(m[1]); err == nil {
			mine[a] = true
		}
	}
	return mine
}

var interfaceAddress = regexp.MustCompile(`\sinet6? ([0-9a-fA-F:.]+)`)

// services looks whether master.cf has what settings name: a transport, without
// which mail waits until it is too old, or one of Postfix's own services, without
// which none is taken.
func (c *checker) services(master *postfix.Master, s postfix.Settings, at string, p postfix.Param) {
	value, err := s.Get(p.Name)
	if err != nil || value == "" {
		return
	}
	switch {
	case strings.HasSuffix(p.Name, "_service_name"):
		row, known := postfix.LookupParameter(p.Name)
		if v, _ := row.Default(s.Release); !known || v == value || strings.Contains(value, ":") {
			return
		}
		if !hasService(master, value) {
			c.refuse(at+": "+p.Name, "name one that is there, or remove the setting", "master.cf has no service %q", value)
		}
	case transportSetting.MatchString(p.Name):
		name, _, _ := strings.Cut(value, ":")
		if name != "" && !hasService(master, name) {
			c.refuse(at+": "+p.Name, "name one that is there, or add it to master.cf", "master.cf has no transport %q: mail would wait", name)
		}
	}
}

// transportSetting matches settings whose value is "transport:nexthop".
var transportSetting = regexp.MustCompile(`^(content_filter|best_mx_transport|fallback_transport|mailbox_transport|` +
	`(address_verify_)?(default|local|relay|virtual)_transport)$`)

func hasService(master *postfix.Master, name string) bool {
	return slices.ContainsFunc(master.Services(), func(sv postfix.Service) bool { return sv.Name == name && sv.Type != "inet" })
}
