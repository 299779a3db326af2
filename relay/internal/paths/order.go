// Package paths writes the places of a list in a policy, and has an order of its own
// for them.
package paths

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// What a caller lists comes from a query that may have no order: the rows of the
// emitted files have one of their own, so that another order changes no file.

// Ordered are the elements of a list with their places, in the order of what they
// say.
func Ordered(list []string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for _, i := range Order(list) {
			if !yield(i, list[i]) {
				return
			}
		}
	}
}

// Order are the places of a list in the order of what it says.
func Order(list []string) []int {
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

// Index is the place of a list's element.
func Index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// Itoa writes a number.
func Itoa(n int) string { return strconv.Itoa(n) }

// Distance is how many octets are to be put in, taken out or changed to make
// one word of another.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// Nearest is the one of the names that a word was meant to be, perhaps.
func Nearest(word string, names map[string]bool) string {
	best, least := "", 1+len(word)/3
	for _, n := range slices.Sorted(maps.Keys(names)) {
		if len(n)-len(word) > least || len(word)-len(n) > least {
			continue
		}
		if d := Distance(word, n); d <= least {
			best, least = n, d-1
		}
	}
	return best
}

// Unescape reads the C-like escapes of message_strip_characters (postconf(5)).
func Unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if j := strings.IndexByte("abfnrtv", s[i]); j >= 0 {
			b.WriteByte("\a\b\f\n\r\t\v"[j])
			continue
		}
		n := 0
		for n < 3 && i+n < len(s) && s[i+n] >= '0' && s[i+n] <= '7' {
			n++
		}
		if n == 0 {
			b.WriteByte(s[i])
			continue
		}
		v, _ := strconv.ParseUint(s[i:i+n], 8, 16)
		b.WriteByte(byte(v))
		i += n - 1
	}
	return b.String()
}
