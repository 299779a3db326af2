//go:build unix

package interp_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

const deliveredRequire = `require ["copy", "fileinto", "mailbox", "variables", "encoded-character", "envelope", "enotify", "reject", "editheader"];
`

// release is one of the two Dovecots.
type release struct {
	name string
	is24 bool
	on   sieve.Extensions
}

var releases = []release{{"2.3", false, sieve.Debian12}, {"2.4", true, sieve.Debian13}}

// drawnReleases are both from TEST_SCALE=2 on, and one of them in the plain run.
func drawnReleases(t *testing.T) []release {
	t.Helper()
	if servertest.Scale(t) >= 2 {
		return releases
	}
	i := (uint64(len(t.Name())) + *servertest.Seed) % 2
	return releases[i : i+1]
}

// deliveredOf is what a result comes to, in the words of sievetest.Delivered.
func deliveredOf(r interp.Result, from string) (out sievetest.Delivered) {
	out.Stored, out.Failed = r.Mailboxes(), r.Err != nil
	for i, box := range out.Stored {
		if out.Stored[i] = box; strings.EqualFold(box, sieve.Inbox) {
			out.Stored[i] = sieve.Inbox
		}
	}
	slices.Sort(out.Stored)
	for _, a := range r.Actions {
		if a, ok := a.(interp.ActionRedirect); ok && a.Why == "" {
			out.Sent = append(out.Sent, sievetest.Sent{Args: "-f " + from + " -- " + a.Address})
		}
	}
	return out
}

// compareDelivered delivers with the server and with the package.
func compareDelivered(t *testing.T, l *sievetest.LDA, d sievetest.Delivery, o interp.Options, memory interp.Memory) {
	t.Helper()
	for i := range d.Scripts {
		if !strings.HasPrefix(d.Scripts[i], "require") {
			d.Scripts[i] = deliveredRequire + d.Scripts[i]
		}
	}
	if d.From == "" {
		d.From = "joe@example.net"
	}
	if d.To == "" {
		d.To = "bob@example.com"
	}
	got := l.Deliver(t, d)
	for i := range got.Sent {
		got.Sent[i].Text = ""
	}
	log := got.Log
	got.Log = ""
	var list interp.Sequence
	for _, src := range d.Scripts {
		s, err := sieve.ParseFor("", []byte(src), o.Extensions|sieve.ExtEditHeader)
		if err != nil {
			t.Fatal(err)
		}
		p, err := interp.Compile(s, o)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	in := &interp.Input{Raw: []byte(d.Message), From: d.From, To: d.To, OriginalTo: d.OriginalTo, Memory: memory}
	r := list.Run(in)
	if diff := cmp.Diff(got, deliveredOf(r, d.From), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-Dovecot +ours, %v):\n%s\n%s\n%s\n%s", r.Err, diff, strings.Join(d.Scripts, "----\n"), d.Message, log)
	}
}

var redirectedID atomic.Int64

// redirected is a message with a Message-ID of its own.
func redirected(field string) string {
	return fmt.Sprintf("Message-ID: <%d@x>\n", redirectedID.Add(1)) + field +
		"From: joe@example.net\nTo: bob@example.com\nSubject: s\n\nbody\n"
}

