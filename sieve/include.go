package sieve

import (
	"strings"
	"unicode/utf8"

	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
	"github.com/oxmailroute/oxmailroute/sieve/internal/varname"
)

// Include runs another script (RFC 6609 section 3.2).
type Include struct {
	// Script is the name of the script. It is not subject to variables.
	Script   string
	Location Location
	// Once skips a script that was included before.
	Once bool
	// Optional skips a script that is missing.
	Optional bool
}

// Location is where the script of an [Include] is found.
type Location string

// The locations. The zero Location means PersonalScript.
const (
	PersonalScript Location = "personal" // among the user's own
	GlobalScript   Location = "global"   // among those that all users share
)

// Return ends an included script, or the script itself (RFC 6609 section 3.3).
type Return struct{}

// Global makes variables those of all scripts that name them so (RFC 6609
// section 3.4.1).
type Global struct{ Names []string }

// Import and Export are what Global was in drafts of RFC 6609.
type (
	Import struct{ Names []string }
	Export struct{ Names []string }
)

func (Include) command() {}

func (Return) command() {}

func (Global) command() {}

func (Import) command() {}

func (Export) command() {}

func (r *reader) include(args []synArg) Command {
	r.includes = true
	c := Include{Once: r.has(nameOnce), Optional: r.has(nameOptional)}
	switch {
	case r.has(namePersonal):
		c.Location = PersonalScript
	case r.has(nameGlobal):
		c.Location = GlobalScript
	}
	s := r.string1(&args[0])
	name, literal := r.text(s)
	switch c.Script = name; {
	case !literal:
		r.errorf(s.off, "the name of an included script can't have variables")
	case !validScriptName(name):
		r.errorf(s.off, "%q can't be the name of a script", name)
	}
	return c
}

// maxScriptName is the length of the name of a script in characters.
const maxScriptName = 256

// validScriptName reports whether the server takes the name of a script.
func validScriptName(name string) bool {
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxScriptName {
		return false
	}
	return strings.IndexFunc(name, func(c rune) bool {
		return c <= 0x1f || c == '/' || 0x7f <= c && c <= 0x9f || c == 0xff || c == 0x2028 || c == 0x2029
	}) < 0
}

func (r *reader) global(n *synNode, args []synArg, previous nameID, top bool) Command {
	if n.id != nameGlobal {
		switch {
		case !top || previous != nameUnknown && previous != nameRequire && previous != nameImport && previous != nameExport:
			r.errorf(n.off, "%s must stand at the top of the script, behind require: use global instead", r.name(n))
			return nil
		}
	}
	if !r.on.Has(ExtVariables) {
		r.errorf(n.off, "%s needs the extension %q: add it to require", r.name(n), ExtVariables)
		return nil
	}
	r.shown |= ExtVariables
	start := len(r.list)
	for _, s := range r.strings(&args[0]) {
		if !r.declareGlobal(s.off, r.value(s)) {
			return nil
		}
		r.list = append(r.list, r.value(s))
	}
	names := r.list[start:len(r.list):len(r.list)]
	switch n.id {
	case nameImport:
		return Import{names}
	case nameExport:
		return Export{names}
	}
	return Global{names}
}

// declareGlobal notes a variable that all scripts share.
func (r *reader) declareGlobal(off int32, name string) bool {
	ref, end, ok := varname.Parse(name, 0)
	if !ok || end != len(name) || ref.Name != name || ref.Namespace != "" || len(name) >= varname.MaxName {
		r.errorf(off, "%q is not the name of a variable", name)
		return false
	}
	name = strings.ToLower(name)
	global, ok := r.variables[name]
	if ok && !global {
		r.errorf(off, "variable %q was used as one of this script before", name)
		return false
	}
	if !r.declare(off, name) {
		return false
	}
	r.variables[name] = true
	return true
}

// declare notes the variables of global, import and export.
func (c *valueChecker) declare(names []string, where string) {
	for _, name := range names {
		name = ascii.Lower(name)
		if c.local[name] {
			c.errorf(where, "variable %q is used as one of the script before it is made global", name)
		}
		c.global[name] = true
		c.share(name, where)
	}
}
