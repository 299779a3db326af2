package deploy

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// A writing goes like this, each step on the disk before the next begins:
//
//  1. The journal says what will be made.
//  2. New contents are written beside each place, with their attributes, and what
//     is there gets a second name.
//  3. The journal says that all is there: from here on it is done, or undone, by
//     nothing but renaming.
//  4. Each file is renamed into its place; what is obsolete is removed.
//  5. The journal gets another name, which says that only the second names are
//     to be taken away; they go, then the journal.
//
// After a kill before 3 the next call takes away what was made; after it, it
// goes on with 4, and where that is not possible, back.

// journal is the file of that name in Files.State.
type journal struct {
	ID      string   `json:"id"`
	Commit  bool     `json:"commit"`
	Dirs    []string `json:"dirs,omitempty"` // to be made, outer ones first
	Changes []change `json:"changes"`
}

// change is what becomes of a file.
type change struct {
	Name string `json:"name"`
	// Old and New are sums over contents and attributes; "" where there is no file.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`

	write bool
	data  []byte
	attr  Attr
}

const temporaryPrefix = ".oxmailroute-"

// temporary is the name that the contents of a change have beside its place.
func (j *journal) temporary(i int, suffix string) string {
	return path.Join(path.Dir(j.Changes[i].Name), fmt.Sprintf("%s%s-%d%s", temporaryPrefix, j.ID, i, suffix))
}

func (j *journal) next(i int) string { return j.temporary(i, ".new") }
func (j *journal) last(i int) string { return j.temporary(i, ".old") }

