package deploy

import (
	"bytes"
	"cmp"
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

// Options are what [Write] does besides.
type Options struct {
	// Places are the server's directories, for a tree that begins at its root
	// directory (relay.Policy.Places). Zero: each file goes below the root by its
	// File.Name, as into an output directory.
	Places relay.Places
	// Gateway is the policy's Gateway.Name, for Obsolete.
	Gateway string
	// Obsolete are the names of files to be deleted in the same step
	// (relay.Config.Obsolete, relay.Removal.Obsolete), where they are there, of
	// the gateway's, and as they were written (relay.Intact), and what was compiled
	// from them. What main.cf, master.cf or, of scripts, a file of Dovecot's
	// configuration still names, as they will be, stays, and is in Result.Left.
	Obsolete []string
	// Ask are the addresses that Try asks RCPT of on each listener, hosted ones and
	// others. Empty: postmaster, and one that no server can have.
	Ask []string
}

// Result is what a writing did.
type Result struct {
	// Written and Deleted are names below the root. Files that are as they should
	// be are not among them.
	Written, Deleted []string
	// Left are files that were to be deleted and stay.
	Left []relay.Left
}

// Write writes files below the root: all of them, with what is obsolete gone,
// or on an error none. Where the process is killed meanwhile, the next Write or
// [Recover] finishes it or undoes it.
//
// A file that is there keeps its owner and extended attributes, and its mode
// where File.Mode is zero. What somebody wrote into a file of the gateway's is
// never written over, unless it is kept among the files. Links, pipes and whatever
// else is no plain file, or has several names, are refused, and so are directories
// that are links.
func Write(ctx context.Context, t Files, files []relay.File, o Options) (Result, error) {
	if t == nil {
		return Result{}, errNoTarget
	}
	unlock, err := t.Lock(ctx)
	if err != nil {
		return Result{}, failure(t.Root(), err)
	}
	defer unlock()
	if _, _, err := recoverLocked(t); err != nil {
		return Result{}, fmt.Errorf("a writing that was interrupted: %w", err)
	}
	p := plan{t: t, o: o, j: journal{ID: newID()}, all: files, seen: map[string]int{}, listed: map[string]map[string]bool{}}
	p.files()
	p.obsolete()
	p.leftovers()
	if err := errors.Join(p.errs...); err != nil {
		return Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	if len(p.j.Changes) == 0 {
		return p.result, nil
	}
	if err := p.carryOut(ctx); err != nil {
		return Result{}, err
	}
	return p.result, nil
}

// plan is a writing before anything has changed.
type plan struct {
	t      Files
	o      Options
	j      journal
	all    []relay.File
	seen   map[string]int             // names, of which file
	made   []string                   // directories that aren't there
	listed map[string]map[string]bool // directories that are
	result Result
	errs   []error
}

func (p *plan) fail(name string, err error) {
	p.errs = append(p.errs, failure(path.Join(p.t.Root(), name), err))
}

// place is where a file goes below the root.
func (p *plan) place(name string) string {
	if p.o.Places == (relay.Places{}) {
		return name
	}
	return strings.TrimPrefix(p.o.Places.Path(name), "/")
}

// valid reports whether a name may be written to.
func (p *plan) valid(name string) bool {
	inside := name == p.t.State() || strings.HasPrefix(name, p.t.State()+"/")
	return fs.ValidPath(name) && name != "." && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) &&
		!inside && !strings.HasPrefix(path.Base(name), temporaryPrefix)
}

func (p *plan) files() {
	for i, f := range p.all {
		name := p.place(f.Name)
		if !p.valid(name) {
			p.errs = append(p.errs, problem(fmt.Sprintf("%q", cmp.Or(name, f.Name)), ErrName,
				"give a path below "+p.t.Root()+" without control characters"))
			continue
		}
		if _, twice := p.seen[name]; twice {
			p.fail(name, fmt.Errorf("%w: it is there twice", ErrName))
			continue
		}
		p.seen[name] = i
	}
	for i, f := range p.all {
		name := p.place(f.Name)
		if at, ok := p.seen[name]; !ok || at != i || !p.parents(name) {
			continue
		}
		c := change{Name: name, data: f.Data, attr: Attr{Mode: f.Mode, Owner: f.Owner}, write: true}
		was, info, err := p.there(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			c.attr.Mode = cmp.Or(f.Mode, 0o644)
		case err != nil:
			p.fail(name, err)
			continue
		case relay.Loses(was, f.Data) && !slices.ContainsFunc(p.all, func(o relay.File) bool { return bytes.Equal(o.Data, was) }):
			p.fail(name, ErrEdited)
			continue
		default:
			c.Old = sum(was, info.Attr)
			c.attr.Mode = cmp.Or(f.Mode, info.Mode)
			c.attr.Extended = info.Extended
			if f.Owner == nil {
				c.attr.Owner = info.Owner
			}
			if c.attr.Owner == nil || info.Owner != nil && *c.attr.Owner == *info.Owner {
				if bytes.Equal(was, f.Data) && c.attr.Mode == info.Mode {
					continue
				}
			}
		}
		p.j.Changes = append(p.j.Changes, c)
		p.result.Written = append(p.result.Written, name)
	}
}

// parents looks whether the directories on the way are directories. Those that
// aren't there will be made.
func (p *plan) parents(name string) bool {
	dir := path.Dir(name)
	if dir == "." || slices.Contains(p.made, dir) {
		return true
	}
	if !p.parents(dir) {
		return false
	}
	if _, file := p.seen[dir]; file {
		p.fail(dir, ErrNotDirectory)
		return false
	}
	info, err := p.t.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.made = append(p.made, dir)
		p.j.Dirs = append(p.j.Dirs, dir)
	case err != nil:
		p.fail(dir, err)
		return false
	case info.Type&fs.ModeSymlink != 0:
		p.fail(dir, ErrLink)
		return false
	case !info.Type.IsDir():
		p.fail(dir, ErrNotDirectory)
		return false
	}
	return true
}

