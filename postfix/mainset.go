package postfix

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"

	"github.com/oxmailroute/oxmailroute/postfix/internal/block"

	"github.com/oxmailroute/oxmailroute/internal/fault"
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
// What was edited by hand within the block stays, as [Main.Extract] leaves it.
// The error is [Errors], and nothing is changed: ErrIllegal and ErrDuplicate for params that
// can't be written (see [ValidParamName], [ValidValue]), ErrConflict where the
// customer defines one of the parameters again below the block or continues its
// last line, or where another owner's block defines it, ErrDamaged where the
// comment lines are not as they were written. An owner is letters, digits,
// ".", "_" and "-".
func (m *Main) Set(owner string, params []Param) error {
	if m == nil {
		return &Error{Err: errors.New("Set needs a Main: see ParseMain")}
	}
	var errs Errors
	if err := checkOwner(owner); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, checkParams("", params)...)
	src, _, damage := m.without(owner, false)
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
	others := block.Find(base.src, owner)
	var b bytes.Buffer
	var aside []string
	from := 0
	for _, d := range base.defs {
		if !ours[d.Name] {
			continue
		}
		if other := block.Enclosing(others, d.Line); other != "" {
			errs = append(errs, &Error{Position: Position{File: m.name, Line: d.Line}, Err: fault.New(ErrConflict,
				fmt.Sprintf("%s is set by the block of %s: remove that first", d.Name, other))})
			continue
		}
		for _, p := range d.parts {
			b.Write(base.src[from:p.start])
			b.WriteString(block.PrefixOf(owner))
			from = p.start
			aside = append(aside, string(base.src[p.start:p.end]))
		}
	}
	if len(errs) > 0 {
		return errs
	}
	b.Write(base.src[from:])
	var body bytes.Buffer
	for _, p := range params {
		writeComment(&body, p.Comment)
		writeParam(&body, p)
	}
	block.Write(&b, owner, body.Bytes(), aside, true)
	changed, err := ParseMain(m.name, b.Bytes())
	if err != nil {
		return err
	}
	// Never write what would be read as something else, whatever stands
	// around it.
	for _, p := range params {
		if v, _ := changed.Get(p.Name); v != p.Value {
			errs = append(errs, &Error{Position: Position{File: m.name}, Err: fault.New(ErrConflict,
				fmt.Sprintf("%s can't be written so that Postfix reads it: mend the lines around it", p.Name))})
		}
	}
	if len(errs) > 0 {
		return errs
	}
	changed.seals = m.seals
	*m = *changed
	return nil
}

// Remove undoes [Main.Set]: the block goes, the lines that were commented out
// come back, and so does a missing newline at the end of the file. Without a
// block it does nothing. The error is as that of Set, and nothing is changed.
func (m *Main) Remove(owner string) error {
	if m == nil {
		m = new(Main)
	}
	if err := checkOwner(owner); err != nil {
		return Errors{err}
	}
	src, _, errs := m.without(owner, false)
	if len(errs) > 0 {
		return errs
	}
	return m.replace(src)
}

// Extract is [Main.Remove] for a file that somebody may have edited within the
// owner's block, or torn it: it takes out what is the owner's beyond doubt and
// reports every other line that is left of it. By the seal in the BEGIN and END
// lines and its list ([Main.KnowSeals]), lines that were added within the block stay, comments that were changed
// there, too, and other lines that were changed stay as comments. Either of the
// two lines is enough to find the block, and a piece of one with the other. A
// block that was edited and whose list isn't known stays as it stands. Of
// a block that has lost its END line and was edited, the lines that the seal
// knows go; of one that has lost its BEGIN line and its first line, all stay.
// Without both lines nothing of it is found. A line elsewhere in the file that
// is like one that is missing from the block is reported, and stays. Where there
// is no seal, as in files of earlier versions, the whole block goes. A block that
// was copied, or moved to another place in the file, goes from there. A line that
// went on below the block where the block ended becomes a comment, lest it
// continue another.
//
// A line that was out of use comes back also where it was edited meanwhile, if
// it defines something, and is reported; one whose prefix was changed stays as it
// is, and is reported.
func (m *Main) Extract(owner string) ([]Leftover, error) {
	if m == nil {
		m = new(Main)
	}
	if err := checkOwner(owner); err != nil {
		return nil, Errors{err}
	}
	src, left, errs := m.without(owner, true)
	if len(errs) > 0 {
		return nil, errs
	}
	return left, m.replace(src)
}

