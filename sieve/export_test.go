package sieve

// This file shows the tests insides of the package.

const (
	MaxScriptSize = maxScriptSize
	MaxErrors     = maxErrors
	ExtCount      = extCount
)

var (
	Conflicts   = conflicts
	CheckValues = checkValues
	Implied     = implied
	PositionOf  = position
	Walk        = walk
)

// Includes reports whether a script includes another one.
func Includes(s *Script) bool { return s.includes() }

// HasWord reports whether a command or test of the generic grammar has the name.
func HasWord(src, name string) bool {
	var p parser
	p.parse(src, func(int, error) {})
	for i := range p.nodes {
		if p.nodes[i].id == lookupName(name) {
			return true
		}
	}
	return false
}

// The table of commands and tests, as the reader has it.
type (
	NameID    = nameID
	ArgKind   = argKind
	TestCount = testCount
)

// Spec is a spec.
type Spec struct {
	IsTest   bool
	Ext      Extensions
	Args     []ArgKind
	Optional int
	Subtests TestCount
	Block    bool
	Tags     []TagSpec
}

// TagSpec is a tagSpec.
type TagSpec struct {
	ID    NameID
	Ext   Extensions
	Param ArgKind
	Group uint8
}

const (
	NoTest, OneTest, TestList              = noTest, oneTest, testList
	ArgNone, ArgString, ArgList, ArgNumber = argNone, argString, argList, argNumber
	GroupMatch                             = groupMatch

	NumNames         = numNames
	NameAnyChild     = nameAnyChild
	NameDenotify     = nameDenotify
	NameElsIf        = nameElsIf
	NameElse         = nameElse
	NameForEveryPart = nameForEveryPart
	NameHasFlag      = nameHasFlag
	NameIf           = nameIf
	NameIs           = nameIs
	NameKeep         = nameKeep
	NameLast         = nameLast
	NameNotify       = nameNotify
	NameRequire      = nameRequire
	NameSize         = nameSize
	NameTrue         = nameTrue
)

// Spellings are the words; Specs are those of the commands and tests.
var (
	Spellings = spellings
	Specs     = func() (out [numNames]*Spec) {
		for id, sp := range specs {
			if sp != nil {
				out[id] = exported(sp)
			}
		}
		return out
	}()
	DraftNotifySpec = exported(draftNotify)
)

func exported(sp *spec) *Spec {
	out := &Spec{sp.isTest, sp.ext, sp.args, sp.optional, sp.subtests, sp.block, nil}
	for _, t := range sp.tags {
		out.Tags = append(out.Tags, TagSpec{t.id, t.ext, t.param, t.group})
	}
	return out
}
