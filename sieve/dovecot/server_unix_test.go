//go:build unix

package dovecot_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/dovecot"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

const require = `require ["copy", "fileinto", "mailbox", "variables", "envelope", "enotify", "reject", "editheader", "vacation", "vacation-seconds"];
`

func message(fields string) string {
	return "Message-ID: <1@x>\nFrom: J <joe@example.net>\nX-P: 1\n" + fields + "\nbody\n"
}

const plain = "To: bob@example.com\nSubject: hello\n"

// settings are settings and a script that shows them. Lines for 2.4 are those for
// 2.3 where there are none.
var settings = []struct {
	in23, in24 string
	script     string
	message    string
	original   string
}{
	{"", "", `vacation "x";`, plain, ""},
	{"sieve_vacation_default_subject = Gone", "", `vacation "x";`, "To: bob@example.com\n", ""},
	{"sieve_vacation_default_subject_template = Re: %%$ %%{subject}", "sieve_vacation_default_subject_template = Re: %%{subject} %%{subject}",
		`vacation "x";`, plain, ""},
	{"sieve_vacation_default_subject_template = Re", "", `vacation :subject "own" "x";`, plain, ""},
	{"sieve_vacation_max_subject_codepoints = 9", "sieve_vacation_default_subject = x", `vacation "x";`, plain, ""},
	{"sieve_vacation_to_header_ignore_envelope = yes", "", `vacation "x";`, plain + "Sender: S <s@e.example>\n", ""},
	{"sieve_vacation_to_header_ignore_envelope = yes", "", `vacation "x";`, plain + "Resent-From: Q <q@e.example>, r@e.example\n", ""},
	{"sieve_vacation_send_from_recipient = yes", "", `vacation :addresses "me@example.com" "x";`, "To: me@example.com\n", "bob+x@example.com"},
	{"sieve_vacation_dont_check_recipient = yes\nsieve_user_email = me@example.com",
		"sieve_vacation_check_recipient = no\nsieve_user_email = me@example.com", `vacation "x";`, "To: z@example.com\n", ""},
	{"sieve_vacation_use_original_recipient = yes", "", `vacation "x";`, "To: bob+x@example.com\n", "bob+x@example.com"},
	{"", "", `vacation "x";`, "To: bob+x@example.com\n", "bob+x@example.com"},
	{"sieve_user_email = me@example.com", "", `vacation "x"; notify "mailto:n@e.example"; redirect "r@e.example";`, "To: me@example.com\n",
		""},
	{"sieve_notify_mailto_envelope_from = orig_recipient", "", `notify :from "q@e.example" "mailto:n@e.example";`, plain, "bob+x@example.com"},
	{"sieve_notify_mailto_envelope_from = sender", "", `notify "mailto:n@e.example";`, plain, ""},
	{"sieve_notify_mailto_envelope_from = user_email", "", `notify "mailto:n@e.example";`, plain, ""},
	{"sieve_notify_mailto_envelope_from = postmaster", "", `notify "mailto:n@e.example";`, plain, ""},
	{`sieve_notify_mailto_envelope_from = "<f@e.example>"`, "", `notify "mailto:n@e.example";`, plain, ""},
	{"sieve_notify_mailto_envelope_from = recipient\nsieve_user_email = me@example.com", "", `notify "mailto:n@e.example";`, plain, ""},
	{"sieve_redirect_envelope_from = recipient", "", `redirect "r@e.example";`, plain, "bob+x@example.com"},
	{"sieve_redirect_envelope_from = orig_recipient", "", `redirect "r@e.example";`, plain, "bob+x@example.com"},
	{"sieve_redirect_envelope_from = postmaster", "", `redirect "r@e.example";`, plain, ""},
	{`sieve_redirect_envelope_from = "<f@e.example>"`, "", `redirect "r@e.example";`, plain, ""},
	{"sieve_redirect_envelope_from = user_email", "", `redirect "r@e.example";`, plain, "bob+x@example.com"},
	{"sieve_redirect_envelope_from = user_email\nsieve_user_email = me@example.com", "", `redirect "r@e.example";`, plain, ""},
	{"sieve_user_email = me@example.com", "", `redirect "r@e.example";`, plain + "X-Sieve-Redirected-From: me@example.com\n", ""},
	{"sieve_max_redirects = 1", "", `redirect "r@e.example"; redirect "s@e.example";`, plain, ""},
	{"sieve_max_actions = 2", "", `fileinto :create "A"; fileinto :create "B"; fileinto :create "C";`, plain, ""},
	{"sieve_max_actions = 0", "", strings.Repeat(`notify "mailto:n@e.example";`, 1) + manyFolders(40), plain, ""},
	{"lda_mailbox_autocreate = yes", "", `fileinto "Q";`, plain, ""},
	{"", "", `fileinto "Q";`, plain, ""},
	{"recipient_delimiter = -", "", `if envelope :localpart "to" "bob-x" { fileinto :create "A"; }`, plain, "bob-x@example.com"},
	{"sieve_editheader_protected = x-p X-Q Subject", "sieve_editheader_header x-p {\n  forbid_add = yes\n  forbid_delete = yes\n}\nsieve_editheader_header X-Q {\n  forbid_add = yes\n  forbid_delete = yes\n}", editing, plain, ""},
	{"sieve_editheader_forbid_add = X-P", "sieve_editheader_header X-P {\n  forbid_add = yes\n}", editing, plain, ""},
	{"sieve_editheader_forbid_delete = X-P", "sieve_editheader_header X-P {\n  forbid_delete = yes\n}", editing, plain, ""},
	{"sieve_editheader_max_header_size = 1024", "", long(1025), plain, ""},
	{"sieve_editheader_max_header_size = 3k", "", long(3000), plain, ""},
	{"sieve_variables_max_variable_size = 5k", "sieve_variables_max_value_size = 5k",
		long(4800) + `set :length "l" "${v}"; fileinto :create "L${l}";`, plain, ""},
}

