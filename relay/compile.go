package relay

import (
	"errors"
	"slices"

	"github.com/oxmailroute/oxmailroute/relay/internal/derived"
	"github.com/oxmailroute/oxmailroute/sieve"
)

// Config is a compiled policy: the files that servers read and the evaluator
// that walks what they say. It is immutable and safe for concurrent use.
type Config struct {
	files      []File
	removed    []string
	commands   []Command
	warnings   []Warning
	exceptions []Exceptions
	mailbox    *sieve.Script // the rules for a mailbox's own script
	global     *sieve.Script // the rules of the global script
	own        func() *MailboxRules

	evaluation
}

// Warnings are what Compile noticed: the policy's own ([Policy.Warnings]) and
// what the installation has that can't be read or judged here.
func (c *Config) Warnings() []Warning {
	if c == nil {
		c = new(Config)
	}
	return slices.Clone(c.warnings)
}

// Compile turns a policy into the files for an installation. Its error is an
// [Errors] with everything that is wrong: what [Policy.Validate] finds, versions
// and files that can't be read, and in a valid policy what contradicts the
// installation or can't be expressed. It keeps no reference to p.
func Compile(p Policy, in Installation) (*Config, error) {
	if p.Server.ConfigDirectory == "" {
		p.Server.ConfigDirectory = in.ConfigDirectory
	}
	if in.ConfigDirectory == "" {
		in.ConfigDirectory = p.Server.ConfigDirectory
	}
	var invalid Errors
	if errors.As(p.Validate(), &invalid) {
		r := newReport(p)
		readAnyway(p, in, r)
		for _, e := range r.errs {
			if !slices.ContainsFunc(invalid, func(have *Error) bool { return have.Position == e.Position }) {
				invalid = append(invalid, e)
			}
		}
		return nil, derived.Named(p, invalid).Err()
	}
	own := derived.InASCII(p.Clone())
	r := newReport(own)
	c := compile(own, in, r)
	if len(r.errs) > 0 {
		return nil, derived.Named(p, r.errs).Err()
	}
	return c, nil
}

// compile is Compile for a valid policy, in its steps: each works on what those
// before it return. What it returns counts where r has no errors.
func compile(p Policy, in Installation, r *report) *Config {
	r.warnings = p.Warnings()
	s, ok := read(p, in, r)
	if ok {
		check(s, r)
		e := emit(s, r)
		if len(r.errs) == 0 {
			c := evaluate(s, e, r)
			if s.tablesAnswered(r); len(r.errs) == 0 {
				task{s, r}.unnamedTables(settings{e.conf.Settings()}, e.master, false)
				c.warnings = r.warnings
				return c
			}
		}
	}
	s.tablesAnswered(r)
	if s.master != nil && s.base.Main != nil {
		task{s, r}.unnamedTables(s.base, s.master, true)
	}
	return nil
}

// tablesAnswered adds an error for each table of the caller's that could not be asked.
func (s *site) tablesAnswered(r *report) {
	for _, err := range s.failures.End() {
		r.errs.Add("Installation.Tables", ErrConflict, "try again when it answers, or give its Rows", "%w", err)
	}
}