// redirectLoops are messages that a user may have redirected before.
var redirectLoops = []struct {
	name string
	d    sievetest.Delivery
}{
	{"not", sievetest.Delivery{Message: redirected("")}},
	{"the recipient", sievetest.Delivery{Message: redirected("X-Sieve-Redirected-From: bob@example.com\n")}},
	{"with another case", sievetest.Delivery{Message: redirected("X-Sieve-Redirected-From: Bob@example.com\n")}},
	{"with another case of the domain", sievetest.Delivery{Message: redirected("X-Sieve-Redirected-From: bob@example.com\n"),
		To: "bob@Example.COM"}},
	{"with the same case", sievetest.Delivery{Message: redirected("X-Sieve-Redirected-From: Bob@Example.COM\n"), To: "Bob@Example.COM"}},
	{"in brackets", sievetest.Delivery{Message: redirected("X-Sieve-Redirected-From: <bob@example.com>\n")}},
	{"with white space", sievetest.Delivery{Message: redirected("X-Sieve-Redirected-From:\n   bob@example.com \t\n")}},
	{"the second field", sievetest.Delivery{Message: redirected("X-Sieve-Redirected-From: a@b\nx-sieve-redirected-from: bob@example.com\n")}},
	{"encoded", sievetest.Delivery{Message: redirected("X-Sieve-Redirected-From: =?utf-8?q?bob=40example.com?=\n")}},
	{"with a comment", sievetest.Delivery{Message: redirected("X-Sieve-Redirected-From: bob@example.com (c)\n")}},
	{"the original recipient", sievetest.Delivery{Message: redirected("X-Sieve-Redirected-From: bob+x@example.com\n"),
		OriginalTo: "bob+x@example.com"}},
	{"the final recipient", sievetest.Delivery{Message: redirected("X-Sieve-Redirected-From: bob@example.com\n"),
		OriginalTo: "bob+x@example.com"}},
	{"quoted", sievetest.Delivery{Message: redirected("X-Sieve-Redirected-From: \"a b\"@example.com\n"), To: `"a b"@example.com`}},
	{"quoted without need", sievetest.Delivery{Message: redirected("X-Sieve-Redirected-From: \"ab\"@example.com\n"), To: `"ab"@example.com`}},
	{"quoted without need, and bare", sievetest.Delivery{Message: redirected("X-Sieve-Redirected-From: ab@example.com\n"),
		To: `"ab"@example.com`}},
	{"of the user", sievetest.Delivery{Message: redirected("X-Sieve-Redirected-From: me@example.com\n")}},
	{"empty", sievetest.Delivery{Message: redirected("X-Sieve-Redirected-From:\n")}},
}

// loopScripts are scripts for a message that is a loop; in all but the first one
// an earlier script runs before.
var loopScripts = [][]string{
	{`redirect :copy "x@example.net";`},
	{`redirect "x@example.net"; fileinto :create "A";`},
	{`redirect "x@example.net"; keep;`},
	{`redirect "x@example.net"; discard;`},
	{`redirect "x@example.net"; redirect "y@example.net";`},
	{`redirect "x@example.net"; reject "no";`},
	{`deleteheader "X-Sieve-Redirected-From"; redirect "x@example.net";`},
	{`redirect "x@example.net";`, `fileinto :create "P";`},
	{`redirect "x@example.net"; discard;`, `fileinto :create "P";`},
	{`redirect :copy "x@example.net";`, `discard;`},
	{`fileinto :copy :create "Q";`, `redirect "x@example.net";`},
	{`redirect "x@example.net";`, `redirect "x@example.net";`},
	{`if envelope "to" "bob+x@example.com" { fileinto :create "O"; }`},
}

// TestRedirectLoopServer delivers messages that the user may have redirected.
func TestRedirectLoopServer(t *testing.T) {
	for _, rel := range drawnReleases(t) {
		t.Run(rel.name, func(t *testing.T) {
			l := sievetest.NewLDA(t, rel.is24)
			g := sievetest.NewGenerator(*sievetest.Seed)
			one := servertest.OneIn(t, 8)
			o := interp.Options{Extensions: rel.on}
			for _, tt := range redirectLoops {
				if g.IntN(one) > 0 && tt.name != "the recipient" {
					continue
				}
				tt.d.Scripts = []string{`redirect "x@example.net";`}
				t.Run(tt.name, func(t *testing.T) { compareDelivered(t, l, tt.d, o, nil) })
			}
			for i, scripts := range loopScripts {
				if g.IntN(one) > 0 {
					continue
				}
				d := sievetest.Delivery{Message: redirected("X-Sieve-Redirected-From: bob@example.com\n"), Scripts: slices.Clone(scripts),
					OriginalTo: "bob+x@example.com"}
				t.Run(fmt.Sprint(i), func(t *testing.T) { compareDelivered(t, l, d, o, nil) })
			}
			l.Settings = []string{"sieve_user_email = Me@example.com"}
			o.UserEmail = "Me@example.com"
			for _, who := range []string{"Me@example.com", "me@example.com", "bob@example.com"} {
				d := sievetest.Delivery{Message: redirected("X-Sieve-Redirected-From: " + who + "\n"), Scripts: []string{`redirect "x@example.net";`}}
				t.Run("user "+who, func(t *testing.T) { compareDelivered(t, l, d, o, nil) })
			}
		})
	}
}

