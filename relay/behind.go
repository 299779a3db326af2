package relay

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/relay/internal/paths"
)

// behindTable refuses, on a shared listener, what strangers send to the domains
// whose mail comes by the gateway. Where access tables answer for subdomains
// (parent_domain_matches_subdomains), those that are hosted for themselves need
// rows of their own.
func (c fileWriter) behindTable(g *gateway) postfix.Table {
	if g.policy.Inbound.Anybody {
		return nil
	}
	behind := map[string]bool{}
	var t postfix.Table
	for i, tenant := range g.policy.Tenants {
		uses := tenant.Uses()
		for j, d := range tenant.Domains {
			ascii, err := headers.ASCIIDomain(d)
			if err != nil || !uses(ascii) {
				continue
			}
			for _, k := range mailaddr.DomainKeys(d) {
				behind[k] = true
				t = append(t, postfix.Entry{Key: k, Value: "REJECT 5.7.1 mail for this domain comes by its gateway",
					Rule: paths.Index(paths.Index("Tenants",
						i)+".Domains", j)})
			}
		}
	}
	if len(t) == 0 {
		return nil
	}
	if !slices.Contains(list(g.own.get(parentDomains)), accessMaps) {
		return t
	}
	for _, d := range c.hostedBelow(behind) {
		t = append(t, postfix.Entry{Key: d, Value: "DUNNO", Rule: "Inbound.Shared"})
	}
	return t
}

// hostedBelow are the hosted domains below those, which are none of them.
func (c fileWriter) hostedBelow(behind map[string]bool) []string {
	below := map[string]bool{}
	consider := func(d string) {
		if behind[d] {
			return
		}
		for parent := d; ; {
			_, rest, ok := strings.Cut(parent, ".")
			if !ok {
				return
			}
			if parent = rest; behind[parent] {
				below[d] = true
				return
			}
		}
	}
	for _, t := range c.policy.Tenants {
		for _, d := range t.Domains {
			for _, k := range mailaddr.DomainKeys(d) {
				consider(k)
			}
		}
	}
	for _, name := range []string{"mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains"} {
		for _, word := range list(c.base.get(name)) {
			if !strings.Contains(word, ":") {
				consider(mailaddr.Fold(word))
				continue
			}
			known, opaque := c.conf.Maps(word)
			for _, s := range known {
				for _, e := range c.tables.Entries(s) {
					consider(mailaddr.Fold(e.Key))
				}
			}
			if len(opaque) > 0 {
				c.warn(c.at(name), "%s can't be read here: a subdomain in it of a domain behind the gateway "+
					"is refused to strangers as that one is, unless a tenant that stays as it is has it", word)
			}
		}
	}
	out := make([]string, 0, len(below))
	for d := range below {
		out = append(out, d)
	}
	slices.Sort(out)
	return out
}

// checkBehind refuses a domain behind the gateway whose users have mail of other
// names, too, that can't be refused to strangers: each of mydestination, and
// [address], is the same users' (local(8)).
func (c checker) checkBehind() {
	if !c.policy.Inbound.Shared || c.policy.Inbound.Anybody {
		return
	}
	local := c.conf.Domains(c.base.Settings, "mydestination")
	for i, t := range c.policy.Tenants {
		uses := t.Uses()
		for j, d := range t.Domains {
			ascii, err := headers.ASCIIDomain(d)
			if err == nil && uses(ascii) && t.Store == "" && slices.ContainsFunc(mailaddr.DomainKeys(ascii), local.Has) {
				c.errs.Add(paths.Index(paths.Index("Tenants", i)+".Domains", j), headers.ErrNotExpressible,
					"put it into virtual_mailbox_domains, give the gateway a listener of its own, or set Inbound.Anybody",
					"%s of %q is in mydestination, where strangers reach its users by every other name and address of the server, past the gateway",
					ascii, t.Name)
			}
		}
	}
}

// strangersRules are the installation's own rules of a shared listener, copied,
// with the refusal for the domains behind the gateway among them: in the list
// that decides who may relay, behind what permits those whom the installation
// knows (mynetworks, a login) and before whatever else may permit.
func (c *mainWriter) strangersRules(g *gateway, parameter string) string {
	own := g.own
	text := c.copied(own, parameter)
	table := c.hashMap(g.names.behind)
	decides := "smtpd_relay_restrictions"
	if own.get(decides) == "" {
		decides = "smtpd_recipient_restrictions"
	}
	if table == "" || parameter != decides && !(parameter == "smtpd_relay_restrictions" && own.get("smtpd_recipient_restrictions") == "") {
		return text
	}
	refusal := "check_recipient_access " + table
	rules, err := postfix.ParseRestrictions(text)
	if err != nil {
		return refusal + ", " + text
	}
	at := 0
	for i, r := range rules {
		name := strings.ToLower(r.Name)
		known := identities[name]
		if !known && !strings.HasPrefix(name, "reject_") && !strings.HasPrefix(name, "defer_") && name != "warn_if_reject" {
			break
		}
		if known {
			at = i + 1
		}
	}
	out := make([]string, 0, len(rules)+1)
	for i, r := range rules {
		if i == at {
			out = append(out, refusal)
		}
		out = append(out, restrictionText(r))
	}
	if at == len(rules) {
		out = append(out, refusal)
	}
	return strings.Join(out, ", ")
}

// identities permit a client for who it is, whatever it sends.
var identities = map[string]bool{
	"permit_mynetworks": true, "permit_sasl_authenticated": true, "permit_tls_clientcerts": true,
}

// restrictionText writes a restriction as it was read.
func restrictionText(r postfix.Restriction) string {
	arg := r.Arg
	if strings.ContainsAny(arg, ", \t{}") {
		arg = "{ " + arg + " }"
	}
	return strings.TrimSpace(r.Name + " " + arg)
}
