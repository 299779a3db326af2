// Package doveconf reads what `doveconf -n` prints.
package doveconf

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay/internal/release"
	"github.com/oxmailroute/oxmailroute/sieve/dovecot"
)

// Settings are what `doveconf -n` printed: top-level settings by name, those in
// blocks by the block's first line and the name: "plugin/sieve_before" of 2.3,
// "sieve_script personal/path" of 2.4.
type Settings map[string]string

// Parse reads them.
func Parse(text []byte) Settings {
	d := Settings{}
	for _, s := range dovecot.Read(text).Settings {
		d[strings.Join(append(slices.Clone(s.Sections), s.Name), "/")] = s.Value
	}
	return d
}

// settingName is what a setting's name looks like: "plugin/x" has none of the
// words of a message.
var settingName = regexp.MustCompile(`^[A-Za-z0-9_:./@-]+$`)

// Wrong says why a text isn't the whole output of `doveconf -n`; empty: it is.
// doveconf prints its version first, "# OS:" when it has read all files, then the
// settings.
func Wrong(text []byte) string {
	conf, strange := dovecot.Read(text), ""
	for _, s := range conf.Settings {
		if strange == "" && !settingName.MatchString(s.Name) {
			strange = s.Name
		}
	}
	first, _, _ := strings.Cut(string(text), "\n")
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return "`doveconf -n` printed nothing"
	case Version(text) == "":
		return fmt.Sprintf("the first line, %q, is not that of `doveconf -n`, which has the version", first)
	case bytes.Contains(text, []byte("doveconf: Fatal: ")) || !bytes.Contains(text, []byte("\n# OS: ")):
		return "`doveconf -n` has failed: there is no line \"# OS:\", which it prints when it has read all files"
	case strange != "":
		return fmt.Sprintf("%q is not the name of a setting", strange)
	case len(conf.Settings) == 0 || conf.Open > 0 || !bytes.HasSuffix(text, []byte("\n")):
		return fmt.Sprintf("the output is cut off: %d settings, %d blocks without an end", len(conf.Settings), conf.Open)
	}
	return ""
}

// Version is the version that `doveconf -n` names in its first line
// ("# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf").
func Version(text []byte) string {
	line, _, _ := strings.Cut(string(text), "\n")
	rest, ok := strings.CutPrefix(line, "# ")
	if !ok {
		return ""
	}
	if _, ok := release.Parse(rest); !ok {
		return "" // another comment
	}
	return rest
}

// Place is where a section has a setting, for messages.
func Place(section, setting string) string {
	return "doveconf: " + strings.ReplaceAll(section, "/", ": ") + setting
}

// BeforeName is the setting of a slot: sieve_before, sieve_before2, ...
func BeforeName(slot int) string {
	if slot == 1 {
		return "sieve_before"
	}
	return fmt.Sprintf("sieve_before%d", slot)
}

// userVariable is a variable of Dovecot's in its two forms: "%Lu", "%{user | lower}".
var userVariable = regexp.MustCompile(`%[A-Z0-9.-]*([a-z])|%\{([^}]*)\}`)

// KeepsDomain reports whether a value of auth_username_format leaves the domain
// of a user name where it is.
func KeepsDomain(format string) bool {
	for _, m := range userVariable.FindAllStringSubmatch(format, -1) {
		switch {
		case m[1] == "u", m[1] == "d":
			return true
		case strings.Contains(m[2], "domain"), strings.Contains(m[2], "user") && !strings.Contains(m[2], "username"):
			return true
		}
	}
	return false
}
