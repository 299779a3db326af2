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

// deliverySections are where settings for the delivery of mail may stand; the
// later ones win.
var deliverySections = []string{"", "protocol lda/", "protocol lmtp/"}

func doveconfPlace(section, setting string) string {
	return "doveconf: " + strings.ReplaceAll(section, "/", ": ") + setting
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
	for _, section := range deliverySections {
		if have := conf[section+"submission_host"]; have != "" && have != c.policy.reEntry().String() {
			c.errs.add(doveconfPlace(section, "submission_host"), ErrConflict, "remove it, and give that server's mail a listener of role \"reentry\"", "redirects go to %s, where markers may be lost", have)
		}
		if section == "" {
			continue
		}
		// What stands in a protocol's section wins over our fragment.
		for name := range conf {
			if setting, ok := strings.CutPrefix(name, section+"plugin/"); ok && (strings.HasPrefix(setting, "sieve_before") || strings.HasPrefix(setting, "sieve_editheader_forbid")) {
				c.errs.add(doveconfPlace(section+"plugin/", setting), ErrConflict, "move it to the plugin section outside of the protocol's", "it would hide what the fragment sets")
			}
		}
	}
	var plugin bytes.Buffer
	if c.cfg.global != nil {
		file := c.policy.sieveDir() + "/10-" + c.policy.Gateway.Name + ".sieve"
		if slot := c.slot(conf, known, file); slot > 0 {
			fmt.Fprintf(&plugin, "  %s = %s\n", beforeName(slot), file)
		}
	}
	editheader := c.policy.Sieve.UserEditheader
	for _, section := range deliverySections {
		for _, e := range list(conf[section+"plugin/sieve_extensions"]) {
			editheader = editheader || e == "+editheader" || e == "editheader"
		}
	}
	if editheader {
		if c.policy.Loop.AnyDomain {
			c.errs.add("Loop.AnyDomain", headers.ErrNotExpressible, "leave editheader off for users, or Loop.AnyDomain",
				"users may use editheader, and sieve_editheader_forbid_add takes names while AnyDomain honours names without number")
		}
		if !known {
			c.warn("Sieve.UserEditheader", "sieve_editheader_forbid_add and _delete are set anew; give Installation.Doveconf to keep names that are forbidden already")
		}
		plugin.WriteString("  # No script may forge what the gateway says, nor hide it.\n")
		markers := c.markerNames()
		for _, setting := range []string{"sieve_editheader_forbid_add", "sieve_editheader_forbid_delete"} {
			names := list(conf["plugin/"+setting])
			have := map[string]bool{}
			for _, n := range names {
				have[strings.ToLower(n)] = true
			}
			for _, n := range markers {
				if !have[strings.ToLower(n)] {
					names = append(names, n)
				}
			}
			fmt.Fprintf(&plugin, "  %s = %s\n", setting, strings.Join(names, " "))
		}
	}
	if plugin.Len() > 0 {
		fmt.Fprintf(&b, "plugin {\n%s}\n", plugin.Bytes())
	}
	c.emit(c.fragmentName(), b.Bytes(), false)
}

// fragmentName is the Dovecot fragment's file.
func (c *compiler) fragmentName() string { return "dovecot/99-" + c.policy.Gateway.Name + ".conf" }

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
	seen := map[string]bool{}
	add := func(n string) {
		if key := strings.ToLower(n); !seen[key] {
			seen[key] = true
			names = append(names, n)
		}
	}
	m := c.policy.Gateway.Markers
	if m.Domain.Prefix != "" {
		for _, t := range c.policy.Tenants {
			for _, d := range t.Domains {
				if n, err := headers.MarkerName(m.Domain.Prefix, d); err == nil {
					add(n)
				}
			}
		}
	}
	for _, cond := range append(slices.Clone(m.Loop), m.Released, m.Spam) {
		for _, r := range fieldNames(cond.Predicate) {
			if r.exact {
				add(r.prefix)
			}
		}
	}
	if c.origin() {
		add(c.policy.originHeader())
	}
	return names
}
