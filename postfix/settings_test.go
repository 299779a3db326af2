package postfix_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/postfix"
)

func settingsOf(t *testing.T, text string) postfix.Settings {
	t.Helper()
	m, err := postfix.ParseMain("main.cf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"/etc/mailname": " mail.example.com \nmore\n", "/etc/empty": "\nx\n", "/etc/two": "# a name\nx\n",
		"/conf/origin": "conf.example.com"}
	return postfix.Settings{Main: m, ConfigDirectory: "/conf", ReadFile: func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}}
}

// TestSettings: what mail_params_init(3) of Postfix 3.7 and 3.10 made of these.
func TestSettings(t *testing.T) {
	for _, test := range []struct {
		text, hostname, program, name, want string
	}{
		{"transport_maps = hash:$config_directory/transport", "", "", "transport_maps", "hash:/conf/transport"},
		{"transport_maps = ${default_database_type}:$(meta_directory)/transport", "", "trivial-rewrite", "transport_maps",
			"hash:/etc/postfix/transport"},
		{"config_directory = /other\nmydestination = $config_directory", "", "", "mydestination", "/other"},
		{"virtual_maps = hash:/conf/virtual", "", "cleanup", "virtual_alias_maps", "hash:/conf/virtual"},
		// A default is there for $name where the program has read it.
		{"mydestination = [$alias_maps$local_transport$daemon_directory$mail_owner]", "", "", "mydestination", "[postfix]"},
		{"transport_maps = [$local_transport|$smtpd_banner|$queue_directory]", "", "trivial-rewrite", "transport_maps",
			"[local:||/var/spool/postfix]"},
		{"body_checks = [$message_drop_headers|$smtpd_helo_required]", "", "cleanup", "body_checks",
			"[bcc, content-length, resent-bcc, return-path|]"},
		{"smtpd_helo_restrictions = [$smtpd_helo_required$lmtp_tcp_port]", "", "smtpd", "smtpd_helo_restrictions", "[no]"},
		{"smtpd_banner = $process_name $service_name $mail_version", "", "smtpd", "smtpd_banner", "smtpd"},
		{"luser_relay = $user@x", "", "local", "luser_relay", "$user@x"},
		{"myorigin = /etc/mailname", "", "", "myorigin", "mail.example.com"},
		{"myorigin = $config_directory/origin", "", "", "myorigin", "conf.example.com"},
		{"myorigin = /etc/mailname\nmydestination = $myorigin, x", "", "", "mydestination", "/etc/mailname, x"},
		{"", "ox.example.com", "", "myhostname", "ox.example.com"},
		{"", "ox.example.com", "", "mydomain", "example.com"},
		{"", "ox", "", "myhostname", "ox.localdomain"},
		{"mydomain = x.test", "ox", "", "myhostname", "ox.x.test"},
		{"mydomain = x.test", "ox", "", "mydestination", "ox.x.test, localhost.x.test, localhost"},
		{"myhostname = foo.bar.$mydomain", "ox", "", "myhostname", "foo.bar."},
		{"myhostname = foo", "ox.example.com", "", "mydomain", "localdomain"},
		{"mydomain = $myhostname", "", "", "mydomain", ""},
		{"compatibility_level = 3.6", "", "", "smtpd_relay_before_recipient_restrictions", "yes"},
		{"", "", "", "smtpd_relay_before_recipient_restrictions", "no"},
		{"uucp_time_limit = 3s", "", "", "any_time_limit", "1000s"},
		{"", "", "", "no_such_name", ""},
	} {
		s := settingsOf(t, test.text+"\n")
		s.Hostname, s.Program = test.hostname, test.program
		if got, err := s.Get(test.name); err != nil || got != test.want {
			t.Errorf("%q, host %q: %s is %q, %v; want %q", test.text, test.hostname, test.name, got, err, test.want)
		}
	}
	s := settingsOf(t, "smtpd_milters = a\nlocal_transport = x$smtpd_milters\n")
	s = s.Of(postfix.Service{Command: "smtpd", Options: []postfix.Param{{Name: "smtpd_milters", Value: "b"},
		{Name: "smtpd_milters", Value: "c"}}})
	if got, err := s.Get("local_transport"); got != "xc" || err != nil {
		t.Errorf("of two options the last counts: %q, %v", got, err)
	}
	if got, err := (postfix.Settings{}).Get("mydestination"); got != ", localhost.localdomain, localhost" || err != nil {
		t.Errorf("zero settings: %q, %v", got, err)
	}
	for text, name := range map[string]string{
		"myorigin = /etc/none": "myorigin", "myorigin = /etc/empty": "myorigin", "myorigin = /etc/two": "myorigin",
		"non_smtpd_milters = $smtpd_milters\nsmtpd_milters = ${non_smtpd_milters}": "smtpd_milters",
		"relayhost = ${x": "relayhost",
	} {
		if got, err := settingsOf(t, text+"\n").Get(name); !errors.Is(err, postfix.ErrSyntax) {
			t.Errorf("%q: %s is %q, %v", text, name, got, err)
		}
	}
}

