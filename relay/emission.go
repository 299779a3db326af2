package relay

import (
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
)

// emission is what is written for a site, and what Route then reads.
type emission struct {
	*output
	params   []postfix.Param
	services []postfix.Service
	options  []postfix.ServiceOptions
	scripts  deliveryScripts
	// main, master and conf are the finished configuration.
	main   *postfix.Main
	master *postfix.Master
	conf   *mta.Configuration
}

// emit writes what the policy says for the site. What one part needs of another
// it is given: which tables there are, which checks the transports had, which
// script runs.
func emit(s *site, r *report) *emission {
	t := task{s, r}
	e := &emission{output: s.lists.clone()}
	files := fileWriter{task: t, out: e.output}
	files.emitTables()
	e.services, e.options = emitMaster(t, e.output)
	l := t.leaving()
	e.options = append(e.options, l.options...)
	e.params = emitMain(t, e.output, l)
	e.scripts = files.emitSieve()
	files.emitDovecot(e.scripts)
	files.emitFirewall()
	files.emitBalancer()
	if len(r.errs) == 0 {
		t.finish(e)
	}
	return e
}

// finish puts what is generated into main.cf and master.cf.
func (c task) finish(e *emission) {
	c.checkReferences(e.params)
	main, master := *c.main, *c.master
	e.main, e.master = &main, &master
	if err := main.Set(c.names.owner, e.params); err != nil {
		c.postfixErrors(err, "the installation's main.cf")
	}
	if err := master.Set(c.names.owner, e.services, e.options); err != nil {
		c.postfixErrors(err, "the installation's master.cf")
	}
	if len(c.errs) > 0 {
		return
	}
	e.conf = c.conf.Clone()
	e.conf.Main, e.conf.Master, e.conf.Generated = e.main, e.master, e.files
	for _, set := range e.set {
		set(e.conf)
	}
	c.checkExpansion(settings{e.conf.Settings()}, e.master, "write the value out: what it refers to is set for the gateway, and leads back")
	e.files[mainFile], e.files[masterFile] = main.Format(), master.Format()
	fileWriter{task: c, out: e.output}.emitSeals(e.main, e.master)
}
