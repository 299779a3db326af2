package relay

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/relay/internal/around"
)

// firewallName is the ruleset among the emitted files.
func (n names) firewallName() string { return "nftables/" + n.smartHost + ".nft" }

// table is the name of the ruleset's table.
func (n names) table() string { return strings.ReplaceAll(n.owner, "-", "_") }

// emitFirewall writes the ruleset.
func (c fileWriter) emitFirewall() {
	if !c.policy.Firewall.IsZero() {
		c.emit(c.names.firewallName(),
			around.Nftables(c.policy, "inet "+c.names.table(), c.names.managed(), c.names.firewallOff().String()))
	}
}

// firewallOff is the command that takes the table out of the kernel, whether or
// not it is there.
func (n names) firewallOff() Command {
	t := "inet " + n.table()
	return Command{Args: []string{"nft", "table " + t + "; delete table " + t}, Why: "open the ports that only the gateway reached",
		Silent: true}
}