// TestSettingsUnexpandable: errors have file and line, and values that no
// program reads are none.
func TestSettingsUnexpandable(t *testing.T) {
	const master = "smtp inet n - - - - smtpd\n# x\nre inet n - - - - smtpd\n  -o smtpd_milters=$non_smtpd_milters\nother unix - - - - - smtp\n  -o smtpd_milters=$non_smtpd_milters\n"
	for _, test := range []struct{ text, want string }{
		{"smtpd_milters = inet:x\nnon_smtpd_milters = $smtpd_milters\n", "master.cf:3: "},
		{"non_smtpd_milters = inet:x\n", ""},
		{"x = y\nnon_smtpd_milters = ${non_smtpd_milters}\n", "main.cf:2: "},
		{"mine = $mine\nother = ${\n", ""},
		{"mine = $mine\nrelayhost = $mine\n", "main.cf:2: "},
		{"smtpd_restriction_classes = a, mine\nmine = $mine\n", "main.cf:2: "},
		{"smtpd_expansion_filter = $%$\nluser_relay = $user\n", ""},
		{"smtputf8_enable = ${{$compatibility_level} <level {x} ? {yes} : {no}}\n", "main.cf:1: "},
	} {
		m, err := postfix.ParseMaster("master.cf", []byte(master))
		if err != nil {
			t.Fatal(err)
		}
		errs := settingsOf(t, test.text).Unexpandable(m)
		if test.want == "" && len(errs) > 0 || test.want != "" && (len(errs) == 0 || !strings.HasPrefix(errs[0].Error(), test.want)) {
			t.Errorf("%q: %v, want %q", test.text, errs, test.want)
		}
	}
	if errs := (postfix.Settings{}).Unexpandable(nil); len(errs) > 0 {
		t.Error(errs)
	}
}

func TestParameter(t *testing.T) {
	for _, test := range []struct{ name, release, want string }{
		{"smtpd_forbid_bare_newline", "3.7.11", "no"}, {"smtpd_forbid_bare_newline", "3.9.0", "normalize"}, {"smtpd_forbid_bare_newline", "3.10",
			"normalize"},
		{"use_srv_lookup", "3.7", "-"}, {"use_srv_lookup", "3.8", ""}, {"gw-1_destination_rate_delay", "3.7", "$default_destination_rate_delay"},
		{"smtpd_milters", "", ""}, {"smtpd_no_such", "3.7", "-"}, {"", "3.7", "-"},
	} {
		p, ok := postfix.LookupParameter(test.name)
		got, has := p.Default(test.release)
		if ok && has && p.Name() != test.name {
			t.Errorf("%s has the name %s", test.name, p.Name())
		}
		if !ok || !has {
			got = "-"
		}
		if got != test.want {
			t.Errorf("%s in %q: %q, want %q", test.name, test.release, got, test.want)
		}
	}
	if (postfix.Parameter{}).ReadBy("smtpd") || (postfix.Parameter{}).ReadByAll() {
		t.Error("somebody reads the zero parameter")
	}
}
