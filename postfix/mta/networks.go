package mta

import (
	"net/netip"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// networks is a list of client networks as mynetworks has it: addresses, networks,
// tables and files, in their order; the first that matches counts.
type networks struct {
	items    []networkItem
	prefixes []netip.Prefix // those that are written as such, and not taken out
}

type networkItem struct {
	not    bool
	prefix netip.Prefix
	table  postfix.Map
	cidr   postfix.CIDRTable
}

// networks reads mynetworks as a service sees it, as far as it can be known.
func (c *Configuration) networks(s Settings) (n networks) {
	if !s.Set("mynetworks") {
		n.prefixes, _ = c.Networks(s)
		for _, p := range n.prefixes {
			n.items = append(n.items, networkItem{prefix: p})
		}
		return n
	}
	c.networkItems(&n, s.Value("mynetworks"), false, 0)
	return n
}

func (c *Configuration) networkItems(n *networks, value string, negated bool, depth int) {
	words, err := postfix.ParseMaps(value)
	if err != nil {
		return
	}
	for _, w := range words {
		e, not := w.Name, negated
		if w.Type != "" {
			e = w.String()
		}
		for strings.HasPrefix(e, "!") {
			not, e = !not, e[1:]
		}
		plain := strings.NewReplacer("[", "", "]", "").Replace(e)
		if p, err := netip.ParsePrefix(plain); err == nil {
			n.add(networkItem{not: not, prefix: p.Masked()})
			continue
		}
		if a, err := netip.ParseAddr(plain); err == nil {
			n.add(networkItem{not: not, prefix: netip.PrefixFrom(a, a.BitLen())})
			continue
		}
		kind, name, isTable := strings.Cut(e, ":")
		switch {
		case strings.HasPrefix(e, "/") && depth <= 10:
			if file, inside := c.FileName(e); inside {
				if text, ok := c.stock(file); ok {
					c.networkItems(n, uncommented(string(text)), not, depth+1)
				}
			}
		case isTable && kind == "cidr":
			if file, text, ok := c.cidrText(postfix.MapSpec{Type: kind, Name: name}); ok {
				table, warnings := postfix.ParseCIDR(file, text)
				c.tableWarnings(warnings)
				n.add(networkItem{not: not, cidr: table})
			}
		case isTable:
			if src, ok := c.Table(postfix.MapSpec{Type: kind, Name: name}); ok {
				n.add(networkItem{not: not, table: src.Table})
			}
		}
	}
}

// cidrText is the text of a cidr: table, in a file or in the setting.
func (c *Configuration) cidrText(spec postfix.MapSpec) (name string, text []byte, ok bool) {
	name, inside, text, ok := c.checkText(spec)
	return name, text, inside && ok
}

func (n *networks) add(item networkItem) {
	n.items = append(n.items, item)
	if item.prefix.IsValid() && !item.not {
		n.prefixes = append(n.prefixes, item.prefix)
	}
}

// has reports whether a client is in the list.
func (n *networks) has(a netip.Addr) bool {
	if a = a.Unmap().WithZone(""); !a.IsValid() {
		return false
	}
	for i := range n.items {
		item := &n.items[i]
		match := item.prefix.IsValid() && item.prefix.Contains(a)
		if item.table != nil {
			_, match, _ = item.table.Lookup(a.String()) // one that is down has nobody
		} else if item.cidr != nil {
			_, match = item.cidr.Lookup(a)
		}
		if match {
			return !item.not
		}
	}
	return false
}
