package mailfilter

import (
	"bytes"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// escapes looks for what OX takes for an escape of Java's, wherever it stands:
// an odd number of backslashes and a "u" (Java Language Specification 3.3).
func (l *linter) escapes() {
	src := l.tree.src
	for i := 0; i < len(src); i++ {
		if src[i] != '\\' {
			continue
		}
		start := i
		for i < len(src) && src[i] == '\\' {
			i++
		}
		if i == len(src) || src[i] != 'u' || (i-start)%2 == 0 {
			continue
		}
		off := i - 1
		for i < len(src) && src[i] == 'u' {
			i++
		}
		if i+4 > len(src) || strings.Trim(src[i:i+4], "0123456789abcdefABCDEF") != "" {
			l.problem(off, `\u`, Unreadable, `write the "u" without the backslash`, `%s can't read a script with \u in it`, subjectMark)
		}
	}
}

// javaEscape reports whether a text has what escapes reports.
func javaEscape(s string) bool {
	for i := 0; i < len(s); i++ {
		start := i
		for i < len(s) && s[i] == '\\' {
			i++
		}
		if i < len(s) && s[i] == 'u' && (i-start)%2 == 1 {
			return true
		}
	}
	return false
}

// literals looks at the strings and numbers of a command, and of all in it: OX
// reads them even where it goes no further.
func (l *linter) literals(n *sieve.Node) {
	for _, a := range n.Arguments {
		if text := l.tree.text(a.Span); a.Tag == "" && a.Strings == nil && tooLong(text) {
			l.problem(a.Start, text, Unreadable, "write a smaller one", "%s fails at numbers beyond %d", subjectMark, maxInt)
		}
		for _, s := range a.Strings {
			if raw := l.tree.text(s.Span); raw[0] == '"' {
				l.quoted(s, raw)
			} else {
				l.text(s, raw)
			}
		}
	}
	for _, t := range n.Tests {
		l.literals(t)
	}
	for _, c := range n.Block {
		l.literals(c)
	}
}

// unescape is how OX takes escapes out: first those of quotation marks, then
// those of backslashes, and no others.
func unescape(raw string) string {
	return strings.ReplaceAll(strings.ReplaceAll(raw, `\"`, `"`), `\\`, `\`)
}

// crlf is a text with the line ends that Sieve's strings have.
func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

func (l *linter) quoted(s sieve.StringLiteral, raw string) {
	inner := raw[1 : len(raw)-1]
	if strings.HasSuffix(inner, `\`) && l.quotedBehind(s.End) {
		l.problem(s.Start, raw, Swallowed, "end it with another character",
			"%s takes a string that ends with a backslash for one that goes on to the next quotation mark", subjectMark)
		return
	}
	if javaEscape(raw) {
		l.problem(s.Start, raw, Altered, "write the character itself", `%s takes \u and four digits for a character`, subjectMark)
		return
	}
	if crlf(unescape(inner)) != s.Value {
		l.problem(s.Start, raw, Altered, `write a backslash before " and \ only`,
			"%s keeps the backslashes of this string, which the server takes out", subjectMark)
	}
}

// text looks at a multi-line string (RFC 5228 section 2.4.2). OX has one octet
// more or less for its line ends than it believes, and takes the longest it can
// find.
func (l *linter) text(s sieve.StringLiteral, raw string) {
	const fix = "write it in quotation marks"
	if !strings.HasPrefix(raw, "text:") {
		l.problem(s.Start, raw[:5], Unreadable, fix, `%s reads "text:" in lower case only`, subjectMark)
		return
	}
	if l.goesOn(s.End) {
		l.problem(s.Start, "text:", Swallowed, fix, "%s takes everything to the end of the last text in the script for this one", subjectMark)
		return
	}
	if l.indent > 0 {
		raw = crlf(raw) // as OX puts the lines of disabled rules together
	}
	begin, end := strings.IndexByte(raw, '\n')+1, len(raw)-len("\r\n.\r\n")
	if begin > end {
		l.problem(s.Start, "text:", Unreadable, fix, "%s fails at a text as short as this", subjectMark)
		return
	}
	if javaEscape(raw) || crlf(unescape(raw[begin:end]))+"\r\n" != s.Value {
		l.problem(s.Start, "text:", Altered, fix,
			"%s reads another text than the server: it cuts the end after bare LFs, and knows no doubled dots and other escapes", subjectMark)
	}
}

// rest is what OX finds behind an offset: for a disabled rule, on the lines of all
// disabled ones.
func (l *linter) rest(off int) (own, rest string) {
	src := l.tree.src
	if l.indent == 0 {
		return "", src[off:]
	}
	line, _ := l.tree.position(off - 1)
	if src[off-1] != '\n' {
		own, _, _ = strings.Cut(src[off:], "\n")
	}
	if l.streamLines == nil {
		l.stream = onlyLines(l.d.tree.src, strippedLines(l.d.tree.src))
		l.streamLines = append(l.streamLines, 0)
		for i := range len(l.stream) {
			if l.stream[i] == '\n' {
				l.streamLines = append(l.streamLines, i+1)
			}
		}
	}
	if line += l.shift; line < len(l.streamLines) {
		rest = l.stream[l.streamLines[line]:]
	}
	return own, rest
}

