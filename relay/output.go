package relay

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
)

// output are generated files. Whoever needs to know whether there is one gets
// them when all are written.
type output struct {
	site    *site
	files   map[string][]byte
	kept    []File   // copies of edited ones
	indexes []string // tables that postmap compiles
	// set puts the tables into a configuration as they are in memory.
	set []func(*mta.Configuration)
}

// clone is the output to go on from.
func (o *output) clone() *output {
	return &output{site: o.site, files: maps.Clone(o.files), kept: slices.Clone(o.kept), indexes: slices.Clone(o.indexes),
		set: slices.Clone(o.set)}
}

// regexpMap names a table of header checks; empty where it wasn't written.
func (o *output) regexpMap(file string) string {
	if o.files[postfixDir+file] == nil {
		return ""
	}
	return "regexp:" + o.site.path(file)
}

// hashMap names an indexed table; empty where it wasn't written.
func (o *output) hashMap(file string) string {
	if o.files[postfixDir+file] == nil {
		return ""
	}
	return o.site.indexedSpec(file).String()
}

// fileWriter adds files to an output.
type fileWriter struct {
	task
	out     *output
	gateway *gateway // whose view the rules are of
}

// of is the writer for what a gateway has for itself.
func (c fileWriter) of(g *gateway) fileWriter {
	c.gateway = g
	return c
}

// rule is a path of the policy.
func (c fileWriter) rule(path string) string {
	if c.gateway == nil {
		return path
	}
	return c.gateway.rule(path)
}

// emit adds a file that is generated as a whole: one of that name which isn't must
// not be overwritten, and of one that somebody edited a copy is kept.
func (c fileWriter) emit(name string, data []byte) {
	data = sealed(data)
	c.out.files[name] = data
	there, ok := c.in.there(name)
	if !ok {
		return
	}
	at := strings.TrimPrefix(name, "postfix/")
	switch {
	case !c.names.owns(there): // the first gateway's owner, also for a further one
		c.errs.Add(at, ErrConflict, "rename it, or choose another Gateway.Name",
			"the installation has a file of this name that was not generated")
	case Loses(there, data):
		kept := File{Name: keptName(name, there), Mode: 0o600, Data: bytes.Clone(there)}
		c.warn(at, "was edited by hand, or has no checksum that tells; it is written anew, and what it was is kept in %s: put what you need of "+
			"it into the policy, then delete that file", kept.Name)
		if _, ok := c.in.there(kept.Name); !ok && !slices.ContainsFunc(c.out.kept, func(f File) bool { return f.Name == kept.Name }) {
			c.out.kept = append(c.out.kept, kept)
		}
	}
}

// set keeps how a configuration gets a table.
func (c fileWriter) set(f func(*mta.Configuration)) { c.out.set = append(c.out.set, f) }

// regexpTable emits a header checks table.
func (c fileWriter) regexpTable(file string, t postfix.CheckTable) {
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
	c.emit(postfixDir+file, text)
	c.set(func(conf *mta.Configuration) {
		conf.SetChecks(file, mta.CheckFile{File: postfixDir + file, Checks: checks, Above: 1})
	})
}

// hashTable emits an indexed table.
func (c fileWriter) hashTable(file string, t postfix.Table) {
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
	c.emit(postfixDir+file, text)
	c.out.indexes = append(c.out.indexes, file)
	spec, source := c.indexedSpec(file), mta.Source{File: postfixDir + file, Table: t.Index()}
	c.set(func(conf *mta.Configuration) { conf.SetTable(spec, source) })
}

// tableErrors files problems of a table under the policy values that they come
// from.
func (c fileWriter) tableErrors(err error, file string, rule func(int) string) {
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

// cidrTable emits a table of networks.
func (c fileWriter) cidrTable(file string, t postfix.CIDRTable) {
	for i := range t {
		t[i].Rule = c.rule(t[i].Rule)
	}
	t[0].Comment = c.names.managed()
	text, err := t.Format()
	if err != nil {
		c.tableErrors(err, file, func(i int) string { return t[i].Rule })
		return
	}
	c.emit(postfixDir+file, text)
	// Read back, so that the entries have the lines that traces name.
	parsed, _ := postfix.ParseCIDR(file, text)
	for i := range parsed {
		if i < len(t) {
			parsed[i].Rule = t[i].Rule
		}
	}
	c.set(func(conf *mta.Configuration) { conf.SetCIDR(file, parsed) })
}
