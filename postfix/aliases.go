package postfix

import (
	"fmt"
	"strings"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// Aliases are virtual_alias_maps with the parameters by which cleanup(8)
// expands them.
type Aliases struct {
	Map    Map
	Search Search
	// Origin is appended, after "@", to results without a domain: $myorigin
	// (append_at_myorigin). Empty: they stay as they are.
	Origin string
	// Rewrite, where it isn't nil, gives results the form that
	// trivial-rewrite(8) gives addresses, in the place of Origin.
	Rewrite func(address string) string
	// Split, where it isn't nil, takes a value apart into its addresses, in place of
	// what [Aliases.Expand] says of that: by RFC 822, say.
	Split func(value string) []string
	// Propagate says that propagate_unmatched_extensions lists virtual, as it
	// does by default: an extension that wasn't part of the key is added to
	// the results.
	Propagate bool
	// RecursionLimit is virtual_alias_recursion_limit, 0: 1000.
	RecursionLimit int
	// ExpansionLimit is virtual_alias_expansion_limit, 0: 1000.
	ExpansionLimit int
	// AddressLimit is virtual_alias_address_length_limit, 0: 1000.
	AddressLimit int
}

// Alias is one address that an expansion came to.
type Alias struct {
	Address string
	// Hits are the rows that led there, in the order they were used; empty
	// where the recipient has no alias.
	Hits []Hit
}

// Expand returns the addresses that a recipient stands for: itself where it has
// no alias. Results are expanded again, an address that comes back in its own
// expansion stays (virtual(5)). The order is cleanup's; it also drops the
// second of two equal results, which here stay both.
//
// An error of the table is returned as it is. Where a limit is reached the error is ErrSyntax; Postfix then doesn't accept
// the message and says "4.6.0 Alias expansion error". A result is taken apart
// at commas and white space outside quotes; comments and display names are
// not understood.
func (a *Aliases) Expand(rcpt string) ([]Alias, error) {
	if a == nil {
		a = new(Aliases)
	}
	recursion, expansion, length := a.RecursionLimit, a.ExpansionLimit, a.AddressLimit
	if recursion == 0 {
		recursion = 1000
	}
	if expansion == 0 {
		expansion = 1000
	}
	if length == 0 {
		length = 1000
	}
	out := []Alias{{Address: rcpt}}
	var seen map[string]bool // addresses that expanded into themselves, folded
	for n := 0; n < len(out); n++ {
		if len(out) > expansion {
			return nil, fault.New(ErrSyntax, fmt.Sprintf("%s has more than %d addresses: raise virtual_alias_expansion_limit", rcpt, expansion))
		}
		for count := 0; ; count++ {
			addr := out[n].Address
			if seen[strings.ToLower(addr)] {
				break
			}
			if count >= recursion {
				return nil, fault.New(ErrSyntax, fmt.Sprintf("%s is nested more than %d deep: mend the loop in the table", rcpt, recursion))
			}
			hit, ok, err := a.Search.Address(a.Map, addr)
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			results := a.Results(addr, hit)
			if len(results) == 0 {
				return nil, fault.New(ErrSyntax, fmt.Sprintf("the alias of %s has no address: %q", addr, hit.Entry.Value))
			}
			// Results share the way so far; each gets a copy it can extend.
			way := append(out[n].Hits[:len(out[n].Hits):len(out[n].Hits)], hit)
			for i, result := range results {
				if len(result) > length {
					return nil, fault.New(ErrSyntax, fmt.Sprintf("an alias of %s is longer than %d bytes", rcpt, length))
				}
				if i == 0 {
					out[n] = Alias{result, way}
				} else {
					out = append(out, Alias{result, way})
				}
				if strings.EqualFold(result, addr) {
					if seen == nil {
						seen = make(map[string]bool)
					}
					seen[strings.ToLower(addr)] = true
				}
			}
		}
	}
	return out, nil
}

// Results takes the value of the row that was found for an address apart
// (mail_addr_map(3)): "@domain" keeps the user, results without a domain get
// Origin's, and an extension that wasn't part of the key is added where it
// propagates. It is the rule of canonical(5) and generic(5) as well, which use
// the first result.
func (a *Aliases) Results(addr string, hit Hit) []string {
	if a == nil {
		a = new(Aliases)
	}
	value := hit.Entry.Value
	if strings.HasPrefix(value, "@") {
		user := addr
		if at := strings.LastIndexByte(addr, '@'); at >= 0 {
			user = addr[:at]
		}
		// The extension goes here, and comes back below where it propagates.
		value = strings.TrimSuffix(user, hit.Extension) + value
	}
	var list []string
	if a.Split != nil {
		list = a.Split(value)
	} else {
		list = splitAddresses(value)
	}
	for i, one := range list {
		if a.Rewrite != nil {
			one = a.Rewrite(one)
		}
		at := strings.LastIndexByte(one, '@')
		if at < 0 && a.Origin != "" && a.Rewrite == nil {
			at = len(one)
			one += "@" + a.Origin
		}
		if a.Propagate && hit.Extension != "" {
			if at < 0 {
				at = len(one)
			}
			one = one[:at] + hit.Extension + one[at:]
		}
		list[i] = one
	}
	return list
}

// splitAddresses splits an address list at commas and white space outside
// quotes, and takes angle brackets off.
func splitAddresses(value string) []string {
	var list []string
	start, quoted := -1, false
	flush := func(end int) {
		if start >= 0 {
			one := value[start:end]
			one = strings.TrimSuffix(strings.TrimPrefix(one, "<"), ">")
			if one != "" {
				list = append(list, one)
			}
			start = -1
		}
	}
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || isSpace(c)):
			flush(i)
			continue
		}
		if start < 0 {
			start = min(i, len(value)-1)
		}
	}
	flush(len(value))
	return list
}
