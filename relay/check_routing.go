package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// aside are parameters of trivial-rewrite(8)'s that say nothing about where mail
// goes.
var aside = []string{"daemon_timeout", "helpful_warnings", "ipc_timeout", "max_idle", "max_use", "queue_directory",
	"show_user_unknown_table_name", "syslog_facility", "syslog_name"}

// generatedRoutes are those that the generated main.cf gives more than the
// installation's.
var generatedRoutes = []string{"relay_domains", "sender_dependent_default_transport_maps", "transport_maps"}

const rewriteService = "rewrite_service_name"

// checkRouting refuses options of master.cf by which the programs that route all
// mail are told something else than main.cf tells them: the generated maps stand
// in main.cf, and would not be asked, or not of the same address.
func (c checker) checkRouting() {
	const fix = "set it in main.cf, for all services; or leave it out"
	differs := func(sv postfix.Service, name, why string) {
		main, own := c.base.get(name), c.base.service(sv).get(name)
		if _, set := sv.Option(name); main == own && !(set && slices.Contains(generatedRoutes, name)) {
			return
		}
		at := place{"master.cf", sv.Line}.String()
		c.errs.Add(at, ErrConflict, fix, "%s is %q for %s and %q in main.cf: %s", name, own, sv.Name, main, why)
	}
	router := c.base.get(rewriteService)
	if sv, ok := c.master.Lookup(router, "unix"); c.base.Set(rewriteService) && (!ok || sv.Command != "trivial-rewrite") {
		c.conflict(rewriteService, "name the service that runs trivial-rewrite(8)", "master.cf has no such service %q", router)
	}
	for _, sv := range c.master.Services() {
		if sv.Command == "trivial-rewrite" {
			if sv.Name == router {
				for _, p := range postfix.Parameters() {
					if n := p.Name(); p.NamedBy(sv.Command) && !slices.Contains(aside, n) && !strings.HasPrefix(n, "address_verify_") {
						differs(sv, n, "mail in scope would be routed past the gateway, or elsewhere than Route says")
					}
				}
			}
			continue
		}
		differs(sv, rewriteService, "addresses would be resolved by other tables than those of main.cf")
		if sv.Command == "qmgr" || sv.Command == "oqmgr" {
			differs(sv, "defer_transports", "mail would wait where Route says that it goes")
			differs(sv, "default_filter_nexthop", "it would take the mail that bypasses the gateway")
		}
	}
}
