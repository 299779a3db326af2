package dovecot

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// Kind says why a script runs.
type Kind string

// The kinds of scripts, in the order in which they run.
const (
	Before   Kind = "before"   // sieve_before, type = before
	Personal Kind = "personal" // the user's own
	Default  Kind = "default"  // in place of a personal script that is missing: sieve_default
	After    Kind = "after"    // sieve_after, type = after
)

// Script is a place in the sequence of scripts of a user.
type Script struct {
	Kind Kind
	// Name is the name of the block of 2.4, or of the setting of 2.3.
	Name string
	// Path is the file, or of Before and After a directory whose files *.sieve run
	// in the order of their names' octets. A file that is missing is skipped.
	Path string
}

// User is who has the scripts.
type User struct {
	Name string // as in %u
	Home string // absolute; empty: not known
	// Personal is the file of the personal script, where that isn't said by the
	// settings; empty: it is.
	Personal string
}

// Scripts are the scripts that run for a user when mail is delivered by a
// protocol, "lda" or "lmtp", in order: [interp.Sequence] takes those that are there,
// and of Personal and Default the first of them. Nothing runs where the plugin
// sieve isn't in the protocol's mail_plugins, which isn't looked at. An error names
// variables that aren't known here.
func (c *Config) Scripts(protocol string, user User) ([]Script, error) {
	var out []Script
	var errs []error
	add := func(kind Kind, name, path string) {
		if kind == Personal && user.Personal != "" {
			out = append(out, Script{kind, name, user.Personal})
			return
		}
		expanded, err := c.expand(path, user)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			return
		}
		out = append(out, Script{kind, name, expanded})
	}
	if c.Is24() {
		c.blocks(protocol, add)
	} else {
		c.numbered(protocol, Before, "sieve_before", add)
		personal, ok := c.Get(protocol, "sieve")
		if !ok {
			personal = "file:~/sieve;active=~/.dovecot.sieve"
		}
		add(Personal, "sieve", fileOf(personal))
		if v, ok := c.Get(protocol, "sieve_default"); ok && v != "" {
			add(Default, "sieve_default", fileOf(v))
		}
		c.numbered(protocol, After, "sieve_after", add)
	}
	if len(errs) > 0 {
		return out, errs[0]
	}
	return out, nil
}

// UserEmail is sieve_user_email of a user, "" where it isn't set. An error names
// variables that aren't known here.
func (c *Config) UserEmail(protocol string, user User) (string, error) {
	v, _ := c.Get(protocol, "sieve_user_email")
	v, err := c.expand(v, user)
	if err != nil {
		return "", fmt.Errorf("sieve_user_email: %w", err)
	}
	return v, nil
}

// numbered are the scripts of a setting, setting2, setting3 up to the first gap.
func (c *Config) numbered(protocol string, kind Kind, setting string, add func(Kind, string, string)) {
	for i := 1; ; i++ {
		name := setting
		if i > 1 {
			name += strconv.Itoa(i)
		}
		v, ok := c.Get(protocol, name)
		if !ok || v == "" {
			return
		}
		add(kind, name, fileOf(v))
	}
}

// fileOf is the file of a script location of 2.3: "file:PATH;active=PATH".
func fileOf(location string) string {
	location = strings.TrimPrefix(location, "file:")
	path, options, _ := strings.Cut(location, ";")
	for o := range strings.SplitSeq(options, ";") {
		if active, ok := strings.CutPrefix(o, "active="); ok {
			return active
		}
	}
	return path
}

// block is a block sieve_script of 2.4.
type block struct {
	name, kind, path, active string
	precedence               uint64
}

func (c *Config) blocks(protocol string, add func(Kind, string, string)) {
	var list []*block
	for _, s := range c.Settings {
		inner := s.Sections
		if len(inner) > 1 && inner[0] == "protocol "+protocol {
			inner = inner[1:]
		}
		if len(inner) != 1 {
			continue
		}
		name, ok := strings.CutPrefix(inner[0], "sieve_script ")
		if !ok {
			continue
		}
		at := slices.IndexFunc(list, func(b *block) bool { return b.name == name })
		if at < 0 {
			at = len(list)
			list = append(list, &block{name: name, kind: string(Personal), precedence: 1 << 63})
		}
		b := list[at]
		switch strings.TrimPrefix(s.Name, "sieve_script_") {
		case "type":
			b.kind = s.Value
		case "path":
			b.path = s.Value
		case "active_path":
			b.active = s.Value
		case "precedence":
			if n, err := strconv.ParseUint(s.Value, 10, 62); err == nil {
				b.precedence = n
			}
		}
	}
	slices.SortStableFunc(list, func(a, b *block) int {
		switch {
		case a.precedence < b.precedence:
			return -1
		case a.precedence > b.precedence:
			return 1
		}
		return 0
	})
	for _, kind := range []Kind{Before, Personal, Default, After} {
		for _, b := range list {
			if b.kind != string(kind) {
				continue
			}
			path := b.path
			if kind == Personal && b.active != "" {
				path = b.active
			}
			add(kind, b.name, path)
			if kind == Personal || kind == Default {
				break
			}
		}
	}
}

