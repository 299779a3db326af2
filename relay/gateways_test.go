package relay_test

import (
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/relay"
)

// gatewayScenarios are installations whose gateway is reached in another way
// than the page's, or that have more than one.
var gatewayScenarios = []scenario{
	{
		name: "two smart hosts, the first down", messages: 150,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			p := fromLab(tb, w)
			fallback(nil)(&p.Gateway.SmartHost, w)
			return p
		},
		base: withMain(hostile, hostileFiles),
		world: func(w *maillab.World) {
			spare(w)
			first(w).Mode = maillab.Down
		},
	},
	{
		name: "DANE", messages: 150,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			p := fromLab(tb, w)
			dane(&p.Gateway.SmartHost, w)
			return p
		},
		base: labBase, world: tlsa("conbool", true),
	},
	{
		name: "login by implicit TLS", messages: 150,
		policy: func(tb testing.TB, w *maillab.World) relay.Policy {
			p := fromLab(tb, w)
			p.Gateway.SmartHost.ImplicitTLS, p.Gateway.SmartHost.Port = true, 465
			p.Gateway.SmartHost.Auth.PasswordFile = passwords
			return p
		},
		base: withMain("smtp_sasl_password_maps = static:none:none\nsmtp_discard_ehlo_keywords = auth\nsmtp_sasl_mechanism_filter = GSSAPI\n",
			map[string]string{"sasl_gateway": "[" + gatewayName + "]:465 ox:a secret: word\n"}),
		world: func(w *maillab.World) {
			first(w).Address, first(w).ImplicitTLS = "127.0.2.1:465", true
			loginWorld()(w)
			// The MX of some hosted domains is the gateway, too.
			w.Sinks = append(w.Sinks, maillab.Sink{Address: "127.0.2.1:25", Kind: maillab.KindSmartHost, Name: gatewayName, Certificate: "conbool"})
		},
	},
}

// TestGatewayServers holds Route to the real servers.
func TestGatewayServers(t *testing.T) {
	for _, s := range gatewayScenarios {
		t.Run(s.name, func(t *testing.T) { s.run(t) })
	}
}
