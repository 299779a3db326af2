package relay_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/relay"
)

// TestActions: what the installation's checks and access tables would do to the
// guarantees is refused where it stands, in every form of table.
func TestActions(t *testing.T) {
	shared := func(p *relay.Policy) { p.Inbound.Shared = true; p.Gateway.Client = relay.ClientCertificate{} }
	const ok, here = "", "main.cf:33"
	tests := []struct {
		main  string // of main.cf
		file  string // "own", or "access"
		at    string // of the error; ok: none
		says  string
		alter func(*relay.Policy)
	}{
		{"header_checks = regexp:/etc/postfix/own", "/^X:/ PASS", "own:1", "PASS", nil},
		{"header_checks = regexp:/etc/postfix/own", "# PASS\n/^X:/ DUNNO PASS\n/^Y:/ REDIRECT nobody", ok, "", nil},
		{"header_checks = regexp:/etc/postfix/own", "/^X:/ WARN\n/^X:/ REDIRECT r@remote1.test", "own:2", "REDIRECT", nil},
		{"header_checks = pcre:/etc/postfix/own", "/^(?=X)/ pass it", "own:1", "PASS", nil},
		{"header_checks = regexp:/etc/postfix/own", "/^X: (.*)/ $1", "own:1", "the message itself", nil},
		{"mime_header_checks = regexp:/etc/postfix/own", "/^X:/ PASS", "own:1", "PASS", nil},
		{"nested_header_checks = regexp:/etc/postfix/own", "/^X:/ REDIRECT r@remote1.test", "own:1", "REDIRECT", nil},
		{"header_checks = regexp:{ {/^X:/ PASS} }", "", here, "PASS", nil},
		{"header_checks = regexp:{ {/^X:/ DUNNO} }", "", ok, "", nil},
		{"header_checks = pcre:{{/^X:/ WARN}, {/^Y:/ REDIRECT r@remote1.test}}", "", here, "REDIRECT", nil},
		{"header_checks = unionmap:{regexp:{{/^X:/ PASS it}},static:DUNNO}", "", here, "PASS", nil},
		{"header_checks = unionmap:{static:{REDIRECT r},static:x@remote1.test}", "", here, "REDIRECT", nil},
		{"header_checks = pipemap:{regexp:{{/^X:/ y}},inline:{y=PASS}}", "", here, "PASS", nil},
		{"header_checks = pipemap:{regexp:{{/^X:/ PASS}},inline:{PASS=DUNNO}}", "", ok, "", nil},
		{"header_checks = randmap:{DUNNO,PASS}", "", here, "PASS", nil},
		{"header_checks = static:PASS", "", here, "PASS", nil},
		{"header_checks = static:{WARN seen}", "", ok, "", nil},
		{`header_checks = inline:{ {X:y = REDIRECT r@remote1.test} }`, "", here, "REDIRECT switches", nil},
		{"header_checks = proxy:regexp:/etc/postfix/own", "/^X:/ PASS", "own:1", "PASS", nil},
		{"header_checks = texthash:/etc/postfix/own", "x PASS", "own:1", "PASS", nil},
		{"header_checks = proxy:mysql:/etc/postfix/own", "", here, "can't be read", nil},
		{"header_checks = socketmap:inet:127.0.0.1:99:x", "", here, "can't be read", nil},
		{"body_checks = regexp:/etc/postfix/own", "/^X:/ PASS\n/^Y:/ REDIRECT r@remote1.test", ok, "", nil},
		{"body_checks = regexp:/etc/postfix/own", "/^X:/ PASS\n/^Z:/ FILTER scan:[127.0.0.1]:10024", "own:2", "what Sieve has made", nil},
		{"body_checks = proxy:mysql:/etc/postfix/own", "", here, "can't be read", nil},
		{"header_checks = regexp:{ {/^X:/ FILTER scan:[127.0.0.1]:10024} }", "", here, "what Sieve has made", nil},
		{"header_checks = $mine\nmine = pcre:{{/^X:(?<n>.*)/ FILTER smtp:}}", "", here, "what Sieve has made", nil},
		{"header_checks = unionmap:{regexp:/etc/postfix/own}", "/^X:/ FILTER scan:[127.0.0.1]:10024", "own:1", "what Sieve has made", nil},
		{"header_checks = pipemap:{regexp:{{/^X:/ y}},inline:{{y=FILTER scan:x}}}", "", here, "what Sieve has made", nil},
		{"header_checks = proxy:regexp:/etc/postfix/own", "/^X:/ filter scan:[127.0.0.1]:10024", "own:1", "what Sieve has made", nil},
		{"header_checks = pcre:/etc/postfix/own", "/^X:(?<n>.*)/ FILTER scan:[127.0.0.1]:10024", "own:1", "what Sieve has made", nil},
		{"header_checks = texthash:/etc/postfix/own", "x FILTER scan:[127.0.0.1]:10024", "own:1", "what Sieve has made", nil},
		{"body_checks = static:{FILTER scan:x}", "", here, "what Sieve has made", nil},
		{"header_checks = regexp:/etc/postfix/own", "/^X:/ FILTER scan", ok, "", nil},
		{"header_checks = regexp:/etc/postfix/own", "/^Received:/ PREPEND X-Sieve-Redirected-From: x", "own:1", "look like redirected", nil},
		{"header_checks = regexp:/etc/postfix/own", "/^Received:/ PREPEND Date: x", "own:1", "taken for mail that Sieve has made", nil},
		{"header_checks = regexp:/etc/postfix/own", "/^Subject:(.*)/ REPLACE Subject: [x]$1", ok, "", nil},
		{"header_checks = proxy:regexp:/etc/postfix/own", "/^X-/ IGNORE", "own:1", "removes", nil},
		{"header_checks = unionmap:{regexp:{{/^X-/ IGNORE}}}", "", here, "removes", nil},
		{"header_checks = static:IGNORE", "", here, "removes", nil},
		{"header_checks = static:{replace X: y}", "", here, "removes", nil},
		{"header_checks = static:DUNNO, regexp:{{/^X-/ IGNORE}}", "", ok, "", nil},
		{"header_checks = randmap:{DUNNO,strip}", "", here, "removes", nil},
		{"header_checks = unionmap:{regexp:{{/^Y:/ DUNNO}},static:IGNORE}", "", here, "removes", nil},
		{"header_checks = pipemap:{regexp:{{/^X-/ y}},inline:{y=IGNORE}}", "", here, "removes", nil},
		{"header_checks = pipemap:{regexp:{{/^X-/ y}},inline:{y=DUNNO}}", "", ok, "", nil},
		{`header_checks = inline:{ {x-conbool-released:yes = IGNORE} }`, "", here, "removes", nil},
		{"header_checks = texthash:/etc/postfix/own", "X-Other IGNORE\nx-oxmailroute-origin:gateway IGNORE", "own:2", "removes", nil},
		{"lmtp_header_checks = static:STRIP", "", "master.cf:34", "removes", nil},
		{"message_drop_headers = bcc, x-conbool-Released", "", here, "dropped", nil},
		{"message_drop_headers = $mine bcc\nmine = X-OXMailroute-Origin", "", here, "dropped", nil},
		{"message_drop_headers = bcc, X-Sieve, x-sieve-redirected-from", "", here, "dropped", nil},
		{"message_drop_headers = bcc, X-Sieve, X-Other", "", ok, "", nil},
		{"body_checks = regexp:/etc/postfix/own", "/^X:/ FILTER smtp:[Mail.Conbool.com]:25", "own:1", "without verifying", nil},
		{"header_checks = regexp:/etc/postfix/own", "/^X: (.*)/ FILTER smtp:$1", "own:1", "where it goes", nil},
		{"header_checks = regexp:/etc/postfix/own", "/^X: (.*)/ FILTER scan:[127.0.0.1]:10024", "own:1", "what Sieve has made", nil},
		{"header_checks = regexp:/etc/postfix/own", "/^X: (.*)/ PREPEND $1", "own:1", "any name", nil},
		{"header_checks = regexp:/etc/postfix/own", "/^X: (.*)/ REPLACE X-Y: $1", ok, "", nil},
		{"header_checks = regexp:/etc/postfix/own", "/^X-(.*): (.*)/ REPLACE Y-$1: $2", "own:1", "any name", nil},
		{"header_checks = regexp:/etc/postfix/own", "/^X: (.*)/ REPLACE x-conbool-Released: $1", "own:1", "makes a marker", nil},
		{"header_checks = regexp:/etc/postfix/own", "/^X: (.*)/ PREPEND X-OXMailroute-Origin: gateway", "own:1", "makes a marker", nil},
		{"header_checks = pcre:/etc/postfix/own", "/^\\s*(Received: from)[^\\n]*(.*)/\tREPLACE\t$1 [127.0.0.1]$2\n/^(To: )x/ REPLACE ${1}y", ok, "", nil},
		{"header_checks = pcre:/etc/postfix/own", "/^X: (?:a)(X-Conbool-Released:) (yes)/ PREPEND $1 $2", "own:1", "makes a marker", nil},
		{"header_checks = pcre:/etc/postfix/own", "/^X: (To:|X.*)/ PREPEND $1", "own:1", "any name", nil},
		{"header_checks = pcre:/etc/postfix/own", "/^X: (To:)*/ PREPEND $1", "own:1", "any name", nil},
		{"milter_header_checks = regexp:/etc/postfix/own", "/^X: (.*)/ REPLACE $1", "own:1", "any name", nil},
		{"lmtp_header_checks = regexp:/etc/postfix/own", "/^X: (.*)/ REPLACE $1", "own:1", "any name", nil},
		{"header_checks = regexp:/etc/postfix/own", "/^X-/ IGNORE", "own:1", "removes", nil},
		{"header_checks = regexp:/etc/postfix/own", "/^X-Conbool-/ DUNNO\n/^X-OXMailroute-Origin:/ DUNNO\n/^X-/ IGNORE", ok, "", nil},
		{"header_checks = regexp:/etc/postfix/own", "/^X-(Conbool|OXMailroute)-/ DUNNO\n/^X-/ IGNORE", ok, "", nil},
		{"lmtp_header_checks = pcre:/etc/postfix/own", "/^x-conbool-flag/ STRIP", "own:1", "removes", nil},
		{"smtpd_sender_restrictions = check_sender_access hash:/etc/postfix/own", "a@b.test REDIRECT r@remote1.test\nb@b.test HOLD\nc@b.test FILTER scan:[127.0.0.1]:10024", ok, "", nil},
		{"smtpd_sender_restrictions = check_sender_access hash:/etc/postfix/own", "a@b.test DUNNO\na@c.test FILTER smtp:[mail.conbool.com]:25", "own:2", "without verifying", nil},
		{"smtpd_etrn_restrictions = check_etrn_access regexp:{{/x(.*)/ FILTER smtp:$$1}}", "", here, "where it goes", nil},
		{"smtpd_sender_restrictions = check_sender_access mysql:/etc/postfix/own", "", ok, "", nil},
		{"smtpd_sender_restrictions = check_sender_access hash:/etc/postfix/own", "# FILTER\na@b.test REJECT no FILTER", ok, "", shared},
		{"smtpd_sender_restrictions = check_sender_access hash:/etc/postfix/own", "a@b.test FILTER scan:[127.0.0.1]:10024", "own:1", "FILTER on a shared", shared},
		{"smtpd_data_restrictions = check_client_access cidr:{{10.0.0.0/8 REDIRECT r@remote1.test}}", "", here, "REDIRECT on a shared", shared},
		{"smtpd_restriction_classes = mine\nmine = check_helo_access static:{FILTER scan:x}\nsmtpd_sender_restrictions = check_sender_access inline:{a@b.test=mine}", "", "main.cf:35", "FILTER on a shared", shared},
		{"smtpd_sender_restrictions = check_sender_access proxy:pgsql:/etc/postfix/own", "", here, "can't be read", shared},
		{"smtpd_sender_restrictions = check_policy_service inet:127.0.0.1:10023", "", here, "can't be read", shared},
		{"header_checks = regexp:/etc/postfix/own", "/^X: (.*)/ FILTER scan:[127.0.0.1]:10024", "own:1", "FILTER on a shared", shared},
		{"body_checks = regexp:/etc/postfix/own", "/^X: (.*)/ REDIRECT r@remote1.test", "own:1", "REDIRECT on a shared", shared},
		{"milter_header_checks = static:{FILTER scan:x}", "", here, "FILTER on a shared", shared},
		{"header_checks = ldap:/etc/postfix/own", "", "Inbound.Shared", "can't be read", shared},
	}
	for _, tt := range tests {
		p := labPolicy(t, "lab.json")
		if tt.alter != nil {
			tt.alter(&p)
		}
		in := withMain(tt.main+"\n", map[string]string{"own": tt.file + "\n"})(t)
		_, err := tryCompile(t, p, in)
		var list relay.Errors
		switch {
		case err == nil && tt.at == ok:
		case errors.As(err, &list) && len(list) > 0 && tt.at != ok && errors.Is(err, relay.ErrConflict):
			if !slices.ContainsFunc(list, func(e *relay.Error) bool { return e.Position.String() == tt.at && strings.Contains(e.Error(), tt.says) }) {
				t.Errorf("%s, %q: %v, want %q at %s", tt.main, tt.file, err, tt.says, tt.at)
			}
		default:
			t.Errorf("%s, %q: %v, want %q at %q", tt.main, tt.file, err, tt.says, tt.at)
		}
		// Whoever vouches for what can't be read gets his files.
		if strings.Contains(tt.says, "can't be read") {
			_, table, _ := strings.Cut(tt.main, "= ")
			table = strings.TrimPrefix(table, "check_sender_access ")
			in.Tables = map[string]relay.Table{table: {Harmless: true}}
			if _, err := tryCompile(t, p, in); err != nil {
				t.Errorf("%s, vouched for: %v", tt.main, err)
			}
		}
	}
}
