package relay_test

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/relay/relaytest"
)

// shrinkRounds bounds the runs of servers that shrinking one message takes.
const shrinkRounds = 4

// cut is one thing that a message may do without: all recipients but one, a
// header field, or the body.
type cut struct {
	recipient string
	field     int // its number and 1; 0: none
	body      bool
}

// shrunk is the smallest message found that still differs. differ says of each
// of several messages whether it does; it is asked at most shrinkRounds times.
func shrunk(m generated, differ func([]generated) []bool) generated {
	for asked := 0; asked+2 <= shrinkRounds; asked += 2 {
		single := cuts(m)
		if len(single) == 0 {
			break
		}
		var each []generated
		for _, c := range single {
			each = append(each, without(m, c))
		}
		still := differ(each)
		var kept []cut
		one := -1
		for i, c := range single {
			if !still[i] {
				continue
			}
			if one < 0 || size(each[i]) < size(each[one]) {
				one = i
			}
			if c.recipient == "" || !slices.ContainsFunc(kept, func(k cut) bool { return k.recipient != "" }) {
				kept = append(kept, c)
			}
		}
		if one < 0 {
			break
		}
		// What can go each by itself goes together, if it can, or else by halves.
		tries := []generated{each[one], without(m, kept...), without(m, kept[:len(kept)/2]...), without(m, kept[len(kept)/2:]...)}
		still = differ(tries)
		m = tries[0]
		for i, v := range tries {
			if still[i] && size(v) < size(m) {
				m = v
			}
		}
	}
	return m
}

// size is what shrinking makes less.
func size(m generated) int { return len(m.lab.Raw) + 1000*len(m.lab.Recipients) }

// fieldsOf are the header fields of a message with their line ends, and its body.
func fieldsOf(raw []byte) (fields [][]byte, body []byte) {
	head, body, _ := bytes.Cut(raw, []byte("\n\n"))
	for line := range bytes.SplitAfterSeq(append(slices.Clone(head), '\n'), []byte("\n")) {
		if len(line) > 0 && len(fields) > 0 && (line[0] == ' ' || line[0] == '\t') {
			fields[len(fields)-1] = slices.Concat(fields[len(fields)-1], line)
		} else if len(line) > 0 {
			fields = append(fields, line)
		}
	}
	return fields, body
}

// cuts are those that make the message smaller.
func cuts(m generated) []cut {
	var out []cut
	if len(m.lab.Recipients) > 1 {
		for _, to := range m.lab.Recipients {
			out = append(out, cut{recipient: to})
		}
	}
	fields, body := fieldsOf(m.lab.Raw)
	for i, f := range fields {
		if !bytes.HasPrefix(bytes.ToLower(f), []byte("message-id:")) { // Dovecot knows messages by it
			out = append(out, cut{field: i + 1})
		}
	}
	if len(body) > 2 {
		out = append(out, cut{body: true})
	}
	return out
}

// without is the message without what is cut.
func without(m generated, all ...cut) generated {
	fields, body := fieldsOf(m.lab.Raw)
	for _, c := range all {
		switch {
		case c.recipient != "":
			m.lab.Recipients = []string{c.recipient}
		case c.body:
			body = []byte("x\n")
		default:
			fields[c.field-1] = nil
		}
	}
	m.lab.Raw = slices.Concat(bytes.Join(fields, nil), []byte("\n"), body)
	return m
}

var messageID = regexp.MustCompile(`(?im)^(message-id:[ \t]*)<[^>\n]*>`)

// smallest shrinks a message that differs under real servers and prints it as a
// fixture (package relaytest), with what the servers did.
func smallest(t *testing.T, w maillab.World, site maillab.Site, policy string, m generated,
	judge func(generated, maillab.Outcome) (want, got []string)) {
	t.Helper()
	ends := map[string][]string{}
	m = shrunk(m, func(all []generated) []bool {
		msgs := make([]maillab.Message, len(all))
		for i := range all {
			v := &all[i]
			v.lab.ID = fmt.Sprintf("v%d", i)
			v.lab.Raw = messageID.ReplaceAll(v.lab.Raw, fmt.Appendf(nil, "${1}<v%d@lab.invalid>", i))
			v.query.Raw = append([]byte(maillab.IDHeader+": "+v.lab.ID+"\n"), v.lab.Raw...)
			msgs[i] = v.lab
		}
		result := maillab.Run(t, w, site, msgs)
		out := make([]bool, len(all))
		for i, v := range all {
			want, got := judge(v, result.Messages[v.lab.ID])
			out[i] = !slices.Equal(want, got)
			ends[string(v.lab.Raw)+strings.Join(v.lab.Recipients, " ")] = got
		}
		return out
	})
	t.Logf("shrunk, as a fixture (the outcomes are what the servers did):\n%s", asFixture(m, policy,
		ends[string(m.lab.Raw)+strings.Join(m.lab.Recipients, " ")]))
}

