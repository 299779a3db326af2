package relay_test

import (
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// options are settings of single services, as master.cf has them, that may be
// there: a service to a line, what is tried together in one list.
var options = []string{
	`127.0.1.1:25 smtpd_helo_required=yes smtpd_error_sleep_time=0 smtpd_hard_error_limit=3 smtpd_banner=$myhostname smtpd_timeout=20s smtpd_noop_commands=ETRN
127.0.1.1:25 smtpd_forbidden_commands=CONNECT,MAIL smtpd_client_port_logging=yes smtpd_delay_open_until_valid_rcpt=no smtpd_discard_ehlo_keywords=dsn,etrn
127.0.1.1:587 smtpd_tls_auth_only=yes strict_rfc821_envelopes=no smtpd_sasl_authenticated_header=yes smtpd_discard_ehlo_keywords=pipelining
127.0.1.2:25 smtpd_recipient_overshoot_limit=1 smtpd_peername_lookup=no smtpd_client_connection_count_limit=40
pickup receive_override_options=no_milters
cleanup always_add_missing_headers=yes hopcount_limit=30 duplicate_filter_limit=0 undisclosed_recipients_header=To:
rewrite resolve_dequoted_address=yes
qmgr default_destination_recipient_limit=1 qmgr_message_recipient_limit=5
smtp smtp_helo_name=x.y smtp_connection_cache_on_demand=no smtp_tls_security_level=none smtp_send_xforward_command=yes
relay smtp_helo_timeout=7 smtp_connect_timeout=5 smtp_tls_security_level=encrypt
lmtp lmtp_connection_cache_on_demand=no lmtp_data_done_timeout=60s
bounce bounce_size_limit=2000 bounce_queue_lifetime=0
verify address_verify_negative_cache=no`,
	`127.0.1.1:25 smtpd_upstream_proxy_timeout=9s smtpd_tls_ciphers=high smtpd_tls_mandatory_ciphers=null smtpd_tls_loglevel=1 smtpd_log_access_permit_actions=
127.0.1.1:587 smtpd_helo_restrictions=reject_invalid_helo_hostname smtpd_etrn_restrictions=reject receive_override_options=no_header_body_checks
127.0.1.2:25 smtpd_null_access_lookup_key=nobody smtpd_tls_security_level=none local_header_rewrite_clients=
pickup syslog_name=postfix/ours
cleanup virtual_alias_recursion_limit=10 header_size_limit=200000 enable_long_queue_ids=yes
smtp smtp_skip_5xx_greeting=no smtp_address_preference=ipv4 smtp_mime_header_checks=regexp:/etc/postfix/own smtp_bind_address=127.0.1.1
relay smtp_fallback_relay=
lmtp lmtp_header_checks=regexp:/etc/postfix/own lmtp_fallback_relay=
local mailbox_size_limit=0
virtual virtual_mailbox_limit=0
error syslog_name=postfix/e
discard syslog_name=postfix/d
bounce 2bounce_notice_recipient=bob@example.com`,
	`127.0.1.1:25 virtual_alias_maps= smtpd_reject_footer=x smtpd_reject_unlisted_sender=yes message_size_limit=400000
127.0.1.2:25 mydestination=remote1.test relay_domains=remote1.test virtual_mailbox_domains= allow_untrusted_routing=yes smtpd_delay_reject=no
127.0.1.2:25 smtpd_relay_before_recipient_restrictions=no smtpd_end_of_data_restrictions=check_sender_access,inline:{carol@example.net=REJECT}
cleanup recipient_delimiter=- virtual_alias_domains=remote1.test append_at_myorigin=no masquerade_domains=example.com soft_bounce=yes
cleanup header_size_limit=200 enable_original_recipient=no body_checks_size_limit=1
pickup soft_bounce=yes myorigin=x.y
bounce soft_bounce=yes myorigin=example.com
smtp smtp_line_length_limit=200 disable_mime_output_conversion=yes soft_bounce=yes
local recipient_delimiter=- luser_relay=x@remote1.test
qmgr soft_bounce=yes relay_transport=x`,
}

// withOptions is the tests' installation with them.
func withOptions(text string) func(testing.TB) relay.Installation {
	return func(tb testing.TB) relay.Installation {
		in := withMain("", map[string]string{"own": "/^X-Nobody-Has-This:/ IGNORE\n"})(tb)
		for line := range strings.Lines(text) {
			words := strings.Fields(line)
			for _, o := range words[1:] {
				in = withOption(tb, in, words[0], o)
			}
		}
		return in
	}
}

// TestOptions: options of the installation's in master.cf change nothing that Route
// doesn't know, and help no forged marker.
func TestOptions(t *testing.T) {
	t.Parallel() // much of a run is waiting
	for _, text := range servertest.Part(t, options, 1) {
		s := scenario{name: "options", policy: fromLab, base: withOptions(text), messages: 300}
		for _, system := range maillab.DrawnSystems(t, s.name) {
			t.Run(system.Name, func(t *testing.T) {
				maillab.NeedSystem(t, system)
				t.Parallel()
				s.runOn(t, system)
				if servertest.Scale(t) < servertest.DeepScale {
					return
				}
				attackOn(t, system, ground{s.name, func(t *testing.T, system maillab.System) (maillab.World, maillab.Site, *layoutGenerator) {
					w := maillab.DefaultWorld()
					w.Root = system.Root
					l := layout{name: s.name, policy: s.policy(t, &w), others: map[string][]byte{}, in: s.base(t)}
					l.policy.Server.Postfix, l.policy.Server.Dovecot = "", ""
					l.test.Users = users
					return w, l.site(l.compile(t, system)), attackGenerator(l, w)
				}}, 30)
			})
		}
	}
}
