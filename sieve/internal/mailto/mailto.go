// Package mailto reads the URIs of notifications by mail (RFC 5436, RFC 6068).
package mailto

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
	"github.com/oxmailroute/oxmailroute/sieve/internal/field"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
)

// URI is the URI of a notification by mail (RFC 5436 section 2.3, RFC 6068).
type URI struct {
	Recipients []Recipient
	// subject and body are nil where the URI has none.
	Subject, Body *string
	// headers are the other fields, name and value.
	Headers [][2]string
}

// Recipient is an address, as the URI has it, that gets the message or a copy.
type Recipient struct {
	Text string
	CC   bool
}

// Addressees lists the recipients, or those of the copies.
func (m *URI) Addressees(cc bool) []string {
	var list []string
	for _, r := range m.Recipients {
		if r.CC == cc {
			list = append(list, r.Text)
		}
	}
	return list
}

// The limits of Pigeonhole 0.5; what is more is left out.
const (
	maxRecipients = 8
	maxHeaders    = 16
)

// Parse reads the method of notify. "mailto" is the only one there is.
func Parse(uri string) (*URI, error) {
	uri, _, _ = strings.Cut(uri, "\x00") // a string of C
	scheme, rest, ok := strings.Cut(uri, ":")
	for i := 0; ok && i < len(scheme); i++ {
		c := int(scheme[i])
		ok = ascii.IsAlpha(c) && c != '_' || i > 0 && (ascii.IsDigit(c) || c == '+' || c == '-' || c == '.')
	}
	switch {
	case !ok || scheme == "":
		return nil, fmt.Errorf(`method %q is not a URI, such as "mailto:user@example.org"`, uri)
	case !strings.EqualFold(scheme, "mailto"):
		return nil, fmt.Errorf(`method %q is not "mailto", which alone the server has`, scheme)
	}
	m := &URI{}
	to, query, _ := strings.Cut(rest, "?")
	for i := 0; i < len(to); i++ {
		if c := to[i]; c != '%' && (!isQchar(c) || c == ':' || c == ';' || c == ',') {
			return nil, fmt.Errorf("mailto: %q can't stand for itself: write it as %%%02X", c, c)
		}
	}
	if to != "" {
		text, err := decodePercent(to, "")
		if err != nil {
			return nil, err
		}
		if err := m.add(text, false); err != nil {
			return nil, err
		}
	}
	for count := 0; query != ""; count++ {
		name, tail, _ := strings.Cut(query, "=")
		value, more, _ := strings.Cut(tail, "&")
		query = more
		if err := m.field(name, value, count); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// field takes a "name=value" of the URI.
func (m *URI) field(name, value string, count int) error {
	name, err := decodePercent(name, "=")
	if err != nil {
		return err
	}
	if name != "" && !field.IsName(name) {
		return fmt.Errorf("mailto: %q can't be the name of a header field", name)
	}
	if value, err = decodePercent(value, "="); err != nil {
		return err
	}
	if !strings.EqualFold(name, "body") || count >= maxHeaders {
		for i := 0; i < len(value); i++ {
			if c := value[i]; c < ' ' && c != '\t' || c > 0x7f {
				return fmt.Errorf("mailto: %q can't be the value of a header field", value)
			}
		}
	}
	if count >= maxHeaders {
		return nil
	}
	switch strings.ToLower(name) {
	case "to":
		return m.add(value, false)
	case "cc":
		return m.add(value, true)
	case "subject":
		if m.Subject == nil {
			m.Subject = &value
		}
	case "body":
		if m.Body == nil {
			m.Body = &value
		}
	// These are left out; "data" stands where "date" was meant.
	case "auto-submitted", "received", "message-id", "data", "bcc", "in-reply-to", "references",
		"resent-date", "resent-from", "resent-sender", "resent-to", "resent-cc", "resent-bcc", "resent-msg-id",
		"from", "sender":
	case "reply-to":
		if !slices.ContainsFunc(m.Headers, func(h [2]string) bool { return strings.EqualFold(h[0], name) }) {
			m.Headers = append(m.Headers, [2]string{name, value})
		}
	default:
		m.Headers = append(m.Headers, [2]string{name, value})
	}
	return nil
}

// add takes a list of addresses; one that is there already is left out,
// but as a recipient it comes before a copy.
func (m *URI) add(list string, cc bool) error {
	for s := range strings.SplitSeq(list, ",") {
		if _, err := mailaddr.Parse(s); err != nil {
			return fmt.Errorf("mailto: address %q: %w", s, err)
		}
		if len(m.Recipients) >= maxRecipients {
			continue
		}
		if i := slices.IndexFunc(m.Recipients, func(r Recipient) bool { return SameRecipient(r.Text, s) }); i >= 0 {
			m.Recipients[i].CC = m.Recipients[i].CC && cc
		} else {
			m.Recipients = append(m.Recipients, Recipient{s, cc})
		}
	}
	return nil
}

// isQchar reports whether an octet can stand for itself in the URI (qchar
// of RFC 6068 section 2).
func isQchar(c byte) bool {
	return ascii.IsAlpha(int(c)) || ascii.IsDigit(int(c)) || c != 0 && strings.IndexByte("-.~!$'()*+,;:@", c) >= 0
}

// decodePercent resolves %XX. What isn't mailtoOctet or one of more must be
// written so.
func decodePercent(s, more string) (string, error) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) {
				return "", errors.New("mailto: % needs two hexadecimal digits behind it")
			}
			hi, ok1 := ascii.HexDigit(s[i+1])
			lo, ok2 := ascii.HexDigit(s[i+2])
			if !ok1 || !ok2 || hi|lo == 0 {
				return "", fmt.Errorf("mailto: %q is no octet", s[i:i+3])
			}
			c = byte(hi<<4 | lo)
			i += 2
		} else if !isQchar(c) && strings.IndexByte(more, c) < 0 {
			return "", fmt.Errorf("mailto: %q can't stand for itself: write it as %%%02X", c, c)
		}
		out = append(out, c)
	}
	return string(out), nil
}

// SameRecipient compares the addresses of recipients: the domain has no case.
func SameRecipient(s, t string) bool {
	a, err := mailaddr.Bare(s)
	if err != nil {
		return false
	}
	b, err := mailaddr.Bare(t)
	return err == nil && a == b
}
