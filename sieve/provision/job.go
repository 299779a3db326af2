package provision

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime/debug"

	"github.com/oxmailroute/oxmailroute/sieve/managesieve"
)

// job is the work on one mailbox.
type job struct {
	options *Options
	report  Report

	// What a broken attempt may have stored, for the next one.
	stored  []byte
	created bool
}

// run tries until it succeeds or trying is useless. A panic is the mailbox's
// error: it must not end the run for the others.
func (j *job) run(ctx context.Context) {
	defer func() {
		if v := recover(); v != nil {
			j.report.Outcome, j.report.Err = Failed, fmt.Errorf("provision: %w", &PanicError{v, debug.Stack()})
		}
	}()
	for {
		j.report.Attempts++
		err := j.attempt(ctx)
		if err == nil {
			j.report.Err = nil
			return
		}
		j.report.Outcome, j.report.Err = Failed, err
		if j.report.Attempts >= j.options.Attempts || !again(err) || ctx.Err() != nil {
			return
		}
		if j.options.Backoff.Sleep(ctx, j.options.Backoff.delay(j.report.Attempts)) != nil {
			return
		}
	}
}

// again reports whether another attempt may help.
func again(err error) bool {
	var answer *managesieve.ResponseError
	var broken *managesieve.ConnError
	var certificate *tls.CertificateVerificationError
	var name *net.DNSError
	switch {
	case errors.Is(err, ErrConflict):
		return true
	case errors.As(err, &answer):
		if answer.Code.Is(managesieve.CodeReferral) {
			return false
		}
		return answer.Status == managesieve.Bye || answer.Code.Is(managesieve.CodeTryLater)
	case errors.As(err, &certificate), errors.Is(err, managesieve.ErrNoTLS):
		return false
	case errors.As(err, &name) && name.IsNotFound:
		return false
	}
	var dial *net.OpError // of a Connect with a way of its own
	return errors.As(err, &broken) || errors.As(err, &dial)
}

// attempt does everything once, over one connection.
func (j *job) attempt(ctx context.Context) error {
	o, r := j.options, &j.report
	c, err := j.connect(ctx)
	if err != nil {
		return err
	}
	if c == nil {
		return errors.New("provision: Options.Connect returned neither a client nor an error")
	}
	defer c.Close()
	scripts, err := c.ListScripts(ctx)
	if err != nil {
		return err
	}
	chosen, err := j.choose(scripts)
	if err != nil {
		return err
	}
	name := chosen.name
	if name == "" {
		r.Outcome = NoScript
		return j.bye(ctx, c)
	}
	r.Script = name
	var before []byte
	if chosen.exists {
		if before, err = c.GetScript(ctx, name); err != nil {
			return err
		}
	}
	after, err := j.edit(ctx, before)
	if err != nil {
		return err
	}
	r.After, r.Warnings = len(after), ""
	activate := o.Activate && r.ActiveScript == "" && (!chosen.exists || j.created)
	if chosen.interrupted {
		// Only a script that is just what Create makes is the run's own.
		fresh, err := j.edit(ctx, nil)
		if err != nil {
			return err
		}
		switch {
		case bytes.Equal(before, after) && bytes.Equal(before, fresh):
			activate, j.created, j.stored = true, true, after
		case o.Inactive != EditNamed:
			return &InactiveError{Script: name}
		}
	}
	if chosen.exists && bytes.Equal(before, after) {
		return j.unchanged(ctx, c, after, activate)
	}
	if !chosen.exists && len(after) == 0 {
		r.Outcome = NoScript
		return j.bye(ctx, c)
	}
	r.Before = len(before)
	if r.Warnings, err = c.CheckScript(ctx, after); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if o.DryRun {
		r.Outcome = j.changed(chosen.exists)
		return j.bye(ctx, c)
	}
	if err := j.same(ctx, c, chosen, before); err != nil {
		return err
	}
	// From here on the mailbox is finished even if the context ends.
	ctx = context.WithoutCancel(ctx)
	outcome := j.changed(chosen.exists)
	warnings, err := c.PutScript(ctx, name, after)
	// NO says that nothing was stored. BYE or a connection that broke leaves it
	// open, which is for the next attempt to find out.
	var answer *managesieve.ResponseError
	if errors.As(err, &answer) && answer.Status == managesieve.No {
		return err
	}
	j.stored, j.created, r.Stored = after, outcome == Created, true
	if err != nil {
		return err
	}
	if warnings != "" {
		r.Warnings = warnings
	}
	if err := j.verify(ctx, c, name, after, activate); err != nil {
		return err
	}
	r.Outcome = outcome
	return j.bye(ctx, c)
}

