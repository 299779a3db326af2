package interp_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// executed is what a delivery leaves behind.
type executed struct {
	Stored    []string // "mailbox flags", one for each copy
	Redirects []string
	Rejected  bool
	Failed    bool
}

// folders are the mailboxes that exist in tests that execute.
var folders = []string{"A", "B", "C", "a", "Spam"}

func folderExists(name string) bool { return slices.Contains(folders, name) }

// executedOf is what the result leaves behind.
func executedOf(r interp.Result) executed {
	out := executed{Failed: r.Err != nil}
	flags := make(map[string]string)
	store := func(box string, list []string) {
		var letters []string
		for _, f := range list {
			switch f {
			case `\Seen`:
				letters = append(letters, "S")
			case `\Answered`:
				letters = append(letters, "R")
			case `\Flagged`:
				letters = append(letters, "F")
			case `\Deleted`:
				letters = append(letters, "T")
			case `\Draft`:
				letters = append(letters, "D")
			}
		}
		slices.Sort(letters)
		if _, ok := flags[sievetest.Inbox(box)]; !ok {
			flags[sievetest.Inbox(box)] = strings.Join(letters, "")
		}
	}
	for _, a := range r.Actions {
		switch a := a.(type) {
		case interp.ActionFileInto:
			store(a.Mailbox, a.Flags)
		case interp.ActionRedirect:
			out.Redirects = append(out.Redirects, a.Address)
		case interp.ActionReject:
			out.Rejected = !a.Silent
		}
	}
	for _, a := range r.Actions {
		if k, ok := a.(interp.ActionKeep); ok {
			store(sieve.Inbox, k.Flags)
		}
	}
	if r.Keep == interp.KeepImplicit || r.Keep == interp.KeepFailure {
		store(sieve.Inbox, r.KeepFlags)
	}
	for _, box := range r.Mailboxes() {
		out.Stored = append(out.Stored, strings.TrimSpace(sievetest.Inbox(box)+" "+flags[sievetest.Inbox(box)]))
	}
	slices.Sort(out.Stored)
	slices.Sort(out.Redirects)
	return out
}

const req = `require ["fileinto", "copy", "vacation", "reject", "imap4flags", "mailbox"]; `

