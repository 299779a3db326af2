package main

import (
	"fmt"
	"strings"
)

const (
	diffContext = 3
	// maxDiff bounds the table of the comparison; what is larger, between the
	// first and last lines that differ, is shown as replaced.
	maxDiff = 1 << 22
)

// unified is the difference of two texts as diff -u writes it, empty where
// there is none. Lines keep their ends, CR too.
func unified(name, before, after string) string {
	if before == after {
		return ""
	}
	a, b := lines(before), lines(after)
	edits := compare(a, b)
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", name, name)
	for i := 0; i < len(edits); {
		if edits[i].op == ' ' {
			i++
			continue
		}
		// A hunk ends where more lines follow unchanged than two contexts have.
		start, end := max(0, i-diffContext), i
		for j := i; j < len(edits) && j-end <= 2*diffContext; j++ {
			if edits[j].op != ' ' {
				end = j
			}
		}
		end = min(len(edits), end+1+diffContext)
		hunk(&out, edits[start:end])
		i = end
	}
	return out.String()
}

// lines cuts a text behind its line ends.
func lines(s string) []string {
	out := strings.SplitAfter(s, "\n")
	if out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}

// diffLine is a line that stays (' '), goes ('-') or comes ('+'), with the numbers
// of lines of both texts before it.
type diffLine struct {
	op   byte
	text string
	a, b int
}

// compare finds a longest common subsequence of lines.
func compare(a, b []string) []diffLine {
	var out []diffLine
	i, j := 0, 0
	add := func(op byte) {
		e := diffLine{op: op, a: i, b: j}
		if op == '+' {
			e.text = b[j]
		} else {
			e.text = a[i]
		}
		if op != '+' {
			i++
		}
		if op != '-' {
			j++
		}
		out = append(out, e)
	}
	for i < len(a) && j < len(b) && a[i] == b[j] {
		add(' ')
	}
	endA, endB := len(a), len(b)
	for endA > i && endB > j && a[endA-1] == b[endB-1] {
		endA, endB = endA-1, endB-1
	}
	n, m, i0, j0 := endA-i, endB-j, i, j
	if n*m <= maxDiff {
		// longest[x][y] is that of what is left of both from there on.
		longest := make([][]int32, n+1)
		for x := range longest {
			longest[x] = make([]int32, m+1)
		}
		for x := n - 1; x >= 0; x-- {
			for y := m - 1; y >= 0; y-- {
				if a[i0+x] == b[j0+y] {
					longest[x][y] = longest[x+1][y+1] + 1
				} else {
					longest[x][y] = max(longest[x+1][y], longest[x][y+1])
				}
			}
		}
		for i < endA && j < endB {
			switch x, y := i-i0, j-j0; {
			case a[i] == b[j]:
				add(' ')
			case longest[x+1][y] >= longest[x][y+1]:
				add('-')
			default:
				add('+')
			}
		}
	}
	for i < endA {
		add('-')
	}
	for j < endB {
		add('+')
	}
	for i < len(a) {
		add(' ')
	}
	return out
}

func hunk(out *strings.Builder, edits []diffLine) {
	counts := map[byte]int{}
	for _, e := range edits {
		counts[e.op]++
	}
	side := func(before, n int) string {
		switch n {
		case 0:
			return fmt.Sprintf("%d,0", before)
		case 1:
			return fmt.Sprint(before + 1)
		}
		return fmt.Sprintf("%d,%d", before+1, n)
	}
	fmt.Fprintf(out, "@@ -%s +%s @@\n", side(edits[0].a, counts[' ']+counts['-']), side(edits[0].b, counts[' ']+counts['+']))
	for _, e := range edits {
		out.WriteByte(e.op)
		out.WriteString(e.text)
		if !strings.HasSuffix(e.text, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}