// TestRedirectedHeader: what a redirected message has of its own, and what stays of
// an earlier redirect.
func TestRedirectedHeader(t *testing.T) {
	for _, is24 := range []bool{false, true} {
		for user, want := range map[string]string{"": "bob@example.com", "sieve_user_email = me@example.com": "me@example.com"} {
			l := sievetest.NewLDA(t, is24)
			l.Settings = []string{user}
			d := sievetest.Delivery{Message: "Return-Path: <z@e.example>\nMessage-ID: <1@x>\nX-Sieve: old\nX-Sieve-Redirected-From: z@e.example\nTo: bob@example.com\n\nbody\n",
				Scripts: []string{`redirect "r@e.example";`}, From: "joe@example.net", To: "bob@example.com"}
			got := l.Deliver(t, d).Sent
			want = "X-Sieve-Redirected-From: " + want + "\nMessage-ID: <1@x>\nX-Sieve: old\nX-Sieve-Redirected-From: z@e.example\nTo: bob@example.com\n\nbody\n"
			if len(got) != 1 {
				t.Fatal(got)
			}
			if first, rest, _ := strings.Cut(got[0].Text, "\n"); !strings.HasPrefix(first, "X-Sieve: Pigeonhole Sieve") || rest != want {
				t.Errorf("(-want +Dovecot) %s", cmp.Diff(want, got[0].Text))
			}
		}
	}
}

const editing = `addheader "X-P" "new"; deleteheader :index 1 "X-P"; addheader "X-q" "new"; deleteheader "subject"; if exists "x-p" { fileinto :copy :create "p"; }
if header "x-p" "new" { fileinto :copy :create "n"; } if exists "x-q" { fileinto :copy :create "q"; } if exists "subject" { fileinto :copy :create "s"; }`

func manyFolders(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "fileinto :create \"f%d\";\n", i)
	}
	return b.String()
}

// long adds a field with a value of n octets.
func long(n int) string {
	return `set "v" "` + strings.Repeat("v", n/2) + `"; set "v" "${v}${v}` + strings.Repeat("v",
		n%2) + `"; addheader "X-Long" "${v}"; if exists "x-long" { fileinto :copy :create "long"; }`
}

