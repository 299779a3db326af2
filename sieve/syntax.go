package sieve

import (
	"strings"
)

// syntax is a source in the generic grammar of RFC 5228 section 8.2, before its
// names and arguments mean anything. All of it lies in a few slices, and what
// stands between two places is always there: src.
type syntax struct {
	src      string
	nodes    []synNode // nodes[0] is the script
	args     []synArg
	strs     []synString
	nums     []uint64
	decoded  []string // of the strings that have something to decode
	comments []synComment
	commands int // among the nodes
	listed   int // strings of lists and of tests, which are lists most often
}

// synNode is a command or a test; its parts are indexes into the slices of the
// syntax, and 0 stands for none.
type synNode struct {
	off, end int32 // from its name to behind its last token
	nameEnd  int32
	args     int32 // the first of nargs
	tests    int32 // the first; the others follow by next
	block    int32 // the first command of the block
	blockOff int32 // of the brace that opens the block
	next     int32 // sibling
	line     int32 // from 0
	count    int32 // of the commands of the block
	id       nameID
	nargs    uint8
	list     bool // the tests stand in parentheses
	hasBlock bool
	comment  bool // a # comment on a line of its own; the node is nothing else
}

// synArg is an argument.
type synArg struct {
	kind     argKind
	id       nameID // of a tag
	nstrs    int32  // of a string or list
	first    int32  // of its strings, or the number
	off, end int32
}

// synString is a string of an argument.
type synString struct {
	off, end int32
	// decoded is 0 for a quoted string that holds what it shows, else one more
	// than the index of what it holds.
	decoded int32
}

// name returns the name of a node as it is written.
func (s *syntax) name(n *synNode) string { return s.src[n.off:n.nameEnd] }

// tag returns a tag as it is written, without its colon.
func (s *syntax) tag(a *synArg) string { return s.src[a.off+1 : a.end] }

func (s *syntax) argsOf(n *synNode) []synArg { return s.args[n.args : n.args+int32(n.nargs)] }

// strings returns the strings of an argument; tags and numbers have none, and a
// number's first is no index of a string.
func (s *syntax) strings(a *synArg) []synString {
	if a.nstrs == 0 {
		return nil
	}
	return s.strs[a.first : a.first+a.nstrs]
}

// string1 returns the string of an argument that is one, or the first of a list.
func (s *syntax) string1(a *synArg) *synString { return &s.strs[a.first] }

func (s *syntax) num(a *synArg) uint64 { return s.nums[a.first] }

// value returns what a string holds.
func (s *syntax) value(x synString) string {
	if x.decoded != 0 {
		return s.decoded[x.decoded-1]
	}
	return s.src[x.off+1 : x.end-1]
}

// position returns the line and column of an offset.
func position(src string, off int) (line, column int) {
	off = min(off, len(src))
	start := strings.LastIndexByte(src[:off], '\n') + 1
	return strings.Count(src[:start], "\n") + 1, off - start + 1
}

// ownLine returns the text of a comment that Format can print: a # comment that
// stands alone on its line.
func (s *syntax) ownLine(c synComment) (string, bool) {
	if s.src[c.off] != '#' {
		return "", false
	}
	for i := int(c.off) - 1; i >= 0 && s.src[i] != '\n'; i-- {
		if classes[s.src[i]] != classSpace {
			return "", false
		}
	}
	text := s.src[c.off+1 : c.end]
	if strings.IndexByte(text, '\r') >= 0 {
		// A stray CR can't be printed in a comment.
		return "", false
	}
	// The space is what Format puts there.
	return strings.TrimPrefix(text, " "), true
}