// sequenceCases are scripts that run one after the other; every case goes
// through dovecot-lda as well.
var sequenceCases = []struct {
	name    string
	scripts []string
	want    executed
}{
	{"one script", []string{"keep;"}, executed{Stored: one("INBOX")}},
	{"fileinto inbox ends the sequence", []string{`fileinto "INBOX"; stop;`, `fileinto "A";`}, executed{Stored: one("INBOX")}},
	{"keep doesn't", []string{`keep; stop;`, `fileinto "A";`}, executed{Stored: one("A")}},
	{"stop doesn't", []string{`stop;`, `fileinto "A";`}, executed{Stored: one("A")}},
	{"keep is undone by a later discard", []string{`keep;`, `discard;`}, executed{}},
	{"keep and keep", []string{`keep;`, `keep;`}, executed{Stored: one("INBOX")}},
	{"keep and nothing", []string{`keep;`, `stop;`}, executed{Stored: one("INBOX")}},
	{"discard ends the sequence", []string{`discard;`, `fileinto "A";`}, executed{}},
	{"discard with keep doesn't", []string{`keep; discard;`, `fileinto "A";`}, executed{Stored: one("A")}},
	{"redirect ends the sequence", []string{`redirect "a@b";`, `fileinto "A";`}, executed{Redirects: one("a@b")}},
	{"redirect copy doesn't", []string{`redirect :copy "a@b";`, `fileinto "A";`}, executed{Redirects: one("a@b"), Stored: one("A")}},
	{"the same redirect doesn't cancel the keep", []string{`redirect :copy "a@b";`, `redirect "a@b";`},
		executed{Redirects: one("a@b"), Stored: one("INBOX")}},
	{"fileinto copy", []string{`fileinto :copy "A";`, `fileinto "B";`}, executed{Stored: []string{"A", "B"}}},
	{"the same fileinto doesn't cancel the keep", []string{`fileinto :copy "A";`, `fileinto "A";`}, executed{Stored: []string{"A", "INBOX"}}},
	{"fileinto copy inbox and keep", []string{`fileinto :copy "INBOX";`, `keep;`}, executed{Stored: one("INBOX")}},
	{"fileinto copy inbox and nothing", []string{`fileinto :copy "INBOX";`, `stop;`}, executed{Stored: one("INBOX")}},
	{"fileinto copy inbox and discard", []string{`fileinto :copy "INBOX"; keep;`, `discard;`}, executed{Stored: one("INBOX")}},
	{"fileinto inbox and keep in one", []string{`keep; fileinto "INBOX";`, `stop;`}, executed{Stored: one("INBOX")}},
	{"keep and fileinto", []string{`keep; fileinto "A";`, `discard;`}, executed{Stored: one("A")}},
	{"keep and the same fileinto", []string{`keep; fileinto "A";`, `fileinto "A";`}, executed{Stored: []string{"A", "INBOX"}}},
	{"failure in the first", []string{`vacation "x"; vacation "y";`, `fileinto "A";`}, executed{Stored: one("INBOX"), Failed: true}},
	{"failure in the second", []string{`stop;`, `vacation "x"; vacation "y";`}, executed{Stored: one("INBOX"), Failed: true}},
	{"failure undoes its own script only", []string{`fileinto :copy "A";`, `fileinto "B"; vacation "x"; vacation "y";`},
		executed{Stored: []string{"A", "INBOX"}, Failed: true}},
	{"failure after inbox", []string{`fileinto :copy "INBOX";`, `vacation "x"; vacation "y";`}, executed{Stored: one("INBOX"), Failed: true}},
	{"failure after inbox with an action left", []string{`fileinto :copy "INBOX";`, `fileinto "A"; vacation "x"; vacation "y";`},
		executed{Stored: one("INBOX"), Failed: true}},
	{"failure after keep", []string{`keep;`, `fileinto "A"; vacation "x"; vacation "y";`}, executed{Stored: one("INBOX"), Failed: true}},
	{"vacation in both", []string{`vacation "x";`, `fileinto "B"; vacation "y";`}, executed{Stored: one("B")}},
	{"reject after keep", []string{`keep;`, `reject "no";`}, executed{Rejected: true}},
	{"reject after fileinto copy", []string{`fileinto :copy "A";`, `reject "no";`}, executed{Stored: one("A"), Rejected: true}},
	{"reject after redirect copy", []string{`redirect :copy "a@b";`, `reject "no";`}, executed{Redirects: one("a@b"), Rejected: true}},
	{"reject after vacation", []string{`vacation "x";`, `reject "no";`}, executed{}},
	{"reject ends the sequence", []string{`reject "no";`, `fileinto "A";`}, executed{Rejected: true}},
	{"reject and keep in one of several", []string{`reject "no"; keep;`, `fileinto "A";`}, executed{Rejected: true, Stored: one("A")}},
	{"keep and reject in one of several", []string{`keep; reject "no";`, `stop;`}, executed{Rejected: true, Stored: one("INBOX")}},
	{"reject and fileinto", []string{`reject "no"; fileinto "A";`, `stop;`}, executed{Stored: one("INBOX"), Failed: true}},
	{"reject twice", []string{`reject "no"; keep;`, `reject "no";`}, executed{Rejected: true, Stored: one("INBOX")}},
	{"fileinto after reject and keep", []string{`reject "no"; keep;`, `vacation "x"; redirect "a@b";`},
		executed{Rejected: true, Redirects: one("a@b")}},
	{"too many redirects together", []string{`redirect :copy "a@b"; redirect :copy "b@b"; redirect :copy "c@b";`,
		`redirect "d@b"; redirect "e@b";`}, executed{Redirects: []string{"a@b", "b@b", "c@b"}, Stored: one("INBOX"), Failed: true}},
	{"repeated redirects don't count", []string{`redirect :copy "a@b"; redirect :copy "b@b"; redirect :copy "c@b";`,
		`redirect "d@b"; redirect "a@b";`}, executed{Redirects: []string{"a@b", "b@b", "c@b", "d@b"}}},
	{"flags go on", []string{`addflag "\\Seen";`, `keep;`}, executed{Stored: one("INBOX S")}},
	{"flags of a deferred keep", []string{`addflag "\\Seen"; keep;`, `addflag "\\Flagged";`}, executed{Stored: one("INBOX S")}},
	{"flags of two scripts", []string{`addflag "\\Seen";`, `addflag "\\Flagged"; keep;`}, executed{Stored: one("INBOX FS")}},
	{"flags in a mailbox", []string{`addflag "\\Seen";`, `fileinto "A";`}, executed{Stored: one("A S")}},
	{"flags of the last keep", []string{`keep :flags "\\Seen";`, `keep;`}, executed{Stored: one("INBOX")}},
	{"flags of two keeps", []string{`keep :flags "\\Seen";`, `keep :flags "\\Flagged";`}, executed{Stored: one("INBOX F")}},
	{"flags after a keep without imap4flags", []string{`NOREQ keep;`, `setflag "\\Seen";`}, executed{Stored: one("INBOX S")}},
	{"a missing mailbox", []string{`fileinto "nosuch";`, `fileinto "A";`}, executed{Stored: one("INBOX"), Failed: true}},
	{"a missing mailbox undoes the script", []string{`stop;`, `redirect "a@b"; fileinto "A"; fileinto "nosuch";`},
		executed{Stored: one("INBOX"), Failed: true}},
	{"a missing mailbox with create", []string{`fileinto :create "nosuch";`, `fileinto "A";`}, executed{Stored: one("nosuch")}},
	{"create in the repetition only", []string{`fileinto "nosuch"; fileinto :create "nosuch";`}, executed{Stored: one("INBOX"), Failed: true}},
	{"create in the first only", []string{`fileinto :create "nosuch"; fileinto "nosuch";`}, executed{Stored: one("nosuch")}},
	{"mailboxexists", []string{`if mailboxexists ["A", "INBOX"] { fileinto "A"; }`}, executed{Stored: one("A")}},
	{"mailboxexists not", []string{`if mailboxexists ["A", "nosuch"] { fileinto "A"; }`}, executed{Stored: one("INBOX")}},
	{"three scripts", []string{`keep;`, `fileinto :copy "A";`, `fileinto "B";`}, executed{Stored: []string{"A", "B"}}},
	{"the middle one ends it", []string{`keep;`, `fileinto "A";`, `fileinto "B";`}, executed{Stored: one("A")}},
	{"one script, reject and keep", []string{`reject "no"; keep;`}, executed{Stored: one("INBOX"), Rejected: true}},
	{"one script, reject and fileinto", []string{`reject "no"; fileinto "A";`}, executed{Stored: one("INBOX"), Failed: true}},
	{"a missing mailbox behind inbox loses the message", []string{`fileinto "INBOX"; fileinto "nosuch";`}, executed{Failed: true}},
	{"a missing mailbox before inbox doesn't", []string{`fileinto "nosuch"; fileinto "INBOX";`}, executed{Stored: one("INBOX"), Failed: true}},
	{"a missing mailbox behind keep doesn't", []string{`keep; fileinto "nosuch";`}, executed{Stored: one("INBOX"), Failed: true}},
	{"a missing mailbox behind inbox of an earlier script", []string{`fileinto :copy "INBOX";`, `fileinto "nosuch";`},
		executed{Stored: one("INBOX"), Failed: true}},
	{"no script", nil, executed{Stored: one("INBOX")}},
	{"one script, fileinto copy inbox", []string{`fileinto :copy "INBOX";`}, executed{Stored: one("INBOX")}},
	{"one script, fileinto inbox and keep", []string{`fileinto "INBOX"; keep;`}, executed{Stored: one("INBOX")}},
}

