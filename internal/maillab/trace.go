package maillab

import (
	"regexp"
	"strconv"
	"strings"
)

// logLine is one line of the mail log.
type logLine struct {
	seconds  float64 // since the start of the run
	severity int     // syslog(3): 4 is warning, lower is worse
	text     string  // program[pid]: message
}

// hop is one delivery line of Postfix: what one agent did for one recipient.
type hop struct {
	agent  string // postfix/smtp
	to     string
	orig   string // recipient before aliases, "" where it is the same
	relay  string // host[address]:port, host[path] or none
	dsn    string // enhanced code
	status string // sent, bounced, deferred
	text   string // the next host's reply, or the reason
}

// recipient is the address that the hop's message was submitted for.
func (h *hop) recipient() string {
	if h.orig != "" {
		return h.orig
	}
	return h.to
}

// queueFile is what the log says of one queue file.
type queueFile struct {
	id        string
	hops      []hop
	messageID string
	uid       int      // of the user who called sendmail, -1 for SMTP
	sender    string   // as the queue manager saw it
	active    bool     // the queue manager took it
	discarded string   // why Postfix threw it away
	notices   []string // queue files of the notifications sent about it
}

// trace is the log, read.
type trace struct {
	files map[string]*queueFile
	order []string // queue file names in order of appearance
	// discards are the messages thrown away before they had a queue file.
	discards []string
	// folders are where an LMTP session stored its copies, as Sieve logs it,
	// redirects the addresses it sent the message on to, and replies those that
	// it answered.
	folders, redirects, replies map[string][]string
}

var (
	postfixLine = regexp.MustCompile(`^(postfix[^\[\s]*|\S+?/(?:smtpd|cleanup|pickup|qmgr|smtp|lmtp|local|virtual|pipe|error|retry|discard|bounce))\[\d+\]: (\w+): (.*)$`)
	hopLine     = regexp.MustCompile(`^to=<(.*?)>, (?:orig_to=<(.*?)>, )?relay=(\S+), (?:conn_use=\d+, )?delay=[^,]+, delays=[^,]+, dsn=([^,]+), status=(\w+) \((.*)\)$`)
	fileLine    = regexp.MustCompile(`^(client=|uid=\d|from=<|to=<|removed$|(?:resent-)?message-id=|(?:milter-)?(?:hold|discard): |[\w -]+ notification: \w+$)`)
	lmtpLine    = regexp.MustCompile(`^dovecot: lmtp\(.*?\)<\d+><([^>]+)>: .*(stored mail into mailbox|forwarded to|sent vacation response to|rejected message from) ['<](.*)['>](?: \(.*\))?$`)
	childText   = regexp.MustCompile(`(?:queued|forwarded) as (\w+)`)
	recordText  = regexp.MustCompile(recordedAs + `(\d+)`)
	sessionText = regexp.MustCompile(`> (\S+) Saved$`)
	saidText    = regexp.MustCompile(`said: (\d{3})[ -]`)
)

// readTrace reads the log.
func readTrace(lines []logLine) *trace {
	t := &trace{
		files:   map[string]*queueFile{},
		folders: map[string][]string{}, redirects: map[string][]string{}, replies: map[string][]string{},
	}
	for _, line := range lines {
		if m := lmtpLine.FindStringSubmatch(line.text); m != nil {
			what := t.replies
			switch m[2] {
			case "stored mail into mailbox":
				what = t.folders
			case "forwarded to":
				what = t.redirects
			}
			what[m[1]] = append(what[m[1]], m[3])
			continue
		}
		m := postfixLine.FindStringSubmatch(line.text)
		switch {
		case m == nil:
		case m[2] == "NOQUEUE" && strings.HasPrefix(m[3], "discard: "):
			t.discards = append(t.discards, m[3])
		case fileLine.MatchString(m[3]):
			t.file(m[2]).read(m[1], m[3])
		}
	}
	return t
}

func (t *trace) file(id string) *queueFile {
	f := t.files[id]
	if f == nil {
		f = &queueFile{id: id, uid: -1}
		t.files[id] = f
		t.order = append(t.order, id)
	}
	return f
}

// read notes one line about the file.
func (f *queueFile) read(agent, text string) {
	verb, rest, _ := strings.Cut(text, "=")
	switch {
	case strings.HasPrefix(text, "to=<"):
		if m := hopLine.FindStringSubmatch(text); m != nil {
			f.hops = append(f.hops, hop{agent: agent, to: m[1], orig: m[2], relay: m[3], dsn: m[4], status: m[5], text: m[6]})
		}
	case verb == "uid":
		number, _, _ := strings.Cut(rest, " ")
		f.uid, _ = strconv.Atoi(number)
	case verb == "from":
		f.active = true
		if i := strings.LastIndex(rest, ">, size="); i > 0 {
			f.sender = rest[1:i]
		}
	case verb == "message-id":
		f.messageID = rest
	case strings.Contains(text, "discard: "):
		f.discarded = text
	case strings.Contains(text, " notification: "):
		_, id, _ := strings.Cut(text, " notification: ")
		f.notices = append(f.notices, id)
	}
}

// child is the queue file that the hop handed the message to, or "".
func (h *hop) child() string {
	if h.status != "sent" {
		return ""
	}
	if m := childText.FindStringSubmatch(h.text); m != nil {
		return m[1]
	}
	return ""
}

// record is the number of the sink's record the hop made, or -1.
func (h *hop) record() int {
	if m := recordText.FindStringSubmatch(h.text); m != nil && h.status == "sent" {
		if n, err := strconv.Atoi(m[1]); err == nil {
			return n
		}
	}
	return -1
}

// session is the LMTP session the hop delivered in, or "".
func (h *hop) session() string {
	if m := sessionText.FindStringSubmatch(h.text); m != nil && h.status == "sent" {
		return m[1]
	}
	return ""
}

// refusal is the reply code in the hop's text; 0 where the reason is Postfix's
// own.
func (h *hop) refusal() int {
	if m := saidText.FindStringSubmatch(h.text); m != nil {
		code, _ := strconv.Atoi(m[1])
		return code
	}
	return 0
}

// transaction is an LMTP session without the number of the recipient, as it
// stands in the Received field that Dovecot adds.
func transaction(session string) string {
	if i := strings.LastIndex(session, ":R"); i > 0 {
		if _, err := strconv.Atoi(session[i+2:]); err == nil {
			return session[:i]
		}
	}
	return session
}

// receivedIDs are the queue file names and LMTP sessions in the Received fields
// of the header section, newest first.
func receivedIDs(header []byte) []string {
	var ids []string
	for _, value := range fields(header, "Received") {
		words := strings.Fields(value)
		for i := len(words) - 2; i >= 0; i-- {
			if words[i] == "id" {
				ids = append(ids, strings.TrimSuffix(words[i+1], ";"))
				break
			}
		}
	}
	return ids
}