// there is a plain file with one name.
func (p *plan) there(name string) ([]byte, Info, error) {
	info, err := p.t.Lstat(name)
	if err != nil {
		return nil, info, err
	}
	if err := plain(info.Type); err != nil {
		return nil, info, err
	}
	if info.Links > 1 {
		return nil, info, ErrHardLink
	}
	return p.t.ReadFile(name)
}

// remove plans a deletion.
func (p *plan) remove(name string, data []byte, info Info) {
	p.j.Changes = append(p.j.Changes, change{Name: name, Old: sum(data, info.Attr)})
	p.result.Deleted = append(p.result.Deleted, name)
}

// obsolete plans the deletions.
func (p *plan) obsolete() {
	stays := map[string]bool{}
	var compiled []string
	gone := map[string]bool{}
	// In their order, the fragment of Dovecot's that names a script is gone before it.
	for _, emitted := range slices.Sorted(slices.Values(p.o.Obsolete)) {
		name := p.place(emitted)
		if !p.valid(name) {
			p.errs = append(p.errs, problem(fmt.Sprintf("%q", cmp.Or(name, emitted)), ErrName, "give a path below "+p.t.Root()))
			continue
		}
		if _, written := p.seen[name]; written || gone[name] {
			continue
		}
		if slices.Contains(compiledExt, path.Ext(name)) {
			compiled = append(compiled, name)
			continue
		}
		data, info, err := p.t.ReadFile(name)
		switch {
		case absent(err) == nil && err != nil || err == nil && !relay.Managed(p.o.Gateway, data):
			continue
		case err != nil:
			p.fail(name, err)
			continue
		case !relay.Intact(p.o.Gateway, data):
			p.result.Left = append(p.result.Left, relay.LeftFile(emitted, data))
			stays[name] = true
			continue
		}
		if l, named := p.named(emitted, name, gone); named {
			p.result.Left = append(p.result.Left, l)
			stays[name] = true
			continue
		}
		gone[name] = true
		p.remove(name, data, info)
	}
	for _, name := range compiled {
		source := strings.TrimSuffix(name, path.Ext(name))
		if path.Ext(name) == ".svbin" {
			source += ".sieve"
		}
		if _, err := p.t.Lstat(source); err == nil && !gone[source] || p.seen[source] > 0 || stays[source] {
			continue // its source stays
		}
		data, info, err := p.t.ReadFile(name)
		if absent(err) != nil {
			p.fail(name, err)
		}
		if err == nil && !gone[name] {
			gone[name] = true
			p.remove(name, data, info)
		}
	}
}

// compiledExt end the names of what postmap(1) and sievec(1) made of a file.
var compiledExt = []string{".db", ".lmdb", ".cdb", ".svbin"}

// named looks whether a setting names the file: in main.cf and master.cf as they
// will be, and of a script in Dovecot's. Comments don't.
func (p *plan) named(emitted, name string, gone map[string]bool) (relay.Left, bool) {
	base := path.Base(name)
	names := regexp.MustCompile(`(?:^|[^\w.-])` + regexp.QuoteMeta(base) + `(?:[^\w.-]|$)`)
	configs := []string{p.place("postfix/main.cf"), p.place("postfix/master.cf")}
	if strings.HasPrefix(emitted, "sieve/") {
		configs = append(configs, p.dovecot()...)
	}
	for _, at := range configs {
		if gone[at] {
			continue
		}
		var data []byte
		if i, ok := p.seen[at]; ok {
			data = p.all[i].Data
		} else {
			var err error
			if data, _, err = p.t.ReadFile(at); absent(err) != nil {
				p.fail(at, err)
			}
		}
		n := 0
		for line := range strings.Lines(string(data)) {
			n++
			if strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") || !names.MatchString(line) {
				continue
			}
			return relay.Left{File: emitted, Why: fmt.Sprintf("%s:%d still names it", at, n), Text: strings.TrimSpace(line),
				Fix: "change or delete the line, then delete the file"}, true
		}
	}
	return relay.Left{}, false
}

