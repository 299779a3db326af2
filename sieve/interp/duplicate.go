package interp

import (
	"errors"
	"time"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// duplicateTest is the test duplicate (RFC 7352 section 3).
type duplicateTest struct {
	step     int
	handle   *text
	header   *text
	uniqueID *text
	seconds  uint64
	last     bool
}

func (c *compiler) duplicate(t sieve.Duplicate, step int) condition {
	d := &duplicateTest{step: step, handle: c.optional(t.Handle, "Handle"), header: c.optional(t.Header, "Header"),
		uniqueID: c.optional(t.UniqueID, "UniqueID"), seconds: uint64(c.program.settings.DuplicatePeriod / time.Second), last: t.Last}
	if t.UniqueID != nil && t.Header != nil {
		c.errorf("UniqueID", "excludes Header")
	}
	if t.Seconds != nil {
		d.seconds = min(*t.Seconds, 1<<32) // a time.Duration holds that
		if most := c.program.settings.DuplicateMax; most > 0 {
			d.seconds = min(d.seconds, uint64(most/time.Second))
		}
	}
	return d
}

func (c *duplicateTest) eval(r *run) bool {
	// The server takes the id from the message as it came.
	r.spend(16 * len(r.header()))
	if r.failed != nil {
		return false
	}
	id := ""
	switch {
	case c.uniqueID != nil:
		id = r.str(c.uniqueID)
	case c.header != nil:
		s, ok := r.decodedFirst(r.str(c.header))
		if !ok {
			return r.note(c.step, false, nil)
		}
		id = s
	default:
		if id = messageID(r.arrived()); id == "" {
			return r.note(c.step, false, nil)
		}
	}
	if r.spend(2 * costAlloc * len(id)); r.failed != nil {
		return false
	}
	if r.in.Memory == nil {
		return r.note(c.step, false, []byte(id))
	}
	handle := "default "
	if c.handle != nil {
		handle = "handle " + r.str(c.handle) + " "
	}
	key, plain := "duplicate "+handle+id, "duplicate "+handle+id
	if c.last {
		key = "duplicate last " + handle + id
	}
	if seen, known := r.seen[key]; known {
		// The server takes its own answer of before for the outcome of the test:
		// "seen" as success without an answer, "not seen" as a failure.
		if !seen && r.failed == nil {
			r.failed = errDuplicate
		}
		return r.note(c.step, false, []byte(id))
	}
	seen := r.in.Memory.Seen(key, r.now())
	if !seen && c.last {
		seen = r.in.Memory.Seen(plain, r.now())
	}
	if r.seen == nil {
		r.seen = make(map[string]bool)
	}
	r.seen[key] = seen
	if !seen || c.last {
		r.remember(c.step, key, r.now().Add(time.Duration(c.seconds)*time.Second))
	}
	return r.note(c.step, seen, []byte(id))
}

var errDuplicate = errors.New("duplicate is tested a second time for the same message, handle and id, at which the server fails")

// remember has something remembered where the script ends without an error.
func (r *run) remember(step int, key string, until time.Time) {
	if limit := r.program.maxActions; limit >= 0 && r.counted() >= limit {
		r.failed = errActions
		return
	}
	r.actions = append(r.actions, performed{instruction: &instruction{kind: opRemember, step: int32(step), key: key}, until: until})
}
