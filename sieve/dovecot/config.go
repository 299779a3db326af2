package dovecot

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Setting is a line "name = value" with the blocks that it stands in, by their
// first lines: "plugin", "protocol lmtp", "sieve_script personal".
type Setting struct {
	Sections    []string
	Name, Value string
}

// Config is what doveconf printed. The zero value is that of a Dovecot 2.3 with
// every default.
type Config struct {
	// Settings are in the order of the output.
	Settings []Setting
	// Version is that of Dovecot in the first line, such as "2.4.1-4"; "" where
	// there is none.
	Version string
	// Open is how many blocks have no end, which is 0 in whole output.
	Open int
}

// Read reads what doveconf printed. It takes any text: what isn't a setting or a
// block is skipped.
func Read(text []byte) *Config {
	c := new(Config)
	if first, _, _ := strings.Cut(string(text), "\n"); strings.HasPrefix(first, "# ") {
		version, _, _ := strings.Cut(strings.TrimPrefix(first, "# "), " ")
		if v, _, ok := strings.Cut(version, ":"); ok {
			version = v
		}
		if version != "" && '0' <= version[0] && version[0] <= '9' {
			c.Version = version
		}
	}
	var sections []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case strings.HasSuffix(line, "{"):
			sections = append(slices.Clone(sections), strings.TrimSpace(strings.TrimSuffix(line, "{")))
		case line == "}":
			if len(sections) > 0 {
				sections = slices.Clone(sections[:len(sections)-1])
			}
		default:
			if name, value, ok := strings.Cut(line, "="); ok {
				c.Settings = append(c.Settings, Setting{sections, strings.TrimSpace(name), unquote(strings.TrimSpace(value))})
			}
		}
	}
	c.Open = len(sections)
	return c
}

// unquote takes the quotes off that doveconf puts around a value with blanks at
// its ends.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// Is24 reports whether it is the language of Dovecot 2.4: by the version, or
// without one by dovecot_config_version.
func (c *Config) Is24() bool {
	if c == nil {
		return false
	}
	if c.Version != "" {
		var major, minor int
		if _, err := fmt.Sscanf(c.Version, "%d.%d", &major, &minor); err == nil {
			return major > 2 || major == 2 && minor >= 4
		}
	}
	_, ok := c.find("dovecot_config_version", nil)
	return ok
}

// find returns the last setting of a name in exactly those blocks.
func (c *Config) find(name string, sections []string) (string, bool) {
	if c == nil {
		return "", false
	}
	for _, s := range slices.Backward(c.Settings) {
		if s.Name == name && slices.Equal(s.Sections, sections) {
			return s.Value, true
		}
	}
	return "", false
}

// Get returns a setting as it is for a protocol, "lda" or "lmtp": that of the
// protocol's block, or else the one outside of it. A setting of Pigeonhole is looked
// for in plugin {} of 2.3.
func (c *Config) Get(protocol, name string) (value string, ok bool) {
	own := "protocol " + protocol
	places := [][]string{{own}, nil}
	if !c.Is24() && strings.HasPrefix(name, "sieve") {
		places = [][]string{{own, "plugin"}, {"plugin"}}
	}
	for _, p := range places {
		if v, ok := c.find(name, p); ok {
			return v, true
		}
	}
	return "", false
}

// ErrSetting is wrapped by the errors for values that the server doesn't take.
var ErrSetting = errors.New("not what the server takes")

// reader reads values of settings and gathers what is wrong.
type reader struct {
	*Config
	protocol string
	errs     []error
}

func (r *reader) refuse(name, value, form string) {
	r.errs = append(r.errs, fmt.Errorf("%s = %s is %w: %s", name, value, ErrSetting, form))
}

// value returns the first of the names that is set, and not to nothing.
func (r *reader) value(names ...string) (name, value string, ok bool) {
	for _, n := range names {
		if v, ok := r.Get(r.protocol, n); ok && v != "" {
			return n, v, true
		}
	}
	return "", "", false
}

func (r *reader) yes(def bool, names ...string) bool {
	name, v, ok := r.value(names...)
	if !ok {
		return def
	}
	switch strings.ToLower(v) {
	case "yes", "y", "1", "true":
		return true
	case "no", "n", "0", "false":
		return false
	}
	r.refuse(name, v, "write yes or no")
	return def
}

// number reads a number; what is 0 comes back as -1, so that it isn't the
// default. "unlimited" of 2.4 is -1 as well.
func (r *reader) number(names ...string) int {
	name, v, ok := r.value(names...)
	if !ok {
		return 0
	}
	if v == "unlimited" {
		return -1
	}
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil {
		r.refuse(name, v, "write a number")
		return 0
	}
	if n == 0 {
		return -1
	}
	return int(n)
}

// size reads a size in octets: "2 k" of 2.4, "2k" of both.
func (r *reader) size(least int, names ...string) int {
	name, v, ok := r.value(names...)
	if !ok {
		return 0
	}
	digits := strings.TrimRight(v, "bBkKmMgGtT")
	unit := strings.ToLower(v[len(digits):])
	if trimmed := strings.TrimRight(digits, " "); trimmed != digits && !r.Is24() {
		r.refuse(name, v, "write the unit behind the number, without a space")
		return 0
	} else {
		digits = trimmed
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	shift, known := map[string]uint{"": 0, "b": 0, "k": 10, "m": 20, "g": 30}[unit]
	if n <<= shift; err != nil || !known || n > 1<<31-1 {
		r.refuse(name, v, "write a size such as 4k")
		return 0
	}
	if int(n) < least {
		r.refuse(name, v, fmt.Sprintf("write %d or more", least))
		return 0
	}
	return int(n)
}
