package interp

import (
	"strings"
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

// envItem returns the name of an item for the variable ${env.item}.
func envItem(name string) string {
	if strings.HasPrefix(name, "vnd.") {
		return name
	}
	return "vnd.dovecot." + name
}

// environment returns an item of the environment.
func (r *run) environment(item string) (string, bool) {
	if v, ok := r.in.Environment[item]; ok {
		return v, true
	}
	if short, ok := strings.CutPrefix(item, "vnd.dovecot."); ok {
		if v, ok := r.in.Environment[short]; ok {
			return v, true
		}
		return "", short == "username" || short == "default-mailbox" || short == "config"
	}
	switch item {
	case "domain", "host":
		return "", true
	case "location":
		return "MDA", true
	case "phase":
		return "during", true
	case "name":
		return "Pigeonhole Sieve", true
	case "version":
		return "0.5.19", true
	}
	return "", false
}
