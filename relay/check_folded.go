package relay

import (
	"maps"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// checkFolded looks for domains whose U-labels Postfix takes for another domain
// ([foldedDomain]). Their senders may write themselves in either form, so both
// domains must be in scope alike; nothing else can be expressed. Where a domain
// beyond the scope is concerned, mail to it in U-labels goes the other's way,
// which is a warning.
func (c checker) checkFolded(scope postfix.Table) {
	answers := map[string]map[string]string{} // by domain and local part
	for _, e := range scope {
		local, domain := mailaddr.Split(mailaddr.Fold(e.Key))
		if answers[domain] == nil {
			answers[domain] = map[string]string{}
		}
		answers[domain][local] = e.Value
	}
	for i, t := range c.policy.Tenants {
		for j, d := range t.Domains {
			ascii, _ := headers.ASCIIDomain(d)
			other := mailaddr.FoldedDomain(ascii)
			if other == "" {
				continue
			}
			at := paths.Index(paths.Index("Tenants", i)+".Domains", j)
			if !maps.Equal(answers[ascii], answers[other]) {
				c.errs.Add(at, headers.ErrNotExpressible, "list both domains in this tenant, with the same senders in scope; or take both out of scope",
					"Postfix takes senders in %s for those in %s, since it compares folded text: they would not be treated as the policy says", d, other)
				continue
			}
			c.warn(at, "Postfix takes addresses in %s for those in %s, since it compares folded text; only its A-labels (%s) are routed", d, other,
				ascii)
		}
	}
	for i, t := range c.policy.Tenants {
		for j, a := range t.Scope.Except {
			// In lower case alone it would be another sender's exception, too.
			if local, domain := mailaddr.Split(a); strings.Contains(a, "@") && mailaddr.Fold(local) != strings.ToLower(local) {
				c.errs.Add(paths.Index(paths.Index("Tenants", i)+".Scope.Except", j), headers.ErrNotExpressible,
					"write "+mailaddr.Fold(local)+"@"+domain+
						", if both are meant, or remove it",
					"Postfix takes %s for %s@%s, since it compares folded text: both would be out of scope", a, mailaddr.Fold(local), domain)
			}
		}
	}
	for i, d := range c.policy.Direct {
		if other := mailaddr.FoldedDomain(d); other != "" {
			ascii, _ := headers.ASCIIDomain(d)
			c.warn(paths.Index("Direct", i),
				"Postfix takes addresses in %s for those in %s, since it compares folded text; only its A-labels (%s) go direct", d, other, ascii)
		}
	}
}
