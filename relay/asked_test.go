package relay_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay"
)

// unreachable is a table whose server is down.
type unreachable struct{}

var errUnreachable = errors.New("no connection")

func (unreachable) Lookup(string) (postfix.Row, bool, error) {
	return postfix.Row{}, false, errUnreachable
}

// TestTableUnreachable: a table that can't be asked while Compile looks whether it has
// a route past the gateway is not taken for one that has none.
func TestTableUnreachable(t *testing.T) {
	p := labPolicy(t, "lab.json")
	in := labBase(t)
	in.Files["/etc/postfix/main.cf"] = append(in.Files["/etc/postfix/main.cf"], "\ntransport_maps = mysql:/etc/postfix/routes.cf\n"...)
	in.Tables = map[string]relay.Table{"mysql:/etc/postfix/routes.cf": {Map: postfix.Table{}.Index(), Harmless: true}}
	if _, err := tryCompile(t, p, in); err != nil {
		t.Fatal(err)
	}
	in.Tables["mysql:/etc/postfix/routes.cf"] = relay.Table{Map: unreachable{}, Harmless: true}
	_, err := tryCompile(t, p, in)
	var list relay.Errors
	if !errors.As(err, &list) || len(list) != 1 || !errors.Is(err, relay.ErrConflict) || !errors.Is(err, errUnreachable) ||
		list[0].Path != "Installation.Tables" || !strings.Contains(list[0].Error(), "mysql:/etc/postfix/routes.cf") || list[0].Fix == "" {
		t.Errorf("%v", err)
	}
}
