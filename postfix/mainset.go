package postfix

import (
	"bytes"
	"fmt"
)

// Set makes the owner's part of the file say params: nothing else of it
// changes, and [Main.Remove] brings the original bytes back.
//
// The parameters are one block at the end, between the comment lines
// "# BEGIN owner: managed block, ..." and "# END owner". A long value goes on
// in continuation lines, broken at its spaces, so that it is read as the same
// value. Definitions of the same parameters in the customer's part stay where
// they are as comments, each line behind "#owner# ", because Postfix logs a
// warning about a parameter that is defined twice. Where the owner has a block
// already, it is removed first: setting the same params again changes nothing.
// Without params Set is Remove.
//
// The block is the owner's: edits by hand in it are lost. The error is
// [Errors], and nothing is changed: ErrIllegal and ErrDuplicate for params that
// can't be written (see [ValidParamName], [ValidValue]), ErrConflict where the
// customer defines one of the parameters again below the block or continues its
// last line, or where another owner's block defines it, ErrDamaged where the
// comment lines are not as they were written. An owner is letters, digits,
// ".", "_" and "-".
func (m *Main) Set(owner string, params []Param) error {
	var errs Errors
	if err := checkOwner(owner); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, checkParams("", params)...)
	src, damage := m.without(owner)
	if errs = append(errs, damage...); len(errs) > 0 {
		return errs
	}
	if len(params) == 0 {
		return m.replace(src)
	}
	base, err := ParseMain(m.name, src)
	if err != nil {
		return err
	}
	ours := make(map[string]bool, len(params))
	for _, p := range params {
		ours[p.Name] = true
	}
	others := frames(base.src, owner)
	var b bytes.Buffer
	from := 0
	for _, d := range base.defs {
		if !ours[d.Name] {
			continue
		}
		if other := enclosing(others, d.Line); other != "" {
			errs = append(errs, &Error{m.name, d.Line, &detail{ErrConflict,
				fmt.Sprintf("%s is set by the block of %s: remove that first", d.Name, other)}})
			continue
		}
		for _, p := range d.parts {
			b.Write(base.src[from:p.start])
			b.WriteString(prefixOf(owner))
			from = p.start
		}
	}
	if len(errs) > 0 {
		return errs
	}
	b.Write(base.src[from:])
	begin := beginLine(owner) + managedText
	if n := b.Len(); n > 0 && b.Bytes()[n-1] != '\n' {
		b.WriteByte('\n')
		begin += noNewlineText
	}
	b.WriteString(begin + "\n")
	for _, p := range params {
		writeComment(&b, p.Comment)
		writeParam(&b, p)
	}
	b.WriteString(endLine(owner) + "\n")
	changed, err := ParseMain(m.name, b.Bytes())
	if err != nil {
		return err
	}
	// Never write what would be read as something else, whatever stands
	// around it.
	for _, p := range params {
		if v, _ := changed.Get(p.Name); v != p.Value {
			errs = append(errs, &Error{Name: m.name, Err: &detail{ErrConflict,
				fmt.Sprintf("%s can't be written so that Postfix reads it: mend the lines around it", p.Name)}})
		}
	}
	if len(errs) > 0 {
		return errs
	}
	*m = *changed
	return nil
}

// Remove undoes [Main.Set]: the block goes, the lines that were commented out
// come back, and so does a missing newline at the end of the file. Without a
// block it does nothing. The error is as that of Set, and nothing is changed.
func (m *Main) Remove(owner string) error {
	if err := checkOwner(owner); err != nil {
		return Errors{err}
	}
	src, errs := m.without(owner)
	if len(errs) > 0 {
		return errs
	}
	return m.replace(src)
}

// replace puts a changed text in the place of the old one.
func (m *Main) replace(src []byte) error {
	changed, err := ParseMain(m.name, src)
	if err != nil {
		return err
	}
	*m = *changed
	return nil
}

// without returns the text without the owner's part.
func (m *Main) without(owner string) ([]byte, Errors) {
	var errs Errors
	fail := func(line int, kind error, format string, args ...any) {
		errs = append(errs, &Error{m.name, line, &detail{kind, fmt.Sprintf(format, args...)}})
	}
	var own []frame
	for _, f := range frames(m.src, owner) {
		switch {
		case f.owner != owner:
		case f.why != "":
			fail(f.line, ErrDamaged, "%s", f.why)
		case !f.managed:
			fail(f.line, ErrDamaged, "the text after %q is gone: restore %q", beginLine(owner), beginLine(owner)+managedText)
		case len(own) > 0:
			fail(f.line, ErrDamaged, "a second block of %s, the first is in line %d: delete the one that is a copy", owner, own[0].line)
		default:
			own = append(own, f)
		}
	}
	prefixed := prefixedLines(m.src, owner)
	if len(errs) > 0 {
		return nil, errs
	}
	if len(own) == 0 {
		for _, p := range prefixed {
			fail(p.line, ErrDamaged, "%q without a block of %s: delete the prefix, or the line", prefixOf(owner), owner)
		}
		return m.src, errs
	}
	block := own[0]
	inside := make(map[string]bool)
	for _, d := range m.defs {
		last := d.parts[len(d.parts)-1].line
		switch {
		case d.Line < block.line && last > block.line:
			fail(last, ErrConflict, "the line continues %s in line %d across the block of %s: move it there", d.Name, d.Line, owner)
		case block.line < d.Line && d.Line < block.endLine:
			inside[d.Name] = true
			if last > block.endLine {
				fail(last, ErrConflict, "the line continues %s in the block of %s: don't indent it", d.Name, owner)
			}
		case d.Line > block.endLine && inside[d.Name]:
			fail(d.Line, ErrConflict, "%s is defined again below the block of %s, which sets it: delete this one, or take it out of the policy", d.Name, owner)
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return cut(m.src, own, prefixed, owner), nil
}

// wrapColumn is where long values are broken.
const wrapColumn = 78

// writeParam writes "name = value". A long value is continued in lines that
// begin with the one space they are broken at, as Postfix keeps that space.
func writeParam(b *bytes.Buffer, p Param) {
	b.WriteString(p.Name + " =")
	if p.Value == "" {
		b.WriteByte('\n')
		return
	}
	line := p.Name + " = " + p.Value
	for from := len(p.Name) + 2; ; {
		end := breakAt(line, from)
		b.WriteString(line[from:end])
		b.WriteByte('\n')
		if end == len(line) {
			return
		}
		line, from = line[end:], 0
	}
}

// breakAt returns where to break the line: at the last space within
// wrapColumn, or else the first one after it, that follows some text and
// precedes no "#", which would make the rest a comment.
func breakAt(line string, from int) int {
	if len(line) <= wrapColumn {
		return len(line)
	}
	best := len(line)
	for i := from + 1; i < len(line)-1; i++ {
		if line[i] != ' ' || line[i+1] == '#' {
			continue
		}
		if i > wrapColumn {
			if best == len(line) {
				best = i
			}
			break
		}
		best = i
	}
	return best
}
