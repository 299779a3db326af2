package headers

import (
	"fmt"
	"slices"
	"strings"
)

// MarkerName returns the name of the header field that marks a domain's
// messages: the prefix, as it is, and the domain as [ASCIIDomain] gives it
// with dashes for its dots. "X-Conbool-" and "Bücher.example" make
// "X-Conbool-xn--bcher-kva-example". The way back isn't unique ("a-b.com" and
// "a.b.com" have one marker); see [Markers].
//
// The error, which wraps [ErrRequired] or [ErrInvalid], says what is wrong
// with the prefix or the domain.
func MarkerName(prefix, domain string) (string, error) {
	if err := checkPrefix(prefix); err != nil {
		return "", err
	}
	ascii, err := ASCIIDomain(domain)
	if err != nil {
		return "", err
	}
	return prefix + dashed(ascii), nil
}

func checkPrefix(prefix string) error {
	if prefix == "" {
		return mistake(ErrRequired, "give one such as \"X-Conbool-\"", "the marker's prefix is empty")
	}
	if len(prefix) > 500 {
		return mistake(ErrInvalid, "at most 500", "a marker's prefix of %d octets is too long", len(prefix))
	}
	return checkName(prefix)
}

// dashed is the part of a marker's name that a domain makes.
func dashed(ascii string) string { return strings.ReplaceAll(ascii, ".", "-") }

// Markers is an index of the marker names of many domains, both ways. It is
// immutable and safe for concurrent use; a look-up takes the same time however
// many domains there are.
type Markers struct {
	prefix  string
	domains []string         // sorted, A-labels
	known   map[string]int32 // domain to its place in domains
	first   map[string]int32 // dashed name to the first domain that has it
	next    []int32          // the next domain with the same name, or -1
}

// NewMarkers indexes domains in any spelling; one that is there twice counts
// once. The error is [Errors] with everything wrong, with the paths "prefix"
// and "domains[2]".
func NewMarkers(prefix string, domains []string) (*Markers, error) {
	var found Errors
	if err := checkPrefix(prefix); err != nil {
		found = append(found, under("prefix", err))
	}
	m := &Markers{
		prefix:  prefix,
		domains: make([]string, 0, len(domains)),
		known:   make(map[string]int32, len(domains)),
		first:   make(map[string]int32, len(domains)),
	}
	for i, d := range domains {
		ascii, err := ASCIIDomain(d)
		if err != nil {
			found = append(found, under(fmt.Sprintf("domains[%d]", i), err))
			continue
		}
		m.domains = append(m.domains, ascii)
	}
	if err := found.Err(); err != nil {
		return nil, err
	}
	slices.Sort(m.domains)
	m.domains = slices.Compact(m.domains)
	m.next = make([]int32, len(m.domains))
	// From the end, so that each chain has the domains in their order.
	for i := len(m.domains) - 1; i >= 0; i-- {
		name := dashed(m.domains[i])
		m.next[i] = -1
		if other, ok := m.first[name]; ok {
			m.next[i] = other
		}
		m.first[name] = int32(i)
		m.known[m.domains[i]] = int32(i)
	}
	return m, nil
}

// Name returns the marker of a domain in any spelling, and whether the domain
// is one of those indexed.
func (m *Markers) Name(domain string) (string, bool) {
	if m == nil {
		m = new(Markers)
	}
	if _, ok := m.known[domain]; !ok {
		ascii, err := ASCIIDomain(domain)
		if err != nil {
			return "", false
		}
		if _, ok := m.known[ascii]; !ok {
			return "", false
		}
		domain = ascii
	}
	return m.prefix + dashed(domain), true
}

// Domains returns all indexed domains that have the header's name, in any
// case, as their marker, sorted; nil where it is no known marker.
func (m *Markers) Domains(headerName string) []string {
	if m == nil {
		m = new(Markers)
	}
	if len(headerName) < len(m.prefix) || !strings.EqualFold(headerName[:len(m.prefix)], m.prefix) {
		return nil
	}
	i, ok := m.first[lowerString(headerName[len(m.prefix):])]
	if !ok {
		return nil
	}
	return m.chain(i)
}

func (m *Markers) chain(i int32) []string {
	var list []string
	for ; i >= 0; i = m.next[i] {
		list = append(list, m.domains[i])
	}
	return list
}

// Collisions returns the groups of domains that have one marker, each group
// and the groups sorted.
func (m *Markers) Collisions() [][]string {
	if m == nil {
		m = new(Markers)
	}
	var groups [][]string
	for i, d := range m.domains {
		if m.next[i] >= 0 && m.first[dashed(d)] == int32(i) {
			groups = append(groups, m.chain(int32(i)))
		}
	}
	return groups
}