// dovecot are the files that Dovecot's configuration is in: those beside the
// fragment and, where that is in conf.d, those above it.
func (p *plan) dovecot() []string {
	dir := path.Dir(p.place("dovecot/fragment.conf"))
	dirs := []string{dir}
	if path.Base(dir) == "conf.d" {
		dirs = append(dirs, path.Dir(dir))
	}
	var files []string
	for _, d := range dirs {
		names, err := p.t.ReadDir(d)
		if absent(err) != nil {
			p.fail(d, err)
		}
		for _, n := range names {
			if path.Ext(n) == ".conf" {
				files = append(files, path.Join(d, n))
			}
		}
	}
	slices.Sort(files)
	return files
}

// leftovers finds temporary files that were left by a kill while an earlier form
// of this package wrote: .NAME.DIGITS, empty or with the beginning of what is
// written now, or of what is there. Others of that name may be somebody's.
func (p *plan) leftovers() {
	for _, f := range p.all {
		name := p.place(f.Name)
		dir := path.Dir(name)
		if _, ok := p.seen[name]; !ok || slices.Contains(p.made, dir) {
			continue
		}
		if p.listed[dir] == nil {
			names, err := p.t.ReadDir(dir)
			if err != nil {
				p.fail(dir, err)
			}
			p.listed[dir] = map[string]bool{}
			for _, n := range names {
				if strings.HasPrefix(n, ".") && numbered.MatchString(n) {
					p.listed[dir][n] = true
				}
			}
		}
		for n := range p.listed[dir] {
			if numbered.FindStringSubmatch(n)[1] != path.Base(name) {
				continue
			}
			data, info, err := p.t.ReadFile(path.Join(dir, n))
			if err != nil || info.Links > 1 {
				continue
			}
			was, _, _ := p.t.ReadFile(name)
			if bytes.HasPrefix(f.Data, data) || bytes.HasPrefix(was, data) || relay.Intact(p.o.Gateway, data) {
				p.remove(path.Join(dir, n), data, info)
			}
		}
	}
}

var numbered = regexp.MustCompile(`^\.(.+)\.[0-9]{1,10}$`)

// carryOut is what changes anything. After the journal's commitment it is no
// longer interrupted by ctx.
func (p *plan) carryOut(ctx context.Context) error {
	t, j := p.t, &p.j
	at := func(name string) string { return path.Join(t.Root(), name) }
	if err := p.begin(); err != nil {
		return errors.Join(failure(at(journalName(t)), err), j.forget(t))
	}
	if err := p.prepare(ctx); err != nil {
		return errors.Join(err, j.back(t))
	}
	j.Commit = true
	if err := j.store(t); err != nil {
		// Which journal is there now isn't known; nothing has been put in place, so
		// that either way it is undone.
		return errors.Join(failure(at(journalName(t)), err), j.back(t))
	}
	if err := j.apply(t); err != nil {
		return errors.Join(failure(t.Root(), err), j.back(t))
	}
	return j.finish(t)
}

// begin makes the journal and its directory.
func (p *plan) begin() error {
	dir := ""
	for part := range strings.SplitSeq(p.t.State(), "/") {
		dir = path.Join(dir, part)
		info, err := p.t.Lstat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			mode := fs.FileMode(0o755)
			if dir == p.t.State() {
				mode = 0o700
			}
			if err := p.t.Mkdir(dir, mode); err != nil {
				return err
			}
		case err != nil:
			return err
		case info.Type&fs.ModeSymlink != 0:
			return &fs.PathError{Op: "open", Path: path.Join(p.t.Root(), dir), Err: ErrLink}
		}
	}
	return p.j.store(p.t)
}

// prepare writes the new contents beside their places and keeps the old ones.
func (p *plan) prepare(ctx context.Context) error {
	t, j := p.t, &p.j
	at := func(name string) string { return path.Join(t.Root(), name) }
	for _, d := range j.Dirs {
		if err := t.Mkdir(d, 0o755); err != nil {
			return failure(at(d), err)
		}
	}
	for i := range j.Changes {
		c := &j.Changes[i]
		if err := ctx.Err(); err != nil {
			return err
		}
		if c.write {
			if err := t.Create(j.next(i), c.data, c.attr); err != nil {
				return p.unwritten(at(c.Name), c.attr, err)
			}
			var err error
			if c.New, err = is(t, j.next(i)); err != nil {
				return failure(at(c.Name), err)
			}
		}
		if c.Old == "" {
			continue
		}
		if err := t.Keep(c.Name, j.last(i)); err != nil {
			return failure(at(c.Name), err)
		}
		if kept, err := is(t, j.last(i)); err != nil || kept != c.Old {
			return failure(at(c.Name), cmp.Or(err, ErrChanged))
		}
	}
	for _, d := range j.Dirs {
		if err := t.Sync(path.Dir(d)); err != nil {
			return failure(at(d), err)
		}
	}
	return failure(t.Root(), j.sync(t))
}

// unwritten names the file and not the temporary one beside it.
func (p *plan) unwritten(name string, a Attr, err error) error {
	if a.Owner != nil && errors.Is(err, fs.ErrPermission) {
		return problem(name, fmt.Errorf("can't be written, or not with its owner %d:%d: %w", a.Owner.UID, a.Owner.GID, cause(err)),
			permissionFix)
	}
	return failure(name, cause(err))
}
