package relay

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/internal/fault"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay/internal/release"
	"github.com/oxmailroute/oxmailroute/sieve"
)

// Config is a compiled policy: the files that servers read and the evaluator
// that walks what they say. It is immutable and safe for concurrent use.
type Config struct {
	files      []File
	removed    []string
	commands   []Command
	warnings   []Warning
	exceptions []Exceptions
	mailbox    *sieve.Script // the rules for a mailbox's own script
	global     *sieve.Script // the rules of the global script
	own        *MailboxRules

	evaluation
}

// Warnings are what Compile noticed: the policy's own ([Policy.Warnings]) and
// what the installation has that can't be read or judged here.
func (c *Config) Warnings() []Warning {
	if c == nil {
		c = new(Config)
	}
	return slices.Clone(c.warnings)
}

// Compile turns a policy into the files for an installation. Its error is an
// [Errors] with everything that is wrong: what [Policy.Validate] finds, versions
// and files that can't be read, and in a valid policy what contradicts the
// installation or can't be expressed. It keeps no reference to p.
func Compile(p Policy, in Installation) (*Config, error) {
	if p.Server.ConfigDirectory == "" {
		p.Server.ConfigDirectory = in.ConfigDirectory
	}
	if in.ConfigDirectory == "" {
		in.ConfigDirectory = p.Server.ConfigDirectory
	}
	invalid := p.Problems()
	c := &compiler{
		names:      newNames(p.Gateway.Name),
		in:         in,
		gatewayOwn: map[int]settings{},
		indexTypes: map[string]string{},
		markerMap:  map[int]string{},
		warned:     map[Warning]bool{},
		refused:    map[string]bool{},
		emitted:    map[string][]byte{},
		cfg:        &Config{},
	}
	c.conf = c.newConf(p)
	if len(invalid) > 0 {
		c.policy = p
		c.atOnce()
		for _, e := range c.errs {
			if !slices.ContainsFunc(invalid, func(have *Error) bool { return have.Position == e.Position }) {
				invalid = append(invalid, e)
			}
		}
		return nil, p.Named(invalid).Err()
	}
	c.policy = p.Clone().InASCII()
	if err := c.compile(); err != nil {
		if c.master != nil && c.base.Main != nil {
			c.unnamedTables(true)
		}
		return nil, p.Named(c.errs).Err()
	}
	return c.cfg, nil
}

// atOnce finds what is wrong beside an invalid policy and doesn't hang on it:
// versions, the output of doveconf, and files that can't be read.
func (c *compiler) atOnce() {
	c.directories()
	c.versions()
	c.checkDoveconf()
	if len(c.in.configured()) == 0 {
		c.takeStock()
		c.needed()
	} else {
		before := c.errs
		c.errs = nil
		c.load()
		c.errs = append(before, c.errs...)
	}
	if c.policy.Topology == TopologyMailboxes && c.policy.SieveForm() != SievePerMailbox && c.dovecot.Before(dovecotBlocks) {
		c.slot(parseDoveconf(c.in.Doveconf), c.in.Doveconf != nil)
	}
}

// directories: there is one configuration directory.
func (c *compiler) directories() {
	if c.policy.ConfigDir() != c.in.configDir() {
		c.errs.Add("Server.ConfigDirectory", ErrConflict, "write "+c.in.configDir()+
			", or read the installation by the name that it has on the server (ReadInstallation)",
			"Installation.ConfigDirectory says %s", c.in.configDir())
	}
}

