package block

import "strings"

// whiteSpaces are what isspace(3) of the C locale takes for white space.
const whiteSpaces = " \t\n\v\f\r"

func whiteSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// blankLine reports whether Postfix skips a line: white space only, or a comment.
func blankLine(line []byte) bool {
	for _, c := range line {
		if !whiteSpace(c) {
			return c == '#'
		}
	}
	return true
}

// defines reports whether a line is "name = value", as split_nameval(3) wants it,
// up to its first NUL.
func defines(line string) bool {
	line, _, _ = strings.Cut(line, "\x00")
	name, rest := strings.TrimLeft(line, whiteSpaces), ""
	if i := strings.IndexAny(name, whiteSpaces+"="); i >= 0 {
		name, rest = name[:i], strings.TrimLeft(name[i:], whiteSpaces)
	}
	return name != "" && strings.HasPrefix(rest, "=")
}
