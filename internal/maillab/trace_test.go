package maillab

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// traceLog is a log as Postfix 3.7 and Dovecot 2.3 write it.
const traceLog = `postfix/internal/smtpd[200]: 3689B6D: client=middleware.ox.example.com[127.0.1.20]
postfix/cleanup[204]: 3689B6D: message-id=<out@example.com>
postfix/qmgr[199]: 3689B6D: from=<alice@example.com>, size=351, nrcpt=1 (queue active)
postfix/internal/smtpd[200]: disconnect from middleware.ox.example.com[127.0.1.20] ehlo=1 mail=1
postfix/conbool-gate/smtp[205]: 3689B6D: to=<x@remote1.test>, orig_to=<team@example.com>, relay=127.0.0.1[127.0.0.1]:10030, delay=0.06, delays=0/0.04/0/0.01, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 3DB6675)
postfix/smtp[206]: 3DB6675: to=<"a, relay=b"@remote1.test>, relay=mail.conbool.com[127.0.2.1]:25, conn_use=2, delay=0.06, delays=0/0.04/0/0.01, dsn=2.0.0, status=sent (250 2.0.0 Ok: recorded as 7)
postfix/lmtp[375]: 50AD888: to=<dave@example.org>, relay=ox.example.com[private/dovecot-lmtp], delay=0.13, delays=0.03/0.05/0.05/0, dsn=2.0.0, status=sent (250 2.0.0 <dave@example.org> YDhSGvAgA2tiAQAAjco3Ow:R2 Saved)
postfix/smtp[206]: 50AD888: to=<y@remote2.test>, relay=mx.remote2.test[127.0.3.2]:25, delay=0.06, delays=0/0.04/0/0.01, dsn=5.7.1, status=bounced (host mx.remote2.test[127.0.3.2] said: 550 5.7.1 rejected here (in reply to RCPT TO command))
postfix/bounce[9]: 50AD888: sender non-delivery notification: 9D823FB
postfix/cleanup[204]: 3C07073: discard: header Subject: x from a[1.2.3.4]; from=<a@b> to=<c@d> proto=ESMTP helo=<h>: why
postfix/smtpd[204]: NOQUEUE: discard: RCPT from a[1.2.3.4]: <c@d>: triggers; from=<a@b> to=<c@d> proto=ESMTP helo=<h>
postfix/pickup[204]: 4C07073: uid=1048576 from=<alice@example.com>
postfix/qmgr[199]: 4C07073: removed
dovecot: lmtp(bob@example.com)<391><dmF1G/AgA2uHAQAAjco3Ow:T2>: sieve: msgid=<in@x>: fileinto action: stored mail into mailbox 'A/B'
dovecot: lmtp(vac@example.com)<431><htl+LfAgA2uvAQAAjco3Ow>: sieve: msgid=<in@x>: vacation action: sent vacation response to <z@remote2.test>
dovecot: lmtp(r@example.com)<431><X>: sieve: msgid=unspecified: reject action: rejected message from <r@remote1.test> (reject)
dovecot: lmtp(fwd@example.com)<431><Y>: sieve: msgid=unspecified: redirect action: forwarded to <out@remote1.test>
dovecot: lmtp(391): Connect from local
postfix/smtpd[1]: warning: hostname x does not resolve`

