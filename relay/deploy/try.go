package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay"
)

// Trial is what a trial found that refuses nothing.
type Trial struct {
	// Warnings are what the servers warn of.
	Warnings []string
	// Untried says what could not be tried on this server, and why.
	Untried []string
}

// Try tries files on the server before they are written, as package deploy's
// documentation says. The error has everything that is wrong, an [Error] each
// that wraps ErrRefused; whatever it is, nothing live has changed. o.Places are
// needed. It takes some seconds, and where it is root runs a Postfix of its own
// meanwhile.
func Try(ctx context.Context, t Target, files []relay.File, o Options) (Trial, error) {
	if t == nil {
		return Trial{}, errNoTarget
	}
	s := &stage{t: t, o: o, files: files}
	if o.Places.Postfix == "" {
		return Trial{}, errors.New("deploy.Options.Places: without the server's directories there is nothing to try")
	}
	defer s.clear()
	if err := s.build(ctx); err != nil {
		return s.trial, err
	}
	s.around(ctx)
	if s.postfix(ctx) {
		s.instance(ctx)
	}
	if err := ctx.Err(); err != nil {
		return s.trial, err
	}
	return s.trial, errors.Join(s.errs...)
}

// stage is a copy of the configuration with the new files in it.
type stage struct {
	t     Target
	o     Options
	files []relay.File
	dir   string // absolute
	paths []rewrite
	root  bool
	trial Trial
	errs  []error
	seen  map[string]bool
}

// rewrite is a path of the server's that means its copy.
type rewrite struct {
	find *regexp.Regexp
	to   string
}

const refusedFix = "change the policy or the installation's setting"

// refuse adds an error once.
func (s *stage) refuse(place, fix, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if s.dir != "" {
		text, place = strings.ReplaceAll(text, s.dir, ""), strings.ReplaceAll(place, s.dir, "")
	}
	e := problem(place, fmt.Errorf("%w: %s", ErrRefused, text), fix)
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	if !s.seen[e.Error()] {
		s.seen[e.Error()] = true
		s.errs = append(s.errs, e)
	}
}

func (s *stage) warn(text string) {
	text = strings.ReplaceAll(strings.TrimSpace(text), s.dir, "")
	if !slices.Contains(s.trial.Warnings, text) {
		s.trial.Warnings = append(s.trial.Warnings, text)
	}
}

func (s *stage) untried(format string, args ...any) {
	s.trial.Untried = append(s.trial.Untried, fmt.Sprintf(format, args...))
}

// run runs a program whose failure is for the caller to judge.
func (s *stage) run(ctx context.Context, args ...string) (Output, error) {
	return s.t.Run(ctx, args, nil)
}

// must runs a program that has to succeed.
func (s *stage) must(ctx context.Context, args ...string) (string, error) {
	out, err := s.run(ctx, args...)
	if err == nil && out.Status != 0 {
		err = fmt.Errorf("exit status %d: %s", out.Status, strings.TrimSpace(string(out.Stderr)))
	}
	if err != nil {
		return "", problem(args[0], err, "see to it that it can be run, or leave the trial out")
	}
	return strings.TrimSpace(string(out.Stdout)), nil
}

// has reports whether the server has a program.
func (s *stage) has(ctx context.Context, program string) bool {
	out, err := s.run(ctx, "sh", "-c", `PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"; command -v "$0"`, program)
	return err == nil && out.Status == 0
}

