package interp

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// environmentTest is the test environment (RFC 5183 section 4).
type environmentTest struct {
	step  int
	item  text
	match *matcher
}

func (c *environmentTest) eval(r *run) bool {
	v, ok := r.environment(r.str(&c.item))
	if !ok {
		// An unknown item fails the test, whatever it asks.
		return r.note(c.step, false, nil)
	}
	values := append(r.list[:0], value{text: []byte(v)})
	r.list = values
	return r.compare(c.step, c.match, values)
}

// envItem returns the name of an item for the variable ${env.item}: "_" stands
// for "-", which the name of a variable can't have.
func envItem(name string) string { return strings.ReplaceAll(name, "_", "-") }

// environment returns an item of the environment.
func (r *run) environment(item string) (string, bool) {
	short, own := strings.CutPrefix(item, "vnd.dovecot.")
	if !own {
		if item == "username" || strings.HasPrefix(item, "config.") {
			return "", false
		}
	} else if short == "default-mailbox" {
		return sieve.Inbox, true
	}
	if v, ok := r.in.Environment[item]; ok {
		return v, true
	}
	if own {
		if short != "username" && !strings.HasPrefix(short, "config.") {
			return "", false
		}
		v, ok := r.in.Environment[short]
		return v, ok || short == "username"
	}
	switch item {
	case "host":
		return "", true
	case "domain":
		// That of the user, or else that of the machine.
		if _, domain, ok := strings.Cut(r.in.Environment["username"], "@"); ok {
			return domain, true
		}
		host := r.in.Environment["host"]
		if _, domain, ok := strings.Cut(host, "."); ok {
			return domain, true
		}
		return host, true
	case "location":
		return "MDA", true
	case "phase":
		return "during", true
	case "name":
		return "Pigeonhole Sieve", true
	case "version":
		if r.program.pigeonhole24 {
			return "2.4.1-4", true
		}
		return "0.5.19", true
	}
	return "", false
}
