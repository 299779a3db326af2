package relay

import (
	"regexp"

	"github.com/oxmailroute/oxmailroute/internal/fault"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// checkExpansion refuses values that Postfix stops on: it would not start.
func (c task) checkExpansion(s settings, master *postfix.Master, fix string) {
	for _, e := range s.Unexpandable(master) {
		c.errs.Wrap(e.Position.String(), fault.Both(e.Err, ErrConflict), fix)
	}
}

// checkReferences refuses values of the installation's that name a parameter
// which the generated configuration defines: they would mean something else
// from now on, or lead in a circle.
func (c task) checkReferences(params []postfix.Param) {
	generated := map[string]bool{}
	for _, p := range params {
		if _, known := postfix.LookupParameter(p.Name); !known {
			generated[p.Name] = true
		}
	}
	check := func(file string, line int, name, value string) {
		for _, used := range reference.FindAllStringSubmatch(value, -1) {
			if generated[used[1]] {
				c.errs.Add(place{file, line}.String(), ErrConflict, "write out what it stands for",
					"%s refers to $%s, which is set for the gateway", name, used[1])
			}
		}
	}
	for _, p := range c.base.Main.Params() {
		check("main.cf", p.Line, p.Name, p.Value)
	}
	for _, sv := range c.master.Services() {
		for _, o := range sv.Options {
			check("master.cf", sv.Line, o.Name, o.Value)
		}
	}
}

// reference is a $name of postconf(5), in any of its forms.
var reference = regexp.MustCompile(`\$[({]?([A-Za-z0-9_]+)`)
