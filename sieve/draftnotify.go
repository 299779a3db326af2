package sieve

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/mailaddr"
)

// DraftNotify is the notify of draft-martin-sieve-notify-01, the extension
// "notify". The pointers are nil where the tag is absent.
type DraftNotify struct {
	Method   *string
	ID       *string
	Priority Priority
	Options  []string
	Message  *string
}

// Denotify takes back notifications of [DraftNotify]. Match is empty where all
// go, whatever their ID is.
type Denotify struct {
	Match MatchType
	// Relation belongs to Count and Value.
	Relation Relation
	// Key is what the ID is compared with.
	Key      string
	Priority Priority
}

// Priority is that of a [DraftNotify], as the tag is spelt.
type Priority string

// The priorities. The zero Priority leaves the tag out.
const (
	HighPriority   Priority = "high"
	NormalPriority Priority = "normal"
	LowPriority    Priority = "low"
)

func (DraftNotify) command() {}

func (Denotify) command() {}

// priority returns the priority of the draft's notify and denotify.
func (r *reader) priority() Priority {
	for _, id := range []nameID{nameLow, nameNormal, nameHigh} {
		if r.has(id) {
			return Priority(spellings[id])
		}
	}
	return ""
}

func (r *reader) draftNotify(n *synNode) Command {
	c := DraftNotify{
		Method: r.optionalText(nameMethod), ID: r.optionalText(nameIdent), Priority: r.priority(),
		Options: r.optionalList(nameOptions), Message: r.optionalText(nameMessage),
	}
	if c.Method != nil && !strings.EqualFold(*c.Method, "mailto") {
		r.errorf(n.off, `method %q is not "mailto", which alone the server has`, *c.Method)
	}
	if f := r.tagged(nameOptions); f != nil {
		for _, s := range r.strings(f.param) {
			if text, literal := r.text(&s); literal {
				if _, err := mailaddr.Parse(text); err != nil {
					r.errorf(s.off, "address %q: %w", text, err)
				}
			}
		}
	}
	return c
}

func (r *reader) denotify(n *synNode) Command {
	c := Denotify{Priority: r.priority()}
	m := r.matching()
	if m.match == "" {
		return c
	}
	key := r.tagged(nameID(m.tag)).arg + 1
	if m.relation != "" {
		key++
	}
	c.Match, c.Relation, c.Key = m.match, m.relation, r.str(&r.args[key])
	m.comparator = Octet
	r.checkMatching(n, m, &r.args[key])
	return c
}

func (n *node) priority(p Priority) *node {
	if p == "" {
		return n
	}
	return n.tag(word(string(p)))
}

var (
	flagsTag = tagSpec{id: nameFlags, ext: ExtIMAP4Flags, param: argList, group: 1}
	copyTag  = tagSpec{id: nameCopy, ext: ExtCopy, group: 2}
	// indexTags are those of RFC 5260 section 6. A second :last is taken.
	indexTags = []tagSpec{
		{id: nameIndex, ext: ExtIndex, param: argNumber, group: 1},
		{id: nameLast, ext: ExtIndex},
	}
	mimeTags = []tagSpec{
		{id: nameMIME, ext: ExtMIME, group: 2},
		{id: nameAnyChild, ext: ExtMIME},
	}
	mimePartTags = []tagSpec{
		{id: nameType, ext: ExtMIME, group: 4}, {id: nameSubtype, ext: ExtMIME, group: 4},
		{id: nameContentType, ext: ExtMIME, group: 4}, {id: nameParam, ext: ExtMIME, param: argList, group: 4},
	}
	priorityTags = []tagSpec{{id: nameLow, group: 1}, {id: nameNormal, group: 1}, {id: nameHigh, group: 1}}
)

// draftNotify is the spec of notify where the extension "notify" is on, the
// draft of RFC 5435.
var draftNotify = &spec{ext: ExtNotify, tags: tagsOf(priorityTags, []tagSpec{
	{id: nameMethod, param: argString}, {id: nameIdent, param: argString, group: 3},
	{id: nameOptions, param: argList, group: 4}, {id: nameMessage, param: argString, group: 5},
})}
