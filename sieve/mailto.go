package sieve

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// mailto is the URI of a notification by mail (RFC 5436 section 2.3, RFC 6068).
type mailto struct {
	recipients []recipient
	// subject and body are nil where the URI has none.
	subject, body *string
	// headers are the other fields, name and value.
	headers [][2]string
}

// recipient is an address, as the URI has it, that gets the message or a copy.
type recipient struct {
	text string
	cc   bool
}

// addressees lists the recipients, or those of the copies.
func (m *mailto) addressees(cc bool) []string {
	var list []string
	for _, r := range m.recipients {
		if r.cc == cc {
			list = append(list, r.text)
		}
	}
	return list
}

// The limits of Pigeonhole 0.5; what is more is left out.
const (
	maxMailtoRecipients = 8
	maxMailtoHeaders    = 16
)

// parseMailto reads the method of notify. "mailto" is the only one there is.
func parseMailto(uri string) (*mailto, error) {
	scheme, rest, ok := strings.Cut(uri, ":")
	for i := 0; ok && i < len(scheme); i++ {
		c := int(scheme[i])
		ok = isAlpha(c) && c != '_' || i > 0 && (isDigit(c) || c == '+' || c == '-' || c == '.')
	}
	switch {
	case !ok || scheme == "":
		return nil, fmt.Errorf(`method %q is not a URI, such as "mailto:user@example.org"`, uri)
	case !strings.EqualFold(scheme, "mailto"):
		return nil, fmt.Errorf(`method %q is not "mailto", which alone the server has`, scheme)
	}
	m := &mailto{}
	to, query, _ := strings.Cut(rest, "?")
	for i := 0; i < len(to); i++ {
		if c := to[i]; c != '%' && (!mailtoOctet(c) || c == ':' || c == ';' || c == ',') {
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
func (m *mailto) field(name, value string, count int) error {
	name, err := decodePercent(name, "=")
	if err != nil {
		return err
	}
	if name != "" && !isFieldName(name) {
		return fmt.Errorf("mailto: %q can't be the name of a header field", name)
	}
	if value, err = decodePercent(value, "="); err != nil {
		return err
	}
	if !strings.EqualFold(name, "body") || count >= maxMailtoHeaders {
		for i := 0; i < len(value); i++ {
			if c := value[i]; c < ' ' && c != '\t' || c > 0x7f {
				return fmt.Errorf("mailto: %q can't be the value of a header field", value)
			}
		}
	}
	if count >= maxMailtoHeaders {
		return nil
	}
	switch strings.ToLower(name) {
	case "to":
		return m.add(value, false)
	case "cc":
		return m.add(value, true)
	case "subject":
		if m.subject == nil {
			m.subject = &value
		}
	case "body":
		if m.body == nil {
			m.body = &value
		}
	// These are left out; "data" stands where "date" was meant.
	case "auto-submitted", "received", "message-id", "data", "bcc", "in-reply-to", "references",
		"resent-date", "resent-from", "resent-sender", "resent-to", "resent-cc", "resent-bcc", "resent-msg-id",
		"from", "sender":
	case "reply-to":
		if !slices.ContainsFunc(m.headers, func(h [2]string) bool { return strings.EqualFold(h[0], name) }) {
			m.headers = append(m.headers, [2]string{name, value})
		}
	default:
		m.headers = append(m.headers, [2]string{name, value})
	}
	return nil
}

// add takes a list of addresses; one that is there already is left out,
// but as a recipient it comes before a copy.
func (m *mailto) add(list string, cc bool) error {
	for s := range strings.SplitSeq(list, ",") {
		if _, err := parseMailbox(s); err != nil {
			return fmt.Errorf("mailto: address %q: %w", s, err)
		}
		if len(m.recipients) >= maxMailtoRecipients {
			continue
		}
		if i := slices.IndexFunc(m.recipients, func(r recipient) bool { return sameRecipient(r.text, s) }); i >= 0 {
			m.recipients[i].cc = m.recipients[i].cc && cc
		} else {
			m.recipients = append(m.recipients, recipient{s, cc})
		}
	}
	return nil
}

// mailtoOctet reports whether an octet can stand for itself in the URI (qchar
// of RFC 6068 section 2).
func mailtoOctet(c byte) bool {
	return isAlpha(int(c)) || isDigit(int(c)) || c != 0 && strings.IndexByte("-.~!$'()*+,;:@", c) >= 0
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
			hi, ok1 := hexDigit(s[i+1])
			lo, ok2 := hexDigit(s[i+2])
			if !ok1 || !ok2 || hi|lo == 0 {
				return "", fmt.Errorf("mailto: %q is no octet", s[i:i+3])
			}
			c = byte(hi<<4 | lo)
			i += 2
		} else if !mailtoOctet(c) && strings.IndexByte(more, c) < 0 {
			return "", fmt.Errorf("mailto: %q can't stand for itself: write it as %%%02X", c, c)
		}
		out = append(out, c)
	}
	return string(out), nil
}
