package mta

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// The releases that were run beside this package: between them settings have
// their defaults.
var firstRelease, lastRelease = [2]int{3, 7}, [2]int{3, 10}

// Load reads a server's Postfix: root is the server's root, of which the
// configuration directory and the files are read that main.cf and master.cf
// name ("etc/postfix/main.cf", "etc/aliases", "etc/mailname"). What can't be read
// is an assumption of the decisions that hang on it; so is a release that is not
// told, or was never run, and a compiled table that is missing or older than its
// text, which says nothing of what is in it. Its error is a [postfix.Errors] with
// all that keeps Postfix from starting.
func Load(root fs.FS, o Options) (*Instance, error) {
	if root == nil {
		return nil, postfix.Errors{{Position: postfix.Position{File: "root"}, Err: fmt.Errorf("%w: there is no file system",
			postfix.ErrConflict)}}
	}
	l := loader{root: root, o: o}
	l.c = &Configuration{
		Directory: path.Clean(cmp.Or(o.ConfigDirectory, "/etc/postfix")), Release: o.Release, Hostname: o.Hostname,
		Files: map[string][]byte{}, Read: l.read, Given: l.given,
	}
	l.c.compiled = l.compiled
	l.defaults()
	var errs postfix.Errors
	for _, name := range []string{"main.cf", "master.cf"} {
		text, err := l.read(path.Join(l.c.Directory, name))
		if err == nil {
			if name == "main.cf" {
				l.c.Main, err = postfix.ParseMain(name, text)
			} else {
				l.c.Master, err = postfix.ParseMaster(name, text)
			}
		}
		errs = add(errs, name, err)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	errs = append(errs, l.c.Settings().Unexpandable(l.c.Master)...)
	if len(errs) > 0 {
		return nil, errs
	}
	e, err := New(l.c, o)
	if err != nil {
		return nil, err
	}
	l.unfollowed()
	e.follow, e.standing = true, l.standing
	return e, nil
}

// unfollowed names the settings that are not followed and have another value than
// their default ([postfix.Assumed]).
func (l *loader) unfollowed() {
	all := l.c.Settings()
	for _, p := range postfix.Parameters() {
		value, ok := p.Default(l.c.Release)
		if p.Evaluated() != postfix.Assumed || !ok {
			continue
		}
		assume := func(at place) {
			l.assume(Assumption{Setting: p.Name(), File: at.file, Line: at.line, Assumed: "its default, " + cmp.Or(value, "empty")})
		}
		if written, ok := all.Lookup(p.Name()); ok && all.Set(p.Name()) && written != value {
			assume(l.c.placeOf(all, p.Name()))
		}
		for _, sv := range l.c.Master.Services() {
			for _, o := range sv.Options {
				if o.Name == p.Name() && o.Value != value {
					assume(place{l.c.label() + "master.cf", sv.Line})
				}
			}
		}
	}
}

// add adds an error, or all of several.
func add(errs postfix.Errors, name string, err error) postfix.Errors {
	switch err := err.(type) {
	case nil:
		return errs
	case postfix.Errors:
		return append(errs, err...)
	}
	return append(errs, &postfix.Error{Position: postfix.Position{File: name}, Err: err})
}

// loader reads for [Load].
type loader struct {
	root     fs.FS
	o        Options
	c        *Configuration
	standing []Assumption
}

// given is a table that the caller has: passwd(5) by its users.
func (l *loader) given(spec postfix.MapSpec) postfix.Map {
	if m := l.o.Tables[spec.String()]; m != nil {
		return m
	}
	if spec.Type == "unix" && spec.Name == "passwd.byname" && l.o.Users != nil {
		return passwd(l.o.Users)
	}
	return nil
}

// passwd answers for the system's users.
type passwd map[string]bool

// Lookup finds a user's name.
func (p passwd) Lookup(key string) (postfix.Row, bool, error) {
	return postfix.Row{Entry: postfix.Entry{Key: key, Value: key}}, p[key], nil
}

// read reads a file by its absolute path.
func (l *loader) read(name string) ([]byte, error) {
	return fs.ReadFile(l.root, strings.TrimPrefix(path.Clean(name), "/"))
}

func (l *loader) assume(a Assumption) {
	if !slices.Contains(l.standing, a) {
		l.standing = append(l.standing, a)
	}
}

// defaults takes the output of postconf -d, and looks at the release.
func (l *loader) defaults() {
	if l.o.Defaults != nil {
		l.c.Defaults = map[string]string{}
		for line := range bytes.Lines(l.o.Defaults) {
			if name, value, ok := strings.Cut(string(line), "="); ok {
				l.c.Defaults[strings.TrimSpace(name)] = strings.TrimSpace(value)
			}
		}
		l.c.Release = cmp.Or(l.c.Release, l.c.Defaults["mail_version"])
		l.c.Hostname = cmp.Or(l.c.Hostname, l.c.Defaults["myhostname"])
	}
	var r [2]int
	_, err := fmt.Sscanf(l.c.Release, "%d.%d", &r[0], &r[1])
	known := err == nil && slices.Compare(r[:], firstRelease[:]) >= 0 && slices.Compare(r[:], lastRelease[:]) <= 0
	asked := l.c.Release
	if err == nil && slices.Compare(r[:], firstRelease[:]) < 0 {
		l.c.Release = "3.7" // the first whose defaults are known
	}
	switch {
	case known:
	case asked == "":
		l.assume(Assumption{Setting: "mail_version", Assumed: "3.7"})
	case err == nil && slices.Compare(r[:], firstRelease[:]) < 0 && l.c.Defaults == nil:
		l.assume(Assumption{Setting: "mail_version", Asked: asked, Assumed: "one with the defaults of 3.7"})
	default:
		l.assume(Assumption{Setting: "mail_version", Asked: asked, Assumed: "one that works as 3.7 to 3.10"})
	}
}

// suffixes are those of the files that postmap(1) makes, by the table's type.
var suffixes = map[string]string{"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb", "dbm": ".pag", "sdbm": ".pag"}

// compiled looks at the file that Postfix reads in place of a table's text.
func (l *loader) compiled(spec postfix.MapSpec) {
	suffix := suffixes[spec.Type]
	if suffix == "" {
		return
	}
	name := path.Clean(spec.Name)
	text, missing := fs.Stat(l.root, strings.TrimPrefix(name, "/"))
	db, err := fs.Stat(l.root, strings.TrimPrefix(name, "/")+suffix)
	switch {
	case missing != nil && err == nil:
		l.assume(Assumption{Setting: spec.String(), File: name + suffix, Asked: name, Assumed: "empty: its text " + name + " is not there"})
	case missing != nil: // an opaque table
	case err != nil:
		l.assume(Assumption{Setting: spec.String(), File: name, Asked: name + suffix, Assumed: "there, and made of " + name})
	case db.ModTime().Before(text.ModTime()):
		l.assume(Assumption{Setting: spec.String(), File: name, Asked: name + suffix, Assumed: "made of " + name + ", which is newer"})
	}
}
