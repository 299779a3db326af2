package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/dovecot"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// circumstances are what a run depends on besides script and message.
type circumstances struct {
	options     interp.Options
	in          interp.Input
	mailboxes   stringList
	specialUses stringList
	annotations stringList
	environment stringList
	personal    string
	global      string
	now         string
	memory      string
	doveconf    string
	spam, virus optional
}

func (c *circumstances) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.doveconf, "doveconf", "", "a `file` with the output of doveconf -n: its settings, where no flag says another")
	fs.Var(&c.mailboxes, "mailbox", "a mailbox `name` that is there; with it all others but INBOX are missing (may be given more than once)")
	fs.Var(&c.specialUses, "special-use", "`attribute=mailbox`: that has the special use, such as \\Junk=Spam (may be given more than once)")
	fs.Var(&c.annotations, "annotation", "`mailbox:annotation=value`, or without mailbox the server's (may be given more than once)")
	fs.StringVar(&c.personal, "include", "", "the `directory` with the user's scripts that include names, NAME.sieve")
	fs.StringVar(&c.global, "include-global", "", "the `directory` with the global scripts that include names, NAME.sieve")
	fs.StringVar(&c.now, "now", "", "the `time` of the delivery, as in 2026-11-30T14:00:00+01:00 (default: the clock)")
	fs.Var(&c.environment, "env", "`name=value`: an item of the environment (may be given more than once)")
	fs.StringVar(&c.memory, "memory", "",
		"a `file` that keeps what duplicate and vacation remember;\nmade where it is missing (default: no memory)")
	fs.Var(&c.spam, "spam", "what spamtest sees, a `ratio` from 0 to 1 (default: not scanned)")
	fs.Var(&c.virus, "virus", "what virustest sees, a `ratio` from 0 to 1 (default: not scanned)")
	fs.StringVar(&c.in.Auth, "auth", "", "what the envelope part auth has, a `name`")
	fs.StringVar(&c.options.Delimiter, "delimiter", "", "recipient_delimiter, `characters` (default: +)")
	fs.IntVar(&c.options.MaxRedirects, "max-redirects", 0, "sieve_max_redirects, a `number` (0: the server's default of 4; negative: none)")
	fs.IntVar(&c.options.MaxActions, "max-actions", 0, "sieve_max_actions, a `number` (0: the server's default of 32; negative: no limit)")
	fs.BoolVar(&c.options.AutoCreate, "autocreate", false, "a missing mailbox is made, as with lda_mailbox_autocreate")
}

// settings are those of -doveconf for LMTP, beside what flags say.
func (c *circumstances) settings() (sieve.Extensions, error) {
	text, err := os.ReadFile(c.doveconf)
	if err != nil {
		return 0, err
	}
	o, err := dovecot.Read(text).Options("lmtp")
	if err != nil {
		return 0, fmt.Errorf("-doveconf: %s: %w", c.doveconf, err)
	}
	own := c.options
	c.options = o
	c.options.AutoCreate = o.AutoCreate || own.AutoCreate
	if own.Delimiter != "" {
		c.options.Delimiter = own.Delimiter
	}
	if own.MaxRedirects != 0 {
		c.options.MaxRedirects = own.MaxRedirects
	}
	if own.MaxActions != 0 {
		c.options.MaxActions = own.MaxActions
	}
	return o.Extensions, nil
}