// build makes the stage.
func (s *stage) build(ctx context.Context) error {
	id, err := s.must(ctx, "id", "-u")
	if err != nil {
		return err
	}
	s.root = id == "0"
	// Where queues are, sockets of other services can be linked to.
	out, err := s.run(ctx, "mktemp", "-d", "/var/spool/oxmailroute-trial.XXXXXXXX")
	dir := strings.TrimSpace(string(out.Stdout))
	if err != nil || out.Status != 0 {
		if dir, err = s.must(ctx, "mktemp", "-d", "/tmp/oxmailroute-trial.XXXXXXXX"); err != nil {
			return err
		}
	}
	if !strings.Contains(dir, "/oxmailroute-trial.") {
		return problem("mktemp", fmt.Errorf("printed %q", dir), "look at the system's mktemp(1)")
	}
	s.dir = dir
	// Postfix's unprivileged processes pass through; nobody else knows the names.
	if _, err := s.must(ctx, "chmod", "0711", dir); err != nil {
		return err
	}
	live := s.o.Places.Postfix
	for _, d := range []string{live, "/etc/dovecot"} {
		if err := s.mkdir(ctx, dir+d); err != nil {
			return err
		}
		if out, err := s.run(ctx, "test", "-d", d); err == nil && out.Status == 0 {
			// Links that lead nowhere stay out.
			if _, err := s.run(ctx, "cp", "-aL", d+"/.", dir+d); err != nil {
				return err
			}
		}
	}
	s.rewrites(live, "/etc/dovecot")
	staged := make([]relay.File, 0, len(s.files))
	for _, f := range s.files {
		p := s.o.Places.Path(f.Name)
		if p == "" {
			return problem(fmt.Sprintf("%q", f.Name), ErrName, "give files of the policy, and its Places")
		}
		if !strings.HasPrefix(p, live+"/") {
			s.rewrites(p)
		}
		f.Name = strings.TrimPrefix(p, "/")
		staged = append(staged, f)
	}
	for i, f := range staged {
		if path.Base(f.Name) == "main.cf" || path.Base(f.Name) == "master.cf" || strings.HasSuffix(f.Name, ".conf") {
			staged[i].Data = []byte(s.rewrite(string(f.Data)))
		}
	}
	if err := s.overlay(ctx, staged); err != nil {
		return err
	}
	for _, name := range s.o.Obsolete {
		if p := s.o.Places.Path(name); p != "" {
			if _, err := s.must(ctx, "rm", "-f", "--", dir+p); err != nil {
				return err
			}
		}
	}
	return nil
}

// mkdir makes a directory that Postfix's unprivileged processes pass through,
// whatever the caller's umask(2).
func (s *stage) mkdir(ctx context.Context, dir string) error {
	_, err := s.must(ctx, "sh", "-c", `umask 022 && mkdir -p -- "$0"`, dir)
	return err
}

// overlay writes the new files into the stage.
func (s *stage) overlay(ctx context.Context, files []relay.File) error {
	base := strings.TrimPrefix(s.dir, "/")
	made := map[string]bool{}
	for _, f := range files {
		name := path.Join(base, f.Name)
		if d := path.Dir(name); !made[d] {
			if err := s.mkdir(ctx, "/"+d); err != nil {
				return err
			}
			made[d] = true
		}
		a := Attr{Mode: f.Mode, Owner: f.Owner}
		_, info, err := s.t.ReadFile(name)
		switch {
		case err == nil:
			if a.Mode == 0 {
				a.Mode = info.Mode
			}
			if a.Owner == nil {
				a.Owner = info.Owner
			}
			if err := s.t.Remove(name); err != nil {
				return failure(name, err)
			}
		case !errors.Is(err, fs.ErrNotExist):
			// What can't be replaced in the copy can't be where it belongs.
			return failure("/"+f.Name, cause(err))
		}
		if a.Mode == 0 {
			a.Mode = 0o644
		}
		if err := s.t.Create(name, f.Data, a); err != nil {
			return failure("/"+f.Name, cause(err))
		}
	}
	return nil
}

// rewrites makes paths mean their copies.
func (s *stage) rewrites(paths ...string) {
	for _, p := range paths {
		s.paths = append(s.paths, rewrite{regexp.MustCompile(`(^|[^\w./-])` + regexp.QuoteMeta(p) + `($|[^\w.-]|\.$)`), s.dir + p})
	}
}

func (s *stage) rewrite(text string) string {
	for _, r := range s.paths {
		to := "${1}" + strings.ReplaceAll(r.to, "$", "$$") + "${2}"
		// Twice: two that touch share the character between them.
		text = r.find.ReplaceAllString(r.find.ReplaceAllString(text, to), to)
	}
	return text
}

// read reads a file of the stage.
func (s *stage) read(p string) ([]byte, error) {
	data, _, err := s.t.ReadFile(strings.TrimPrefix(s.dir+p, "/"))
	return data, err
}

