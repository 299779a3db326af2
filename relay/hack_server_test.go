package relay_test

import (
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// TestRoutingOperators: addresses with % and !, with the settings by which
// Postfix reads them and without, from clients that may relay and others.
func TestRoutingOperators(t *testing.T) {
	t.Parallel() // much of a run is waiting
	for _, f := range servertest.Part(t, []followed{
		{name: "both"},
		{name: "no percent hack", main: "allow_percent_hack = no\n"},
		{name: "no bang paths", main: "swap_bangpath = no\n"},
		{name: "neither", main: "allow_percent_hack = no\nswap_bangpath = no\n"},
	}, 1) {
		f.main += "myorigin = example.com\nlocal_transport = discard:\nsmtp_destination_recipient_limit = 1\nconbool_destination_recipient_limit = 1\n"
		f.main += "local_recipient_maps = inline:{{x%remote1.test=x},{bob%example.com=x},{remote1.test!q=x}}\n"
		f.edit = strings.NewReplacer("local_recipient_maps =\n", "")
		f.messages = 150
		f.entries = []string{"submission", "internal", "own host", "pickup", "gateway"}
		f.senders = []string{"alice@example.com", "remote1.test!s", "alice%example.com", "alice%example.com@localhost",
			"example.com!alice@localhost", "z@remote3.test"}
		f.rcpts = []string{
			"x%remote1.test@localhost", "remote1.test!q@localhost", "x%remote1.test", "remote1.test!z", "q%q%remote1.test@localhost", "a!b!c@localhost", "a!b!c",
			"bob%example.com@localhost", "bob%example.com", "example.com!bob", "bob%example.com@example.com", "example.com!bob@example.com", "bob%x@example.com",
			"remote1.test!bob%example.com", "remote1.test!bob%example.com@localhost", "bob%", "!bob", "bob!", "%bob", "x%remote1.test@[127.0.1.1]", "bob%example.com@remote1.test", "remote2.test!bob@remote1.test",
			"bob%localhost", "bob%localhost@localhost", "\"bob@example.com\"@localhost", "\"x@remote1.test\"@localhost", "bob@example.com@localhost",
		}
		for _, system := range maillab.DrawnSystems(t, f.name) {
			t.Run(f.name+"/"+system.Name, func(t *testing.T) {
				t.Parallel()
				f.run(t, system)
			})
		}
	}
}