// TestRedirectAgainServer delivers messages to one user, who redirects them.
func TestRedirectAgainServer(t *testing.T) {
	const one, other = `redirect "x@example.net";`, `redirect "y@example.net";`
	id := func(id, fields string) string {
		return id + fields + "From: joe@example.net\nTo: bob@example.com\n\nbody\n"
	}
	const first = "Message-ID: <1@x>\n"
	list := []sievetest.Delivery{
		{Message: id(first, ""), Scripts: []string{one}},
		{Message: id(first, ""), Scripts: []string{one}},
		{Message: id(first, ""), Scripts: []string{`redirect :copy "x@EXAMPLE.net"; fileinto :copy :create "A";`}},
		{Message: id(first, ""), Scripts: []string{`redirect "X@example.net";`}},
		{Message: id(first, ""), Scripts: []string{other + one}},
		{Message: id(first, ""), Scripts: []string{one}, To: "carl@example.com"},
		{Message: id(first, ""), Scripts: []string{one}, OriginalTo: "bob+x@example.com"},
		{Message: id("Message-ID: (c) <1@x>\n", ""), Scripts: []string{one}},
		{Message: id(first, "Resent-Message-ID: <r@x>\n"), Scripts: []string{one}},
		{Message: id(first, "Resent-Message-ID: <r@x>\nResent-From: a@b\n"), Scripts: []string{one}},
		{Message: id(first, "Resent-From: a@b\n"), Scripts: []string{one}},
		{Message: id(first, "Resent-From: a@b\n"), Scripts: []string{one}},
		{Message: id(first, "Resent-Date: x\n"), Scripts: []string{one}},
		{Message: id(first, "List-Id: <l.x>\n"), Scripts: []string{one}},
		{Message: id(first, "List-Id: <l.x>\n"), Scripts: []string{one}},
		{Message: id(first, ""), Scripts: []string{`addheader "List-Id" "<m.x>"; deleteheader "Message-ID"; redirect "x@example.net";`}},
		{Message: id("", ""), Scripts: []string{one}},
		{Message: id("", ""), Scripts: []string{one}},
		{Message: id("Message-ID: 1\n", ""), Scripts: []string{one}},
		{Message: id("Message-ID: 1\n", ""), Scripts: []string{one}},
		{Message: id("Message-ID:\n", ""), Scripts: []string{one}},
		{Message: id("Message-ID:\n", ""), Scripts: []string{one}},
		{Message: id("Message-ID: <2@x>\n", ""), Scripts: []string{one + `fileinto "nosuch";`}},
		{Message: id("Message-ID: <2@x>\n", ""), Scripts: []string{one}},
		{Message: id("Message-ID: <3@x>\n", ""), Scripts: []string{`redirect :copy "x@example.net";`, one}},
		{Message: id("Message-ID: <3@x>\n", ""), Scripts: []string{one, `fileinto :create "P";`}},
	}
	for _, rel := range drawnReleases(t) {
		t.Run(rel.name, func(t *testing.T) {
			l := sievetest.NewLDA(t, rel.is24)
			memory := &store{seen: map[string]time.Time{}}
			o := interp.Options{Extensions: rel.on}
			for i, d := range list {
				d.Scripts = slices.Clone(d.Scripts)
				t.Run(fmt.Sprint(i), func(t *testing.T) { compareDeliveredKnown(t, l, d, o, memory) })
			}
		})
	}
}

// compareDeliveredKnown is compareDelivered where the mailbox "nosuch" is missing.
func compareDeliveredKnown(t *testing.T, l *sievetest.LDA, d sievetest.Delivery, o interp.Options, memory interp.Memory) {
	t.Helper()
	d.Scripts[0] = strings.Replace(d.Scripts[0], "nosuch", "no..such", 1)
	compareDelivered(t, l, d, o, memory)
}

