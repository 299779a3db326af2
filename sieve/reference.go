package sieve

import "strings"

// The limits of Pigeonhole 0.5 for variables (RFC 5229 section 6).
const (
	maxVariables     = 255
	maxVariableName  = 64
	maxVariableParts = 10
	maxMatchValue    = 32
)

// reference is "${name}" in a string (RFC 5229 section 3).
type reference struct {
	start, end int // in the string, with "${" and "}"
	// name is the identifier; empty for a match value.
	name string
	// namespace is what stands before the first dot of "namespace.name".
	namespace string
	index     int // of a match value
}

// nextReference finds the first reference in s at or behind an offset. It is
// none where the name isn't well formed.
func nextReference(s string, from int) (reference, bool) {
	for {
		i := strings.Index(s[from:], "${")
		if i < 0 {
			return reference{}, false
		}
		start := from + i
		ref, end, ok := parseVariable(s, start+2)
		if ok && end < len(s) && s[end] == '}' {
			ref.start, ref.end = start, end+1
			return ref, true
		}
		from = start + 2
	}
}

// parseVariable reads the name of a variable, a match value or a variable of a
// namespace.
func parseVariable(s string, i int) (ref reference, end int, ok bool) {
	start := i
	for part := 0; part < maxVariableParts; part++ {
		if i == len(s) {
			return ref, i, false
		}
		first := i
		switch c := int(s[i]); {
		case isDigit(c):
			n := 0
			for ; i < len(s) && isDigit(int(s[i])); i++ {
				n = min(n*10+int(s[i]-'0'), 1<<20)
			}
			if part == 0 {
				return reference{index: n}, i, true
			}
		case isAlpha(c):
			for i++; i < len(s) && (isAlpha(int(s[i])) || isDigit(int(s[i]))); i++ {
				if i-first >= maxVariableName {
					return ref, i, false
				}
			}
		default:
			return ref, i, false
		}
		if part == 0 {
			ref.name = s[first:i]
		} else {
			ref.namespace = s[start : start+strings.IndexByte(s[start:], '.')]
			ref.name = s[start+len(ref.namespace)+1 : i]
		}
		if i == len(s) || s[i] != '.' {
			return ref, i, true
		}
		i++
	}
	return ref, i, false
}

// checkReference reports what is wrong with a reference. assign says that the
// variable gets a value.
func (r *reader) checkReference(off int32, ref reference, assign bool) bool {
	switch {
	case ref.namespace != "":
		return r.checkNamespace(off, ref, assign)
	case ref.name != "":
		return r.declare(off, ref.name)
	case assign:
		r.errorf(off, "a match value can't be given a value: use a name")
	case ref.index > maxMatchValue:
		r.errorf(off, "match value %d is larger than %d", ref.index, maxMatchValue)
	default:
		return true
	}
	return false
}

func (r *reader) checkNamespace(off int32, ref reference, assign bool) bool {
	digits := false
	for part := range strings.SplitSeq(ref.name, ".") {
		digits = digits || isDigit(int(part[0]))
	}
	switch {
	case r.on.Has(ExtInclude) && strings.EqualFold(ref.namespace, "global"):
		if digits || strings.Contains(ref.name, ".") {
			r.errorf(off, "%q is not the name of a global variable", ref.name)
			return false
		}
		r.globals = true
		return true
	case r.on.Has(ExtDovecotEnvironment) && strings.EqualFold(ref.namespace, "env"):
		r.environment = true
		if digits || assign {
			r.errorf(off, "%q is not the name of an item that can be used so", "env."+ref.name)
			return false
		}
		return true
	}
	r.errorf(off, "variables of the namespace %q are unknown", ref.namespace)
	return false
}

// declare notes a variable.
func (r *reader) declare(off int32, name string) bool {
	name = strings.ToLower(name)
	if _, ok := r.variables[name]; ok {
		return true
	}
	if len(r.variables) >= maxVariables {
		r.errorf(off, "variable %q is one more than the %d that a script can have", name, maxVariables)
		return false
	}
	if r.variables == nil {
		r.variables = make(map[string]bool)
	}
	r.variables[name] = false
	return true
}

// declareGlobal notes a variable that all scripts share.
func (r *reader) declareGlobal(off int32, name string) bool {
	if ref, end, ok := parseVariable(name, 0); !ok || end != len(name) || ref.name != name || ref.namespace != "" || len(name) >= maxVariableName {
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

// variable checks the name of a variable that stands for itself.
func (r *reader) variable(s *synString, assign bool) string {
	name := r.value(*s)
	ref, end, ok := parseVariable(name, 0)
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
			ref, ok := nextReference(text, at)
			if !ok {
				break
			}
			literal, r.references = false, true
			errs := len(r.errs)
			if !r.checkReference(s.off, ref, false) {
				r.soft = append(r.soft, r.errs[errs:]...)
				r.errs = r.errs[:errs]
			}
			at = ref.end
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
		if _, err := parseMailbox(text); err != nil {
			r.errorf(s.off, "address %q: %w", text, err)
		}
	}
	return text
}
