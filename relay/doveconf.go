package relay

import (
	"regexp"
	"slices"
	"strings"
)

// doveconf is what `doveconf -n` printed: top-level settings by name, those in
// blocks by the block's first line and the name: "plugin/sieve_before" of 2.3,
// "sieve_script personal/path" of 2.4.
type doveconf map[string]string

func parseDoveconf(text []byte) doveconf {
	d := doveconf{}
	eachDoveconf(text, func(sections []string, name, value string) {
		d[strings.Join(append(slices.Clone(sections), name), "/")] = value
	})
	return d
}

// eachDoveconf calls f for each setting with the blocks that it stands in, and
// returns how many blocks are open at the end.
func eachDoveconf(text []byte, f func(sections []string, name, value string)) int {
	var sections []string
	for _, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case strings.HasSuffix(line, "{"):
			sections = append(sections, strings.TrimSpace(strings.TrimSuffix(line, "{")))
		case line == "}":
			if len(sections) > 0 {
				sections = sections[:len(sections)-1]
			}
		default:
			if name, value, ok := strings.Cut(line, "="); ok {
				f(sections, strings.TrimSpace(name), unquote(strings.TrimSpace(value)))
			}
		}
	}
	return len(sections)
}

// unquote takes the quotes off that doveconf puts around a value with blanks
// at its ends.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// settingName is what a setting's name looks like: "plugin/x" has none of the
// words of a message.
var settingName = regexp.MustCompile(`^[A-Za-z0-9_:./@-]+$`)

// checkDoveconf refuses what isn't the whole output of `doveconf -n`: a server
// that has scripts and settings would be taken for one that has none, and the
// fragment would replace them. doveconf prints its version first, "# OS:" when it
// has read all files, then the settings.
func (c *compiler) checkDoveconf() {
	text := string(c.in.Doveconf)
	if c.in.Doveconf == nil {
		return
	}
	settings, strange := 0, ""
	open := eachDoveconf(c.in.Doveconf, func(_ []string, name, _ string) {
		if settings++; strange == "" && !settingName.MatchString(name) {
			strange = name
		}
	})
	refuse := func(format string, args ...any) {
		c.errs.add("Installation.Doveconf", ErrInvalid,
			"run `doveconf -n` as root, mend what it complains of, and give all that it prints to standard output; nil where there is no Dovecot "+
				"yet", format, args...)
		c.in.Doveconf, c.noDoveconf = nil, true
	}
	first, _, _ := strings.Cut(text, "\n")
	switch {
	case strings.TrimSpace(text) == "":
		refuse("`doveconf -n` printed nothing")
	case doveconfVersion(c.in.Doveconf) == "":
		refuse("the first line, %q, is not that of `doveconf -n`, which has the version", first)
	case strings.Contains(text, "doveconf: Fatal: ") || !strings.Contains(text, "\n# OS: "):
		refuse("`doveconf -n` has failed: there is no line \"# OS:\", which it prints when it has read all files")
	case strange != "":
		refuse("%q is not the name of a setting", strange)
	case settings == 0 || open > 0 || !strings.HasSuffix(text, "\n"):
		refuse("the output is cut off: %d settings, %d blocks without an end", settings, open)
	}
}
