package sieve

import "github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"

// DebugLog writes a line to the server's log: the extension
// "vnd.dovecot.debug".
type DebugLog struct{ Text string }

// Report sends a report in the form of RFC 5965: the extension
// "vnd.dovecot.report".
type Report struct {
	// HeadersOnly leaves the body out of the report.
	HeadersOnly bool
	// Type is the type of feedback, such as "abuse".
	Type    string
	Text    string
	Address string
}

func (DebugLog) command() {}

func (Report) command() {}

func (r *reader) report(args []synArg) Command {
	c := Report{HeadersOnly: r.has(nameHeadersOnly)}
	s := r.string1(&args[0])
	kind, literal := r.text(s)
	if c.Type = kind; literal && !mailaddr.IsFeedback(kind) {
		r.errorf(s.off, `%q is not a type of feedback, such as "abuse"`, kind)
	}
	c.Text = r.str(&args[1])
	c.Address = r.address(&args[2])
	return c
}