// clear removes the stage, also when ctx is over.
func (s *stage) clear() {
	if s.dir != "" {
		s.t.Run(context.Background(), []string{"rm", "-rf", "--", s.dir}, nil)
	}
}

// around tries what isn't Postfix's.
func (s *stage) around(ctx context.Context) {
	fragment := false
	for _, f := range s.files {
		p := s.dir + s.o.Places.Path(f.Name)
		switch dir, ext := path.Dir(f.Name), path.Ext(f.Name); {
		case dir == "dovecot" && ext == ".conf":
			fragment = true
		case strings.HasPrefix(f.Name, "sieve/") && ext == ".sieve":
			s.program(ctx, f.Name, "sievec", p)
		case dir == "nftables" && ext == ".nft":
			if !s.root {
				s.untried("%s: nft needs root's rights", f.Name)
				continue
			}
			s.program(ctx, f.Name, "nft", "-c", "-f", p)
		case dir == "haproxy" && ext == ".cfg":
			s.program(ctx, f.Name, "haproxy", "-c", "-q", "-f", p)
		}
	}
	if fragment {
		s.dovecot(ctx)
	}
}

// program tries a file by the program that reads it.
func (s *stage) program(ctx context.Context, name, program string, args ...string) {
	if !s.has(ctx, program) {
		s.untried("%s: the server has no %s", name, program)
		return
	}
	out, err := s.run(ctx, append([]string{program}, args...)...)
	text := strings.TrimSpace(string(out.Stderr) + string(out.Stdout))
	switch {
	case err != nil:
		s.refuse(s.o.Places.Path(name), refusedFix, "%s: %v", program, err)
	case out.Status != 0:
		s.refuse(s.o.Places.Path(name), refusedFix, "%s: exit status %d: %s", program, out.Status, text)
	case text != "":
		s.warn(program + ": " + text)
	}
}

// dovecot reads the whole configuration with the fragment in it. What doveconf
// prints when it fails may look like a small configuration.
func (s *stage) dovecot(ctx context.Context) {
	const conf = "/etc/dovecot/dovecot.conf"
	if _, err := s.read(conf); err != nil || !s.has(ctx, "doveconf") {
		s.untried("Dovecot's fragment: the server has no doveconf, or no %s", conf)
		return
	}
	out, err := s.run(ctx, "doveconf", "-c", s.dir+conf, "-n")
	text := strings.TrimSpace(string(out.Stderr))
	switch {
	case err != nil:
		s.refuse("doveconf", refusedFix, "%v", err)
		return
	case out.Status != 0:
		s.refuse("doveconf", "doveconf -n must succeed on the server, with the fragment and without", "exit status %d: %s", out.Status, text)
		return
	}
	if err := whole(out.Stdout); err != nil {
		s.refuse("doveconf", "doveconf -n must print the whole configuration", "%v: %s", err, text)
	}
	if text != "" {
		s.warn("doveconf: " + text)
	}
}

// whole is the error for output of "doveconf -n" that has no setting in it:
// empty, or comments alone, as it prints them before it fails.
func whole(doveconf []byte) error {
	for line := range strings.Lines(string(doveconf)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && strings.ContainsAny(line, "={") {
			return nil
		}
	}
	return errors.New("no setting in what doveconf printed")
}

// Doveconf is what "doveconf -n" prints on the server, for
// Installation.Doveconf. Output of one that failed, or with no setting in it, is
// an error: it would look like a server without scripts of its own.
func Doveconf(ctx context.Context, t Target) ([]byte, error) {
	if t == nil {
		return nil, errNoTarget
	}
	out, err := t.Run(ctx, []string{"doveconf", "-n"}, nil)
	if err == nil && out.Status != 0 {
		err = fmt.Errorf("exit status %d", out.Status)
	}
	if err == nil {
		err = whole(out.Stdout)
	}
	if err != nil {
		return nil, problem("doveconf -n", fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out.Stderr))),
			"make it succeed, as root, on the server itself")
	}
	return out.Stdout, nil
}
