package mta

import (
	"cmp"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// access is a compiled right-hand side of access(5).
type access struct {
	postfix.AccessAction
	verb string // in upper case
	list restrictions
}

// access reads a right-hand side. Lists of restrictions are only understood
// where they can be compiled beforehand.
func (c *Configuration) access(s Settings, value string, at place, depth int) access {
	a, known := postfix.ParseAccess(value)
	if known {
		return access{AccessAction: a, verb: verbOf(value)}
	}
	return access{a, "", c.restrictions(s, value, "access table", at, depth+1)}
}

// verbOf is the first word of an action.
func verbOf(value string) string {
	word, _, _ := strings.Cut(value, " ")
	return strings.ToUpper(word)
}

func (s *session) access(r *restriction, a access, at place, rule string) verdict {
	switch a.Kind {
	case postfix.AccessOK:
		s.w.step("smtpd", rule, at, "", "permitted")
		return permitted
	case postfix.AccessReject:
		return s.refused(r, a, at, rule)
	case postfix.AccessFilter:
		s.filter = a.Text
		s.w.step("smtpd", rule, at, "", "filtered")
	case postfix.AccessPrepend:
		s.prepend = append(s.prepend, a.Text)
		s.w.step("smtpd", rule, at, a.Text, "header added")
	case postfix.AccessDiscard:
		s.w.step("smtpd", rule, at, "", "discarded")
		s.discard = true
		return permitted
	case postfix.AccessHold:
		s.hold = true
		s.w.step("smtpd", rule, at, "", "held until postsuper -H")
	case postfix.AccessRedirect:
		if strings.Contains(a.Text, "@") {
			s.to = a.Text
			s.w.step("smtpd", rule, at, "", "redirected to "+a.Text)
		}
	case postfix.AccessBCC:
		if strings.Contains(a.Text, "@") {
			s.copies = append(s.copies, bcc{r.file, s.w.e.canonical(a.Text), "", at})
		}
	case postfix.AccessList:
		return s.run(a.list)
	case postfix.AccessDunno:
		s.w.step("smtpd", rule, at, "", "client known")
	}
	return dunno
}

// refused is REJECT, DEFER and their relatives in an access table.
func (s *session) refused(r *restriction, a access, at place, rule string) verdict {
	class, about := "Client host", s.w.m.Origin.Client.String()
	switch r.kind {
	case checkHeloMap:
		class, about = "Helo command", s.w.m.Origin.Helo
	case checkSenderMap:
		class, about = "Sender address", s.w.m.From
	case checkRecipientMap:
		class, about = "Recipient address", s.w.m.To
	}
	code, status, text := a.Code, "5.7.1", a.Text
	if a.Code[0] == '4' {
		status = "4.7.1"
	}
	switch a.verb {
	case "REJECT":
		code = s.l.rules.codes["access_map_reject_code"]
	case "DEFER", "DEFER_IF_PERMIT", "DEFER_IF_REJECT":
		code = s.l.rules.codes["access_map_defer_code"]
	}
	if own, rest, ok := cutStatus(text); ok {
		status, text = own, rest
	}
	text = fixStatus(status, class) + " <" + about + ">: " + class + " rejected: " + cmp.Or(text, "Access denied")
	s.rule = rule
	switch a.verb {
	case "DEFER_IF_PERMIT":
		s.later(&s.putOff, code, text)
		return dunno
	case "DEFER_IF_REJECT":
		s.later(&s.lift, code, text)
		return dunno
	}
	return s.deny(at, "", code, text)
}

// entry obeys the row of an access table.
func (s *session) entry(r *restriction, e postfix.Entry, line int, key string) verdict {
	a, v, known := s.read(r, e, line, key)
	if !known {
		return v
	}
	return s.access(r, a, place{r.file, line}, e.Rule)
}

// read reads the row of an access table. Where it names restrictions, they are
// run and known is false.
func (s *session) read(r *restriction, e postfix.Entry, line int, key string) (a access, v verdict, known bool) {
	if a.AccessAction, known = postfix.ParseAccess(e.Value); known {
		a.verb = verbOf(e.Value)
		return a, dunno, true
	}
	words := list(e.Value)
	all := make(restrictions, 0, len(words))
	for _, word := range words {
		if class, ok := s.l.rules.classes[strings.ToLower(word)]; ok {
			all = append(all, class...)
			continue
		}
		kind, ok := restrictionKinds[strings.ToLower(word)]
		if !ok {
			s.w.depends(e.Value, place{r.file, line}, key, "no opinion")
			return a, dunno, false
		}
		all = append(all, restriction{kind: kind, name: word, at: place{r.file, line}})
	}
	return a, s.run(all), false
}

// address is check_sender_access and check_recipient_access: access(5)'s search
// for e-mail addresses, where the null sender is "<>".
func (s *session) address(r *restriction, address string) verdict {
	e := s.w.e
	var hit postfix.Hit
	var ok bool
	var err error
	// smtpd(8) looks at the address as it would be delivered.
	if address = fold(e.reachable(address)); address == "" {
		hit.Row, ok, err = r.table.Lookup(s.l.rules.nullKey)
	} else {
		search := e.access
		search.MatchParents = s.l.rules.parents
		hit, ok, err = search.Access(r.table, address)
	}
	if err != nil {
		class := "Sender address"
		if r.kind == checkRecipientMap {
			class = "Recipient address"
		}
		s.w.downAs(err, "4.3.5 <"+address+">: "+class+" rejected: Server configuration error")
	}
	if !ok {
		return dunno
	}
	a, v, known := s.read(r, hit.Entry, hit.Line, hit.Key)
	if !known {
		return v
	}
	return s.access(r, a, place{r.file, hit.Line}, hit.Entry.Rule)
}
