package interp_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// store is a store of scripts, a memory and mailboxes.
type store struct {
	scripts map[string]string
	seen    map[string]time.Time
}

func (s *store) Script(where sieve.Location, name string) (*sieve.Script, error) {
	src, ok := s.scripts[string(where)+" "+name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return sieve.Parse(name, []byte(src))
}

func (s *store) Seen(id string, now time.Time) bool { return s.seen[id].After(now) }

func (s *store) Remember(id string, until time.Time) { s.seen[id] = until }

func (s *store) SpecialUse(mailbox, attribute string) (string, bool) {
	return "Junk Mail", attribute == `\Junk` && (mailbox == "" || mailbox == "Junk Mail")
}

func (s *store) Metadata(mailbox, annotation string) (string, bool) {
	return "red", mailbox == "A" && annotation == "/private/color" || mailbox == "" && annotation == "/shared/admin"
}

// TestState is about what a run asks of its caller.
func TestState(t *testing.T) {
	for _, tt := range []struct {
		name, src string
		scripts   map[string]string
		want      []string // the decisions of one message after the other
	}{
		{"include", `require ["include","variables","fileinto"]; global "x"; set "x" "1"; include "a"; fileinto "${x}";`,
			map[string]string{"personal a": `require ["include","variables","fileinto"]; global "x"; set "x" "2"; set "y" "3"; return; fileinto "never";`}, []string{"store 2"}},
		{"include shares no variables", `require ["include","variables","fileinto"]; set "y" "1"; include :global "a"; fileinto "y${y}";`,
			map[string]string{"global a": `require ["variables"]; set "y" "2";`}, []string{"store y1"}},
		{"include of a script that stops", `require ["include","fileinto"]; include "a"; fileinto "A";`,
			map[string]string{"personal a": `stop;`}, []string{"keep"}},
		{"include once", `require ["include","fileinto","variables"]; global "n"; include "a"; include :once "a"; include "a"; fileinto "${n}";`,
			map[string]string{"personal a": `require ["include","variables"]; global "n"; set "n" "${n}x";`}, []string{"store xx"}},
		{"include of itself once", `require ["include","fileinto"]; include "a"; fileinto "A";`,
			map[string]string{"personal a": `require "include"; include :once "a";`}, []string{"store A"}},
		{"optional include", `require ["include","fileinto"]; include :optional "none"; fileinto "A";`, nil, []string{"store A"}},
		{"global namespace", `require ["include","variables","fileinto"]; set "global.z" "1"; include "a";`,
			map[string]string{"personal a": `require ["include","variables","fileinto"]; fileinto "g${global.z}";`}, []string{"store g1"}},
		{"duplicate", `require ["duplicate","fileinto"]; if duplicate { discard; }`, nil, []string{"keep", "discard", "discard"}},
		{"duplicate of a failed run", `require ["duplicate","ihave"]; if duplicate { discard; } error "no";`, nil, []string{"failed", "failed"}},
		{"duplicate by handle", `require ["duplicate","fileinto"]; if duplicate :handle "a" { discard; } elsif duplicate :uniqueid "x" { fileinto "X"; }`, nil, []string{"keep", "discard"}},
		{"special use", `require ["special-use","fileinto"]; if specialuse_exists "\\Junk" { fileinto :specialuse "\\Junk" "Spam"; }`, nil,
			[]string{"store Junk Mail"}},
		{"special use that isn't there",
			`require ["special-use","fileinto"]; if not specialuse_exists "A" "\\Junk" { fileinto :specialuse "\\Sent" "Out"; }`, nil,
			[]string{"store Out"}},
		{"metadata", `require ["mboxmetadata","servermetadata","fileinto"]; if allof (metadata "A" "/private/color" "RED", servermetadata :contains "/shared/admin" "e", metadataexists "A" "/private/color", not servermetadataexists "/x", not metadata "B" "/private/color" "red") { fileinto "M"; }`, nil, []string{"store M"}},
		{"vacation once", `require "vacation"; vacation "away";`, nil, []string{"vacation sent copy keep", "vacation copy keep"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := sieve.Parse("main", []byte(tt.src))
			if err != nil {
				t.Fatal(err)
			}
			st := &store{tt.scripts, map[string]time.Time{}}
			p, err := interp.Compile(s, interp.Options{Scripts: st})
			if err != nil {
				t.Fatal(err)
			}
			now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
			var got []string
			for range tt.want {
				r := p.Run(&interp.Input{Raw: []byte("Message-ID: <1@x>\nTo: user@example.org\nSubject: hi\n\n"), From: "a@b", To: "user@example.org",
					Memory: st, Mailboxes: st, Now: now})
				now = now.Add(time.Minute)
				text := ""
				for _, a := range r.Actions {
					switch a := a.(type) {
					case interp.ActionFileInto:
						text += "store " + a.Mailbox + " "
					case interp.ActionDiscard:
						text += "discard "
					case interp.ActionVacation:
						if text += "vacation "; a.Reply != nil {
							text += "sent "
						}
						text += "copy "
					}
				}
				switch r.Keep {
				case interp.KeepImplicit:
					text += "keep"
				case interp.KeepFailure:
					text += "failed"
				}
				got = append(got, strings.TrimSpace(text))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestVacationRules is about who gets an answer (RFC 5230 section 4).
func TestVacationRules(t *testing.T) {
	s, err := sieve.Parse("", []byte(`require "vacation"; vacation :subject "away" :addresses ["other@example.org"] "I am away.";`))
	if err != nil {
		t.Fatal(err)
	}
	p := compiled(t, s)
	for _, tt := range []struct {
		name, header, from, to, why string
	}{
		{"to the user", "To: user@example.org\n", "a@b", "user@example.org", ""},
		{"copy to another address of the user", "Cc: Other@Example.org\n", "a@b", "user@example.org", ""},
		{"not addressed", "To: list@example.org\n", "a@b", "user@example.org", "not addressed to the user"},
		{"null sender", "To: user@example.org\n", "", "user@example.org", "null sender"},
		{"own message", "To: user@example.org\n", "User@example.org", "user@example.org", "the sender is the user"},
		{"list", "To: user@example.org\nList-Id: <x>\n", "a@b", "user@example.org", "mailing list"},
		{"automatic", "To: user@example.org\nAuto-Submitted: auto-replied\n", "a@b", "user@example.org", "automatic"},
		{"said not to be automatic", "To: user@example.org\nAuto-Submitted: no\n", "a@b", "user@example.org", ""},
		{"bulk", "To: user@example.org\nPrecedence: Bulk\n", "a@b", "user@example.org", "bulk"},
		{"daemon", "To: user@example.org\n", "MAILER-DAEMON@b", "user@example.org", "system address"},
		{"list owner", "To: user@example.org\n", "owner-x@b", "user@example.org", "system address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := p.Run(&interp.Input{Raw: []byte(tt.header + "Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\nMessage-ID: <1@x>\n\n"), From: tt.from,
				To: tt.to, Now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)})
			v := r.Actions[0].(interp.ActionVacation)
			if (v.Reply != nil) != (tt.why == "") || !strings.Contains(v.Why, tt.why) {
				t.Fatalf("%+v", v)
			}
			if v.Reply == nil {
				return
			}
			if diff := cmp.Diff([]string{tt.from}, v.Reply.To); diff != "" || v.Reply.From != "" {
				t.Errorf("from %q to (-want +got):\n%s", v.Reply.From, diff)
			}
			for _, want := range []string{"Subject: away\r\n", "To: <a@b>\r\n", "In-Reply-To: <1@x>\r\n", "References: <1@x>\r\n",
				"Auto-Submitted: auto-replied (vacation)\r\n", "\r\n\r\nI am away.\r\n", "Date: Sun, 22 Nov 2026 12:00:00 +0000\r\n"} {
				if !strings.Contains(string(v.Reply.Raw), want) {
					t.Errorf("no %q in\n%s", want, v.Reply.Raw)
				}
			}
		})
	}
}

// TestHeaderEdits: the edits stand among the actions in their order, and a
// failed script leaves none.
func TestHeaderEdits(t *testing.T) {
	run := func(src string) interp.Result {
		s, err := sieve.Parse("", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		return compiled(t, s).Run(&interp.Input{Raw: []byte("X-A: 1\nX-B: 2\nx-a: 3\n\n")})
	}
	got := run(`require ["editheader","fileinto"]; fileinto "A"; deleteheader "X-A"; addheader "x-new" "v"; if exists "x-a" { discard; } if header "X-New" "v" { fileinto "B"; }`).Actions
	want := []interp.Action{interp.ActionFileInto{Mailbox: "A"}, interp.ActionDeleteHeader{Name: "X-A", Index: 1, Value: "1"},
		interp.ActionDeleteHeader{Name: "X-A", Index: 1, Value: "3"}, interp.ActionAddHeader{Name: "X-New", Value: "v"},
		interp.ActionFileInto{Mailbox: "B"}}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r := run(`require ["editheader","ihave"]; addheader "X-New" "v"; error "no";`); len(r.Actions) != 0 || r.Keep != interp.KeepFailure {
		t.Errorf("%+v", r)
	}
}
