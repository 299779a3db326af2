package sieve

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailto"
)

// Notify sends a notification (RFC 5435 section 3). The pointer is nil where
// the tag is absent.
type Notify struct {
	// Method is the URI of whom to notify.
	Method string
	// From is the address to notify from; empty leaves the tag out.
	From       string
	Importance Importance
	// Options are of the method, "name=value"; nil leaves the tag out.
	Options []string
	Message *string
}

// Importance is that of a notification (RFC 5435 section 3.4).
type Importance string

// The importances. The zero Importance leaves the tag out; the server's default
// is NormalImportance.
const (
	HighImportance   Importance = "1"
	NormalImportance Importance = "2"
	LowImportance    Importance = "3"
)

func (Notify) command() {}

func (r *reader) notify(args []synArg) Command {
	c := Notify{Options: r.optionalList(nameOptions), Message: r.optionalText(nameMessage)}
	if f := r.tagged(nameImportance); f != nil {
		s := r.string1(f.param)
		switch c.Importance = Importance(r.value(*s)); c.Importance {
		case HighImportance, NormalImportance, LowImportance:
		default:
			r.errorf(s.off, `importance %q is none of "1", "2", "3"`, r.value(*s))
		}
	}
	from := r.tagged(nameFrom)
	method := r.string1(&args[0])
	uri, literal := r.text(method)
	c.Method = uri
	if !literal {
		// What the method makes of the rest is seen when the script runs.
		if from != nil {
			c.From = r.str(from.param)
		}
		return c
	}
	if _, err := mailto.Parse(uri); err != nil {
		r.errorf(method.off, "%w", err)
		return c
	}
	if from != nil {
		c.From = r.address(from.param)
	}
	if f := r.tagged(nameOptions); f != nil {
		for i, s := range r.strings(f.param) {
			option := c.Options[i]
			if _, literal := r.text(&s); literal && !validOption(option) {
				r.errorf(s.off, `option %q is not of the form "name=value"`, option)
			}
		}
	}
	return c
}

// validOption reports whether an option of notify is well formed (RFC 5435
// section 3.5).
func validOption(s string) bool {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := int(name[i])
		if c == '_' && i == 0 || !ascii.IsAlpha(c) && !ascii.IsDigit(c) && (i == 0 || c != '.' && c != '-') {
			return false
		}
	}
	return !strings.ContainsAny(value, "\r\n")
}

// ValidNotifyMethod holds where every one of the URIs can be notified (RFC 5435
// section 4).
type ValidNotifyMethod struct{ URIs []string }

// NotifyMethodCapability holds where the capability of the method compares true
// with one of the Keys (RFC 5435 section 5).
type NotifyMethodCapability struct {
	URI        string
	Capability string
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Keys       []string
}

func (ValidNotifyMethod) test() {}

func (NotifyMethodCapability) test() {}

func (c *valueChecker) notify(cmd Notify, where string) {
	constant := c.text(cmd.Method, where+".Method")
	c.text(cmd.From, where+".From")
	c.text(string(cmd.Importance), where+".Importance")
	c.texts(cmd.Options, where+".Options")
	c.optional(cmd.Message, where+".Message")
	if constant {
		if _, err := mailto.Parse(cmd.Method); err != nil {
			c.errorf(where+".Method", "%w", err)
		}
	}
}

func (w *writer) notify(c Notify) *node {
	w.use(ExtENotify)
	n := newNode("notify")
	if c.From != "" {
		n.tag("from").str(c.From)
	}
	if c.Importance != "" {
		n.tag("importance").str(string(c.Importance))
	}
	if c.Options != nil {
		n.tag("options").strList(c.Options)
	}
	return n.text("message", c.Message).str(c.Method)
}