// Edits reports what was edited by hand within the owner's block, and what
// becomes of it by [Main.Set] and [Main.Remove].
func (m *Main) Edits(owner string) []Leftover {
	if m == nil {
		m = new(Main)
	}
	_, left, _ := m.without(owner, false)
	return left
}

// replace puts a changed text in the place of the old one.
func (m *Main) replace(src []byte) error {
	changed, err := ParseMain(m.name, src)
	if err != nil {
		return err
	}
	changed.seals = m.seals
	*m = *changed
	return nil
}

// without returns the text without the owner's part. lenient: what is damaged
// is left and reported, instead of an error.
func (m *Main) without(owner string, lenient bool) ([]byte, []Leftover, Errors) {
	var errs Errors
	var left []Leftover
	var edits []block.Edit
	fail := func(line int, kind error, format string, args ...any) {
		errs = append(errs, &Error{Position: Position{File: m.name, Line: line}, Err: fault.New(kind, fmt.Sprintf(format, args...))})
	}
	all := block.Find(m.src, owner)
	if lenient {
		all = block.Mend(m.src, all, owner, true, m.seals)
	} else {
		all = m.seals.Know(m.src, all, owner)
	}
	var own []block.Frame
	found := false // something of a block
	for _, f := range all {
		if f.Owner != owner {
			continue
		}
		found = true
		why := f.Why
		switch {
		case why != "":
		case !f.Managed:
			why = fmt.Sprintf("the text after %q is gone: restore %q", block.BeginLine(owner), block.BeginLine(owner)+block.ManagedText)
		case len(own) > 0 && (f.Seal == (block.Seal{}) || !lenient):
			why = fmt.Sprintf("a second block of %s, the first is in line %d: delete the one that is a copy", owner, own[0].Line)
		default:
			own = append(own, f)
			continue
		}
		if !lenient {
			fail(cmp.Or(f.Line, f.EndLine), ErrDamaged, "%s", why)
			continue
		}
		f.Managed = true
		some, rest := f.Salvage(m.src, all, why)
		edits, left = append(edits, some...), append(left, rest...)
	}
	prefixed := block.PrefixedLines(m.src, owner)
	if len(errs) > 0 {
		return nil, nil, errs
	}
	if len(own) == 0 && !found {
		for _, p := range prefixed {
			if !lenient {
				fail(p.Line, ErrDamaged, "%q without a block of %s: delete the prefix, or the line", block.PrefixOf(owner), owner)
				continue
			}
			left = append(left, Leftover{Line: p.Line, Text: block.LineAt(m.src, p.Start),
				Why: fmt.Sprintf("the block of %s is gone; the line is in force again", owner)})
		}
		if len(errs) > 0 {
			return nil, nil, errs
		}
	}
	for _, of := range own {
		inside := make(map[string]bool)
		for _, d := range m.defs {
			last := d.parts[len(d.parts)-1].line
			switch {
			case d.Line < of.Line && last > of.Line && !lenient:
				fail(last, ErrConflict, "the line continues %s in line %d across the block of %s: move it there", d.Name, d.Line, owner)
			case of.Line < d.Line && d.Line < of.EndLine:
				inside[d.Name] = true
				if last > of.EndLine && !lenient {
					fail(last, ErrConflict, "the line continues %s in the block of %s: don't indent it", d.Name, owner)
				}
			case d.Line > of.EndLine && inside[d.Name] && !lenient:
				fail(d.Line, ErrConflict, "%s is defined again below the block of %s, which sets it: delete this one, or take it out of the policy",
					d.Name, owner)
			}
		}
	}
	if len(errs) > 0 {
		return nil, nil, errs
	}
	src, left := block.Cut(m.src, all, own, owner, edits, left, lenient)
	return src, left, nil
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

func checkOwner(owner string) *Error {
	if !block.ValidOwner(owner) {
		return &Error{Position: Position{Path: "owner"}, Err: fault.New(ErrIllegal, fmt.Sprintf("%q: write letters, digits, \".\", \"_\", \"-\"",
			owner))}
	}
	return nil
}
