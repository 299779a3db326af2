package tables

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// Failures are the tables of the caller's that could not be asked: what they would
// have said may be what a guarantee hangs on.
type Failures struct {
	mu   sync.Mutex
	over bool // Route's questions are its own
	errs map[string]error
}

// asked is a table of the caller's, whose errors are kept.
type asked struct {
	postfix.Map
	name string
	to   *Failures
}

// Lookup asks the table.
func (a asked) Lookup(key string) (postfix.Row, bool, error) {
	row, ok, err := a.Map.Lookup(key)
	if err != nil {
		a.to.mu.Lock()
		defer a.to.mu.Unlock()
		if _, had := a.to.errs[a.name]; !had && !a.to.over {
			if a.to.errs == nil {
				a.to.errs = map[string]error{}
			}
			a.to.errs[a.name] = err
		}
	}
	return row, ok, err
}

// Patterns is the table's.
func (a asked) Patterns() bool {
	p, ok := a.Map.(postfix.Patterns)
	return ok && p.Patterns()
}

// Watch makes a table of the caller's one whose errors are kept; the tables of
// package postfix have none.
func (f *Failures) Watch(name string, m postfix.Map) postfix.Map {
	switch m.(type) {
	case *postfix.Index, *postfix.PatternTable, postfix.Static:
		return m
	}
	return asked{m, name, f}
}

// End returns an error for each table that could not be asked, once; what comes
// later isn't kept.
func (f *Failures) End() []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	var out []error
	for _, name := range slices.Sorted(maps.Keys(f.errs)) {
		out = append(out, fmt.Errorf("%s can't be asked: %w", name, f.errs[name]))
	}
	clear(f.errs)
	return out
}
