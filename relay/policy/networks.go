package policy

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// Bounds of a list of networks, beyond which it would say "everybody" in other
// words: two halves of the Internet, or all of it in eighths. A /8 of IPv4 is the
// largest network that is anybody's, and hardly anybody has more than a /16 of
// IPv6, so a shorter prefix is a slip or a stand-in for all. In union a list may
// cover sixteen such IPv4 networks, or eight such IPv6 networks, which is more than
// anything that connects to one mail server needs. A region of the world has
// hardly more than a /12 of IPv6, so more would soon be everybody.
const (
	shortestIPv4, shortestIPv6 = 8, 16 // of a prefix
	widestIPv4, widestIPv6     = 4, 13 // of all prefixes in union
)

// private are IPv6 networks shorter than that which nobody comes from outside
// with: unique local (RFC 4193) and link-local addresses (RFC 4291).
var private = []netip.Prefix{netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10")}

// embedding are the IPv6 networks that have IPv4 addresses in them, from bit at
// on: IPv4-compatible, IPv4-mapped (RFC 4291), IPv4-translated (RFC 2765), NAT64
// (RFC 6052, RFC 8215) and 6to4 (RFC 3056). What is large there is large in IPv4.
var embedding = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("::/96"), 96},
	{netip.MustParsePrefix("::ffff:0:0/96"), 96},
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 96},
	{netip.MustParsePrefix("64:ff9b::/96"), 96},
	{netip.MustParsePrefix("64:ff9b:1::/48"), 96},
	{netip.MustParsePrefix("2002::/16"), 16},
}

// embedded returns the network of embedded IPv4 addresses that an IPv6 network
// has something of, and the IPv4 network that it is; the latter is not valid
// where it is larger than any may be.
func embedded(n netip.Prefix) (in, four netip.Prefix) {
	for _, e := range embedding {
		if !e.prefix.Overlaps(n) {
			continue
		}
		if n.Bits() < e.at+shortestIPv4 {
			return e.prefix, netip.Prefix{}
		}
		b, from := n.Addr().As16(), e.at/8
		return e.prefix, netip.PrefixFrom(netip.AddrFrom4([4]byte(b[from:from+4])), min(n.Bits()-e.at, 32))
	}
	return netip.Prefix{}, netip.Prefix{}
}

func isPrivate(n netip.Prefix) bool {
	return slices.ContainsFunc(private, func(p netip.Prefix) bool { return p.Bits() <= n.Bits() && p.Contains(n.Addr()) })
}

// networks checks a list of networks; whose says what belongs there.
func (v *validator) networks(path string, nets []netip.Prefix, whose string) {
	seen := map[netip.Prefix]int{}
	var four, six []netip.Prefix
	for i, n := range nets {
		at := paths.Index(path, i)
		var in, inside netip.Prefix
		if n.IsValid() && n.Addr().Is6() {
			in, inside = embedded(n)
		}
		shortest := shortestIPv4
		if n.Addr().Is6() {
			shortest = shortestIPv6
		}
		switch {
		case !n.IsValid():
			v.errs.Add(at, ErrInvalid, "write address/length", "not a network")
		case n.Addr().Is4In6():
			v.errs.Add(at, ErrInvalid, "write it as an IPv4 network", "%s is an IPv4 network in IPv6 form", n)
		case n.Masked() != n:
			v.errs.Add(at, ErrInvalid, "write "+n.Masked().String(), "%s has host bits set", n)
		case n.Bits() == 0:
			v.errs.Add(at, ErrInvalid, "list "+whose, "%s is everybody", n)
		case n.Bits() < shortest && !isPrivate(n):
			v.errs.Add(at, ErrInvalid, "list "+whose, "%s is too large for anybody's network: the shortest prefix is /%d", n, shortest)
		case in.IsValid() && !inside.IsValid():
			v.errs.Add(at, ErrInvalid, "list "+whose, "%s has IPv4 addresses in it (%s), and more than a /%d of them: nearly everybody", n, in,
				shortestIPv4)
		default:
			if j, dup := seen[n]; dup {
				v.errs.Add(at, ErrDuplicate, "remove it", "%s stands at %s already", n, paths.Index(path, j))
			}
			seen[n] = i
			if n.Addr().Is4() {
				four = append(four, n)
			} else if inside.IsValid() {
				four = append(four, inside)
			} else if !isPrivate(n) {
				six = append(six, n)
			}
		}
	}
	for _, f := range []struct {
		name   string
		nets   []netip.Prefix
		widest int
	}{{"IPv4", four, widestIPv4}, {"IPv6", six, widestIPv6}} {
		if width(f.nets) > 1<<(63-f.widest) {
			v.errs.Add(path, ErrInvalid, "list "+whose, "the networks together cover more than a /%d of %s: nearly everybody is in them", f.widest,
				f.name)
		}
	}
}

// width is how much of their address family networks cover in union, where all
// of it is 2^63; a network longer than /63 counts as one of them.
func width(nets []netip.Prefix) uint64 {
	nets = slices.Clone(nets)
	slices.SortFunc(nets, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	var sum uint64
	last := netip.Prefix{}
	for _, n := range nets {
		if last.IsValid() && last.Contains(n.Addr()) {
			continue // a network holds another or has nothing in common with it
		}
		last = n
		sum += 1 << (63 - min(n.Bits(), 63))
	}
	return sum
}
