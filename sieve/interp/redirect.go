package interp

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
)

func (c *compiler) redirect(in *instruction, cmd sieve.Redirect) {
	in.kind = opRedirect
	if !c.hasVariables(cmd.Address) {
		target, err := mailaddr.Target(cmd.Address)
		if err != nil {
			c.errorf("Address", "address %q: %w", cmd.Address, err)
		}
		in.key, in.act = target, ActionRedirect{Address: target, Copy: cmd.Copy}
		return
	}
	address, keeps := c.text(cmd.Address, "Address"), cmd.Copy
	c.before(in, func(r *run, in instruction) (instruction, error) {
		s := r.str(&address)
		target, err := mailaddr.Target(s)
		if err != nil {
			return in, r.errorf(&in, "address %q: %w", s, err)
		}
		in.key, in.act = target, ActionRedirect{Address: target, Copy: keeps}
		return in, nil
	})
}

// redirectSender is the sender of the envelope where a setting says which.
func (r *run) redirectSender() string {
	s := r.in.RedirectFrom
	if s == "" {
		s = r.program.settings.RedirectFrom
	}
	if s != "" && s != FromSender && r.in.From != "" {
		return r.source(s)
	}
	if r.fromPath {
		return r.in.From
	}
	return ""
}

// notRedirected says why the message isn't redirected to the address: a loop, or
// a redirect of before, which is remembered by the message, the recipient and the
// address. Otherwise it has the redirect remembered. The header is that of the
// message as it came.
func (r *run) notRedirected(address string) string {
	own := ""
	if to, ok := mailaddr.Envelope(r.in.To); ok {
		own = to.String()
	}
	for _, f := range r.arrived() {
		if !equalFold(f.Name, "x-sieve-redirected-from") {
			continue
		}
		user := r.userEmail()
		if user == "" {
			user = r.account().String()
		}
		// The server compares octets, the domain's too.
		if s := strings.Trim(unread(f), " \t\r\n"); s != "" && (s == own || s == user) {
			return "the message has been redirected by the user before: it has the field X-Sieve-Redirected-From: " + s
		}
	}
	id := messageID(r.arrived())
	if id == "" && r.program.pigeonhole24 {
		if raw, ok := r.rawFirst("message-id"); ok {
			id = "raw " + raw
		}
	}
	if id == "" || r.in.Memory == nil || r.program.redirectKeep < 0 {
		return ""
	}
	resent, ok := r.rawFirst("resent-message-id")
	if !ok {
		resent, _ = r.rawFirst("resent-from")
	}
	list, _ := r.rawFirst("list-id")
	key := strings.Join([]string{"redirect", id, r.originalTo(), address, resent, list}, " ")
	if r.in.Memory.Seen(key, r.now()) {
		return "the message has been redirected to the address before"
	}
	r.marks = append(r.marks, mark{key, r.now().Add(r.program.redirectKeep)})
	return ""
}
