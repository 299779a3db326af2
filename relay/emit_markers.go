package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/relay/internal/fold"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// maxMarkerRules is up to how many marker names each has a pattern of its own.
// A pattern costs every cleanup(8) process some 70 KB and every marker line a
// try, so that more names go into an indexed table (BENCHMARKS.md).
const maxMarkerRules = 100

// markerName is the marker of a hosted domain, with the policy's value that it
// comes from.
type markerName struct{ name, rule string }

// readMarkers finds the domain markers that are honoured one by one, each once:
// two domains may share one, which Policy.Warnings says.
func (c *reader) readMarkers(g *gateway) {
	m := g.policy.Gateway.Markers.Domain
	if m.Prefix == "" || g.policy.Loop.AnyDomain {
		return
	}
	seen := map[string]bool{}
	for i, tenant := range derived.Tenants(g.policy) {
		if c.tenantGateway[i] != g.index {
			continue
		}
		for j, d := range paths.Ordered(tenant.Domains) {
			at := paths.Index(paths.Index("Tenants", i)+".Domains", j)
			name, err := headers.MarkerName(m.Prefix, d)
			if err != nil {
				g.markerErrs.Wrap(at, err, "")
				continue
			}
			if !seen[name] {
				seen[name] = true
				g.markers = append(g.markers, markerName{name, at})
			}
		}
	}
	if len(g.markers) <= maxMarkerRules {
		return
	}
	dashed := make([]string, len(g.markers))
	for i, n := range g.markers {
		dashed[i] = n.name[len(m.Prefix):]
	}
	text, stages := fold.Table(dashed)
	steps := []string{"regexp:" + c.path(g.names.marker)}
	for range stages {
		steps = append(steps, "regexp:"+c.path(g.names.fold))
	}
	steps = append(steps, c.indexedSpec(g.names.markers).String())
	g.fold, g.markerMap = text, "pipemap:{"+strings.Join(steps, ",")+"}"
}

// markerTables emits the domain markers of an installation with many domains
// as an indexed table. Three tables make one, a pipemap (DATABASE_README):
//
//   - marker cuts the domain's part out of a marker line with the right value
//   - fold writes it in lower case, a letter at a time, because cleanup(8) does
//     not fold the case of a header check's key, and header names have none
//   - markers knows the domains
func (c fileWriter) markerTables(g *gateway) {
	m := g.policy.Gateway.Markers.Domain
	cut := headers.MatchPrefix{Prefix: m.Prefix, Op: headers.Is, Values: []string{m.Value}}
	patterns, err := postfix.PatternsFor(cut)
	if err != nil {
		c.errs.Wrap("Gateway.Markers.Domain", err, "")
		return
	}
	const any, name = "[^:]*:", "([^:]+):"
	head := "# " + g.names.managed() + "\n"
	c.emit(postfixDir+g.names.marker, []byte(head+strings.Replace(patterns[0], any, name, 1)+" ${1}\n"))
	table := make(postfix.Table, len(g.markers))
	direct := postfix.Filter{Transport: c.direct, NextHop: g.policy.DirectVia}
	for i, n := range g.markers {
		table[i] = postfix.Entry{Key: n.name[len(m.Prefix):], Value: "FILTER " + direct.Transport + ":" + direct.NextHop, Rule: n.rule}
	}
	c.hashTable(g.names.markers, table)
	c.emit(postfixDir+g.names.fold, append([]byte(head), g.fold...))
	value, err := headers.Compile(cut, headers.HeaderChecks)
	if err != nil {
		c.errs.Wrap("Gateway.Markers.Domain", err, "")
		return
	}
	spec := c.indexedSpec(g.names.markers)
	c.set(func(conf *mta.Configuration) {
		index, _ := conf.Table(spec)
		conf.SetCheckMap(g.markerMap, mta.CheckFile{File: postfixDir + g.names.markers, Checks: fold.Checks{
			Prefix: len(m.Prefix), Value: value, Index: index.Table, Action: direct,
		}})
	})
}

// bypassOption is the value of -o header_checks of the second pass. A value
// with spaces needs a name in main.cf.
func (c *masterWriter) bypassOption(g *gateway) string {
	if g.markerMap == "" {
		return c.regexpMap(g.names.bypass)
	}
	return "$" + g.names.outHeader
}

// bypassMaps are the tables that keep marked mail off the smart host.
func (c *mainWriter) bypassMaps(g *gateway) string {
	return strings.Join(slices.DeleteFunc([]string{g.markerMap, c.regexpMap(g.names.bypass)},
		func(s string) bool { return s == "" }), ", ")
}
