package sieve

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
	"github.com/oxmailroute/oxmailroute/sieve/internal/varname"
)

// checkReference reports what is wrong with a reference. assign says that the
// variable gets a value.
func (r *reader) checkReference(off int32, ref varname.Reference, assign bool) bool {
	switch {
	case ref.Namespace != "":
		return r.checkNamespace(off, ref, assign)
	case ref.Name != "":
		return r.declare(off, ref.Name)
	case assign:
		r.errorf(off, "a match value can't be given a value: use a name")
	case ref.Index > varname.MaxMatchValue:
		r.errorf(off, "match value %d is larger than %d", ref.Index, varname.MaxMatchValue)
	default:
		return true
	}
	return false
}

func (r *reader) checkNamespace(off int32, ref varname.Reference, assign bool) bool {
	digits := false
	for part := range strings.SplitSeq(ref.Name, ".") {
		digits = digits || ascii.IsDigit(int(part[0]))
	}
	switch {
	case r.on.Has(ExtInclude) && strings.EqualFold(ref.Namespace, "global"):
		if digits || strings.Contains(ref.Name, ".") {
			r.errorf(off, "%q is not the name of a global variable", ref.Name)
			return false
		}
		r.globals = true
		return true
	case r.on.Has(ExtDovecotEnvironment) && strings.EqualFold(ref.Namespace, "env"):
		r.environment = true
		if digits || assign {
			r.errorf(off, "%q is not the name of an item that can be used so", "env."+ref.Name)
			return false
		}
		return true
	}
	r.errorf(off, "variables of the namespace %q are unknown", ref.Namespace)
	return false
}

// declare notes a variable.
func (r *reader) declare(off int32, name string) bool {
	name = strings.ToLower(name)
	if _, ok := r.variables[name]; ok {
		return true
	}
	if len(r.variables) >= varname.MaxVariables {
		r.errorf(off, "variable %q is one more than the %d that a script can have", name, varname.MaxVariables)
		return false
	}
	if r.variables == nil {
		r.variables = make(map[string]bool)
	}
	r.variables[name] = false
	return true
}

// variable checks the name of a variable that stands for itself.
func (r *reader) variable(s *synString, assign bool) string {
	name := r.value(*s)
	ref, end, ok := varname.Parse(name, 0)
	if !ok || end != len(name) {
		r.errorf(s.off, "%q is not the name of a variable", name)
		return name
	}
	r.checkReference(s.off, ref, assign)
	return name
}

// text returns a string as the script means it, and whether it is the same at
// every run: not where it refers to variables.
func (r *reader) text(s *synString) (text string, literal bool) {
	text = r.value(*s)
	if r.on&(ExtEncodedCharacter|ExtVariables) == 0 || !strings.Contains(text, "${") {
		return text, true
	}
	if r.on.Has(ExtEncodedCharacter) {
		decoded, err := decodeCharacters(text)
		if err != nil {
			r.errorf(s.off, "%w", err)
			return text, true
		}
		r.decoded = r.decoded || decoded != text
		text = decoded
	}
	literal = true
	if r.on.Has(ExtVariables) {
		for at := 0; ; {
			ref, ok := varname.Next(text, at)
			if !ok {
				break
			}
			literal, r.references = false, true
			errs := len(r.errs)
			if !r.checkReference(s.off, ref, false) {
				r.soft = append(r.soft, r.errs[errs:]...)
				r.errs = r.errs[:errs]
			}
			at = ref.End
		}
	}
	return text, literal
}

// fixed returns a string that isn't subject to variables.
func (r *reader) fixed(s *synString) string {
	text := r.value(*s)
	if !r.on.Has(ExtEncodedCharacter) || !strings.Contains(text, "${") {
		return text
	}
	decoded, err := decodeCharacters(text)
	if err != nil {
		r.errorf(s.off, "%w", err)
		return text
	}
	return decoded
}

// str returns the string of an argument.
func (r *reader) str(a *synArg) string {
	text, _ := r.text(r.string1(a))
	return text
}

// strList returns the strings of an argument.
func (r *reader) strList(a *synArg) []string {
	start := len(r.list)
	for i := range r.strings(a) {
		text, _ := r.text(&r.strs[a.first+int32(i)])
		r.list = append(r.list, text)
	}
	return r.list[start:len(r.list):len(r.list)]
}

// address returns the string of an argument that must be an address.
func (r *reader) address(a *synArg) string {
	s := r.string1(a)
	text, literal := r.text(s)
	if literal {
		if _, err := mailaddr.Parse(text); err != nil {
			r.errorf(s.off, "address %q: %w", text, err)
		}
	}
	return text
}
