package managesieve

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Capabilities are what a server says of itself (RFC 5804 section 1.7). They
// change with STARTTLS and may change with the authentication.
type Capabilities struct {
	Implementation string   // the server's name
	SASL           []string // mechanisms in upper case; empty where TLS must come first
	Sieve          []string // Sieve extensions, as for require
	StartTLS       bool
	MaxRedirects   *int     // redirects of one script; nil where it isn't said
	Notify         []string // URI schemes of enotify
	Language       string   // of the texts for people, RFC 5646; empty: i-default
	Owner          string   // the mailbox whose scripts these are, after authentication
	Version        string   // "1.0" where CHECKSCRIPT, NOOP and RENAMESCRIPT exist; empty in servers before RFC 5804
	Unauthenticate bool
	// Other has the remaining capabilities, their names in upper case.
	Other map[string]string
}

// HasVersion reports whether the server has the commands that RFC 5804 added:
// CHECKSCRIPT, NOOP and RENAMESCRIPT.
func (c Capabilities) HasVersion() bool { return c.Version != "" }

func (c Capabilities) clone() Capabilities {
	c.SASL = slices.Clone(c.SASL)
	c.Sieve = slices.Clone(c.Sieve)
	c.Notify = slices.Clone(c.Notify)
	c.Other = maps.Clone(c.Other)
	if c.MaxRedirects != nil {
		n := *c.MaxRedirects
		c.MaxRedirects = &n
	}
	return c
}

// capabilityReader collects the lines of a capability answer.
type capabilityReader struct {
	Capabilities
	seen  map[string]bool
	lines int
}

func (c *capabilityReader) line(d data) error {
	name, value := strings.ToUpper(string(d.first)), d.second
	c.lines++
	switch {
	case d.kind == stringAtom:
		return syntaxError("a word where the value of a capability must come")
	case c.lines > maxCapabilities:
		return syntaxf("more than %d capabilities", maxCapabilities)
	case c.seen[name]:
		return nil // RFC 5804 doesn't allow it; the first one counts
	case c.seen == nil:
		c.seen = map[string]bool{}
	}
	c.seen[name] = true
	switch name {
	case "IMPLEMENTATION":
		c.Implementation = value
	case "SASL":
		c.SASL = strings.Fields(strings.ToUpper(value))
	case "SIEVE":
		c.Sieve = strings.Fields(value)
	case "STARTTLS":
		c.StartTLS = true
	case "MAXREDIRECTS":
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			return syntaxError("MAXREDIRECTS is not a number")
		}
		i := int(n)
		c.MaxRedirects = &i
	case "NOTIFY":
		c.Notify = strings.Fields(value)
	case "LANGUAGE":
		c.Language = value
	case "OWNER":
		c.Owner = value
	case "VERSION":
		c.Version = value
	case "UNAUTHENTICATE":
		c.Unauthenticate = true
	default:
		if c.Other == nil {
			c.Other = map[string]string{}
		}
		c.Other[name] = value
	}
	return nil
}
