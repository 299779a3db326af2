package maillab

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// copyOf is a delivered copy with Received fields that name the queue files and
// LMTP transactions, newest first.
func copyOf(more string, ids ...string) []byte {
	var b strings.Builder
	for _, id := range ids {
		b.WriteString("Received: from a by b with C id " + id + "; date\n")
	}
	return []byte(b.String() + more + "\nbody\n")
}

// TestJoin is the joining alone, with evidence that was thought out, for what
// real servers show by chance only.
func TestJoin(t *testing.T) {
	const log = `postfix/cleanup[1]: A1: message-id=<a@x>
postfix/qmgr[1]: A1: from=<s@x>, size=1, nrcpt=4 (queue active)
postfix/lmtp[1]: A1: to=<bob@example.com>, relay=d[p], delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 <bob@example.com> S1 Saved)
postfix/lmtp[1]: A1: to=<bob+x@example.com>, relay=d[p], delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 <bob+x@example.com> S1:R2 Saved)
postfix/lmtp[1]: A1: to=<fwd@example.com>, relay=d[p], delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 <fwd@example.com> S1:R3 Saved)
postfix/smtp[1]: A1: to=<z@remote2.test>, relay=h[127.0.0.1]:99, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 thanks)
dovecot: lmtp(bob@example.com)<1><S1>: sieve: msgid=<a@x>: fileinto action: stored mail into mailbox 'F'
dovecot: lmtp(bob@example.com)<1><S1:R2>: sieve: msgid=<a@x>: stored mail into mailbox 'INBOX'
postfix/smtp[1]: B1: to=<out@remote1.test>, relay=m[127.0.3.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: recorded as 0)
postfix/smtp[1]: C1: to=<y@remote1.test>, relay=m[127.0.3.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: recorded as 1)
postfix/smtp[1]: C1: to=<y2@remote1.test>, relay=m[127.0.3.1]:25, delay=1, delays=0/0/0/1, dsn=4.4.1, status=deferred (connect to m: timed out)
postfix/smtp[1]: D1: to=<y@remote1.test>, relay=d[127.0.0.1]:10, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 Ok: queued as E1)
postfix/qmgr[1]: E1: from=<s@x>, size=1, nrcpt=1 (queue active)
postfix/virtual[1]: F1: to=<bob@example.com>, relay=virtual, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (delivered to maildir)`
	var lines []logLine
	for text := range strings.SplitSeq(log, "\n") {
		lines = append(lines, logLine{text: text})
	}
	w := DefaultWorld()
	mx := &w.Sinks[2]
	accepted := func(file string) delivery { return delivery{smtp: Reply{Code: 250}, queue: file} }
	e := evidence{
		world: &w,
		trace: readTrace(lines),
		msgs: []Message{
			{ID: "a", Recipients: []string{"bob@example.com", "bob+x@example.com", "fwd@example.com", "z@remote2.test"}},
			{ID: "unnamed", Recipients: []string{"y@remote1.test", "y2@remote1.test"}},
			{ID: "lost", Recipients: []string{"y@remote1.test"}},
			{ID: "unlogged", Recipients: []string{"y@remote1.test"}},
			{ID: "local", Recipients: []string{"bob@example.com"}},
		},
		sent: []delivery{accepted("A1"), accepted(""), accepted("D1"), accepted("G1"), accepted("F1")},
		records: []record{
			{sink: mx, recipients: []string{"out@remote1.test"}, data: copyOf("X-Sieve-Redirected-From: fwd@example.com\n", "B1", "S1", "A1")},
			{sink: mx, recipients: []string{"y@remote1.test"}, data: copyOf("X-Lab-Id: unnamed\n", "C1")},
			{sink: mx, recipients: []string{"nobody@remote1.test"}, data: []byte("\n")},
		},
		mailboxes: []stored{
			{user: "bob@example.com", folder: "INBOX", data: copyOf("", "S1", "A1")},
			{user: "bob@example.com", folder: "F", data: copyOf("", "S1", "A1")},
			{user: "bob@example.com", folder: "INBOX", data: copyOf("", "F1")},
			{user: "bob@example.com", folder: "Old", data: []byte("\n")},
		},
		header: func(string) []byte { return nil },
	}
	var r Result
	e.join(&r)
	got := map[string]seen{}
	for id, o := range r.Messages {
		got[id] = short(o)
	}
	want := map[string]seen{
		"a": {250, map[string][]string{
			"bob@example.com":   {"mailbox:F <bob@example.com>"},
			"bob+x@example.com": {"mailbox:INBOX <bob+x@example.com>"},
			"fwd@example.com":   {"consumed <fwd@example.com>"},
			"z@remote2.test":    {"relay:h[127.0.0.1]:99 <z@remote2.test>"},
		}, []string{"mx:remote1.test <out@remote1.test> by fwd@example.com"}, nil},
		"unnamed": {250, map[string][]string{
			"y@remote1.test":  {"mx:remote1.test <y@remote1.test>"},
			"y2@remote1.test": {"deferred <y2@remote1.test>"},
		}, nil, nil},
		"lost":     {250, map[string][]string{"y@remote1.test": {"lost <y@remote1.test>"}}, nil, nil},
		"unlogged": {250, map[string][]string{"y@remote1.test": {"lost <y@remote1.test>"}}, nil, nil},
		"local":    {250, map[string][]string{"bob@example.com": {"mailbox:INBOX <bob@example.com>"}}, nil, nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"mailbox:Old <bob@example.com>", "mx:remote1.test <nobody@remote1.test>"}, briefs(r.Stray)); diff != "" {
		t.Errorf("stray (-want +got):\n%s", diff)
	}
}

func TestAddresses(t *testing.T) {
	for _, test := range []struct{ address, fold, mailbox string }{
		{"Bob@Example.COM", "bob@example.com", "bob@example.com"},
		{"bob+A+b@example.com", "bob+a+b@example.com", "bob@example.com"},
		{`"a b"@x`, "a b@x", "a b@x"},
		{`"a\"@b"@x`, `a"@b@x`, `a"@b@x`},
		{"bob", "bob@", "bob@"},
	} {
		if got := foldAddress(test.address); got != test.fold {
			t.Errorf("foldAddress(%q) = %q, want %q", test.address, got, test.fold)
		}
		if got := mailbox(test.address); got != test.mailbox {
			t.Errorf("mailbox(%q) = %q, want %q", test.address, got, test.mailbox)
		}
	}
}
