package relay

import (
	"cmp"
	"iter"
	"slices"
)

// What a caller lists comes from a query that may have no order: the rows of the
// emitted files have one of their own, so that another order changes no file.

// ordered are the elements of a list with their places, in the order of what they
// say.
func ordered(list []string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for _, i := range order(list) {
			if !yield(i, list[i]) {
				return
			}
		}
	}
}

func order(list []string) []int {
	places := make([]int, len(list))
	for i := range places {
		places[i] = i
	}
	if slices.IsSorted(list) {
		return places
	}
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(list[a], list[b]) })
	return places
}

// tenants are the policy's tenants with their places, by name.
func (p Policy) tenants() iter.Seq2[int, Tenant] {
	keys := make([]string, len(p.Tenants))
	for i, t := range p.Tenants {
		keys[i] = t.Name
	}
	return func(yield func(int, Tenant) bool) {
		for _, i := range order(keys) {
			if !yield(i, p.Tenants[i]) {
				return
			}
		}
	}
}