// asFixture is the message as package relaytest reads it, for the first of its
// recipients.
func asFixture(m generated, policy string, ends []string) string {
	var b strings.Builder
	o := m.query.Origin
	fmt.Fprintf(&b, "# %s\npolicy: %s\norigin: %s\n", strings.ReplaceAll(m.what, "\n", " "), policy, o.Role)
	if o.Service != "" {
		fmt.Fprintf(&b, "service: %s\n", o.Service)
	}
	if o.Client.IsValid() {
		fmt.Fprintf(&b, "client: %s\n", o.Client)
	}
	switch {
	case o.Certificate.Name != "" && o.Certificate.Verified:
		fmt.Fprintf(&b, "tls: name=%s\n", o.Certificate.Name)
	case o.Certificate.Name != "":
		fmt.Fprintf(&b, "tls: unverified=%s\n", o.Certificate.Name)
	case o.TLS == relay.TLSEncrypted:
		b.WriteString("tls: tls\n")
	}
	if o.Authenticated {
		b.WriteString("auth: true\n")
	}
	fmt.Fprintf(&b, "from: %s\nto: %s\n-- message --\n%s-- want --\n", m.lab.From, m.lab.Recipients[0], m.lab.Raw)
	for _, e := range ends {
		words := strings.Fields(e)
		switch {
		case len(words) > 2 && strings.HasPrefix(words[2], "<"):
			b.WriteString(strings.Join(words[:3], " ") + "\n")
		default:
			b.WriteString(strings.Join(words[:min(2, len(words))], " ") + "\n")
		}
	}
	return b.String()
}

// TestShrunk: what matters stays, and nothing else.
func TestShrunk(t *testing.T) {
	m := generated{what: "a message", query: relay.Message{Origin: relay.Origin{Role: relay.RoleInternal}, From: "a@b.test"}}
	m.lab.From, m.lab.Recipients = "a@b.test", []string{"x@remote1.test", "bob@example.com"}
	m.lab.Raw = []byte("Message-ID: <1@lab.invalid>\nSubject: x\n y\nX-Bad: yes\nTo: z\n\nlong body\n")
	asked := 0
	got := shrunk(m, func(all []generated) []bool {
		asked++
		out := make([]bool, len(all))
		for i, v := range all {
			out[i] = bytes.Contains(v.lab.Raw, []byte("X-Bad: yes\n")) && slices.Contains(v.lab.Recipients, "bob@example.com")
		}
		return out
	})
	if want := "X-Bad: yes\n\nx\n"; !strings.HasSuffix(string(got.lab.Raw), want) || strings.Contains(string(got.lab.Raw), "Subject") ||
		len(got.lab.Recipients) != 1 || asked > shrinkRounds {
		t.Errorf("%q to %v after %d rounds", got.lab.Raw, got.lab.Recipients, asked)
	}
	policy, err := os.ReadFile(testdata + "relay.json")
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{
		"p.json":  {Data: policy},
		"f.txtar": {Data: []byte(asFixture(got, "p.json", []string{"relay [mail.conbool.com]:25 <bob@example.com> x-customer=1"}))},
	}
	_, f, err := relaytest.Load(files, "f.txtar")
	want := []relaytest.Outcome{{Action: relay.ActionRelay, Target: "[mail.conbool.com]:25", To: "bob@example.com"}}
	if err != nil || !slices.Equal(f.Want, want) || string(f.Message.Raw) != string(got.lab.Raw) {
		t.Errorf("%v\n%s", err, files["f.txtar"].Data)
	}
}