// compile is Compile for a valid policy. Problems with versions keep nothing from
// being checked that doesn't hang on them.
func (c *compiler) compile() error {
	c.warnings = c.policy.Noticed()
	c.several()
	c.directories()
	c.versions()
	c.checkDoveconf()
	before := c.errs
	c.errs = nil
	loaded := c.load()
	c.errs = append(before, c.errs...)
	if !loaded {
		return c.errs.Err()
	}
	c.mailboxTables()
	c.checkInstallation()
	c.readListeners()
	c.emitTables()
	c.emitMaster()
	c.emitMain()
	c.emitSieve()
	c.emitDovecot()
	c.emitFirewall()
	c.emitBalancer()
	if len(c.errs) > 0 {
		return c.errs.Err()
	}
	c.checkReferences()
	if err := c.main.Set(c.names.owner, c.params); err != nil {
		c.postfixErrors(err, "the installation's main.cf")
	}
	if err := c.master.Set(c.names.owner, c.services, c.options); err != nil {
		c.postfixErrors(err, "the installation's master.cf")
	}
	if len(c.errs) > 0 {
		return c.errs.Err()
	}
	c.checkExpansion(c.settings(), "write the value out: what it refers to is set for the gateway, and leads back")
	if len(c.errs) > 0 {
		return c.errs.Err()
	}
	c.emit("postfix/main.cf", c.main.Format(), false)
	c.emit("postfix/master.cf", c.master.Format(), false)
	c.collectFiles()
	c.eachGateway(c.buildExceptions)
	c.buildInstance()
	if len(c.errs) > 0 {
		return c.errs.Err()
	}
	c.unnamedTables(false)
	c.cfg.warnings = c.warnings
	return nil
}

// compiler holds the state of one Compile.
type compiler struct {
	policy Policy
	names  names
	in     Installation
	conf   *mta.Configuration
	// stock are the installation's files: those of the configuration directory by
	// their names there, others by their paths. emitted are the generated ones.
	stock, emitted map[string][]byte

	main     *postfix.Main
	master   *postfix.Master
	base     settings // the installation's own, before anything is generated
	errs     Errors
	warnings []Warning
	warned   map[Warning]bool
	refused  map[string]bool // errors that were told
	cfg      *Config

	// gateways are the policy's views, current is the one that is compiled for,
	// tenantGateway each tenant's, and gateHops what the sender map answers.
	gateways      []Policy
	current       int
	tenantGateway []int
	gateHops      []string
	// gatewayOwn are the settings of each gateway's listener before the generated ones.
	gatewayOwn map[int]settings
	indexType  string            // of generated tables: "hash", "lmdb"
	indexTypes map[string]string // of single ones

	params   []postfix.Param
	services []postfix.Service
	options  []postfix.ServiceOptions
	indexes  []string // emitted files that postmap compiles

	// markerMap are the pipemaps of the domain markers by gateway; none: each
	// marker has a rule.
	markerMap map[int]string

	postfix, dovecot release.Release // the versions that the files are for
	noDoveconf       bool            // Installation.Doveconf is there and refused
	patch            int             // Postfix's patch release, -1: not known

	// tenantFiles are the emitted scripts by domain, for [SievePerTenant].
	tenantFiles map[string]string

	direct                        string // transport of mail that bypasses the gateway
	ownHeader, ownMIME, ownNested string
	usesRelay                     bool
	leaveOwn                      []string  // smtp_header_checks of the transports that mail leaves by; the first is direct's
	leaveOriginOwn                string    // that of "relay"
	variants                      []variant // of the installation's cleanup services
}

func (c *compiler) warn(path, format string, args ...any) {
	w := Warning{Position: fault.At(path), Tenant: c.policy.TenantAt(path), Text: fmt.Sprintf(format, args...)}
	if !c.warned[w] {
		c.warned[w] = true
		c.warnings = append(c.warnings, w)
	}
}

// postfixErrors files every problem that package postfix found under its own
// place.
func (c *compiler) postfixErrors(err error, where string) {
	var l postfix.Errors
	if errors.As(err, &l) {
		for _, e := range l {
			c.errs.Wrap(cmp.Or(e.Position.String(), where), e.Err, "")
		}
		return
	}
	c.errs.Wrap(where, err, "")
}

