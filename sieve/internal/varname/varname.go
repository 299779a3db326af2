// Package varname reads the names of variables, and finds them in strings (RFC 5229
// section 3).
package varname

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
)

// The limits of Pigeonhole 0.5 for variables (RFC 5229 section 6).
const (
	MaxVariables  = 255
	MaxName       = 64
	maxParts      = 10
	MaxMatchValue = 32
)

// Reference is "${name}" in a string (RFC 5229 section 3).
type Reference struct {
	Start, End int // in the string, with "${" and "}"
	// name is the identifier; empty for a match value.
	Name string
	// namespace is what stands before the first dot of "namespace.name".
	Namespace string
	Index     int // of a match value
}

// Next finds the first reference in s at or behind an offset. It is
// none where the name isn't well formed.
func Next(s string, from int) (Reference, bool) {
	for {
		i := strings.Index(s[from:], "${")
		if i < 0 {
			return Reference{}, false
		}
		start := from + i
		ref, end, ok := Parse(s, start+2)
		if ok && end < len(s) && s[end] == '}' {
			ref.Start, ref.End = start, end+1
			return ref, true
		}
		from = start + 2
	}
}

// Parse reads the name of a variable, a match value or a variable of a
// namespace.
func Parse(s string, i int) (ref Reference, end int, ok bool) {
	start := i
	for part := 0; part < maxParts; part++ {
		if i == len(s) {
			return ref, i, false
		}
		first := i
		switch c := int(s[i]); {
		case ascii.IsDigit(c):
			n := 0
			for ; i < len(s) && ascii.IsDigit(int(s[i])); i++ {
				n = min(n*10+int(s[i]-'0'), 1<<20)
			}
			if part == 0 {
				return Reference{Index: n}, i, true
			}
		case ascii.IsAlpha(c):
			for i++; i < len(s) && (ascii.IsAlpha(int(s[i])) || ascii.IsDigit(int(s[i]))); i++ {
				if i-first >= MaxName {
					return ref, i, false
				}
			}
		default:
			return ref, i, false
		}
		if part == 0 {
			ref.Name = s[first:i]
		} else {
			ref.Namespace = s[start : start+strings.IndexByte(s[start:], '.')]
			ref.Name = s[start+len(ref.Namespace)+1 : i]
		}
		if i == len(s) || s[i] != '.' {
			return ref, i, true
		}
		i++
	}
	return ref, i, false
}