var (
	ownLines = regexp.MustCompile(`(?m)^(Message-ID: <dovecot|Message-ID: <sieve|Date: ).*\r?\n`)
	ends     = strings.NewReplacer("\r\n", "\n")
)

// TestSettingsServer delivers with settings, and with what is read from doveconf -n.
func TestSettingsServer(t *testing.T) {
	for _, is24 := range []bool{false, true} {
		t.Run(map[bool]string{false: "2.3", true: "2.4"}[is24], func(t *testing.T) {
			one := servertest.OneIn(t, 6)
			g := sievetest.NewGenerator(*servertest.Seed)
			for i, tt := range settings {
				if g.IntN(one) > 0 {
					continue
				}
				lines := tt.in23
				if is24 && tt.in24 != "" {
					lines = tt.in24
				}
				t.Run(fmt.Sprint(i), func(t *testing.T) {
					l := sievetest.NewLDA(t, is24)
					if lines != "" {
						l.Settings = strings.Split(lines, "\n")
					}
					d := sievetest.Delivery{Message: message(tt.message), Scripts: []string{require + tt.script}, From: "joe@example.net",
						To: "bob@example.com", OriginalTo: tt.original}
					compare(t, l, d)
				})
			}
		})
	}
}

func compare(t *testing.T, l *sievetest.LDA, d sievetest.Delivery) {
	t.Helper()
	want := l.Deliver(t, d)
	c := dovecot.Read(l.Doveconf(t, l.Config(t, d.Scripts), "-n"))
	if c.Is24() != l.Dovecot24 {
		t.Fatalf("version %q", c.Version)
	}
	o, err := c.Options("lda")
	if err != nil {
		t.Fatal(err)
	}
	s, err := sieve.ParseFor("", []byte(d.Scripts[0]), o.Extensions)
	if err != nil {
		t.Fatal(err)
	}
	p, err := interp.Compile(s, o)
	if err != nil {
		t.Fatal(err)
	}
	_, _, user := sievetest.Owner(t)
	r := interp.Sequence{p}.Run(&interp.Input{Raw: []byte(d.Message), From: d.From, To: d.To, OriginalTo: d.OriginalTo,
		MailboxExists: func(string) bool { return false },
		Environment:   map[string]string{"host": "mail.example.org", "postmaster": "postmaster@example.org", "username": user}})
	out := dovecot.Deliver(&r)
	got := sievetest.Delivered{Stored: slices.Sorted(slices.Values(out.Stored)), Failed: out.Failed != nil, Log: want.Log}
	for _, m := range out.Sent {
		from := m.From
		if from == "" {
			from = "<>"
		}
		got.Sent = append(got.Sent, sievetest.Sent{Args: "-f " + from + " -- " + strings.Join(m.To, " "), Text: string(m.Raw)})
	}
	for _, a := range out.Redirects {
		from := d.From
		if a.From != "" {
			from = a.From
		}
		got.Sent = append(got.Sent, sievetest.Sent{Args: "-f " + from + " -- " + a.Address})
	}
	for _, list := range [][]sievetest.Sent{got.Sent, want.Sent} {
		for i := range list {
			list[i].Text = ownLines.ReplaceAllString(ends.Replace(list[i].Text), "")
			if strings.Contains(list[i].Args, "-- r@") || strings.Contains(list[i].Args, "-- s@") {
				list[i].Text = "" // redirected
			}
		}
		slices.SortFunc(list, func(a, b sievetest.Sent) int { return strings.Compare(a.Args, b.Args) })
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-Dovecot +ours, %v):\n%s\n%s\n%s", r.Err, diff, d.Scripts[0], want.Log)
	}
}