// quotedBehind reports whether a quotation mark follows.
func (l *linter) quotedBehind(off int) bool {
	own, rest := l.rest(off)
	return strings.Contains(own, `"`) || strings.Contains(rest, `"`)
}

// goesOn reports whether OX finds a later end for the text that ends at off: it
// takes the CR before a line end for a character of the line, so the line of one
// dot can be one of the text.
func (l *linter) goesOn(off int) bool {
	src := l.tree.src
	dot := strings.LastIndexByte(src[:off], '.')
	before, after := src[:dot], src[dot+1:off]
	if l.indent == 0 && after != "\r\n" && !strings.HasSuffix(before, "\r\n") && !strings.HasSuffix(before, "\n\n") {
		return false
	}
	_, rest := l.rest(off)
	for line := range strings.Lines(rest) {
		if line == ".\n" || line == ".\r\n" {
			return true
		}
	}
	return false
}

// disabledLines looks for lines that OX takes for disabled ones and the server
// doesn't, and the other way: OX counts the quotation marks in comments too.
func (l *linter) disabledLines() {
	src := l.tree.src
	theirs := strippedLines(src)
	mine := map[int]bool{}
	l.unseen = map[int]bool{}
	var missed []*rule
	for i := range l.d.rules {
		r := &l.d.rules[i]
		if !r.Disabled {
			continue
		}
		all := true
		for off := r.off; off < r.end; {
			mine[off] = true
			all = all && theirs[off]
			i := strings.IndexByte(src[off:], '\n')
			if i < 0 {
				break
			}
			off += i + 1
		}
		if !all {
			missed = append(missed, r)
			l.unseen[r.off] = true
		}
	}
	comments := map[int]bool{}
	for _, c := range l.d.tree.Comments {
		comments[c.Start] = true
	}
	var odd []int // lines that are no disabled rule's
	for off := range theirs {
		i := strings.IndexAny(src[off:], "\r\n")
		if i < 0 {
			i = len(src) - off
		}
		if mine[off] || strings.TrimSpace(src[off+len(disabledPrefix):off+i]) == "" {
			continue
		}
		if !comments[off] {
			odd = append(odd, off)
		}
	}
	if len(missed) == 0 && len(odd) == 0 {
		return
	}
	// OX reads the lines by themselves.
	readable := true
	if _, err := sieve.ParseTree("", []byte(onlyLines(src, theirs))); err != nil {
		readable = false
	}
	effect := func(e Effect) Effect {
		if !readable {
			return Unreadable
		}
		return e
	}
	for _, r := range missed {
		l.rule = &r.Rule
		l.problem(r.off, disabledPrefix, effect(Dropped), "take out the text: before it, or the quotation mark in a comment",
			"%s takes the disabled rule, or lines of it, for comments", subjectMark)
		l.rule = nil
	}
	slices.Sort(odd)
	for _, off := range odd {
		l.problem(off, disabledPrefix, effect(Altered), "write the text in quotation marks, without such a line",
			"%s takes a line of a text for a disabled rule", subjectMark)
	}
}

// onlyLines is a script of the lines from which OX takes the prefix, without it.
func onlyLines(src string, starts map[int]bool) string {
	var b strings.Builder
	off := 0
	for line := range strings.Lines(src) {
		if starts[off] {
			b.WriteString(strings.TrimRight(line[len(disabledPrefix):], "\r\n"))
		}
		b.WriteString("\r\n")
		off += len(line)
	}
	return b.String()
}

// strippedLines are the starts of the lines from which OX takes the prefix of
// disabled rules.
func strippedLines(src string) map[int]bool {
	out := map[int]bool{}
	var inString, inQuotes bool
	b := []byte(src)
	const (
		code  = iota
		hash  // behind the first # of a line
		quiet // in a comment of two #
	)
	state, first := code, true // first: no # yet on this line
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '\n':
			state, first = code, true
		case inString && c == '\\':
			i++
		case c == '"' && state == code:
			inString, inQuotes = !inString, !inQuotes
		case c == 't' && state == code && bytes.HasPrefix(b[i:], []byte("text:")):
			inString = true
		case c == '#' && !inString && state == code && first:
			if (i == 0 || b[i-1] == '\n') && bytes.HasPrefix(b[i:], []byte(disabledPrefix)) && i+len(disabledPrefix) < len(b) {
				out[i] = true
				i += len(disabledPrefix) - 1
			}
			state, first = hash, false
		case c == '.' && inString && !inQuotes && i > 0 && b[i-1] == '\n' && i+1 < len(b) && b[i+1] == '\r':
			inString = false
		}
	}
	return out
}
