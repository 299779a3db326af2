package interp

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/mailto"
)

// notifyMethodTest is valid_notify_method (RFC 5435 section 4).
type notifyMethodTest struct {
	step int
	uris []text
}

func (c *notifyMethodTest) eval(r *run) bool {
	for i := range c.uris {
		uri := r.str(&c.uris[i])
		if r.spend(costAlloc * 2 * len(uri)); r.failed != nil {
			return false
		}
		if _, err := mailto.Parse(uri); err != nil {
			return r.note(c.step, false, []byte(uri))
		}
	}
	return r.note(c.step, true, nil)
}

// notifyCapabilityTest is notify_method_capability (RFC 5435 section 5): of
// mailto the capability "online" is "maybe".
type notifyCapabilityTest struct {
	step            int
	uri, capability text
	match           *matcher
}

func (c *notifyCapabilityTest) eval(r *run) bool {
	uri := r.str(&c.uri)
	if r.spend(costAlloc * 2 * len(uri)); r.failed != nil {
		return false
	}
	if _, err := mailto.Parse(uri); err != nil || !strings.EqualFold(r.str(&c.capability), "online") {
		return r.note(c.step, false, nil)
	}
	values := append(r.list[:0], value{text: []byte("maybe")})
	r.list = values
	return r.compare(c.step, c.match, values)
}