// changed is the outcome of storing.
func (j *job) changed(exists bool) Outcome {
	if !exists || j.created {
		return Created
	}
	return Updated
}

// unchanged ends a mailbox whose script is as it must be, perhaps because an
// attempt before stored it and didn't hear the answer.
func (j *job) unchanged(ctx context.Context, c *managesieve.Client, script []byte, activate bool) error {
	r := &j.report
	outcome := Unchanged
	if j.stored != nil && bytes.Equal(j.stored, script) {
		outcome = j.changed(true)
	} else {
		r.Before = len(script)
	}
	if activate && !j.options.DryRun {
		if err := c.SetActive(ctx, r.Script); err != nil {
			return err
		}
		r.Active, r.ActiveScript = true, r.Script
	}
	r.Outcome = outcome
	return j.bye(ctx, c)
}

// same sees that the script is still the one that was edited.
func (j *job) same(ctx context.Context, c *managesieve.Client, chosen choice, before []byte) error {
	if !chosen.exists {
		scripts, err := c.ListScripts(ctx)
		if err != nil {
			return err
		}
		for _, s := range scripts {
			if s.Name == chosen.name {
				return fmt.Errorf("provision: script %q: %w", chosen.name, ErrConflict)
			}
		}
		return nil
	}
	now, err := c.GetScript(ctx, chosen.name)
	if err != nil && !errors.Is(err, managesieve.CodeNonexistent) {
		return err
	}
	if err != nil || !bytes.Equal(now, before) {
		return fmt.Errorf("provision: script %q: %w", chosen.name, ErrConflict)
	}
	return nil
}

// verify reads back what was stored and activates what must be active.
func (j *job) verify(ctx context.Context, c *managesieve.Client, name string, want []byte, activate bool) error {
	r := &j.report
	got, err := c.GetScript(ctx, name)
	if err != nil && !errors.Is(err, managesieve.CodeNonexistent) {
		return err
	}
	if err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("provision: script %q, read back after it was stored: %w", name, ErrConflict)
	}
	scripts, err := c.ListScripts(ctx)
	if err != nil {
		return err
	}
	active := ""
	for _, s := range scripts {
		if s.Active {
			active = s.Name
		}
	}
	if active == "" && (activate || r.Active) {
		if err := c.SetActive(ctx, name); err != nil {
			return err
		}
		active = name
	}
	r.Active, r.ActiveScript = active == name, active
	return nil
}

// bye ends a connection whose work is done; nothing depends on the answer.
func (j *job) bye(ctx context.Context, c *managesieve.Client) error {
	_ = c.Logout(ctx)
	return nil
}

// choice is the script to edit.
type choice struct {
	name   string // empty: none
	exists bool
	// interrupted: it is there, inactive as everything else, and may be one
	// that Create made without getting to activate it.
	interrupted bool
}

// choose finds the script to edit.
func (j *job) choose(scripts []managesieve.Script) (choice, error) {
	o, r := j.options, &j.report
	there := map[string]bool{}
	r.Script, r.Active, r.ActiveScript = "", false, ""
	for _, s := range scripts {
		there[s.Name] = true
		if s.Active {
			r.ActiveScript = s.Name
		}
	}
	name := o.Script
	switch {
	case name == "" && r.ActiveScript != "":
		name = r.ActiveScript
	case name == "" && o.Create:
		name = OpenXchange
	}
	c := choice{name: name, exists: there[name]}
	switch {
	case name == "":
		return choice{}, nil
	case name == r.ActiveScript:
		r.Active = true
		return c, nil
	case o.Inactive == EditActive && r.ActiveScript != "":
		r.Active = true
		return choice{name: r.ActiveScript, exists: true}, nil
	case !c.exists && !o.Create:
		return choice{}, nil
	case !c.exists && r.ActiveScript == "":
		return c, nil
	case j.created: // by an attempt before, which broke
		return c, nil
	case c.exists && o.Create && o.Activate && r.ActiveScript == "":
		c.interrupted = true
		return c, nil
	case o.Inactive == EditNamed:
		return c, nil
	}
	return choice{}, &InactiveError{Script: name, Active: r.ActiveScript}
}
