package interp

import (
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
)

// reportCommand is report (vnd.dovecot.report).
type reportCommand struct {
	kind, text, address text
	headersOnly         bool
}

func (c *compiler) report(cmd sieve.Report) operation {
	return &reportCommand{c.text(cmd.Type, "Type"), c.text(cmd.Text, "Text"), c.text(cmd.Address, "Address"), cmd.HeadersOnly}
}

func (p *reportCommand) perform(r *run, in *instruction) error {
	address := r.str(&p.address)
	target, err := mailaddr.Target(address)
	if err != nil {
		return r.errorf(in, "address %q: %w", address, err)
	}
	kind := r.str(&p.kind)
	if !mailaddr.IsFeedback(kind) {
		return r.errorf(in, "%q is not a type of feedback", kind)
	}
	act := ActionReport{Type: kind, Text: r.str(&p.text), Address: target, HeadersOnly: p.headersOnly}
	return r.add(&instruction{kind: opReport, step: in.step, act: act, key: target})
}
