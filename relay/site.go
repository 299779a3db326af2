package relay

import (
	"slices"
	"strings"
	"sync"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay/internal/doveconf"
	"github.com/oxmailroute/oxmailroute/relay/internal/release"
	"github.com/oxmailroute/oxmailroute/relay/internal/tables"
)

// site is a policy and the installation that it is for, read: what the checks ask
// and the emission starts from. Nothing of it changes once [read] has returned it;
// conf keeps the tables that were asked for.
type site struct {
	policy Policy
	names  names
	in     Installation
	conf   *mta.Configuration
	tables tables.Reader // what those of conf may answer
	// stock are the installation's files: those of the configuration directory by
	// their names there, others by their paths.
	stock    map[string][]byte
	failures *tables.Failures // of the caller's tables
	main     *postfix.Main
	master   *postfix.Master
	base     settings // main.cf's, before anything is generated
	// lists are the tables of the policy's mailboxes and aliases, where the
	// installation has them from there.
	lists *output

	gateways      []*gateway // the policy's first one first
	tenantGateway []int      // of each tenant, in gateways

	postfix, dovecot release.Release // the versions that the files are for
	patch            int             // Postfix's patch release, -1: not known
	noDoveconf       bool            // Installation.Doveconf is there and refused
	indexType        string          // of generated tables: "hash", "lmdb"
	indexTypes       map[string]string

	direct   string    // transport of mail that bypasses the gateway
	variants []variant // of the installation's cleanup services
	// scope is the sender map with what keeps it from being one.
	scope func() (postfix.Table, Errors)
}

// reader reads a site.
type reader struct{ task }

// newReader begins with what no file says.
func newReader(p Policy, in Installation, r *report) *reader {
	c := &reader{task{&site{policy: p, names: newNames(p.Gateway.Name), in: in, failures: new(tables.Failures),
		indexTypes: map[string]string{}}, r}}
	c.lists = &output{site: c.site, files: map[string][]byte{}}
	c.conf = c.newConf(p)
	c.tables = tables.Reader{
		Conf: c.conf, Given: func(name string) postfix.Table { return in.Tables[name].Rows },
		Vouched: func(name string) bool { return in.Tables[name].Harmless },
	}
	return c
}

// read reads a valid policy's site. Problems with versions keep nothing from
// being read that doesn't hang on them; ok is false where the rest can't be
// judged.
func read(p Policy, in Installation, r *report) (s *site, ok bool) {
	c := newReader(p, in, r)
	c.readGateways()
	c.directories()
	c.versions()
	c.checkDoveconf()
	if !c.load() {
		return c.site, false
	}
	c.direct, _, _ = strings.Cut(c.base.get("default_transport"), ":")
	c.mailboxTables()
	for _, set := range c.lists.set {
		set(c.conf)
	}
	c.readListeners()
	for _, g := range c.gateways {
		c.readMarkers(g)
	}
	c.readVariants()
	c.scope = sync.OnceValues(func() (postfix.Table, Errors) { return c.scopeOf(func(int) bool { return true }) })
	return c.site, true
}

// readAnyway finds what is wrong beside an invalid policy and doesn't hang on it:
// versions, the output of doveconf, and files that can't be read.
func readAnyway(p Policy, in Installation, r *report) {
	c := newReader(p, in, r)
	c.directories()
	c.versions()
	c.checkDoveconf()
	if len(c.in.configured()) == 0 {
		c.takeStock()
		c.needed()
	} else {
		c.load()
	}
	if c.policy.Topology == TopologyMailboxes && c.policy.SieveForm() != SievePerMailbox && c.dovecot.Before(dovecotBlocks) {
		c.slot(doveconf.Parse(c.in.Doveconf), c.in.Doveconf != nil)
	}
}

// directories: there is one configuration directory.
func (c *reader) directories() {
	if c.policy.ConfigDir() != c.in.configDir() {
		c.errs.Add("Server.ConfigDirectory", ErrConflict, "write "+c.in.configDir()+
			", or read the installation by the name that it has on the server (ReadInstallation)",
			"Installation.ConfigDirectory says %s", c.in.configDir())
	}
}

// load reads the files.
func (c *reader) load() bool {
	before := c.errs
	c.errs = nil
	c.loadFiles()
	ok := len(c.errs) == 0
	c.errs = slices.Concat(before, c.errs)
	return ok
}

func (c *reader) loadFiles() {
	c.setIndexType()
	if c.takeStock(); len(c.in.configured()) == 0 {
		c.skeleton()
		if len(c.errs) > 0 {
			return
		}
	}
	c.withoutSecrets()
	var err error
	if c.main, err = postfix.ParseMain("main.cf", c.stock["main.cf"]); err != nil {
		c.postfixErrors(err, "main.cf")
	} else {
		c.main.KnowSeals(c.names.sealsIn(c.in)...)
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
		c.master.KnowSeals(c.names.sealsIn(c.in)...)
		c.edits("master.cf", c.master.Edits(c.names.owner))
		if err := c.master.Remove(c.names.owner); err != nil {
			c.postfixErrors(err, "master.cf")
		}
	}
	if len(c.errs) > 0 {
		return
	}
	c.conf.Main, c.conf.Master = c.main, c.master
	c.base = settings{c.conf.Settings()}
	c.setIndexType()
	c.checkExpansion(c.base, c.master, "mend the value: Postfix does not start on it")
	if v, err := c.base.Get("myorigin"); v == "" && err != nil && len(c.errs) == 0 {
		c.warn(c.at("myorigin"), "%v; give it in Installation.Files, Route doesn't complete addresses without a domain", err)
	}
}

// edits warns of what somebody wrote into managed blocks.
func (c *reader) edits(file string, left []postfix.Leftover) {
	for _, l := range left {
		c.warn(place{file, l.Line}.String(), "%s", l.Why)
	}
}

// path is a file of the configuration directory on the server.
func (c *site) path(file string) string { return c.policy.ConfigDir() + "/" + file }
