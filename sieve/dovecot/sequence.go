package dovecot

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// ErrScript is wrapped by the error for a script that doesn't compile. The server
// runs those before it, and stores the message as they leave it.
var ErrScript = errors.New("the script doesn't compile")

// ErrHome is wrapped by the errors for paths in a home directory that isn't
// told.
var ErrHome = errors.New("the user's home directory isn't known")

// Sequence reads and compiles the scripts that run for a user when mail is
// delivered by a protocol, "lda" or "lmtp": those of [Config.Scripts] that are
// there, in their order, up to the first that doesn't compile, which the error
// then names ([ErrScript]). Root is the server's root directory. Each program is
// named after its file. Adjust may change the options that come of the settings,
// nil: nothing is changed.
//
// With an error that wraps [ErrSetting] a server of 2.3 runs the sequence, and one
// of 2.4 stores the message in the inbox: the sequence is then empty. Any other
// error is that of a path or a file, of which it can't be said here what the
// server does; the sequence ends before it.
func (c *Config) Sequence(protocol string, user User, root fs.FS, adjust func(*interp.Options)) (interp.Sequence, error) {
	o, setting := c.Options(protocol)
	if setting != nil && c.Is24() {
		return nil, setting
	}
	places, err := c.Scripts(protocol, user)
	if err != nil {
		return nil, err
	}
	if root == nil {
		return nil, setting
	}
	o.Scripts = c.included(protocol, user, root, o.Extensions)
	if adjust != nil {
		adjust(&o)
	}
	var list interp.Sequence
	personal := false
	for _, place := range places {
		if place.Kind == Default && personal {
			continue
		}
		files, err := scriptFiles(root, place, user)
		if err != nil {
			return list, err
		}
		for _, file := range files {
			src, err := fs.ReadFile(root, inRoot(file))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return list, err
			}
			personal = personal || place.Kind == Personal
			script, err := sieve.ParseFor(file, src, o.Extensions)
			if err == nil {
				var p *interp.Program
				o.Name = file
				if p, err = interp.Compile(script, o); err == nil {
					list = append(list, p)
					continue
				}
			}
			return list, fmt.Errorf("%w: %s: %w", ErrScript, file, err)
		}
	}
	return list, setting
}

// inRoot is an absolute path in a file system.
func inRoot(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// scriptFiles are the files of a place: its own, or those of its directory.
func scriptFiles(root fs.FS, place Script, user User) ([]string, error) {
	info, err := fs.Stat(root, inRoot(place.Path))
	if err != nil || !info.IsDir() {
		return []string{place.Path}, nil // whoever reads it hears of the error
	}
	if place.Kind == Personal { // a store without "active": the link has its usual name
		if user.Home == "" {
			return nil, fmt.Errorf("%s: %w", place.Name, ErrHome)
		}
		return []string{path.Join(user.Home, ".dovecot.sieve")}, nil
	}
	entries, err := fs.ReadDir(root, inRoot(place.Path))
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".sieve") && !e.IsDir() {
			files = append(files, path.Join(place.Path, e.Name()))
		}
	}
	slices.Sort(files)
	return files, nil
}

// included finds the scripts that include names.
func (c *Config) included(protocol string, user User, root fs.FS, on sieve.Extensions) interp.Scripts {
	i := includes{root: root, on: on}
	directory := func(location string) string {
		location, _, _ = strings.Cut(strings.TrimPrefix(location, "file:"), ";")
		p, err := c.expand(location, user)
		if err != nil || p == "" {
			return ""
		}
		return p
	}
	if c.Is24() {
		for _, s := range c.Settings { // blocks sieve_script
			n := len(s.Sections)
			if n == 0 || !strings.HasPrefix(s.Sections[n-1], "sieve_script ") || strings.TrimPrefix(s.Name, "sieve_script_") != "path" {
				continue
			}
			kind, _ := c.find("type", s.Sections)
			if kind == "" {
				kind, _ = c.find("sieve_script_type", s.Sections)
			}
			switch kind {
			case "", string(Personal):
				i.personal = directory(s.Value)
			case "global":
				i.global = directory(s.Value)
			}
		}
		return i
	}
	own, ok := c.Get(protocol, "sieve")
	if _, _, active := strings.Cut(own, ";active="); !active && !strings.HasPrefix(own, "file:") || !ok {
		if own, ok = c.Get(protocol, "sieve_dir"); !ok {
			own = "~/sieve"
		}
	}
	i.personal = directory(own)
	global, ok := c.Get(protocol, "sieve_global")
	if !ok {
		global, _ = c.Get(protocol, "sieve_global_dir")
	}
	i.global = directory(global)
	return i
}

// includes are directories of scripts.
type includes struct {
	root             fs.FS
	personal, global string
	on               sieve.Extensions
}

// Script reads NAME.sieve.
func (s includes) Script(where sieve.Location, name string) (*sieve.Script, error) {
	dir := s.personal
	if where == sieve.GlobalScript {
		dir = s.global
	}
	if dir == "" || name == "" || strings.ContainsAny(name, "/\x00") {
		return nil, fmt.Errorf("%q: %w", name, fs.ErrNotExist)
	}
	file := path.Join(dir, name+".sieve")
	src, err := fs.ReadFile(s.root, inRoot(file))
	if err != nil {
		return nil, err
	}
	return sieve.ParseFor(file, src, s.on)
}

// RunsSieve reports whether deliveries by a protocol run scripts at all: whether
// the plugin sieve is in its mail_plugins.
func (c *Config) RunsSieve(protocol string) bool {
	if c == nil {
		return false
	}
	own := "protocol " + protocol
	for _, sections := range [][]string{{own, "mail_plugins"}, {"mail_plugins"}} { // 2.4
		if v, ok := c.find("sieve", sections); ok {
			return v == "yes"
		}
	}
	v, _ := c.Get(protocol, "mail_plugins")
	return slices.Contains(strings.Fields(v), "sieve")
}

// Home is a user's home directory as the settings have it: that of a static user
// database, else mail_home. An error says that only the user database knows it
// ([ErrHome]).
func (c *Config) Home(name string) (string, error) {
	home := ""
	if c != nil {
		for _, s := range c.Settings {
			switch {
			case len(s.Sections) == 1 && s.Sections[0] == "userdb" && s.Name == "args":
				for _, word := range strings.Fields(s.Value) {
					if v, ok := strings.CutPrefix(word, "home="); ok {
						home = v
					}
				}
			case len(s.Sections) == 2 && strings.HasPrefix(s.Sections[0], "userdb ") && s.Sections[1] == "fields" && s.Name == "home":
				home = s.Value
			}
		}
	}
	if home == "" {
		home, _ = c.Get("", "mail_home")
	}
	if home == "" {
		return "", fmt.Errorf("%s: %w", name, ErrHome)
	}
	return c.expand(home, User{Name: name})
}