func newID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// sum tells contents and attributes apart.
func sum(data []byte, a Attr) string {
	h := sha256.New()
	fmt.Fprintf(h, "%o\n", a.Mode)
	if a.Owner != nil {
		fmt.Fprintf(h, "%d %d", a.Owner.UID, a.Owner.GID)
	}
	fmt.Fprintln(h)
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

// is returns the sum of what is there, "" where nothing is.
func is(t Files, name string) (string, error) {
	data, info, err := t.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return sum(data, info.Attr), nil
}

func journalName(t Files) string { return path.Join(t.State(), "journal") }

// store writes the journal in one step.
func (j *journal) store(t Files) error {
	data, err := json.Marshal(j)
	if err != nil {
		return err
	}
	name := journalName(t)
	if err := absent(t.Remove(name + ".new")); err != nil {
		return err
	}
	if err := t.Create(name+".new", data, Attr{Mode: 0o600}); err != nil {
		return err
	}
	if err := t.Rename(name+".new", name); err != nil {
		return err
	}
	return t.Sync(t.State())
}

// absent takes the error away that says that there is nothing.
func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Recover finishes or undoes a writing that was interrupted; [Write] does so
// before it begins. To be called before a tree is read, so that it is not read
// half written. It reports whether there was one, and that it was finished.
func Recover(ctx context.Context, t Files) (found, finished bool, err error) {
	if t == nil {
		return false, false, errNoTarget
	}
	unlock, err := t.Lock(ctx)
	if err != nil {
		return false, false, failure(t.Root(), err)
	}
	defer unlock()
	return recoverLocked(t)
}

func recoverLocked(t Files) (found, finished bool, err error) {
	name := journalName(t)
	data, _, err := t.ReadFile(name)
	done := errors.Is(err, fs.ErrNotExist)
	if done {
		data, _, err = t.ReadFile(name + doneSuffix)
	}
	if errors.Is(err, fs.ErrNotExist) {
		j := journal{}
		return false, false, j.forget(t)
	}
	var j journal
	if err == nil {
		err = json.Unmarshal(data, &j)
	}
	if err == nil {
		err = j.check()
	}
	if err != nil {
		return true, false, problem(path.Join(t.Root(), name), fmt.Errorf("the journal of an interrupted writing can't be read: %w", cause(err)),
			"look at which files are new ("+temporaryPrefix+"* beside them), put it right by hand and remove the journal")
	}
	switch {
	case done:
		return false, false, j.tidy(t)
	case !j.Commit:
		return true, false, j.back(t)
	}
	forward, err := j.possible(t)
	if err != nil {
		return true, false, err
	}
	if forward {
		if err = j.apply(t); err == nil {
			return true, true, j.finish(t)
		}
		err = failure(t.Root(), err)
	}
	return true, false, errors.Join(err, j.back(t))
}

// check refuses a journal that nobody can have written here.
func (j *journal) check() error {
	bad := strings.Trim(j.ID, "0123456789abcdef") != "" || len(j.ID) != 16
	names := slices.Clone(j.Dirs)
	for _, c := range j.Changes {
		names = append(names, c.Name)
	}
	for _, n := range names {
		bad = bad || !fs.ValidPath(n) || n == "."
	}
	if bad {
		return fs.ErrInvalid
	}
	return nil
}

// possible reports whether all can be put in place. What somebody changed since
// is an error.
func (j *journal) possible(t Files) (bool, error) {
	ok := true
	var errs []error
	for i, c := range j.Changes {
		now, err := is(t, c.Name)
		switch {
		case err != nil:
			errs = append(errs, failure(c.Name, err))
		case now == c.New:
		case now != c.Old && now != "":
			errs = append(errs, failure(path.Join(t.Root(), c.Name), ErrChanged))
		case c.New != "":
			if there, err := is(t, j.next(i)); err != nil || there != c.New {
				ok = false
			}
		}
	}
	return ok, errors.Join(errs...)
}

// apply puts everything in place, with what it needs not to come after.
func (j *journal) apply(t Files) error {
	for i, c := range j.Changes {
		now, err := is(t, c.Name)
		switch {
		case err != nil:
		case now == c.New:
		case now != c.Old && now != "":
			err = failure(path.Join(t.Root(), c.Name), ErrChanged)
		case c.New == "":
			err = absent(t.Remove(c.Name))
		default:
			err = t.Rename(j.next(i), c.Name)
		}
		if err != nil {
			return err
		}
	}
	return j.sync(t)
}

// back makes everything what it was, and goes on after an error.
func (j *journal) back(t Files) error {
	var errs []error
	for i, c := range j.Changes {
		if !j.Commit {
			break // nothing was put in place
		}
		now, err := is(t, c.Name)
		switch {
		case err != nil:
		case now == c.Old:
		case now != c.New && now != "":
			err = failure(path.Join(t.Root(), c.Name), ErrChanged)
		case c.Old == "":
			err = absent(t.Remove(c.Name))
		default:
			err = t.Rename(j.last(i), c.Name)
		}
		if err != nil {
			errs = append(errs, failure(path.Join(t.Root(), c.Name), err))
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("not all is as it was, and the next call tries again: %w", errors.Join(errs...))
	}
	if j.Commit {
		if err := j.sync(t); err != nil {
			return err
		}
	}
	return j.finish(t)
}

// doneSuffix is of the journal when all is done, or undone.
const doneSuffix = ".done"

// finish is the end, forwards or backwards.
func (j *journal) finish(t Files) error {
	name := journalName(t)
	err := t.Rename(name, name+doneSuffix)
	if err == nil {
		err = t.Sync(t.State())
	}
	if err != nil {
		return failure(path.Join(t.Root(), name), err)
	}
	return j.tidy(t)
}

// sync brings all directories to the disk.
func (j *journal) sync(t Files) error {
	for _, d := range j.dirs() {
		if err := absent(t.Sync(d)); err != nil {
			return err
		}
	}
	return nil
}

// dirs are the directories of the changes.
func (j *journal) dirs() []string {
	var out []string
	for _, c := range j.Changes {
		out = append(out, path.Dir(c.Name))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// tidy takes away what was made, and then the journal.
func (j *journal) tidy(t Files) error {
	for i := range j.Changes {
		for _, name := range []string{j.next(i), j.last(i)} {
			if err := absent(t.Remove(name)); err != nil {
				return failure(name, err)
			}
		}
	}
	for _, d := range slices.Backward(j.Dirs) {
		t.Remove(d) // only where it is empty
	}
	return j.forget(t)
}

// forget removes the journal, and its directory where nothing else is there.
func (j *journal) forget(t Files) error {
	name := journalName(t)
	info, err := t.Lstat(t.State())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !info.Type.IsDir() {
		err = ErrNotDirectory
	}
	for _, n := range []string{name + ".new", name, name + doneSuffix} {
		if err == nil {
			err = absent(t.Remove(n))
		}
	}
	if err != nil {
		return failure(path.Join(t.Root(), name), err)
	}
	t.Remove(t.State())
	return nil
}
