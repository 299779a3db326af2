package relay

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/relay/internal/condition"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/relay/internal/doveconf"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// deliverySections are where settings for the delivery of mail may stand; the
// later ones win.
var deliverySections = []string{"", "protocol lda/", "protocol lmtp/"}

// emitDovecot writes the fragment that installs the global script and brings
// what Sieve sends back in at the re-entry listener, in the language of the server's
// Dovecot: a wrong one keeps all of Dovecot from starting.
func (c fileWriter) emitDovecot(d deliveryScripts) {
	if c.policy.Topology != TopologyMailboxes {
		return
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n", c.names.managed())
	// In the sections for delivery alone: what Sieve sends elsewhere (imapsieve)
	// may be of a message that a user has put there himself.
	b.WriteString("# What Sieve sends at delivery comes back in where redirects keep their markers.\n")
	for _, section := range deliverySections[1:] {
		fmt.Fprintf(&b, "%s {\n  submission_host = %s\n}\n", strings.TrimSuffix(section, "/"), c.policy.ReEntry())
	}
	conf := doveconf.Parse(c.in.Doveconf)
	for _, section := range deliverySections {
		if have := conf[section+"submission_host"]; have != "" && have != c.policy.ReEntry().String() {
			c.errs.Add(doveconf.Place(section, "submission_host"), ErrConflict,
				"remove it, and give that server's mail a listener of role \"reentry\"", "redirects go to %s, where markers may be lost", have)
		}
	}
	c.checkSievePlugin(conf, d)
	c.checkUserName(conf, d)
	if c.dovecot.Before(dovecotBlocks) {
		c.fragment23(&b, conf, d)
	} else {
		c.fragment24(&b, conf, d)
	}
	c.emit(c.fragmentName(), b.Bytes())
}

// checkSievePlugin: without the plugin no script runs, the generated one neither.
func (c fileWriter) checkSievePlugin(conf doveconf.Settings, d deliveryScripts) {
	if c.in.Doveconf == nil || d.global == nil {
		return
	}
	for _, section := range deliverySections {
		if slices.Contains(list(conf[section+"mail_plugins"]), "sieve") || conf[section+"mail_plugins/sieve"] == "yes" {
			return
		}
	}
	c.warn("Installation.Doveconf",
		"no protocol has sieve among its mail_plugins, so that no script runs at delivery; add it to protocol lmtp")
}

// scriptFile is where the global script lies on the server, or by which name
// Dovecot finds those of the tenants' domains.
func (c *site) scriptFile() string {
	if c.policy.SieveForm() == SievePerTenant {
		return c.tenantPath()
	}
	return c.globalPath()
}

func (c *site) globalPath() string {
	return c.policy.SieveDir() + "/10-" + c.policy.Gateway.Name + ".sieve"
}

// ownScript reports whether a path that Dovecot has is a generated one, of an earlier run
// with the other form too.
func (c *site) ownScript(path string) bool {
	path = strings.Join(strings.Fields(path), "")
	return path == c.globalPath() || path == strings.Join(strings.Fields(c.tenantPath()), "")
}

// editheader reports whether users' scripts may use the extension, which takes
// words in 2.3 and a block in 2.4.
func (c fileWriter) editheader(conf doveconf.Settings) bool {
	on := c.policy.Sieve.UserEditheader
	for _, section := range deliverySections {
		for _, e := range list(conf[section+"plugin/sieve_extensions"]) {
			on = on || e == "+editheader" || e == "editheader"
		}
		on = on || conf[section+"sieve_extensions/editheader"] == "yes"
	}
	if on && c.policy.Loop.AnyDomain {
		c.errs.Add("Loop.AnyDomain", headers.ErrNotExpressible, "leave editheader off for users, or Loop.AnyDomain",
			"users may use editheader, and Pigeonhole forbids them names while AnyDomain honours names without number")
	}
	return on
}

// fragment23 is in the language of Dovecot 2.3: scripts and extensions are
// numbered and listed settings of plugin { }.
func (c fileWriter) fragment23(b *bytes.Buffer, conf doveconf.Settings, d deliveryScripts) {
	known := c.in.Doveconf != nil
	for _, section := range deliverySections[1:] {
		// What stands in a protocol's section wins over the generated fragment.
		for _, name := range slices.Sorted(maps.Keys(conf)) {
			if setting, ok := strings.CutPrefix(name, section+"plugin/"); ok &&
				(strings.HasPrefix(setting, "sieve_before") || strings.HasPrefix(setting, "sieve_editheader_forbid")) {
				c.errs.Add(doveconf.Place(section+"plugin/", setting), ErrConflict, "move it to the plugin section outside of the protocol's",
					"it would hide what the fragment sets")
			}
		}
	}
	var plugin bytes.Buffer
	if d.global != nil {
		file := c.scriptFile()
		if slot := c.slot(conf, known); slot > 0 {
			fmt.Fprintf(&plugin, "  %s = %s\n", doveconf.BeforeName(slot), file)
		}
	}
	if c.editheader(conf) {
		if !known {
			c.warn("Sieve.UserEditheader",
				"sieve_editheader_forbid_add and _delete are set anew; give Installation.Doveconf to keep names that are forbidden already")
		}
		plugin.WriteString("  # " + forbidComment + "\n")
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
		fmt.Fprintf(b, "plugin {\n%s}\n", plugin.Bytes())
	}
}

// blockName are the header names that stand for themselves as a block's name.
var blockName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

const forbidComment = "No script may forge what the gateway says, nor hide it."

// fragment24 is in the language of Dovecot 2.4: a script is a block with a name
// of its own, so that it replaces nothing, and its precedence puts it before
// the installation's; forbidden header names are blocks, too.
func (c fileWriter) fragment24(b *bytes.Buffer, conf doveconf.Settings, d deliveryScripts) {
	script := "sieve_script " + c.names.owner
	if d.global != nil {
		file := c.scriptFile()
		for _, section := range deliverySections {
			if have := conf[section+script+"/path"]; have != "" && !c.ownScript(have) {
				c.errs.Add(doveconf.Place(section, script), ErrConflict, "rename it, or choose another Gateway.Name", "%s is its path, not %s", have,
					file)
			}
		}
		fmt.Fprintf(b, "%s {\n  type = before\n  driver = file\n  path = %s\n  precedence = 1\n}\n", script, file)
	}
	if !c.editheader(conf) {
		return
	}
	b.WriteString("# " + forbidComment + "\n")
	forbidden := map[string]bool{} // by lower case
	for _, n := range c.markerNames() {
		forbidden[strings.ToLower(n)] = true
		if !blockName.MatchString(n) {
			c.errs.Add("Sieve.UserEditheader", headers.ErrNotExpressible, "leave editheader off for users",
				"Dovecot's configuration has no plain form for the header name %q", n)
			continue
		}
		fmt.Fprintf(b, "sieve_editheader_header %s {\n  forbid_add = yes\n  forbid_delete = yes\n}\n", n)
	}
	for _, name := range slices.Sorted(maps.Keys(conf)) {
		_, rest, ok := strings.Cut(name, "sieve_editheader_header ")
		header, setting, _ := strings.Cut(rest, "/")
		if ok && conf[name] == "no" && forbidden[strings.ToLower(header)] {
			c.errs.Add("doveconf: sieve_editheader_header "+header, ErrConflict, "remove it",
				"%s = no would let scripts forge what the gateway says", setting)
		}
	}
}

// fragmentName is the Dovecot fragment's file.
func (c *site) fragmentName() string { return "dovecot/99-" + c.policy.Gateway.Name + ".conf" }

// slot is the number of a free sieve_before<N>.
func (c task) slot(conf doveconf.Settings, known bool) int {
	if !known {
		if c.policy.Sieve.Slot == 0 && !c.noDoveconf {
			c.errs.Required("Sieve.Slot",
				"give Installation.Doveconf (doveconf -n), or the number of a free sieve_before<N>: 1 where there is none yet")
		}
		return c.policy.Sieve.Slot
	}
	for n := 1; n < 1000; n++ {
		have := conf["plugin/"+doveconf.BeforeName(n)]
		free := have == "" || c.ownScript(have)
		switch {
		case c.policy.Sieve.Slot == n && !free:
			c.errs.Add("Sieve.Slot", ErrConflict, "leave it out: the next free number is taken", "%s is %s already", doveconf.BeforeName(n), have)
			return 0
		case c.policy.Sieve.Slot > n && free:
			c.errs.Add("Sieve.Slot", ErrConflict, fmt.Sprintf("use %d, or leave it out", n), "Pigeonhole stops at the first gap, and %s is free",
				doveconf.BeforeName(n))
			return 0
		case free:
			return n
		}
	}
	return 0
}

// markerNames are the names of all headers that mail is trusted for.
func (c *site) markerNames() []string {
	var names []string
	seen := map[string]bool{}
	add := func(n string) {
		if key := strings.ToLower(n); !seen[key] {
			seen[key] = true
			names = append(names, n)
		}
	}
	for _, g := range c.gateways {
		m := g.policy.Gateway.Markers
		if m.Domain.Prefix != "" {
			for i, t := range derived.Tenants(c.policy) {
				if c.tenantGateway[i] != g.index {
					continue
				}
				for _, d := range paths.Ordered(t.Domains) {
					if n, err := headers.MarkerName(m.Domain.Prefix, d); err == nil {
						add(n)
					}
				}
			}
		}
		for _, cond := range append(slices.Clone(m.Loop), m.Released, m.Spam) {
			for _, r := range condition.FieldNames(cond.Predicate) {
				if r.Exact {
					add(r.Prefix)
				}
			}
		}
	}
	if c.origin() {
		add(c.policy.OriginHeader())
	}
	return names
}
