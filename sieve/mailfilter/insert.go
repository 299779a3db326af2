package mailfilter

import (
	"math"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// insert puts in a rule that is not there.
func (d *Document) insert(wants []want, i int) error {
	w := wants[i]
	src := d.tree.src
	if src == "" {
		// OX looks for the require command in the second line.
		src = ownHeader + d.eol
		if err := d.apply(splice{0, 0, src}); err != nil {
			return err
		}
	}
	added, edits := d.require(w.needs)
	if len(d.requires) == 0 && len(edits) > 0 && d.OX != OlderOX && d.head() == 0 {
		if err := d.apply(splice{0, 0, ownHeader + d.eol}); err != nil {
			return err
		}
		src = d.tree.src
		_, edits = d.require(w.needs)
		added = append(added, headedFlag)
	}
	off := d.place(wants, i)
	g := tag{flags: append([]string{ManagedFlag, w.Flag}, added...), id: d.newID(), name: w.Name}
	before, after := "", ""
	switch lineStart := off == 0 || src[off-1] == '\n'; {
	case lineStart:
		after = d.eol
	case off == len(src):
		before = d.eol
	default:
		before, after = d.eol, d.eol
		g.flags = append(g.flags, inlineFlag)
	}
	rule := splice{off, off, before + g.String() + d.eol + w.text + after}
	edits = append(edits, rule)
	slices.SortStableFunc(edits, func(a, b splice) int { return a.off - b.off })
	return d.apply(edits...)
}

// newID is an id that no rule has: the largest plus one, as OX counts.
func (d *Document) newID() int {
	next, used := 0, map[int]bool{}
	for _, g := range d.tags {
		next = max(next, g.id+1)
		used[g.id] = true
	}
	if next <= math.MaxInt32 {
		return next
	}
	for next = 0; used[next]; next++ {
	}
	return next
}

// place is where a new rule goes.
func (d *Document) place(wants []want, i int) int {
	for j := i - 1; j >= 0; j-- {
		if k := d.Find(wants[j].Flag); k >= 0 {
			return d.behind(d.rules[k].end)
		}
	}
	for j := i + 1; j < len(wants); j++ {
		if k := d.Find(wants[j].Flag); k >= 0 {
			return d.tags[d.rules[k].tag].off
		}
	}
	leading := -1
	for n, r := range d.requires {
		if r != n {
			break
		}
		leading = d.tree.Commands[r].End
	}
	if leading >= 0 {
		return d.behind(leading)
	}
	return d.head()
}

// behind is the start of the line behind the one that holds off, or off itself
// where something else begins on its line.
func (d *Document) behind(off int) int {
	src := d.tree.src
	end := len(src)
	if i := strings.IndexByte(src[off:], '\n'); i >= 0 {
		end = off + i + 1
	}
	i, _ := slices.BinarySearchFunc(d.tree.Commands, off, func(n *sieve.Node, off int) int { return n.Start - off })
	if i < len(d.tree.Commands) && d.tree.Commands[i].Start < end {
		return off
	}
	for _, c := range d.tree.Comments {
		if c.Start < end && c.End >= end && src[c.Start] == '/' {
			return off
		}
	}
	return end
}

// head is where a script begins behind its first line, if that is a comment that
// says nothing of the rule behind it: OX's, or the like. OX reads the require
// command behind it.
func (d *Document) head() int {
	src := d.tree.src
	if !strings.HasPrefix(src, headerPrefix) && !strings.HasPrefix(src, ownHeader) {
		if d.OX == OlderOX || !strings.HasPrefix(src, "#") || strings.HasPrefix(src, disabledPrefix) || strings.HasPrefix(src, roundcubeStart) ||
			strings.HasPrefix(src, tagPrefix) || !strings.Contains(src, "\n") {
			return 0
		}
	}
	if i := strings.IndexByte(src, '\n'); i >= 0 {
		return i + 1
	}
	return len(src)
}

// require makes the splices that add the missing extensions to the require
// command, and the flags that remember them.
func (d *Document) require(needs []string) (flags []string, edits []splice) {
	var missing []string
	have := d.Requires()
	for _, x := range needs {
		if !slices.Contains(have, x) {
			missing = append(missing, x)
			if f, ok := memory(x); ok {
				flags = append(flags, f)
			}
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}
	if len(d.requires) == 0 {
		text := requireCommand(missing, d.eol)
		off := d.head()
		if off > 0 && d.tree.src[off-1] != '\n' {
			text = d.eol + requireCommand(missing, "")
		}
		return flags, []splice{{off, off, text}}
	}
	arg := d.tree.Commands[d.requires[0]].Arguments[0]
	last := arg.Strings[len(arg.Strings)-1]
	if !arg.List {
		text := `["` + strings.Join(append([]string{arg.Strings[0].Value}, missing...), `", "`) + `"]`
		return append(flags, bracketedFlag), []splice{{arg.Start, arg.End, text}}
	}
	separator := ", "
	if n := len(arg.Strings); n > 1 {
		if s := d.tree.src[arg.Strings[n-2].End:last.Start]; strings.Trim(s, " \t\r\n") == "," {
			separator = s
		}
	} else if d.tree.src[arg.Start+1] == ' ' {
		separator = " , "
	}
	var text strings.Builder
	for _, x := range missing {
		text.WriteString(separator + `"` + x + `"`)
	}
	return flags, []splice{{last.End, last.End, text.String()}}
}