func (c *compiler) load() bool {
	c.setIndexType()
	if c.takeStock(); len(c.in.configured()) == 0 {
		c.skeleton()
		if len(c.errs) > 0 {
			return false
		}
	}
	c.withoutSecrets()
	var err error
	if c.main, err = postfix.ParseMain("main.cf", c.stock["main.cf"]); err != nil {
		c.postfixErrors(err, "main.cf")
	} else {
		c.edits("main.cf", c.main.Edits(c.names.owner))
		if err := c.main.Remove(c.names.owner); err != nil {
			c.postfixErrors(err, "main.cf")
		}
	}
	if c.stock["master.cf"] == nil {
		c.errs.Required("master.cf", "read the whole configuration directory")
	} else if c.master, err = postfix.ParseMaster("master.cf", c.stock["master.cf"]); err != nil {
		c.postfixErrors(err, "master.cf")
	} else {
		c.edits("master.cf", c.master.Edits(c.names.owner))
		if err := c.master.Remove(c.names.owner); err != nil {
			c.postfixErrors(err, "master.cf")
		}
	}
	if len(c.errs) > 0 {
		return false
	}
	c.conf.Main, c.conf.Master = c.main, c.master
	c.base = c.settings()
	c.setIndexType()
	c.checkExpansion(c.base, "mend the value: Postfix does not start on it")
	if v, err := c.base.Get("myorigin"); v == "" && err != nil && len(c.errs) == 0 {
		c.warn(c.at("myorigin"), "%v; give it in Installation.Files, Route doesn't complete addresses without a domain", err)
	}
	return len(c.errs) == 0
}

// edits warns of what somebody wrote into managed blocks.
func (c *compiler) edits(file string, left []postfix.Leftover) {
	for _, l := range left {
		c.warn(place{file, l.Line}.String(), "%s", l.Why)
	}
}

func (c *compiler) path(file string) string { return c.policy.ConfigDir() + "/" + file }

// regexpTable emits a header checks table.
func (c *compiler) regexpTable(file string, t postfix.CheckTable) {
	if len(t) == 0 {
		return
	}
	for i := range t {
		t[i].Rule = c.rule(t[i].Rule)
	}
	text, err := t.Format()
	if err != nil {
		c.tableErrors(err, file, func(i int) string { return t[i].Rule })
		return
	}
	checks, err := t.Compile()
	if err != nil {
		c.tableErrors(err, file, func(i int) string { return t[i].Rule })
		return
	}
	// An if of the table would come before a comment of its first rule, and the
	// first line is what tells generated files.
	text = append([]byte("# "+c.names.managed()+"\n"), text...)
	c.emit("postfix/"+file, text, true)
	c.conf.SetChecks(file, mta.CheckFile{File: postfixDir + file, Checks: checks, Above: 1})
}

// hashTable emits an indexed table.
func (c *compiler) hashTable(file string, t postfix.Table) {
	if len(t) == 0 {
		return
	}
	for i := range t {
		t[i].Rule = c.rule(t[i].Rule)
	}
	t[0].Comment = strings.TrimSuffix(c.names.managed()+"\n"+t[0].Comment, "\n")
	text, err := t.Format()
	if err != nil {
		c.tableErrors(err, file, func(i int) string { return t[i].Rule })
		return
	}
	c.emit("postfix/"+file, text, true)
	c.indexes = append(c.indexes, file)
	c.conf.SetTable(c.indexedSpec(file), mta.Source{File: postfixDir + file, Table: t.Index()})
}

// tableErrors files problems of a table under the policy values that they come
// from.
func (c *compiler) tableErrors(err error, file string, rule func(int) string) {
	var l postfix.Errors
	if !errors.As(err, &l) {
		c.errs.Wrap(file, err, "")
		return
	}
	for _, e := range l {
		var i int
		place := file + e.Path
		if _, err := fmt.Sscanf(e.Path, "[%d]", &i); err == nil && rule(i) != "" {
			place = rule(i)
		}
		c.errs.Wrap(place, e.Err, "")
	}
}
