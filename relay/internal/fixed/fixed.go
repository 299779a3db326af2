// Package fixed has what stands in policies and in emitted files whatever a policy
// says.
package fixed

import "regexp"

const (
	// LoginDemand is a mechanism that nobody has. A server that offers nothing but it
	// can't be logged in to, which smtp(8) takes for a failed login; where AUTH is
	// not offered at all, it would send without.
	LoginDemand = "X-OXMAILROUTE-LOGIN"
	// TenantScriptDir is where the tenants' scripts are among the files.
	TenantScriptDir = "sieve/tenants/"
	// FirewallDir is where the generated nftables ruleset goes where the policy
	// names no directory.
	FirewallDir = "/etc/nftables"
)

var (
	// GatewayName is what the name of a gateway may be.
	GatewayName = regexp.MustCompile(`^[a-z][a-z0-9]{0,15}$`)
	// Fingerprint is a certificate's SHA-256 with colons.
	Fingerprint = regexp.MustCompile(`^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31}$`)
)