// withRequire puts the require in front of a script.
func withRequire(s string) []byte {
	if s, ok := strings.CutPrefix(s, "NOREQ "); ok {
		return []byte(s)
	}
	return []byte(req + s)
}

func compileSequence(t *testing.T, scripts [][]byte) interp.Sequence {
	t.Helper()
	var seq interp.Sequence
	for i, src := range scripts {
		s, err := sieve.Parse(fmt.Sprint("script", i), src)
		if err != nil {
			t.Fatal(err)
		}
		p, err := interp.Compile(s, interp.Options{Name: fmt.Sprint("script", i), Trace: true})
		if err != nil {
			t.Fatal(err)
		}
		seq = append(seq, p)
	}
	return seq
}

var sequenceMessage = []byte("From: sender@example.net\nTo: user@example.org\nSubject: x\n\nbody\n")

func sequenceInput() *interp.Input {
	in := sievetest.Input(sequenceMessage, "sender@example.net", "user@example.org")
	in.MailboxExists = folderExists
	return in
}

func TestSequence(t *testing.T) {
	for _, tt := range sequenceCases {
		t.Run(tt.name, func(t *testing.T) {
			var scripts [][]byte
			for _, s := range tt.scripts {
				scripts = append(scripts, withRequire(s))
			}
			got := executedOf(compileSequence(t, scripts).Run(sequenceInput()))
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
