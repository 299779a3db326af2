package postfix

import "strings"

// AccessKind is what the right-hand side of an access(5) table does.
type AccessKind uint8

// The kinds of actions. WARN and INFO, which only log, are AccessDunno.
const (
	AccessDunno    AccessKind = iota // DUNNO: no opinion
	AccessOK                         // OK, RELAY, or a number that is no reply code
	AccessReject                     // REJECT, DEFER and its relatives, or a reply code of three digits
	AccessFilter                     // FILTER transport:nexthop
	AccessPrepend                    // PREPEND header line
	AccessList                       // a list of restrictions
	AccessDiscard                    // DISCARD
	AccessHold                       // HOLD
	AccessRedirect                   // REDIRECT address
	AccessBCC                        // BCC address
)

// AccessAction is the right-hand side of an access(5) table.
type AccessAction struct {
	Kind AccessKind
	// Code is the SMTP reply code of AccessReject: "554", "450".
	Code string
	// Text is what stands behind the verb: the reply's text, the transport and next
	// hop of AccessFilter, the header line of AccessPrepend, the address of
	// AccessRedirect and AccessBCC, and all of an AccessList.
	Text string
}

// ParseAccess reads a right-hand side of access(5). Known is false for text that
// is no action, which smtpd(8) takes for a list of restrictions; the Kind is then
// AccessList.
func ParseAccess(value string) (a AccessAction, known bool) {
	word, rest, _ := strings.Cut(value, " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToUpper(word) {
	case "OK", "RELAY":
		return AccessAction{Kind: AccessOK}, true
	case "HOLD":
		return AccessAction{Kind: AccessHold}, true
	case "REDIRECT":
		return AccessAction{Kind: AccessRedirect, Text: rest}, true
	case "BCC":
		return AccessAction{Kind: AccessBCC, Text: rest}, true
	case "DUNNO", "WARN", "INFO":
		return AccessAction{}, true
	case "REJECT":
		return AccessAction{Kind: AccessReject, Code: "554", Text: rest}, true
	case "DEFER", "DEFER_IF_PERMIT", "DEFER_IF_REJECT":
		return AccessAction{Kind: AccessReject, Code: "450", Text: rest}, true
	case "FILTER":
		return AccessAction{Kind: AccessFilter, Text: rest}, true
	case "PREPEND":
		return AccessAction{Kind: AccessPrepend, Text: rest}, true
	case "DISCARD":
		return AccessAction{Kind: AccessDiscard}, true
	}
	if len(word) == 3 && (word[0] == '4' || word[0] == '5') && word[1] >= '0' && word[1] <= '9' && word[2] >= '0' && word[2] <= '9' {
		return AccessAction{Kind: AccessReject, Code: word, Text: rest}, true
	}
	if word != "" && strings.Trim(word, "0123456789") == "" {
		return AccessAction{Kind: AccessOK}, true
	}
	return AccessAction{Kind: AccessList, Text: value}, false
}
