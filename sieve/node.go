package sieve

// node is a command or a test in the generic grammar of RFC 5228 section 8.2,
// as typed values and go-sieve's tree are printed.
type node struct {
	name  string // as written
	line  int    // set by the printer
	args  []argument
	tests []*node
	// list says that the tests stand in parentheses.
	list bool
	// block holds the commands of a block, where there is one.
	block    []*node
	hasBlock bool
	// comment is the text of a comment; the node is nothing else then.
	comment   string
	isComment bool
	// raw is the source text of a node that isn't read.
	raw string
	// silent marks a node that no typed value stands for (the word else).
	silent bool
}

// argKind is the kind of an argument (RFC 5228 section 2.6).
type argKind uint8

const (
	argNone argKind = iota
	argTag
	argString
	argList
	argNumber
)

// String names the kind as errors do.
func (k argKind) String() string {
	return [...]string{"nothing", "tag", "string", "string list", "number"}[k]
}

// argument is one argument.
type argument struct {
	kind argKind
	tag  string // without the colon, as written
	strs []item // one for a string, any number for a list
	num  uint64 // with its quantifier applied
	// quantifier is K, M or G where the number is to be printed with it.
	quantifier byte
}

// item is one string of an argument.
type item struct {
	value string
}

func newNode(name string) *node { return &node{name: name} }

// The methods below add to the arguments and return the node.

func (n *node) tag(name string) *node {
	n.args = append(n.args, tagArg(name))
	return n
}

func (n *node) str(s string) *node {
	n.args = append(n.args, stringArg(s))
	return n
}

func (n *node) strList(list []string) *node {
	n.args = append(n.args, listArg(list))
	return n
}

// text adds a tag with a string, where there is one.
func (n *node) text(tag string, s *string) *node {
	if s == nil {
		return n
	}
	return n.tag(tag).str(*s)
}

// number adds a tag with a number, where there is one.
func (n *node) number(tag string, v *uint64) *node {
	if v == nil {
		return n
	}
	n.tag(tag)
	n.args = append(n.args, argument{kind: argNumber, num: *v})
	return n
}

// flag adds a tag of an extension where it is set.
func (n *node) flag(w *writer, x Extensions, tag string, set bool) *node {
	if !set {
		return n
	}
	w.use(x)
	return n.tag(tag)
}

// position adds :index and :last.
func (n *node) position(w *writer, x Extensions, index uint64, last bool) *node {
	if index != 0 {
		w.use(x)
		n.number("index", &index)
	}
	return n.flag(w, x, "last", last)
}

func tagArg(name string) argument { return argument{kind: argTag, tag: name} }

func stringArg(s string) argument {
	return argument{kind: argString, strs: []item{{value: s}}}
}

// listArg is a string list; a list of one is a plain string, which means the
// same wherever a list can stand (RFC 5228 section 2.4.2.1).
func listArg(list []string) argument {
	a := argument{kind: argList, strs: make([]item, len(list))}
	for i, s := range list {
		a.strs[i].value = s
	}
	if len(list) == 1 {
		a.kind = argString
	}
	return a
}

func numberArg(n uint64) argument {
	a := argument{kind: argNumber, num: n}
	switch {
	case n == 0:
	case n&(1<<30-1) == 0:
		a.quantifier = 'G'
	case n&(1<<20-1) == 0:
		a.quantifier = 'M'
	case n&(1<<10-1) == 0:
		a.quantifier = 'K'
	}
	return a
}

// values returns the strings of a string or string list.
func (a argument) values() []string {
	out := make([]string, len(a.strs))
	for i, s := range a.strs {
		out[i] = s.value
	}
	return out
}

// quantifierShift returns the power of two of a quantifier (RFC 5228 section
// 2.4.1), in either case.
func quantifierShift(c byte) (uint, bool) {
	switch c {
	case 'k', 'K':
		return 10, true
	case 'm', 'M':
		return 20, true
	case 'g', 'G':
		return 30, true
	}
	return 0, false
}
