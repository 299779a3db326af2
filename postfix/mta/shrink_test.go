package mta_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
)

// shrinkRounds bounds the runs of the lab that a smallest case may take.
const shrinkRounds = 15

// shrink makes the smallest case of a draw one of whose messages is wrong: it
// drops settings, services, rows of tables and lines of the message as long as
// the engine and the servers still disagree. Each run of the lab tries perLab
// ways.
func shrink(t *testing.T, system maillab.System, d *draw, message int) *draw {
	best := d.clone()
	best.Messages = []drawnMessage{d.Messages[message]}
	for range shrinkRounds {
		smaller := best.smaller()
		progress := false
		for batch := range slices.Chunk(smaller, perLab) {
			for _, h := range hear(t, system, batch) {
				if j, err := h.judge(t, system); err == nil && len(j.wrong) > 0 {
					best, progress = h.draw, true
					break
				}
			}
			if progress {
				break
			}
		}
		if !progress {
			break
		}
	}
	return best
}

func (d *draw) clone() *draw {
	c := *d
	c.Settings, c.Services, c.Messages = slices.Clone(d.Settings), slices.Clone(d.Services), slices.Clone(d.Messages)
	c.Files = maps.Clone(d.Files)
	return &c
}

// smaller are the draws that lack something of this one, those that lack most
// first.
func (d *draw) smaller() (list []*draw) {
	half := len(d.Settings) / 2
	without := func(from, to int) {
		c := d.clone()
		c.Settings = slices.Delete(c.Settings, from, to)
		list = append(list, c.tidy())
	}
	if half > 1 {
		without(0, half)
		without(half, len(d.Settings))
	}
	for i := range d.Settings {
		without(i, i+1)
	}
	for i, text := range d.Services {
		if lines := strings.Split(text, "\n"); len(lines) > 2 {
			c := d.clone()
			c.Services[i] = strings.Join(lines[:2], "\n")
			list = append(list, c.tidy())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Files)) {
		for i := range d.Files[name] {
			if len(d.Files[name]) > 1 && !strings.HasPrefix(d.Files[name][i], "if ") && d.Files[name][i] != "endif" {
				c := d.clone()
				c.Files[name] = slices.Delete(slices.Clone(c.Files[name]), i, i+1)
				list = append(list, c)
			}
		}
	}
	m := d.Messages[0]
	if len(m.To) > 1 {
		for i := range m.To {
			c := d.clone()
			c.Messages[0].To = []string{m.To[i]}
			list = append(list, c)
		}
	}
	for i, line := range m.Raw {
		if line != "" {
			c := d.clone()
			c.Messages[0].Raw = slices.Delete(slices.Clone(m.Raw), i, i+1)
			list = append(list, c)
		}
	}
	return list
}

// tidy drops the files that nothing names.
func (d *draw) tidy() *draw {
	text := d.text()
	maps.DeleteFunc(d.Files, func(name string, _ []string) bool { return !strings.Contains(text, "@DIR@/"+name) })
	return d
}

// text is everything that may name a file, and that a reader sees.
func (d *draw) text() string {
	var b strings.Builder
	for _, s := range d.Settings {
		b.WriteString(s.Name + " = " + s.Value + " \n")
	}
	for _, lines := range d.Files {
		b.WriteString(strings.Join(lines, " \n") + " \n")
	}
	return b.String() + strings.Join(d.Services, " \n")
}

// fixture is the draw as testdata/drawn.json has it.
func (d *draw) fixture() string {
	text, err := json.MarshalIndent(d, "\t", "\t")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
