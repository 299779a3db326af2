package mailfilter

import (
	"sort"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// source is a script and its tree.
type source struct {
	*sieve.Tree
	name  string
	src   string
	lines []int // where lines begin
}

func parseSource(name, src string) (*source, error) {
	t, err := sieve.ParseTree(name, []byte(src))
	if err != nil {
		return nil, err
	}
	s := &source{Tree: t, name: name, src: src, lines: make([]int, 1, 1+strings.Count(src, "\n"))}
	for i := 0; i < len(src); {
		n := strings.IndexByte(src[i:], '\n')
		if n < 0 {
			break
		}
		i += n + 1
		s.lines = append(s.lines, i)
	}
	return s, nil
}

// text is the source of a part.
func (s *source) text(p sieve.Span) string { return s.src[p.Start:p.End] }

// position returns the line and column of an octet, both from 1.
func (s *source) position(off int) (line, column int) {
	line = sort.SearchInts(s.lines, off+1)
	return line, off - s.lines[line-1] + 1
}
