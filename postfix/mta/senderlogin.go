package mta

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// loginCheck is one of the restrictions on who may use which sender address
// (reject_sender_login_mismatch and its relatives).
type loginCheck struct {
	in, out bool // it looks at clients that are logged in, and that are not
	unknown bool // a sender that nobody owns passes
}

var loginChecks = map[restrictionKind]loginCheck{
	senderLogin:      {in: true, out: true},
	knownSenderLogin: {in: true, out: true, unknown: true},
	authSenderLogin:  {in: true},
	anonSenderLogin:  {out: true},
}

// senderLogins compares the sender's owners with the name that the client has
// logged in with.
func (s *session) senderLogins(r *restriction) verdict {
	w, rules := s.w, s.l.rules
	check := loginChecks[r.kind]
	from := w.m.From
	// Where nobody can log in, smtpd(8) ignores these restrictions.
	if from == "" || rules.logins == nil || !rules.sasl {
		return dunno
	}
	loggedIn := w.m.Origin.Authenticated
	if loggedIn && !check.in || !loggedIn && !check.out {
		return dunno
	}
	hit, owned := w.find(rules.logins, fold(w.e.reachable(from)))
	if !loggedIn {
		if owned {
			return s.mismatch(r, hit, from, "not logged in")
		}
		return dunno
	}
	if !owned {
		if check.unknown {
			return dunno
		}
		return s.mismatch(r, hit, from, "not owned by user "+w.m.Origin.Login)
	}
	if w.m.Origin.Login == "" {
		w.depends(r.name, r.at, from, "one of its owners ("+hit.Entry.Value+") has logged in")
		return dunno
	}
	for _, owner := range list(hit.Entry.Value) {
		if strings.EqualFold(owner, w.m.Origin.Login) {
			return dunno
		}
	}
	return s.mismatch(r, hit, from, "not owned by user "+w.m.Origin.Login)
}

func (s *session) mismatch(r *restriction, hit postfix.Hit, from, why string) verdict {
	at := r.at
	if hit.Key != "" {
		at = placeOfRow(hit.Row)
	}
	s.code, s.text, s.rule = "553", "5.7.1 <"+from+">: Sender address rejected: "+why, ""
	s.w.step("smtpd", "", at, r.name, "rejected with 553")
	return rejected
}
