package relay_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// headerNames are the fields whose arrival is compared to the byte.
var headerNames = []string{"From", "To", "Cc", "Bcc", "Sender", "Reply-To", "Resent-From", "Resent-To", "Resent-Reply-To", "Errors-To",
	"Disposition-Notification-To", "X-Drop", "X-Seen"}

// arriving renders those fields of a message after a decision's edits.
func arriving(raw []byte, edits []relay.Edit) string {
	type field struct{ name, value string }
	var list []field
	section, _ := headers.Scan(nil, raw, headers.HeaderChecks)
	for _, f := range section {
		list = append(list, field{strings.ToLower(string(f.Name)), strings.TrimSpace(string(f.Body))})
	}
	for _, e := range edits {
		f := field{strings.ToLower(e.Name), e.Value}
		if !e.Removed {
			list = append(list, f)
		} else if i := slices.Index(list, f); i >= 0 {
			list = slices.Delete(list, i, i+1)
		}
	}
	var out []string
	for _, f := range list {
		if slices.ContainsFunc(headerNames, func(n string) bool { return strings.EqualFold(n, f.name) }) {
			out = append(out, " | "+f.name+": "+f.value)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "")
}

var fullName = regexp.MustCompile(`^user\d+ <(.*)>$`)

// arrivedFields renders those fields of a copy.
func arrivedFields(pl maillab.Place) string {
	var out []string
	for _, name := range headerNames {
		for _, v := range pl.Fields(name) {
			// The user's full name, which sendmail(1) knows and Route doesn't.
			v = fullName.ReplaceAllString(strings.TrimSpace(v), "$1")
			out = append(out, " | "+strings.ToLower(name)+": "+v)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "")
}

// addressLines are headers whose addresses Postfix has something to do with,
// in all the forms that people and programs write.
var addressLines = []string{
	"From: alice@example.com", "From: Carl <carl@example.com>", "From: carl+x@example.com (Carl)", "From: \"Carl, the\" <CARL@example.com>, a@host.example.com",
	"From: bob", "From: Bob <bob@host>", "From: <a@host.example.com>", "From: root@host.example.com", "From: nobody@host.example.com", "From: x@keep.example.com",
	"From: =?utf-8?q?J=C3=BCrgen?= <a@internal.test>", "From: First Last <first.alice@example.com>", "From: \"a b\"@example.com", "From: \"al.ice\"@example.com",
	"From: user%host.example.com", "From: host!user", "From: a!b%c", "From: a@b@host.example.com", "From: @relay.test:bob@host.example.com", "From: trailing@example.com.",
	"From: J. Doe <j.doe@host.example.com>", "From: a@[127.0.0.1]", "From: <>", "From: \"\"", "From: @", "From: ,", "From:", "From: Undisclosed:;", "From: Jos\xc3\xa9 <a@host.example.com>",
	"From: list: a@host.example.com, b@example.com;", "From: friends: carl@example.com, Bob <bob>; (all) x@remote1.test", "From: a@host.example.com b@host.example.com",
	"From: Carl (the (real) one) <carl@example.com> (really)", "From: <carl (in) @example.com>", "From: carl @ example . com", "From: \"quo\\\"ted\" <carl@example.com>",
	"From: a\\,b@host.example.com", "From: [x] <carl@example.com>", "From: > carl@example.com", "From: carl@example.com <", "From: a;b:c", "From: both@example.com", "From: alice@example.net", "From: a@physics.remote1.test",
	"From: " + strings.Repeat("very long name ", 20) + "<carl@example.com>", "From: carl@example.com,\n  info@example.com,\n\tb@host.example.com",
}

// otherLines go beside a From.
var otherLines = []string{
	"To: bob@example.com", "To: info@example.com, Sales <sales@example.com>", "To: team, bob", "To: a@host.example.com,\n b@host.example.com, c@host.example.com, d@host.example.com, e@host.example.com",
	"To: \"Last, First\" <ext@example.com>, ext+tag@example.com, x@remote1.test", "To: user%remote9, UPPER@example.net", "Cc: alice@example.net, info@example.com", "Cc: old@example.net",
	"Bcc: secret@remote1.test", "Sender: carl@example.com", "Reply-To: bob, <carl@example.com>", "Reply-To: a@host.example.com", "Errors-To: bob@host.example.com", "Disposition-Notification-To: carl@example.com",
	"Resent-From: carl@example.com\nResent-To: info@example.com\nResent-Reply-To: info@example.com", "Resent-Bcc: x@y.test", "X-Drop: please", "X-Other: carl@example.com", "FROM: CARL@EXAMPLE.COM", "to : info@example.com", "Subject: bob",
}

// addressRaws are messages made of these.
func addressRaws() []string {
	var out []string
	for i := range 2 * len(addressLines) {
		raw := addressLines[i%len(addressLines)] + "\n"
		if i%7 == 3 {
			raw = ""
		}
		for j := range 3 {
			raw += otherLines[(i*5+j*j*3+j)%len(otherLines)] + "\n"
		}
		out = append(out, raw+"\nhello\n")
	}
	return out
}

const addressScript = `require ["fileinto", "envelope"];
if address :is "from" "carol@example.net" { fileinto "Carol"; }
elsif address :domain :is "from" "example.com" { fileinto "Masked"; }
elsif header :is "from" "bob@ox.example.com" { fileinto "Bob"; }
elsif exists "bcc" { fileinto "Bcc"; }
elsif address :is ["to", "cc"] "new@remote1.test" { fileinto "New"; }
elsif not exists "from" { fileinto "Nobody"; }
elsif not exists ["to", "date"] { fileinto "No one"; }
`

// TestHeaderAddresses: what Postfix makes of the addresses in header fields,
// byte by byte as it arrives, and what header checks, Sieve and the way to the
// gateway make of that.
func TestHeaderAddresses(t *testing.T) {
	t.Parallel() // much of a run is waiting
	rcpts := []string{"bob@example.com", "bob+y@example.com", "info@example.com", "x@remote1.test", "y@remote2.test", "fwd@example.com",
		"alice@example.com"}
	senders := []string{"alice@example.com", "carl@example.com", "a@host.example.com", "z@remote3.test", "", "alice@example.net"}
	noCopies := strings.NewReplacer("sender_bcc_maps", "#", "recipient_bcc_maps", "#", "always_bcc", "#")
	checks := "/^From:.*carl@/ PREPEND X-Seen: carl\n/^From:.*carol@/ PREPEND X-Seen: carol\n/^X-Other:(.*)/ REPLACE From:$1\n/^Subject: bob/ PREPEND Reply-To: bob\n"
	leaving := "/^From:.*bob/ PREPEND X-Seen: bob leaves\n/^Reply-To:.*bob/ PREPEND Errors-To: alice@example.net\n" +
		"/^Sender:(.*)/ REPLACE X-Seen:$1\n/^Errors-To:(.*)/ REPLACE Reply-To:$1\n/^Subject: bob/ REPLACE Sender: alice@example.net\n" +
		"/^Disposition-Notification-To:/ IGNORE\n/^X-Other:(.*)/ PREPEND X-Drop:$1\n"
	for _, f := range servertest.Part(t, []followed{
		{
			name: "header addresses", messages: 300, header: true,
			main:  noCopies.Replace(rewritingMain) + "header_checks = regexp:/etc/postfix/hchecks\nsmtp_header_checks = regexp:/etc/postfix/lchecks\nlmtp_generic_maps = inline:{{new@remote1.test=lmtp@example.net}}\nmyorigin = ox\n",
			files: withFile(withFile(rewritingFiles, "hchecks", checks), "lchecks", leaving),
			edit:  strings.NewReplacer("virtual_alias_maps = hash:/etc/postfix/aliases\n", ""),
		},
		{
			name: "header addresses of others", messages: 300, header: true,
			main: noCopies.Replace(rewritingMain) + `remote_header_rewrite_domain = remote.invalid
local_header_rewrite_clients = permit_sasl_authenticated, check_address_map inline:{{127.0.1.20=x}}
allow_percent_hack = no
swap_bangpath = no
always_add_missing_headers = yes
undisclosed_recipients_header = To: undisclosed-recipients:;
message_drop_headers = x-drop, sender
canonical_classes = header_recipient, envelope_sender
sender_canonical_classes = header_sender
masquerade_classes = header_recipient
`,
			files: rewritingFiles,
			edit:  strings.NewReplacer("virtual_alias_maps = hash:/etc/postfix/aliases\n", ""),
		},
	}, 1) {
		f.senders, f.rcpts, f.raws = senders, rcpts, addressRaws()
		f.entries = []string{"submission", "internal", "own host", "pickup", "gateway"}
		f.scripts = map[string]string{"bob@example.com": addressScript, "fwd@example.com": "redirect \"out@remote1.test\";\n"}
		for _, system := range maillab.DrawnSystems(t, f.name) {
			t.Run(f.name+"/"+system.Name, func(t *testing.T) {
				t.Parallel()
				f.run(t, system)
			})
		}
	}
}

func withFile(files map[string]string, name, text string) map[string]string {
	out := map[string]string{name: text}
	for k, v := range files {
		out[k] = v
	}
	return out
}
