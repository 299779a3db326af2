package relay

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
)

// doveconf is what `doveconf -n` printed: top-level settings by name, and those
// of plugin { } by "plugin/name".
type doveconf map[string]string

func parseDoveconf(text []byte) doveconf {
	d := doveconf{}
	var sections []string
	for _, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case strings.HasSuffix(line, "{"):
			sections = append(sections, strings.TrimSpace(strings.TrimSuffix(line, "{")))
		case line == "}":
			if len(sections) > 0 {
				sections = sections[:len(sections)-1]
			}
		default:
			if name, value, ok := strings.Cut(line, "="); ok {
				d[strings.Join(append(slices.Clone(sections), strings.TrimSpace(name)), "/")] = strings.TrimSpace(value)
			}
		}
	}
	return d
}

// beforeName is the setting of a slot: sieve_before, sieve_before2, ...
func beforeName(slot int) string {
	if slot == 1 {
		return "sieve_before"
	}
	return fmt.Sprintf("sieve_before%d", slot)
}

// emitDovecot writes the fragment that installs the global script and brings
// redirects back in at the re-entry listener.
func (c *compiler) emitDovecot() {
	if c.policy.Topology != Mailboxes {
		return
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n", c.names.managed())
	fmt.Fprintf(&b, "# Redirects come back in where markers are kept.\nsubmission_host = %s\n", c.policy.reEntry())
	known := c.in.Doveconf != nil
	conf := parseDoveconf(c.in.Doveconf)
	if have := conf["submission_host"]; have != "" && have != c.policy.reEntry().String() {
		c.errs.add("doveconf: submission_host", ErrConflict, "remove it, and give that server's mail a listener of role \"reentry\"", "redirects go to %s, where markers may be lost", have)
	}
	var plugin bytes.Buffer
	if c.cfg.global != nil {
		file := c.policy.sieveDir() + "/10-" + c.policy.Gateway.Name + ".sieve"
		if slot := c.slot(conf, known, file); slot > 0 {
			fmt.Fprintf(&plugin, "  %s = %s\n", beforeName(slot), file)
		}
	}
	extensions := list(conf["plugin/sieve_extensions"])
	if c.policy.Sieve.UserEditheader || slices.Contains(extensions, "+editheader") || slices.Contains(extensions, "editheader") {
		if c.policy.Loop.AnyDomain {
			c.errs.add("Loop.AnyDomain", headers.ErrNotExpressible, "leave editheader off for users, or Loop.AnyDomain",
				"users may use editheader, and sieve_editheader_forbid_add takes names while AnyDomain honours names without number")
		}
		if !known {
			c.warn("Sieve.UserEditheader", "sieve_editheader_forbid_add is set anew; give Installation.Doveconf to keep names that are forbidden already")
		}
		names := list(conf["plugin/sieve_editheader_forbid_add"])
		for _, n := range c.markerNames() {
			if !containsFold(names, n) {
				names = append(names, n)
			}
		}
		fmt.Fprintf(&plugin, "  # No script may forge what the gateway says.\n  sieve_editheader_forbid_add = %s\n", strings.Join(names, " "))
	}
	if plugin.Len() > 0 {
		fmt.Fprintf(&b, "plugin {\n%s}\n", plugin.Bytes())
	}
	c.emit("dovecot/99-"+c.policy.Gateway.Name+".conf", b.Bytes(), false)
}

// slot is the number of a free sieve_before<N>.
func (c *compiler) slot(conf doveconf, known bool, file string) int {
	if !known {
		if c.policy.Sieve.Slot == 0 {
			c.errs.required("Sieve.Slot", "give Installation.Doveconf (doveconf -n), or the number of a free sieve_before<N>: 1 where there is none yet")
		}
		return c.policy.Sieve.Slot
	}
	for n := 1; n < 1000; n++ {
		have := conf["plugin/"+beforeName(n)]
		free := have == "" || have == file
		switch {
		case c.policy.Sieve.Slot == n && !free:
			c.errs.add("Sieve.Slot", ErrConflict, "leave it out: the next free number is taken", "%s is %s already", beforeName(n), have)
			return 0
		case c.policy.Sieve.Slot > n && free:
			c.errs.add("Sieve.Slot", ErrConflict, fmt.Sprintf("use %d, or leave it out", n), "Pigeonhole stops at the first gap, and %s is free", beforeName(n))
			return 0
		case free:
			return n
		}
	}
	return 0
}

// markerNames are the names of all headers that mail is trusted for.
func (c *compiler) markerNames() []string {
	var names []string
	m := c.policy.Gateway.Markers
	if m.Domain.Prefix != "" {
		for _, t := range c.policy.Tenants {
			for _, d := range t.Domains {
				if n, err := headers.MarkerName(m.Domain.Prefix, d); err == nil && !slices.Contains(names, n) {
					names = append(names, n)
				}
			}
		}
	}
	for _, cond := range append(slices.Clone(m.Loop), m.Released, m.Spam) {
		for _, r := range fieldNames(cond.Predicate) {
			if r.exact && !containsFold(names, r.prefix) {
				names = append(names, r.prefix)
			}
		}
	}
	if c.origin() {
		names = append(names, c.policy.originHeader())
	}
	return names
}
