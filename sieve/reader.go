package sieve

import (
	"fmt"
	"sort"
	"strings"
)

// reader makes typed values of a syntax. It knows what each command and test
// takes, and reports everything that isn't so.
type reader struct {
	*syntax
	available Extensions // what the server has
	on        Extensions // what the script required, and what that brings
	// deferred are those of on that ihave gave, where the server makes no
	// commands of them.
	deferred Extensions
	// shown are the extensions that the values made so far need.
	shown    Extensions
	errs     []sourceError
	places   []sourcePlace // of what Script.Lines lists
	found    []foundTag
	own      bool      // found has other tags than those of compareTags
	list     []string  // where the string lists lie
	block    []Command // where the blocks lie
	loops    []*string // names of the foreverypart commands around
	top      []Command
	requires bool // a command that isn't require was seen
	// variables are those that the script has used so far, in lower case, and
	// whether they are global.
	variables map[string]bool
	// references says that a string referred to a variable, names that one did
	// to the environment of Dovecot.
	references, environment bool
	decoded                 bool          // encoded-character made a difference
	globals                 bool          // a variable was "global.name"
	warnings                []sourceError // of what only Check reports
	// soft are errors that the server reports, and compiles the script all the
	// same; but not where the script includes another one.
	soft     []sourceError
	includes bool
}

// sourcePlace is where something begins in a source.
type sourcePlace struct{ off, line int32 }

type sourceError struct {
	off int32
	err error
}

// foundTag is a tag of the current command.
type foundTag struct {
	id    nameID
	arg   int32 // of the tag
	param *synArg
}

func (r *reader) errorf(off int32, format string, args ...any) {
	// One more than is shown says that there are more.
	if len(r.errs) <= maxErrors {
		r.errs = append(r.errs, sourceError{off, fmt.Errorf(format, args...)})
	}
}

func (r *reader) softf(off int32, format string, args ...any) {
	r.soft = append(r.soft, sourceError{off, fmt.Errorf(format, args...)})
}

// script reads the commands of a whole script.
func (r *reader) script() []Command {
	r.list = make([]string, 0, r.listed)
	r.block = make([]Command, 0, r.commands)
	r.places = r.places[:0]
	out := r.blockOf(&r.nodes[0], true)
	if r.includes {
		r.errs = append(r.errs, r.soft...)
	} else {
		r.warnings = append(r.warnings, r.soft...)
	}
	return out
}

// implied are the extensions that come with others.
func implied(e Extensions) Extensions {
	if e.Has(ExtVacationSeconds) {
		e |= ExtVacation
	}
	if e.Has(ExtDovecotEnvironment) {
		e |= ExtEnvironment
	}
	return e
}

// conflicts are the extensions that exclude each other.
var conflicts = [...][2]Extensions{
	{ExtIMAPFlags, ExtIMAP4Flags},
	{ExtNotify, ExtENotify},
	{ExtDovecotDuplicate, ExtDuplicate},
}

// load turns an extension on.
func (r *reader) load(off int32, x Extensions) {
	r.on |= implied(x)
	if r.on.Has(ExtRegex) {
		r.on |= r.available & QuoteRegexModifier
	}
	if r.on.Has(ExtInclude) {
		r.on |= r.available & ImportExport
	}
	for _, c := range conflicts {
		if x&(c[0]|c[1]) != 0 && r.on.Has(c[0]|c[1]) {
			r.errorf(off, "the extensions %q and %q exclude each other: remove %q, which is out of date", c[0], c[1], c[0])
		}
	}
}

// require reads a require command.
func (r *reader) require(n *synNode) {
	if !r.arguments(n, specs[nameRequire]) {
		return
	}
	for _, s := range r.strings(&r.argsOf(n)[0]) {
		// The names are not subject to encoded-character.
		name := r.value(s)
		x := ExtensionNamed(name)
		switch {
		case x != 0 && r.available.Has(x):
			r.load(s.off, x)
		case x != 0:
			r.errorf(s.off, "extension %q is off on this server: add it to sieve_extensions", name)
		case isWord(name):
			r.errorf(s.off, "extension %q: %s needs no require", name, name)
		default:
			r.errorf(s.off, "extension %q is %w", name, ErrUnsupported)
		}
	}
}

// isWord reports whether a name is that of a command or test that is always
// there.
func isWord(name string) bool {
	if name == "" {
		return false
	}
	sp := specs[lookupName(name)]
	return sp != nil && sp.ext == 0
}

// begin is the point of the first command that isn't require.
func (r *reader) begin(off int32) {
	r.requires = true
	if r.on.Has(ExtExtractText) && !r.on.Has(ExtVariables|ExtForEveryPart) {
		r.errorf(off, `the extension "extracttext" needs "variables" and "foreverypart": add them to require`)
	}
}

// need reports whether a command or test is there.
func (r *reader) need(n *synNode, sp *spec) bool {
	if sp.ext == 0 || r.on&^r.deferred&sp.ext != 0 {
		return true
	}
	if sp.ext == ImportExport {
		r.errorf(n.off, "%s is unknown to this server, or needs the extension %q: use global instead", r.name(n), ExtInclude)
		return false
	}
	first := sp.ext.Names()[0]
	if r.available&sp.ext == 0 {
		r.errorf(n.off, "%s is of the extension %q, which is off on this server", r.name(n), first)
		return false
	}
	r.errorf(n.off, "%s needs the extension %q: add it to require", r.name(n), (r.available & sp.ext).Names()[0])
	return false
}