// TestScriptsServer reads the sequence of scripts and the store from doveconf -n.
func TestScriptsServer(t *testing.T) {
	for _, is24 := range []bool{false, true} {
		t.Run(map[bool]string{false: "2.3", true: "2.4"}[is24], func(t *testing.T) {
			l := sievetest.NewLDA(t, is24)
			l.Location, l.Separator, l.FS, l.UTF8 = ":LAYOUT=fs:UTF-8", "/", true, true
			conf := l.Config(t, []string{"keep;", "stop;", "discard;"})
			c := dovecot.Read(l.Doveconf(t, conf, "-n"))
			list, err := c.Scripts("lda", dovecot.User{Name: "bob@example.com", Home: "/home/bob"})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range list {
				got = append(got, string(s.Kind)+" "+filepath.Base(s.Path))
			}
			if diff := cmp.Diff([]string{"before s0.sieve", "before s1.sieve", "personal s2.sieve"}, got); diff != "" {
				t.Error(diff)
			}
			want := interp.Store{Separator: '/', FS: !is24, UTF8: true, Either: is24}
			if got := c.Store(); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

// settings05 are the settings of Pigeonhole 0.5.19, which doveconf -a shows where
// they are set only.
const settings05 = `sieve sieve_dir sieve_default sieve_default_name sieve_discard sieve_before sieve_after sieve_global sieve_global_dir sieve_global_path
sieve_global_extensions sieve_implicit_extensions sieve_extensions sieve_plugins sieve_plugin_dir sieve_enabled sieve_user_log sieve_user_email sieve_max_script_size sieve_max_actions
sieve_max_redirects sieve_max_cpu_time sieve_resource_usage_timeout sieve_redirect_envelope_from sieve_redirect_duplicate_period sieve_quota_max_scripts
sieve_quota_max_storage sieve_trace_addresses sieve_trace_debug sieve_trace_dir sieve_trace_level sieve_vacation_default_period sieve_vacation_default_subject
sieve_vacation_default_subject_template sieve_vacation_dont_check_recipient sieve_vacation_max_period sieve_vacation_max_subject_codepoints sieve_vacation_min_period
sieve_vacation_send_from_recipient sieve_vacation_to_header_ignore_envelope sieve_vacation_use_original_recipient sieve_variables_max_scope_size
sieve_variables_max_variable_size sieve_editheader_forbid_add sieve_editheader_forbid_delete sieve_editheader_max_header_size sieve_editheader_protected
sieve_include_max_includes sieve_include_max_nesting_depth sieve_duplicate_default_period sieve_duplicate_max_period sieve_notify_mailto_envelope_from sieve_report_from
sieve_env sieve_spamtest_status_type sieve_spamtest_status_header sieve_spamtest_max_value sieve_spamtest_max_header sieve_spamtest_text_value
sieve_virustest_status_type sieve_virustest_status_header sieve_virustest_max_value sieve_virustest_max_header sieve_virustest_text_value`

// TestEverySetting: what doveconf -a prints is read, or is in the documentation
// as left out.
func TestEverySetting(t *testing.T) {
	known := ""
	for _, file := range []string{"doc.go", "options.go", "scripts.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		known += string(text)
	}
	words := make(map[string]bool)
	for _, w := range regexp.MustCompile(`sieve[a-z_0-9]*`).FindAllString(known, -1) {
		words[w] = true
	}
	for _, is24 := range []bool{false, true} {
		t.Run(map[bool]string{false: "2.3", true: "2.4"}[is24], func(t *testing.T) {
			l := sievetest.NewLDA(t, is24)
			c := dovecot.Read(l.Doveconf(t, l.Config(t, []string{"keep;"}), "-a"))
			n := 0
			names := map[string]bool{}
			for _, s := range c.Settings {
				if strings.HasPrefix(s.Name, "sieve_") || s.Name == "sieve" && slices.Contains(s.Sections, "plugin") {
					names[s.Name] = true
				}
			}
			if !is24 {
				for _, name := range strings.Fields(settings05) {
					names[name] = true
				}
			}
			for name := range names {
				if n++; !words[name] {
					t.Errorf("%s is neither read nor in the documentation", name)
				}
			}
			if n < 50 {
				t.Errorf("only %d settings", n)
			}
		})
	}
}
