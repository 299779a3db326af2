package managesieve

import (
	"errors"
	"fmt"
	"strings"
)

// ErrClosed is in every error of a call on a connection that was closed, by
// Close, Logout, BYE or an earlier failure. The first cause is in the error, too.
// After an error of the protocol or of the connection, a cancelled call, and a
// refusal whose text is no string (as Cyrus's timsieved ends a connection), the
// position in the stream isn't known any more.
var ErrClosed = errors.New("connection is closed")

// ErrNoTLS is in the error of [Dial] and [NewClient] where STARTTLS is wanted and
// the server doesn't offer it.
var ErrNoTLS = errors.New("the server does not offer STARTTLS")

// A Code is the response code of an answer (RFC 5804 section 1.3), in upper
// case. It is an error so that errors.Is finds it in a [*ResponseError]; codes
// form a hierarchy along "/", and a Code is found in what is below it.
type Code string

// The response codes of RFC 5804 section 1.3.
const (
	CodeActive           Code = "ACTIVE"            // the active script can't be deleted
	CodeAlreadyExists    Code = "ALREADYEXISTS"     // the new name of RENAMESCRIPT is taken
	CodeAuthTooWeak      Code = "AUTH-TOO-WEAK"     // the mechanism is too weak for this user
	CodeEncryptNeeded    Code = "ENCRYPT-NEEDED"    // the mechanism needs TLS
	CodeNonexistent      Code = "NONEXISTENT"       // no script of that name
	CodeQuota            Code = "QUOTA"             // a quota would be exceeded; also every CodeQuota...
	CodeQuotaMaxScripts  Code = "QUOTA/MAXSCRIPTS"  // too many scripts
	CodeQuotaMaxSize     Code = "QUOTA/MAXSIZE"     // the script is too large
	CodeReferral         Code = "REFERRAL"          // another server is responsible: ResponseError.Arg is its sieve URL
	CodeSASL             Code = "SASL"              // final data of a mechanism, on OK only
	CodeTag              Code = "TAG"               // answer to NOOP, on OK only
	CodeTransitionNeeded Code = "TRANSITION-NEEDED" // the user needs to log in by PLAIN once
	CodeTryLater         Code = "TRYLATER"          // temporary failure
	CodeWarnings         Code = "WARNINGS"          // the script is valid but questionable, on OK
)

// Error is the code itself.
func (c Code) Error() string { return "response code " + string(c) }

// Is reports whether the code is target or below it.
func (c Code) Is(target error) bool {
	t, ok := target.(Code)
	return ok && t != "" && (c == t || strings.HasPrefix(string(c), string(t)+"/"))
}

// Status is the first word of an answer.
type Status string

// The answers of RFC 5804 section 1.2.
const (
	OK  Status = "OK"
	No  Status = "NO"
	Bye Status = "BYE" // the server closes the connection
)

// A ResponseError is an answer other than OK.
type ResponseError struct {
	Command string // as in "PUTSCRIPT", or "greeting"
	Status  Status // No or Bye
	Code    Code   // empty without response code
	Arg     string // the code's string: the URL of REFERRAL
	// Text is the server's text for people, often with several lines (the
	// compiler's errors with their line numbers). It is untrusted. What isn't
	// UTF-8 is U+FFFD.
	Text string
}

// Error names the command, the answer, its code and its text, quoted.
func (e *ResponseError) Error() string {
	if e == nil {
		return "<nil>"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "managesieve: %s: %s", e.Command, e.Status)
	if e.Code != "" {
		fmt.Fprintf(&b, " (%s)", string(e.Code))
	}
	if e.Arg != "" {
		fmt.Fprintf(&b, " %s", shorten(e.Arg))
	}
	if e.Text != "" {
		fmt.Fprintf(&b, ": %s", shorten(e.Text))
	}
	return b.String()
}

// Unwrap is the Code, or nil without one.
func (e *ResponseError) Unwrap() error {
	if e == nil {
		return nil
	}
	if e.Code == "" {
		return nil
	}
	return e.Code
}

// finalError is a refusal after which the connection can't be trusted.
type finalError struct{ answer *ResponseError }

// Error is the refusal's.
func (e finalError) Error() string { return e.answer.Error() }

func shorten(s string) string {
	const most = 1000
	if len(s) > most {
		return fmt.Sprintf("%q...", strings.ToValidUTF8(s[:most], ""))
	}
	return fmt.Sprintf("%q", s)
}

// A ProtocolError is an answer that RFC 5804 doesn't allow, or that exceeds a
// limit. The connection is closed.
type ProtocolError struct {
	Command string // the command whose answer it was, or "greeting"
	Reason  string // what was wrong; holds no more than a single byte of the answer
}

// Error names the command and the reason.
func (e *ProtocolError) Error() string {
	if e == nil {
		return "<nil>"
	}
	return "managesieve: " + e.Command + ": protocol error: " + e.Reason
}

// A ConnError is a failure of the connection: it broke, timed out, was cancelled
// or its TLS handshake failed. The connection is closed.
type ConnError struct {
	Command string // the command that was under way, or "greeting", "TLS handshake", "connect"
	Err     error  // the cause: of net, crypto/tls, context, or io.ErrUnexpectedEOF
}

// Error names the command and the cause.
func (e *ConnError) Error() string {
	if e == nil {
		return "<nil>"
	}
	return "managesieve: " + e.Command + ": " + fmt.Sprint(e.Err)
}

// Unwrap is the cause.
func (e *ConnError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// unsupported is the error of a command that the server doesn't have.
func unsupported(command, why string) error {
	return fmt.Errorf("managesieve: %s: %w: %s", command, errors.ErrUnsupported, why)
}
