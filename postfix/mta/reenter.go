package mta

import (
	"net/netip"
	"strconv"
	"strings"
)

// reenter follows a next hop that is a listener of this instance: mail goes out
// and comes in again, as from this machine. It reports false for every other.
func (w *Way) reenter(h hop, to string) bool {
	if !w.e.follow || h.nexthop == "" {
		return false
	}
	l := w.e.listening(h.nexthop)
	if l == nil {
		return false
	}
	offered := SMTPUTF8Missing
	if l.utf8.offered {
		offered = SMTPUTF8Offered
	}
	if !w.takesUTF8(h, h.nexthop, to, offered) {
		return true
	}
	host, port := cutPort(strings.TrimPrefix(h.nexthop, "inet:"))
	at, err := netip.ParseAddr(host)
	if err != nil {
		at = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if h.command == "smtp" && portOf(port) == 25 && contains(w.e.own, at) {
		w.step("smtp", w.rule, h.at, h.nexthop, "to this server itself")
		w.end(ActionBounce, "554", to, "5.4.6 mail for "+host+" loops back to myself")
		return true
	}
	w.step("smtp", w.rule, h.at, h.nexthop, "to a listener of this server")
	w.reinject(h, to, l, Origin{Service: l.name, Client: at})
	return true
}

// listening is the listener that a next hop on this machine leads to; nil: none.
func (e *Instance) listening(nexthop string) *listener {
	host, port := cutPort(strings.TrimPrefix(nexthop, "inet:"))
	at, err := netip.ParseAddr(host)
	if strings.EqualFold(host, "localhost") {
		at, err = netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	}
	own := contains(e.own, at) || at.IsLoopback() && contains(e.own, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	if err != nil || !own && !at.IsLoopback() {
		return nil
	}
	for _, l := range e.listeners {
		address, service := cutPort(l.name)
		if service == "" {
			address, service = "", l.name
		}
		if portOf(service) != portOf(port) || portOf(service) == 0 {
			continue
		}
		bound, err := netip.ParseAddr(address)
		if address == "" && own || err == nil && bound == at || strings.EqualFold(address, "localhost") && at.IsLoopback() {
			return l
		}
	}
	return nil
}

func contains(l []netip.Addr, a netip.Addr) bool {
	for _, b := range l {
		if a == b {
			return true
		}
	}
	return false
}

// cutPort takes "[host]:port" and "host:port" apart; without a port it is empty.
func cutPort(hop string) (host, port string) {
	if rest, ok := strings.CutPrefix(hop, "["); ok {
		host, rest, _ = strings.Cut(rest, "]")
		return strings.TrimPrefix(strings.ToLower(host), "ipv6:"), strings.TrimPrefix(rest, ":")
	}
	if i := strings.LastIndexByte(hop, ':'); i >= 0 {
		return hop[:i], hop[i+1:]
	}
	return hop, ""
}

// ports are the names that master.cf usually has for ports (services(5)).
var ports = map[string]int{"": 25, "smtp": 25, "mail": 25, "smtps": 465, "submissions": 465, "submission": 587, "ssmtp": 465, "urd": 465}

func portOf(service string) int {
	if n, ok := ports[service]; ok {
		return n
	}
	n, err := strconv.Atoi(service)
	if err != nil || n < 1 || n > 65535 {
		return 0
	}
	return n
}
