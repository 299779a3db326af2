package mta

import (
	"cmp"
	"strconv"
)

// deny is a refusal (smtpd_check_reject): the status code has the class of the
// reply code, and an earlier defer_if_reject takes the place of one for good.
func (s *session) deny(at place, name, code, text string) verdict {
	if len(code) != 3 || code[0] != '4' && code[0] != '5' {
		code = "450"
	}
	if s.lift != nil && code[0] == '5' {
		code, text = s.lift.code, s.lift.text
	}
	if _, _, ok := cutStatus(text); ok {
		text = code[:1] + text[1:]
	}
	s.code, s.text = code, text
	s.w.step("smtpd", s.rule, at, name, "rejected with "+code)
	return rejected
}

// later notes the first of the refusals that wait for the rest.
func (s *session) later(where **reply, code, text string) {
	if *where == nil {
		*where = &reply{code, text}
	}
}

// put is the end of the restrictions at a command: what would be permitted is put
// off where a defer_if_permit waits.
func (s *session) put() bool {
	if s.putOff == nil {
		return false
	}
	s.lift = nil
	s.deny(s.l.at, "defer_if_permit", s.putOff.code, s.putOff.text)
	return true
}

// less is a reply code less a hundred, as defer_unauth_destination has it.
func less(code string) string {
	n, _ := strconv.Atoi(code)
	return strconv.Itoa(n - 100)
}

// fixStatus is what smtpd(8) makes of a status code about addresses, by what is
// refused (smtpd_dsn_fix).
func fixStatus(status, class string) string {
	if len(status) < 5 || status[1:4] != ".1." || status[0] != '4' && status[0] != '5' {
		return status
	}
	var to string
	switch class {
	case "Sender address":
		to = map[string]string{"1": "7", "2": "8", "3": "7", "4": "0", "5": "0", "6": "7"}[status[4:]]
	case "Recipient address":
		to = map[string]string{"7": "3", "8": "2"}[status[4:]]
	default:
		return status[:1] + ".0.0"
	}
	return status[:4] + cmp.Or(to, status[4:])
}
