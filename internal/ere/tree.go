package ere

// kind is the kind of a node, in the tree and in the automaton.
type kind uint8

const (
	kindSet    kind = iota // one octet of a set
	kindConcat             // left, right
	kindAlt                // left, right, each may be nil
	kindGroup              // left may be nil
	kindRepeat             // left
	kindAnchor
	kindBackref
	// In the automaton only.
	kindStar
	kindOpen
	kindClose
	kindEnd
)

// constraint is what must hold of the places around a node.
type constraint uint16

const (
	prevWord constraint = 1 << iota
	prevNotWord
	prevNewline
	prevBegin
	nextWord
	nextNotWord
	nextNewline
	nextEnd

	wordFirst     = prevNotWord | nextWord
	wordLast      = prevWord | nextNotWord
	insideWord    = prevWord | nextWord
	insideNotWord = prevNotWord | nextNotWord
)

// unlimited is the upper bound of an open repetition.
const unlimited = -1

// set is a set of octets.
type set [256]bool

// node is a node of the tree. A nil node matches nothing at all, the empty text.
type node struct {
	kind        kind
	left, right *node
	set         *set
	constraint  constraint
	min, max    int // of kindRepeat
	group       int // of kindGroup and kindBackref, from 1
}

func concat(left, right *node) *node {
	switch {
	case left == nil:
		return right
	case right == nil:
		return left
	}
	return &node{kind: kindConcat, left: left, right: right}
}

// tooMany is the size of what is too large in any case.
const tooMany = 1 << 30

// size is the number of nodes in the automaton, before those are doubled that
// stand behind an anchor.
func (n *node) size() int {
	if n == nil {
		return 0
	}
	size := 1
	switch n.kind {
	case kindConcat:
		size = n.left.size() + n.right.size()
	case kindAlt:
		size = n.left.size() + n.right.size() + 1
	case kindGroup:
		size = n.left.size() + 2
	case kindRepeat:
		one := n.left.size()
		size = n.min * one
		if n.max == unlimited {
			size += one + 1
		} else {
			size += (n.max - n.min) * (one + 1)
		}
	}
	return min(size, tooMany)
}

// copies reports whether glibc makes copies of what is repeated.
func (n *node) copies() bool { return n.min > 0 || n.max > 1 }

// mergeGroups takes out each group that is all of another one. same says for
// each group whose place it shares.
func mergeGroups(n *node, same []int) {
	if n == nil {
		return
	}
	switch n.kind {
	case kindGroup:
		if inner := n.left; inner != nil && inner.kind == kindGroup {
			n.left = inner.left
			same[inner.group] = same[n.group]
		}
	case kindBackref:
		n.group = same[n.group]
	}
	mergeGroups(n.left, same)
	mergeGroups(n.right, same)
}