func TestReadTrace(t *testing.T) {
	var lines []logLine
	for text := range strings.SplitSeq(traceLog, "\n") {
		lines = append(lines, logLine{text: text})
	}
	got := readTrace(lines)
	want := &trace{
		files: map[string]*queueFile{
			"3689B6D": {id: "3689B6D", uid: -1, active: true, sender: "alice@example.com", messageID: "<out@example.com>", hops: []hop{
				{agent: "postfix/conbool-gate/smtp", to: "x@remote1.test", orig: "team@example.com", relay: "127.0.0.1[127.0.0.1]:10030", dsn: "2.0.0",
					status: "sent", text: "250 2.0.0 Ok: queued as 3DB6675"},
			}},
			"3DB6675": {id: "3DB6675", uid: -1, hops: []hop{
				{agent: "postfix/smtp", to: `"a, relay=b"@remote1.test`, relay: "mail.conbool.com[127.0.2.1]:25", dsn: "2.0.0", status: "sent",
					text: "250 2.0.0 Ok: recorded as 7"},
			}},
			"50AD888": {id: "50AD888", uid: -1, notices: []string{"9D823FB"}, hops: []hop{
				{agent: "postfix/lmtp", to: "dave@example.org", relay: "ox.example.com[private/dovecot-lmtp]", dsn: "2.0.0", status: "sent",
					text: "250 2.0.0 <dave@example.org> YDhSGvAgA2tiAQAAjco3Ow:R2 Saved"},
				{agent: "postfix/smtp", to: "y@remote2.test", relay: "mx.remote2.test[127.0.3.2]:25", dsn: "5.7.1", status: "bounced",
					text: "host mx.remote2.test[127.0.3.2] said: 550 5.7.1 rejected here (in reply to RCPT TO command)"},
			}},
			"3C07073": {id: "3C07073", uid: -1, discarded: "discard: header Subject: x from a[1.2.3.4]; from=<a@b> to=<c@d> proto=ESMTP helo=<h>: why"},
			"4C07073": {id: "4C07073", uid: 1048576},
		},
		order:     []string{"3689B6D", "3DB6675", "50AD888", "3C07073", "4C07073"},
		discards:  []string{"discard: RCPT from a[1.2.3.4]: <c@d>: triggers; from=<a@b> to=<c@d> proto=ESMTP helo=<h>"},
		folders:   map[string][]string{"dmF1G/AgA2uHAQAAjco3Ow:T2": {"A/B"}},
		redirects: map[string][]string{"Y": {"out@remote1.test"}},
		replies:   map[string][]string{"htl+LfAgA2uvAQAAjco3Ow": {"z@remote2.test"}, "X": {"r@remote1.test"}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(trace{}, queueFile{}, hop{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	type facts struct {
		child, session string
		record, code   int
	}
	var seen []facts
	for _, id := range []string{"3689B6D", "3DB6675", "50AD888"} {
		for _, h := range got.files[id].hops {
			seen = append(seen, facts{h.child(), h.session(), h.record(), h.refusal()})
		}
	}
	wantFacts := []facts{
		{"3DB6675", "", -1, 0}, {"", "", 7, 0}, {"", "YDhSGvAgA2tiAQAAjco3Ow:R2", -1, 0}, {"", "", -1, 550},
	}
	if diff := cmp.Diff(wantFacts, seen, cmp.AllowUnexported(facts{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReceivedIDs(t *testing.T) {
	header := "Received: from ox.example.com\n\tby ox.example.com with LMTP\n\tid YDhSGvAgA2tiAQAAjco3Ow:T2\n\t(envelope-from <a@b>); Sun, 22 Nov 2026 17:05:52 +0000\n" +
		"Received: from c (d [127.0.2.1])\n\t(using TLSv1.3 with cipher id X)\n\tby ox.example.com (In) with ESMTPS id 5E42892\n\tfor <bob@example.com>; Sun\n" +
		"Received: by ox.example.com (Postfix, from userid 7)\n\tid 50AD888; Sun\nReceived: nothing\n"
	want := []string{"YDhSGvAgA2tiAQAAjco3Ow:T2", "5E42892", "50AD888"}
	if diff := cmp.Diff(want, receivedIDs([]byte(header))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for session, want := range map[string]string{"X:R2": "X", "X:T2": "X:T2", "X:T2:R13": "X:T2", "X:Rx": "X:Rx", "X": "X"} {
		if got := transaction(session); got != want {
			t.Errorf("transaction(%s) = %s, want %s", session, got, want)
		}
	}
}