// storeNames are names that mail stores take or refuse.
var storeNames = []string{"a..b", ".x", "x.", "a.b", ".", "..", "/", "a/b", "a//b", "/x", "x/", "~", "~x", "a~b", "a/~b", "a.~b", "a/..",
	"a/../b", "a/./b",
	"cur", "a/cur", "new", "a/new/b", "tmp", "a.tmp", "Cur", strings.Repeat("x", 254), strings.Repeat("x", 255), strings.Repeat("x", 256),
	strings.Repeat("é", 80), strings.Repeat("é", 94), strings.Repeat("é", 95), strings.Repeat("é", 96), strings.Repeat("é",
		120), strings.Repeat("é", 127), strings.Repeat("é", 128),
	strings.Repeat("x", 200) + "." + strings.Repeat("y", 50), strings.Repeat("x", 200) + "." + strings.Repeat("y", 200), strings.Repeat("x",
		200) + "/" + strings.Repeat("y", 53),
	strings.Repeat("x", 200) + "/" + strings.Repeat("y", 54), strings.Repeat("&", 127), strings.Repeat("&", 128), strings.Repeat("\U0001f600",
		46), strings.Repeat("\U0001f600", 47),
	strings.Repeat("aé", 42), strings.Repeat("aé", 43), strings.Repeat("a\x7f",
		42), "a\x07b", "a\tb", "a\nb", "a\x7fb", "\u0085", "\u2028", "%*&\\", "#a", " a", "a ", "INBOX.a", "inbox/a", "INBOX", "inbox", "INBOX.",
	"inbox/", "", "a\x00b", "dbox-Mails", "dovecot.index", "\uffff", "a.INBOX"}

// TestStoreServer stores under names that stores refuse, by a variable and by
// a literal, beside other actions.
func TestStoreServer(t *testing.T) {
	stores := []struct {
		name, location, separator string
		fs, utf8                  bool
		store                     interp.Store
	}{
		{"default", "", "", false, false, interp.Store{}},
		{"slash", "", "/", false, false, interp.Store{Separator: '/'}},
		{"fs", ":LAYOUT=fs", "/", true, false, interp.Store{FS: true}},
		{"fs and dot", ":LAYOUT=fs", ".", true, false, interp.Store{Separator: '.', FS: true}},
		{"fs in UTF-8", ":LAYOUT=fs:UTF-8", "/", true, true, interp.Store{FS: true, UTF8: true}},
	}
	forms := []string{`fileinto :create %s;`, `fileinto :copy :create %s; fileinto :create "B";`,
		`fileinto :create "A"; redirect "x@example.net"; fileinto :create %s;`,
		`discard; fileinto :create %s;`, `keep; fileinto :create %s;`, `fileinto "INBOX"; fileinto :create %s;`, `if mailboxexists %s { fileinto :create "Y"; } else { fileinto :create "N"; }`}
	for _, rel := range drawnReleases(t) {
		t.Run(rel.name, func(t *testing.T) {
			g := sievetest.NewGenerator(*sievetest.Seed)
			one := servertest.OneIn(t, 60)
			for _, s := range stores {
				l := sievetest.NewLDA(t, rel.is24)
				l.Location, l.Separator, l.FS, l.UTF8 = s.location, s.separator, s.fs, s.utf8
				for i, name := range storeNames {
					if g.IntN(one) > 0 && !(i == 0 && s.name == "default") {
						continue
					}
					form, quoted := forms[0], strings.ReplaceAll(sievetest.QuoteText(name), "\x00", "${hex:00}")
					if g.Chance(30) {
						form = sievetest.Pick(g, forms...)
					}
					if g.Chance(50) {
						form = `set "v" ` + quoted + "; " + form
						quoted = `"${v}"`
					}
					src := strings.Replace(form, "%s", quoted, 1)
					t.Run(s.name+" "+fmt.Sprint(i), func(t *testing.T) {
						compareStored(t, l, src, s.store, rel.on)
					})
				}
			}
		})
	}
}

