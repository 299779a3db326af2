package relay

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// configuredName is a table or a service as a setting names it.
var configuredName = regexp.MustCompile(`[a-z][a-z0-9_-]*(?::[a-z][a-z0-9_-]*)*:[^\s,{}]+`)

const policyService = "check_policy_service"

// unnamedTables tells of each table that was given or vouched for and that no
// setting names, so that nobody takes a misspelt one for given. What could be
// meant is with it. In a Compile that fails it is an error, because it is likely
// why; else a warning, for one list may be for several servers.
func (c task) unnamedTables(main settings, master *postfix.Master, failed bool) {
	if len(c.in.Tables) == 0 {
		return
	}
	names := map[string]bool{}
	add := func(value string) {
		value = strings.Join(strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t\r\n,", r) }), " ")
		for _, at := range configuredName.FindAllStringIndex(value, -1) {
			name := strings.TrimPrefix(value[at[0]:at[1]], "!")
			if strings.HasSuffix(value[:at[0]], policyService+" ") {
				name = policyService + " " + name
			}
			names[name] = true
		}
		if specs, err := postfix.ParseMaps(value); err == nil {
			for _, s := range specs {
				for _, l := range append(s.Leaves(), s) {
					names[l.String()] = true
				}
			}
		}
	}
	services := []settings{main}
	for _, sv := range master.Services() {
		if len(sv.Options) > 0 {
			services = append(services, main.service(sv))
		}
	}
	for i, s := range services {
		if i == 0 {
			for _, p := range postfix.Parameters() {
				add(s.get(p.Name()))
			}
			for _, p := range s.Main.Params() {
				add(s.get(p.Name))
			}
			continue
		}
		for _, o := range s.Options {
			add(s.get(o.Name))
		}
	}
	for _, table := range slices.Sorted(maps.Keys(c.in.Tables)) {
		if names[table] {
			continue
		}
		fix := "no setting of main.cf and master.cf names a table so, as it is when every $name is expanded: correct or remove it"
		if near := paths.Nearest(table, names); near != "" {
			fix = "write " + near + ", or remove it"
		}
		at := "Installation.Tables"
		if failed {
			c.errs.Add(at, ErrConflict, fix, "%q is named by no setting", table)
		} else {
			c.warn(at, "%q is named by no setting, and counts for nothing: %s", table, fix)
		}
	}
}