// arguments checks the node against the spec and finds its tags. Behind it, the
// positional arguments are those that positional returns.
func (r *reader) arguments(n *synNode, sp *spec) bool {
	args := r.argsOf(n)
	r.found, r.own = r.found[:0], false
	var seen uint64
	i := 0
	for i < len(args) && args[i].kind == argTag {
		a := &args[i]
		var t *tagSpec
		for j := range sp.tags {
			if sp.tags[j].id == a.id && (sp.tags[j].ext == 0 || r.on&sp.tags[j].ext != 0) {
				t = &sp.tags[j]
				break
			}
		}
		if t == nil {
			r.unknownTag(n, sp, a)
			return false
		}
		if t.group != 0 {
			if seen&(1<<t.group) != 0 {
				r.errorf(a.off, "tag :%s repeats or contradicts an earlier tag", r.tag(a))
				return false
			}
			seen |= 1 << t.group
		}
		r.own = r.own || t.group != groupMatch && t.group != groupComparator
		f := foundTag{id: a.id, arg: n.args + int32(i)}
		i++
		if t.param != argNone {
			if f.param = r.param(args, i, a, t.param); f.param == nil {
				return false
			}
			i++
		}
		r.found = append(r.found, f)
		if n.id == nameDenotify && t.group == groupMatch {
			// Behind a relation, the key.
			if p := r.param(args, i, a, argString); p == nil {
				return false
			}
			i++
		}
	}
	rest := args[i:]
	for j := range rest {
		if rest[j].kind == argTag {
			r.errorf(rest[j].off, "tag :%s must stand before the other arguments of %s", r.tag(&rest[j]), r.name(n))
			return false
		}
	}
	if len(rest) > len(sp.args) || len(rest) < len(sp.args)-sp.optional {
		r.errorf(n.off, "%s takes %s besides tags, found %d", r.name(n), sp.count(), len(rest))
		return false
	}
	for j, want := range sp.args[len(sp.args)-len(rest):] {
		if a := &rest[j]; a.kind != want && (want != argList || a.kind != argString) {
			r.errorf(a.off, "argument %d of %s must be a %s, found a %s", j+1, r.name(n), want, a.kind)
			return false
		}
	}
	return r.structure(n, sp)
}

// count says how many positional arguments there can be.
func (sp *spec) count() string {
	switch {
	case sp.optional > 0:
		return fmt.Sprintf("%d or %d arguments", len(sp.args)-sp.optional, len(sp.args))
	case len(sp.args) == 1:
		return "1 argument"
	}
	return fmt.Sprintf("%d arguments", len(sp.args))
}

// param returns the argument that belongs to a tag.
func (r *reader) param(args []synArg, i int, tag *synArg, want argKind) *synArg {
	if i == len(args) {
		r.errorf(tag.off, "tag :%s needs a %s behind it", r.tag(tag), want)
		return nil
	}
	p := &args[i]
	if p.kind != want && (want != argList || p.kind != argString) {
		r.errorf(p.off, "tag :%s needs a %s, found a %s", r.tag(tag), want, p.kind)
		return nil
	}
	return p
}

func (r *reader) unknownTag(n *synNode, sp *spec, a *synArg) {
	for _, t := range sp.tags {
		switch {
		case t.id != a.id || t.ext == 0:
		case t.ext == QuoteRegexModifier:
			r.errorf(a.off, "tag :%s is unknown to this server, or needs the extension %q", r.tag(a), ExtRegex)
			return
		case r.available&t.ext == 0:
			r.errorf(a.off, "tag :%s is of the extension %q, which is off on this server", r.tag(a), t.ext)
			return
		default:
			r.errorf(a.off, "tag :%s needs the extension %q: add it to require", r.tag(a), t.ext)
			return
		}
	}
	var known []string
	for _, t := range sp.tags {
		if t.ext == 0 || r.on&t.ext != 0 {
			known = append(known, ":"+spellings[t.id])
		}
	}
	if len(known) == 0 {
		r.errorf(a.off, "%s has no tags, found :%s", r.name(n), r.tag(a))
		return
	}
	sort.Strings(known)
	r.errorf(a.off, "%s has no tag :%s, only %s", r.name(n), r.tag(a), strings.Join(known, ", "))
}

// structure checks the tests and the block.
func (r *reader) structure(n *synNode, sp *spec) bool {
	switch {
	case sp.subtests == noTest && n.tests != 0:
		t := &r.nodes[n.tests]
		r.errorf(t.off, "%s takes no test, or a ';' or ':' is missing before %s", r.name(n), r.name(t))
	case sp.subtests != noTest && n.tests == 0:
		r.errorf(n.off, "%s needs a test", r.name(n))
	case sp.subtests == oneTest && n.list:
		r.errorf(n.off, "%s takes one test, not a list: use anyof or allof, or remove the parentheses", r.name(n))
	case sp.subtests == testList && !n.list:
		r.errorf(n.off, "%s needs a list of tests in parentheses", r.name(n))
	case sp.isTest:
		return true
	case sp.block && !n.hasBlock:
		r.errorf(n.off, "%s needs a block { }", r.name(n))
	case !sp.block && n.hasBlock:
		r.errorf(n.off, "%s takes no block", r.name(n))
	default:
		return true
	}
	return false
}

// positional returns the arguments behind the tags.
func (r *reader) positional(n *synNode) []synArg {
	args := r.argsOf(n)
	if len(r.found) == 0 {
		return args
	}
	last := &r.found[len(r.found)-1]
	i := last.arg - n.args + 1
	if last.param != nil {
		i++
	}
	return args[i:]
}

// tagged returns a tag of the current command, or nil.
func (r *reader) tagged(id nameID) *foundTag {
	for i := range r.found {
		if r.found[i].id == id {
			return &r.found[i]
		}
	}
	return nil
}

func (r *reader) has(id nameID) bool { return r.tagged(id) != nil }