// compareStored compares whether the script fails, and what is stored in the
// inbox and in the mailboxes of one letter; others are named by the file system.
func compareStored(t *testing.T, l *sievetest.LDA, src string, store interp.Store, on sieve.Extensions) {
	t.Helper()
	d := sievetest.Delivery{Message: redirected(""), From: "joe@example.net", To: "bob@example.com", Scripts: []string{deliveredRequire + src}}
	got := l.Deliver(t, d)
	s, err := sieve.ParseFor("", []byte(d.Scripts[0]), on|sieve.ExtEditHeader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := interp.Compile(s, interp.Options{Extensions: on, Store: store})
	if err != nil {
		t.Fatal(err)
	}
	in := &interp.Input{Raw: []byte(d.Message), From: d.From, To: d.To}
	if strings.Contains(src, "mailboxexists") {
		in.MailboxExists = func(string) bool { return false }
	}
	r := interp.Sequence{p}.Run(in)
	want := deliveredOf(r, d.From)
	short := func(list []string) (out []string, others int) {
		for _, s := range list {
			if s == sieve.Inbox || s == "A" || s == "B" || s == "Y" || s == "N" {
				out = append(out, s)
			} else {
				others++
			}
		}
		return out, others
	}
	have, others := short(got.Stored)
	ours, mine := short(want.Stored)
	if got.Failed != want.Failed || !slices.Equal(have, ours) || others != mine || len(got.Sent) != len(want.Sent) {
		t.Errorf("Dovecot: %v %v, ours: %v %v (%v)\n%s\n%s", got.Failed, got.Stored, want.Failed, want.Stored, r.Err, src, got.Log)
	}
}

// TestComparatorServer compares with the comparators that are taken without a
// name, and with i;unicode-casemap.
func TestComparatorServer(t *testing.T) {
	tests := []string{`string "frop" "FrOp"`, `string :contains "frop" "RO"`, `string :matches "frop" "FR*"`, `string "é" "É"`,
		`string :value "ge" "a" "B"`,
		`string :value "lt" "Z" "a"`, `string :comparator "i;octet" "a" "A"`, `header "subject" "éa"`, `header "subject" "ÉA"`, `header :contains "subject" "É"`,
		`header :value "lt" "subject" "ÊA"`, `address :localpart "from" "JOE"`, `envelope "from" "JOE@example.net"`, `body :contains "BODY"`, `body :contains "É"`}
	const unicode = `header :comparator "i;unicode-casemap" "subject" "ÉA"`
	for _, rel := range releases {
		list := tests
		if _, err := sieve.ParseFor("", []byte("if "+unicode+" { keep; }"), rel.on); (err == nil) != rel.is24 {
			t.Errorf("%s: i;unicode-casemap without require: %v", rel.name, err)
		}
		if rel.is24 {
			list = append(slices.Clone(tests), unicode, `string :comparator "i;unicode-casemap" "é" "É"`)
		}
		src := strings.Replace(deliveredRequire, "]", `, "relational", "body"]`, 1)
		for i, test := range list {
			src += fmt.Sprintf("if %s { fileinto :copy :create \"t%d\"; }\n", test, i)
		}
		t.Run(rel.name, func(t *testing.T) {
			d := sievetest.Delivery{Message: "Message-ID: <1@x>\nFrom: joe@example.net\nSubject: =?utf-8?q?=C3=A9a?=\n\nbody é\n",
				Scripts: []string{src}}
			compareDelivered(t, sievetest.NewLDA(t, rel.is24), d, interp.Options{Extensions: rel.on}, nil)
		})
	}
}

// TestNotifySenderServer notifies with senders that variables make.
func TestNotifySenderServer(t *testing.T) {
	for _, rel := range drawnReleases(t) {
		t.Run(rel.name, func(t *testing.T) {
			l := sievetest.NewLDA(t, rel.is24)
			for _, from := range []string{"root", "", "<>", "a@b.example, c@d.example", "a@b.example", "X <a@b.example>"} {
				src := `set "v" ` + sievetest.QuoteText(from) + `; notify :from "${v}" "mailto:n@y.example"; fileinto :create "Y";`
				d := sievetest.Delivery{Message: redirected(""), From: "joe@example.net", To: "bob@example.com",
					Scripts: []string{deliveredRequire + src}}
				got := l.Deliver(t, d)
				r := compileSequence(t, [][]byte{[]byte(d.Scripts[0])}).Run(&interp.Input{Raw: []byte(d.Message), From: d.From, To: d.To})
				if got.Failed != (r.Err != nil) || len(got.Sent) != len(sentOf(r)) || !slices.Equal(got.Stored, r.Mailboxes()) {
					t.Errorf("%q: Dovecot: %v %v, ours: %v %v", from, got.Failed, got.Stored, r.Err, r.Mailboxes())
				}
			}
		})
	}
}
