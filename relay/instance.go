package relay

import (
	"errors"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/sieve/dovecot"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// evaluation is the emitted configuration in the form that Route walks: the same
// tables and the same settings, read back from the files as they were written,
// and what stands before and behind Postfix.
type evaluation struct {
	eval        *mta.Instance
	doors       []*door
	pickup      *door
	passages    []*passage // by gateway
	connections connections

	scripts Scripts // nil: none
	program *interp.Program
	// asciiDovecot reads no addresses beyond ASCII: Dovecot 2.3.
	asciiDovecot bool
	dovecot      dovecotUsers
	reEntry      string // the listener for Dovecot, where there is one
	globalFile   string
	globalRules  map[int]string // policy paths by line of the global script
	// tenants are the files of the global script by domain, where it is not
	// everybody's.
	tenants map[string]string
}

// evaluator makes a Config of what was written. Its conf, main and master are the
// finished ones.
type evaluator struct {
	task
	*emission
	cfg *Config
}

// evaluate makes what Route asks, and what is done with the files. It counts where
// r has no errors.
func evaluate(s *site, e *emission, r *report) *Config {
	c := &evaluator{task{s, r}, e, &Config{own: e.scripts.own, mailbox: e.scripts.mailbox, global: e.scripts.global}}
	c.collectFiles()
	for _, g := range c.gateways {
		c.cfg.exceptions = append(c.cfg.exceptions, c.exceptions(g))
	}
	c.buildInstance()
	return c.cfg
}

// buildInstance makes what Route asks.
func (c *evaluator) buildInstance() {
	e := &c.cfg.evaluation
	e.globalRules = c.scripts.rules
	e.asciiDovecot = c.dovecot.Before(dovecotBlocks)
	e.scripts = c.in.Scripts
	if m, ok := e.scripts.(ScriptMap); ok {
		folded := ScriptMap{}
		for k, p := range m {
			folded[mailaddr.Fold(k)] = p
		}
		e.scripts = folded
	}
	o := mta.Options{
		Agents: map[string]mta.Agent{}, Deliver: c.cfg.deliver, Received: c.cfg.certificateLine, Directory: c.in.Directory,
		Listeners: []mta.Listener{}, Mailboxes: map[string]bool{}, Hosted: map[string]bool{},
	}
	for _, t := range c.policy.Tenants {
		for _, d := range t.Domains {
			for _, k := range mailaddr.DomainKeys(d) {
				o.Hosted[k] = t.Store == ""
			}
		}
	}
	c.addresses(&o)
	c.buildDoors(&o)
	c.buildConnections()
	for _, g := range c.gateways {
		var p *passage
		c.within(g, func() { p = c.buildPassage(g, &o) })
		e.passages = append(e.passages, p)
		if o.Agents[p.smartHost] == nil {
			o.Agents[p.smartHost] = p
		}
	}
	var err error
	if e.eval, err = mta.New(c.conf, o); err != nil {
		var l postfix.Errors
		errors.As(err, &l)
		for _, p := range l {
			c.errs.Add(p.Position.String(), ErrConflict, "add it", "%s", p.Err)
		}
		return
	}
	if c.in.Doveconf != nil {
		e.dovecot.Config = dovecot.Read(c.in.Doveconf)
	}
	if c.cfg.global != nil {
		o := c.sieveOptions()
		o.Name, o.Trace, o.AutoCreate = c.globalName(), true, true
		p, err := interp.Compile(c.cfg.global, o)
		if err != nil {
			c.errs.Wrap("Sieve", err, "use other markers or another folder")
		}
		e.program, e.globalFile, e.tenants = p, c.globalName(), c.scripts.tenants
	}
}

// addresses are the policy's, for tables that can't be read here.
func (c *evaluator) addresses(o *mta.Options) {
	if c.in.Directory != nil {
		return
	}
	if c.policy.Topology == TopologyMailboxes {
		main := c.conf.Settings()
		_, boxes := c.conf.Maps(main.Value("virtual_mailbox_maps"))
		_, aliases := c.conf.Maps(main.Value("virtual_alias_maps"))
		if len(boxes)+len(aliases) > 0 {
			c.warn("Installation.Directory", "%s can't be read here; without a Directory, Route knows only the policy's Mailboxes and Aliases",
				strings.Join(append(boxes, aliases...), ", "))
		}
	}
	for _, m := range c.policy.Mailboxes {
		for _, k := range mailaddr.AddressKeys(m) {
			o.Mailboxes[k] = true
		}
	}
	for _, a := range c.policy.Aliases {
		for _, k := range mailaddr.AddressKeys(a.Address) {
			o.Aliases = append(o.Aliases, postfix.Entry{Key: k, Value: strings.Join(a.Members, ", ")})
		}
	}
}

// buildDoors are the listeners by their roles, and what is behind them.
func (c *evaluator) buildDoors(o *mta.Options) {
	e := &c.cfg.evaluation
	add := func(d *door, name, kind string) {
		sv, _ := c.master.Lookup(name, kind)
		d.service, d.line = serviceSpec(sv), sv.Line
		e.doors = append(e.doors, d)
		o.Listeners = append(o.Listeners, mta.Listener{Service: d.service, Rule: "Listeners", Label: string(d.role)})
		if d.role == RoleReinjection && o.Returns == "" {
			o.Returns = d.service
		}
		if d.role == RoleInternal || d.role == RoleSubmission {
			_, opaque := c.conf.Networks(c.conf.Settings().Of(sv))
			for _, n := range opaque {
				c.warn(c.conf.At("mynetworks"), "%s can't be known here; Route takes its clients for strangers", n)
			}
		}
	}
	for _, l := range c.policy.Listeners {
		d := &door{role: l.Role}
		d.bound, _ = l.Bound()
		d.gateway, _ = c.policy.GatewayNamed(l.Gateway)
		name, kind := l.Split()
		add(d, name, kind)
	}
	if c.policy.Topology == TopologyMailboxes {
		d := &door{role: RoleReEntry}
		add(d, c.policy.ReEntry().String(), "inet")
		e.reEntry = d.service
	}
	if derived.Sorts(c.policy) {
		o.Passes = append(o.Passes, mta.Pass{
			Kind: mta.PassExpanded, Transport: c.names.sortGate, Service: c.policy.Sorting().String(), Filtered: c.policy.Generated().String(),
			Stage: "smtpd", Rule: "Topology",
			Note: "Sieve has redirected it: markers stay", FilteredNote: "Sieve has made it: markers are removed",
		})
	}
	for _, kind := range []string{"unix", "fifo"} {
		if _, ok := c.master.Lookup("pickup", kind); ok {
			e.pickup = &door{role: FromPickup, service: mta.Pickup}
			break
		}
	}
	if c.policy.Inbound.Shared {
		o.Passes = append(o.Passes, mta.Pass{
			Kind: mta.PassEntering, Transport: c.names.stripGate, Service: c.policy.Strip().String(),
			Stage: "smtp", Rule: "Inbound.Shared", Note: "others' mail, into a cleanup that removes markers",
		})
	}
}
