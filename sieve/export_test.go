package sieve

import "fmt"

// This file shows the tests insides of the package.

const (
	MaxScriptSize = maxScriptSize
	MaxErrors     = maxErrors
	ExtCount      = extCount
)

var (
	Conflicts      = conflicts
	CutUTF8        = cutUTF8
	ExtensionNamed = extensionNamed
	FlagValid      = flagValid
	Implied        = implied
	IsDigit        = isDigit
	PlainValue     = plainValue
	Position       = position
	Quote          = quote
	RedirectTarget = redirectTarget
	SameMailbox    = sameMailbox
	Walk           = walk
)

// ParseMailbox says what is wrong with an address that a script gives.
func ParseMailbox(s string) error {
	_, err := parseMailbox(s)
	return err
}

// Addressees are the recipients of a mailto URI that get no copy.
func Addressees(uri string) ([]string, error) {
	m, err := parseMailto(uri)
	if err != nil {
		return nil, err
	}
	return m.addressees(false), nil
}

// Includes reports whether a script includes another one.
func Includes(s *Script) bool { return s.includes() }

// AddressValues returns what the address test compares of a field, and as how
// many addresses the field counts.
func AddressValues(body []byte, part AddressPart) (list []string, count int) {
	var parts [5][]value
	r := &run{steps: 1 << 20, program: &Program{delimiter: "+"}}
	count = r.parse(body, &parts)
	for _, v := range parts[partIndex(part)] {
		list = append(list, string(v.text))
	}
	return list, count
}

// FieldsFound shows the fields that a run finds for a program that asks for the
// names.
func FieldsFound(names []string, in Input) string {
	var table fieldTable
	for _, name := range names {
		table.slot(name)
	}
	r := &run{in: in}
	r.index(&table)
	s := fmt.Sprint(r.first, r.last)
	for _, e := range r.entries {
		s += fmt.Sprintf(" %q: %q %d", e.field.Name, e.field.Body, e.next)
	}
	return s
}

// PrintedLines are the lines of the printed script.
func PrintedLines(s *Script) []int {
	nodes, requires := s.nodes()
	var p printer
	p.script(nodes, requires)
	return p.lines
}

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
