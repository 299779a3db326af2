package mailfilter

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrUnreadable is in the errors for rules that OX would report as broken, or
// would not keep as they are.
var ErrUnreadable = errors.New("OX can't read it")

// Effect is what comes of a problem in OX App Suite.
type Effect int

// The effects, the worst last.
const (
	// Odd: nothing is lost.
	Odd Effect = iota
	// Broken: OX shows the rule as broken and can't edit it. Its text stays.
	Broken
	// Altered: OX reads another meaning than the server, and writes that when the
	// user next saves; or its next save is one that the server refuses.
	Altered
	// Dropped: it is gone when the user next saves.
	Dropped
	// Swallowed: OX takes what follows for a part of it.
	Swallowed
	// Unreadable: OX can't read the script at all. The user sees no rule, and can
	// save none.
	Unreadable
)

var effects = [...]string{"odd", "broken", "altered", "dropped", "swallowed", "unreadable"}

// String is the effect in lower case.
func (e Effect) String() string {
	if e < 0 || int(e) >= len(effects) {
		return fmt.Sprintf("effect %d", int(e))
	}
	return effects[e]
}

// Problem is something of a script that OX can't read or doesn't keep.
type Problem struct {
	// Line and Column are its place, from 1; a column is an octet.
	Line, Column int
	// Rule is the name of the rule it is in; empty outside of rules, and for
	// rules without a name.
	Rule string
	// Construct is what it is about, as it is written: ":create", "elsif".
	Construct string
	Effect    Effect
	// OX is the generation that has the problem; [EveryOX] where each has it.
	OX Generation
	// Text says what is wrong, Fix what to do.
	Text, Fix string
}

// String is "line:column: rule \"Name\": text: fix".
func (p Problem) String() string {
	rule := ""
	if p.Rule != "" {
		rule = fmt.Sprintf("rule %q: ", p.Rule)
	}
	return fmt.Sprintf("%d:%d: %s%s: %s", p.Line, p.Column, rule, p.Text, p.Fix)
}

// Lint returns everything in a script that OX App Suite of the generation can't
// read, or doesn't keep when a user saves: rules that it shows as broken,
// commands that it drops without a word, texts that it reads otherwise than the
// server, scripts that it can't read at all ([Effect]). It fails where [Parse]
// does, and for an unknown generation. Comments that are not tags, which OX
// drops when a user saves, are not reported.
func Lint(name string, src []byte, ox Generation) ([]Problem, error) {
	if _, err := ParseGeneration(string(ox)); err != nil {
		return nil, err
	}
	d, err := Parse(name, src)
	if err != nil {
		return nil, err
	}
	d.OX = ox
	return d.Lint(), nil
}

// Lint is the function [Lint] for a document and its generation, d.OX.
func (d *Document) Lint() []Problem {
	d = d.whole()
	unrequired := d.unrequired()
	return d.OX.merge(func(g Generation) []Problem {
		l := &linter{d: d, ox: g, unrequired: unrequired}
		l.document()
		return l.out
	})
}

// subjectMark stands for the name of the generation in a text.
const subjectMark = "{OX}"

// merge joins what the single generations have to say.
func (g Generation) merge(lint func(Generation) []Problem) []Problem {
	var out []Problem
	seen := map[Problem][]int{} // without OX, by the places in out
	for i, single := range g.each() {
		for _, p := range lint(single) {
			if same := seen[p]; i > 0 && len(same) > 0 {
				out[same[0]].OX = EveryOX
				seen[p] = same[1:]
				continue
			}
			key := p
			if p.OX = single; i == 0 {
				seen[key] = append(seen[key], len(out))
			}
			out = append(out, p)
		}
	}
	for i := range out {
		out[i].Text = strings.ReplaceAll(out[i].Text, subjectMark, out[i].OX.subject())
	}
	slices.SortStableFunc(out, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return out
}