// prepare reads the flags' values.
func (c *circumstances) prepare(on sieve.Extensions) error {
	var errs []error
	bad := func(flag, value, want string) {
		errs = append(errs, fmt.Errorf("-%s: %q: want %s", flag, value, want))
	}
	if c.now != "" {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			bad("now", c.now, "a time as in 2026-11-30T14:00:00+01:00 (RFC 3339)")
		}
		c.in.Now = now
	}
	pairs := func(flag string, list []string, want string) map[string]string {
		m := map[string]string{}
		for _, item := range list {
			name, value, ok := strings.Cut(item, "=")
			if !ok || name == "" {
				bad(flag, item, want)
				continue
			}
			m[name] = value
		}
		return m
	}
	c.in.Environment = pairs("env", c.environment, "NAME=VALUE")
	boxes := mailboxes{uses: map[string][]string{}, annotations: pairs("annotation", c.annotations, "MAILBOX:ANNOTATION=VALUE")}
	for _, item := range c.specialUses {
		attribute, mailbox, ok := strings.Cut(item, "=")
		if !ok || !strings.HasPrefix(attribute, `\`) || mailbox == "" {
			bad("special-use", item, `ATTRIBUTE=MAILBOX, as in \Junk=Spam`)
			continue
		}
		key := strings.ToLower(attribute)
		boxes.uses[key] = append(boxes.uses[key], mailbox)
	}
	for name := range boxes.annotations {
		if !strings.Contains(name, ":/") {
			bad("annotation", name, "MAILBOX:ANNOTATION=VALUE, the annotation beginning with a slash")
		}
	}
	c.in.Mailboxes = boxes
	if len(c.mailboxes) > 0 {
		there := map[string]bool{"INBOX": true}
		for _, name := range c.mailboxes {
			there[name] = true
		}
		c.in.MailboxExists = func(name string) bool { return there[name] || strings.EqualFold(name, "INBOX") }
	}
	for _, s := range []struct {
		flag string
		from optional
		to   *interp.Score
	}{{"spam", c.spam, &c.in.Spam}, {"virus", c.virus, &c.in.Virus}} {
		if !s.from.set {
			continue
		}
		ratio, err := strconv.ParseFloat(s.from.value, 64)
		if err != nil || !(ratio >= 0 && ratio <= 1) {
			bad(s.flag, s.from.value, "a number from 0 to 1")
		}
		*s.to = interp.Score{Scanned: true, Ratio: ratio}
	}
	for _, dir := range []struct{ flag, path string }{{"include", c.personal}, {"include-global", c.global}} {
		if dir.path == "" {
			continue
		}
		if info, err := os.Stat(dir.path); err != nil || !info.IsDir() {
			bad(dir.flag, dir.path, "a directory that is there")
		}
	}
	c.options.Extensions, c.options.Scripts = on, included{c.personal, c.global, on}
	return errors.Join(errs...)
}

// included finds the scripts that include names in directories.
type included struct {
	personal, global string
	on               sieve.Extensions
}

// Script reads DIRECTORY/NAME.sieve.
func (s included) Script(where sieve.Location, name string) (*sieve.Script, error) {
	dir, flag := s.personal, "-include"
	if where == sieve.GlobalScript {
		dir, flag = s.global, "-include-global"
	}
	if dir == "" {
		return nil, fmt.Errorf("%w: say by %s where the scripts are", fs.ErrNotExist, flag)
	}
	if name == "" || strings.ContainsAny(name, "/\x00") { // the compiler refuses these, too
		return nil, fmt.Errorf("%q is no script's name: %w", name, fs.ErrNotExist)
	}
	file := filepath.Join(dir, name+".sieve")
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return sieve.ParseFor(file, src, s.on)
}

// mailboxes are those of -special-use and -annotation.
type mailboxes struct {
	uses        map[string][]string // by attribute in lower case
	annotations map[string]string   // by MAILBOX:ANNOTATION
}

// SpecialUse finds a mailbox by its use, or says whether a mailbox has it.
func (m mailboxes) SpecialUse(mailbox, attribute string) (string, bool) {
	for _, name := range m.uses[strings.ToLower(attribute)] {
		if mailbox == "" || mailbox == name {
			return name, true
		}
	}
	return "", false
}

// Metadata is an annotation's value.
func (m mailboxes) Metadata(mailbox, annotation string) (string, bool) {
	v, ok := m.annotations[mailbox+":"+annotation]
	return v, ok
}

// memory is what duplicate and vacation remember, in a file of JSON: until when,
// by id, in Go's notation since an id may be any octets.
type memory map[string]time.Time

func readMemory(file string) (memory, error) {
	src, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return memory{}, nil
	}
	if err != nil {
		return nil, err
	}
	quoted, m := map[string]time.Time{}, memory{}
	if err := json.Unmarshal(src, &quoted); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for id, until := range quoted {
		plain, err := strconv.Unquote(id)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no id that -memory wrote: take the line away", file, id)
		}
		m[plain] = until
	}
	return m, nil
}

// Seen reports whether the id is remembered.
func (m memory) Seen(id string, now time.Time) bool { return m[id].After(now) }

// Remember remembers the id.
func (m memory) Remember(id string, until time.Time) { m[id] = until }

// write stores what is still remembered at the time, all or nothing.
func (m memory) write(file string, now time.Time) error {
	quoted := map[string]time.Time{}
	for id, until := range m {
		if until.After(now) {
			quoted[strconv.QuoteToASCII(id)] = until
		}
	}
	text, err := json.MarshalIndent(quoted, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