// expand puts the user into a path.
func (c *Config) expand(path string, user User) (string, error) {
	local, domain, _ := strings.Cut(user.Name, "@")
	var b strings.Builder
	rest := path
	if strings.HasPrefix(rest, "~/") {
		if user.Home == "" {
			return "", fmt.Errorf("%q: %w", path, ErrHome)
		}
		b.WriteString(user.Home)
		rest = rest[1:]
	}
	for {
		before, after, ok := strings.Cut(rest, "%")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		if strings.HasPrefix(after, "%") {
			b.WriteByte('%')
			rest = after[1:]
			continue
		}
		name, filters := "", []string(nil)
		if c.Is24() || strings.HasPrefix(after, "{") {
			inner, tail, ok := strings.Cut(strings.TrimPrefix(after, "{"), "}")
			if !ok {
				return "", fmt.Errorf("%q has a variable without an end", path)
			}
			rest = tail
			words := strings.Split(inner, "|")
			for i := range words {
				words[i] = strings.TrimSpace(words[i])
			}
			name, filters = words[0], words[1:]
		} else {
			i := 0
			for i < len(after) && (after[i] == 'L' || after[i] == 'U') {
				filters = append(filters, map[byte]string{'L': "lower", 'U': "upper"}[after[i]])
				i++
			}
			if i == len(after) {
				return "", fmt.Errorf("%q ends with %%", path)
			}
			name, rest = after[i:i+1], after[i+1:]
		}
		value, ok := map[string]string{"u": user.Name, "user": user.Name, "n": local, "username": local, "d": domain, "domain": domain,
			"h": user.Home, "home": user.Home}[name]
		if (name == "h" || name == "home") && user.Home == "" {
			return "", fmt.Errorf("%q: %w", path, ErrHome)
		}
		for _, f := range filters {
			switch f {
			case "lower":
				value = strings.ToLower(value)
			case "upper":
				value = strings.ToUpper(value)
			case "username":
				value, _, _ = strings.Cut(value, "@")
			case "domain":
				_, value, _ = strings.Cut(value, "@")
			default:
				ok = false
			}
		}
		if !ok {
			return "", fmt.Errorf("%q has a variable or filter that isn't known here", path)
		}
		b.WriteString(value)
	}
}

// Delivery is what dovecot-lda and LMTP do with the result of a run: both take
// the message (LMTP answers 250), whatever a script does with it.
type Delivery struct {
	// Stored are the mailboxes that the message is stored in, each once.
	Stored []string
	// Redirects are those that are sent.
	Redirects []interp.ActionRedirect
	// Rejects are those of which the sender hears.
	Rejects []interp.ActionReject
	// Sent are the messages of vacation, reject and notify.
	Sent []interp.Outgoing
	// Failed is the run-time error of a script, after which the message is in the
	// inbox; or, where Lost is set, nowhere.
	Failed error
	Lost   bool
}

// Gone reports whether the message is stored nowhere, and not redirected.
func (d *Delivery) Gone() bool { return d == nil || len(d.Stored)+len(d.Redirects) == 0 }

// Deliver says what is done with a result.
func Deliver(r *interp.Result) Delivery {
	if r == nil {
		r = new(interp.Result)
	}
	d := Delivery{Stored: r.Mailboxes(), Failed: r.Err, Lost: r.Keep == interp.KeepLost}
	send := func(m *interp.Outgoing) {
		if m != nil {
			d.Sent = append(d.Sent, *m)
		}
	}
	for _, a := range r.Actions {
		switch a := a.(type) {
		case interp.ActionRedirect:
			if a.Why == "" {
				d.Redirects = append(d.Redirects, a)
			}
		case interp.ActionReject:
			if !a.Silent {
				d.Rejects = append(d.Rejects, a)
			}
			send(a.Message)
		case interp.ActionVacation:
			send(a.Reply)
		case interp.ActionNotify:
			send(a.Mail)
		default: // sends nothing
		}
	}
	return d
}
