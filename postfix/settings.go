package postfix

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// Settings are the parameters as a program of Postfix's sees them: the -o
// options of its service, then main.cf, then the defaults of the release, with
// every $name expanded as Postfix does. The zero Settings is an empty main.cf
// of the oldest known release.
type Settings struct {
	// Main is main.cf; nil is an empty one.
	Main *Main
	// Options are the service's -o options.
	Options []Param
	// Program is the service's program ("smtpd"), and Service its name in
	// master.cf. The default of a parameter is there for $name only in programs
	// that read the parameter; where Program is empty, in those that read the
	// parameter whose value is expanded.
	Program, Service string
	// Release is Postfix's version ("3.7", "3.10.13"); empty is the oldest
	// known, 3.7.
	Release string
	// Defaults are the defaults by name, as they are written, in place of those of
	// the release that this package knows: what `postconf -d` prints. nil: there are
	// none; what they don't have, the release has.
	Defaults map[string]string
	// ConfigDirectory is the directory of main.cf, $config_directory; empty is
	// /etc/postfix.
	ConfigDirectory string
	// Hostname is the system's name, which myhostname defaults to; a name
	// without a dot gets mydomain. Empty is unknown: myhostname is then empty
	// where main.cf doesn't set it.
	Hostname string
	// ReadFile reads a file of the server by its absolute path, for a myorigin
	// that begins with "/" (Debian). nil can't read any.
	ReadFile func(name string) ([]byte, error)
}

// Lookup returns a parameter's value as it is written, $name unexpanded, or its
// default. ok is false where nothing gives it a value.
func (s Settings) Lookup(name string) (value string, ok bool) {
	if value, ok := s.written(name); ok {
		return value, true
	}
	if value, ok := s.known(name); ok {
		return value, true
	}
	p, ok := LookupParameter(name)
	if !ok {
		return "", false
	}
	return s.byDefault(p)
}

// byDefault is the default of a parameter.
func (s Settings) byDefault(p Parameter) (value string, ok bool) {
	if value, ok := s.Defaults[p.name]; ok {
		return value, true
	}
	return p.Default(s.Release)
}

// Set reports whether a -o option or main.cf sets the parameter.
func (s Settings) Set(name string) bool {
	_, ok := s.written(name)
	return ok
}

// written is what the files say.
func (s Settings) written(name string) (string, bool) {
	for i := len(s.Options) - 1; i >= 0; i-- {
		if s.Options[i].Name == name {
			return s.Options[i].Value, true
		}
	}
	if s.Main == nil {
		return "", false
	}
	return s.Main.Get(name)
}

// known is what a program finds out before it reads any default.
func (s Settings) known(name string) (string, bool) {
	switch name {
	case "config_directory":
		if s.ConfigDirectory != "" {
			return s.ConfigDirectory, true
		}
	case "process_name":
		return s.Program, s.Program != ""
	case "service_name":
		return s.Service, s.Service != ""
	case "mail_version":
		return s.Release, s.Release != ""
	case "myhostname":
		return s.systemName(), true
	case "mydomain":
		return s.domainOfHost(), true
	}
	return "", false
}

// systemName is the default of myhostname.
func (s Settings) systemName() string {
	if s.Hostname == "" || strings.Contains(s.Hostname, ".") {
		return s.Hostname
	}
	domain := "localdomain"
	if s.Set("mydomain") {
		domain, _ = s.Get("mydomain")
	}
	return s.Hostname + "." + domain
}

// domainOfHost is the default of mydomain.
func (s Settings) domainOfHost() string {
	host, _ := s.Get("myhostname")
	if _, domain, ok := strings.Cut(host, "."); ok {
		return domain
	}
	return "localdomain"
}

// Get returns a parameter's value, expanded where it isn't [Parameter.Raw], and
// without white space around it.
// The error is ErrSyntax where Postfix would stop: a broken expression, a loop
// of names, a myorigin whose file can't be read or has no name in it.
func (s Settings) Get(name string) (string, error) {
	raw, ok := s.Lookup(name)
	if !ok || raw == "" {
		return "", nil
	}
	if p, ok := LookupParameter(name); ok && p.raw {
		return strings.TrimSpace(raw), nil
	}
	value, err := s.expand(name, raw)
	if err != nil {
		return "", err
	}
	if name == "myorigin" && strings.HasPrefix(value, "/") {
		return s.originFile(value)
	}
	return value, nil
}

// Expand replaces the $name expressions of a value as in main.cf.
func (s Settings) Expand(value string) (string, error) { return s.expand("", value) }

// expand expands a value of the named parameter's.
func (s Settings) expand(name, value string) (string, error) {
	if strings.IndexByte(value, '$') < 0 {
		return strings.TrimSpace(value), nil
	}
	outer := Parameter{order: -1}
	if p, ok := LookupParameter(name); ok {
		outer = p
	}
	value, err := expand(value, func(inner string) string {
		if v, ok := s.written(inner); ok {
			return v
		}
		// The host's name is found out before its domain, and neither has a value
		// while the files' own is expanded.
		if early := name == "myhostname" || name == "mydomain"; !early || inner == "config_directory" {
			if v, ok := s.known(inner); ok {
				return v
			}
		}
		p, ok := LookupParameter(inner)
		if !ok || !p.seenBy(s.Program, outer) {
			return ""
		}
		v, _ := s.byDefault(p)
		return v
	})
	return strings.TrimSpace(value), err
}

// originFile is myorigin from a file, as Debian's Postfix reads it: the first
// line, which must be one word.
func (s Settings) originFile(name string) (string, error) {
	if s.ReadFile == nil {
		return "", fault.New(ErrSyntax, fmt.Sprintf("myorigin is in the file %s, which isn't known here", name))
	}
	text, err := s.ReadFile(path.Clean(name))
	if err != nil {
		return "", fault.New(ErrSyntax, fmt.Sprintf("myorigin is in the file %s, which can't be read: %v", name, err))
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	words := bytes.Fields(line)
	switch len(words) {
	case 0:
		return "", fault.New(ErrSyntax, fmt.Sprintf("myorigin is in the file %s, whose first line is empty", name))
	case 1:
		return string(words[0]), nil
	}
	return "", fault.New(ErrSyntax, fmt.Sprintf("myorigin is in the file %s, whose first line has more than one word", name))
}

// Of returns the settings of a service of master.cf.
func (s Settings) Of(sv Service) Settings {
	s.Options, s.Program, s.Service = sv.Options, sv.Command, sv.Name
	return s
}
