package sieve

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
)

// truth is what is known of a test before it runs. Like Pigeonhole, the reader
// doesn't look at what can't be reached.
type truth int8

const (
	unknown truth = iota
	never
	always
)

// test reads a test; where there was an error it returns a value that stands
// for nothing.
func (r *reader) test(n *synNode) (Test, truth) {
	r.places = append(r.places, sourcePlace{n.off, n.line})
	sp := specs[n.id]
	switch {
	case sp == nil:
		r.errorf(n.off, "unknown test %q, or of an extension that is %w", r.name(n), ErrUnsupported)
		return False{}, unknown
	case !sp.isTest:
		r.errorf(n.off, "%s is a command, not a test", r.name(n))
		return False{}, unknown
	case !r.need(n, sp) || !r.arguments(n, sp):
		return False{}, unknown
	}
	r.show(sp.ext)
	args := r.positional(n)
	switch n.id {
	case nameTrue:
		return True{}, always
	case nameFalse:
		return False{}, never
	case nameNot:
		t, value := r.test(&r.nodes[n.tests])
		return Not{t}, [...]truth{unknown: unknown, never: always, always: never}[value]
	case nameAllOf:
		tests, value := r.tests(n, never)
		return AllOf(tests), value
	case nameAnyOf:
		tests, value := r.tests(n, always)
		return AnyOf(tests), value
	case nameIHave:
		return r.ihave(n, args)
	}
	return r.plainTest(n, args), unknown
}

// tests reads a list of tests up to the one that decides it; what stands behind
// that is dead.
func (r *reader) tests(n *synNode, decides truth) ([]Test, truth) {
	count := 0
	for i := n.tests; i != 0; i = r.nodes[i].next {
		count++
	}
	out := make([]Test, 0, count)
	all := truth(0)
	for i := n.tests; i != 0; i = r.nodes[i].next {
		if all == decides && len(out) > 0 {
			out = append(out, r.deadTest(&r.nodes[i]))
			continue
		}
		t, value := r.test(&r.nodes[i])
		out = append(out, t)
		switch {
		case value == decides:
			all = decides
		case len(out) == 1 || all != unknown:
			all = value
		}
	}
	return out, all
}

// plainTest reads a test that looks at the message.
func (r *reader) plainTest(n *synNode, args []synArg) Test {
	switch n.id {
	case nameSize:
		t := Size{Over: r.has(nameOver), Limit: r.num(&args[0])}
		if len(r.found) == 0 {
			r.errorf(n.off, "size needs the tag :over or :under")
		}
		return t
	case nameExists:
		mime, anyChild := r.mime()
		return Exists{Names: r.strList(&args[0]), MIME: mime, AnyChild: anyChild}
	case nameMailboxExists:
		return MailboxExists{r.strList(&args[0])}
	case nameMetadataExists:
		return MetadataExists{r.str(&args[0]), r.strList(&args[1])}
	case nameServerMetadataExists:
		return ServerMetadataExists{r.strList(&args[0])}
	case nameSpecialUseExists:
		return r.specialUseExists(n, args)
	case nameDuplicate:
		return r.duplicate()
	case nameValidNotifyMethod:
		return ValidNotifyMethod{r.strList(&args[0])}
	}
	m := r.matching()
	t := r.comparing(n, args, m)
	if n.id != nameSpamTest && n.id != nameVirusTest || m.match != Regex {
		r.checkMatching(n, m, &args[len(args)-1])
	}
	return t
}

// comparing reads a test that compares values with keys.
func (r *reader) comparing(n *synNode, args []synArg, m matching) Test {
	switch n.id {
	case nameHeader:
		t := Header{Match: m.match, Relation: m.relation, Comparator: m.comparator}
		if r.own {
			t.MIME, t.AnyChild = r.mime()
			t.Index, t.Last = r.index()
			r.mimePart(&t)
		}
		t.Names = r.strList(&args[0])
		t.Keys = r.strList(&args[1])
		return t
	case nameAddress:
		t := Address{Part: m.part, Match: m.match, Relation: m.relation, Comparator: m.comparator}
		if r.own {
			t.MIME, t.AnyChild = r.mime()
			t.Index, t.Last = r.index()
		}
		t.Names = r.addressFields(&args[0])
		t.Keys = r.strList(&args[1])
		return t
	case nameEnvelope:
		t := Envelope{Part: m.part, Match: m.match, Relation: m.relation, Comparator: m.comparator}
		t.Fields = r.envelopeFields(&args[0], m)
		t.Keys = r.strList(&args[1])
		return t
	case nameHasFlag:
		t := HasFlag{Match: m.match, Relation: m.relation, Comparator: m.comparator}
		if len(args) == 2 {
			t.Variables = r.flagVariables(n, &args[0])
		}
		t.Flags = r.strList(&args[len(args)-1])
		return t
	case nameBody:
		t := Body{Match: m.match, Relation: m.relation, Comparator: m.comparator}
		for _, id := range []nameID{nameRaw, nameText, nameContent} {
			if r.has(id) {
				t.Transform = Transform(spellings[id])
			}
		}
		t.Content = r.optionalList(nameContent)
		t.Keys = r.strList(&args[0])
		return t
	case nameDate:
		t := Date{Match: m.match, Relation: m.relation, Comparator: m.comparator, OriginalZone: r.has(nameOriginalZone)}
		t.Index, t.Last = r.index()
		t.Zone = r.zone()
		t.Name, t.Part, t.Keys = r.str(&args[0]), DatePart(r.str(&args[1])), r.strList(&args[2])
		return t
	case nameCurrentDate:
		t := CurrentDate{Match: m.match, Relation: m.relation, Comparator: m.comparator, Zone: r.zone()}
		t.Part, t.Keys = DatePart(r.str(&args[0])), r.strList(&args[1])
		return t
	case nameEnvironment:
		t := Environment{r.str(&args[0]), m.match, m.relation, m.comparator, r.strList(&args[1])}
		r.environment = true
		if strings.HasPrefix(t.Item, dovecotItem) {
			r.shown |= r.on & ExtDovecotEnvironment
		}
		return t
	case nameString:
		return String{r.strList(&args[0]), m.match, m.relation, m.comparator, r.strList(&args[1])}
	case nameMetadata:
		return Metadata{r.str(&args[0]), r.str(&args[1]), m.match, m.relation, m.comparator, r.strList(&args[2])}
	case nameServerMetadata:
		return ServerMetadata{r.str(&args[0]), m.match, m.relation, m.comparator, r.strList(&args[1])}
	case nameSpamTest:
		t := SpamTest{r.has(namePercent), m.match, m.relation, m.comparator, r.str(&args[0])}
		return t
	case nameVirusTest:
		return VirusTest{m.match, m.relation, m.comparator, r.str(&args[0])}
	case nameNotifyMethodCapability:
		return NotifyMethodCapability{r.str(&args[0]), r.str(&args[1]), m.match, m.relation, m.comparator, r.strList(&args[2])}
	}
	return False{}
}

// matching is what the tags of a comparing test say.
type matching struct {
	match      MatchType
	tag        nameID // of match
	relation   Relation
	comparator Comparator
	part       AddressPart
}

// matching reads the tags of a comparing test.
func (r *reader) matching() (m matching) {
	for i := range r.found {
		f := &r.found[i]
		switch f.id {
		case nameIs, nameContains, nameMatches:
			m.tag = f.id
		case nameRegex:
			m.tag = f.id
			r.shown |= ExtRegex
		case nameCount, nameValue:
			m.tag = f.id
			r.shown |= ExtRelational
			// The relation is not subject to encoded-character.
			s := r.string1(f.param)
			if m.relation = Relation(r.value(*s)); !m.relation.Valid() {
				r.errorf(s.off, `relation %q is none of "gt", "ge", "lt", "le", "eq", "ne"`, m.relation)
			}
		case nameComparator:
			r.comparator(f, &m)
		case nameUser, nameDetail:
			r.shown |= ExtSubaddress
			m.part = AddressPart(spellings[f.id])
		case nameAll, nameLocalPart, nameDomain:
			m.part = AddressPart(spellings[f.id])
		}
	}
	m.match = MatchType(spellings[m.tag])
	return m
}

func (r *reader) comparator(f *foundTag, m *matching) {
	s := r.string1(f.param)
	text, literal := r.text(s)
	if !literal {
		r.errorf(s.off, "the name of a comparator can't have variables")
		return
	}
	ext := Extensions(0)
	switch m.comparator = Comparator(strings.ToLower(text)); m.comparator {
	case Octet, ASCIICasemap:
		return
	case ASCIINumeric:
		ext = ExtASCIINumeric
	case UnicodeCasemap:
		ext = ExtUnicodeCasemap
	}
	switch {
	case ext == 0:
		r.errorf(s.off, "comparator %q is %w", text, ErrUnsupported)
	case ext == ExtUnicodeCasemap && r.available.Has(Pigeonhole24) && !r.on.Has(ext):
		// Without require, it is in the values alone.
	case !r.on.Has(ext):
		r.errorf(s.off, "the comparator needs the extension %q: add it to require", ext)
		m.comparator = ""
	default:
		r.shown |= ext
	}
}

// checkMatching checks what holds between match type, comparator and keys.
func (r *reader) checkMatching(n *synNode, m matching, keys *synArg) {
	if err := m.comparator.Supports(m.match); err != nil {
		r.errorf(n.off, "%w", err)
		return
	}
	if m.match != Regex {
		return
	}
	for _, k := range r.strings(keys) {
		text, literal := r.text(&k)
		if !literal {
			continue
		}
		if _, err := headers.CompileERE(text, m.comparator != Octet); err != nil {
			r.errorf(k.off, "regular expression %q: %w", r.value(k), err)
		}
	}
}

// index reads :index and :last (RFC 5260 section 6).
func (r *reader) index() (n uint64, last bool) {
	if f := r.tagged(nameIndex); f != nil {
		r.shown |= ExtIndex
		if n = r.num(f.param); n == 0 {
			r.errorf(f.param.off, "index 0: fields are counted from 1")
		}
	}
	if f := r.tagged(nameLast); f != nil {
		if last = true; n == 0 {
			r.errorf(r.args[f.arg].off, "tag :last needs :index")
		}
	}
	return n, last
}

func (r *reader) addressFields(a *synArg) []string {
	start := len(r.list)
	for _, s := range r.strings(a) {
		name, literal := r.text(&s)
		if literal && !isAddressField(name) {
			r.errorf(s.off, "field %q holds no addresses: use the header test", name)
		}
		r.list = append(r.list, name)
	}
	return r.list[start:len(r.list):len(r.list)]
}

// Valid reports whether it is one of the relations.
func (r Relation) Valid() bool {
	switch r {
	case Greater, GreaterOrEqual, Less, LessOrEqual, Equal, NotEqual:
		return true
	}
	return false
}

// addressFieldNames are the fields that the address test takes: those of RFC
// 5228 section 5.1 and the others that Pigeonhole knows.
var addressFieldNames = map[string]bool{
	"from": true, "to": true, "cc": true, "bcc": true, "sender": true, "reply-to": true,
	"resent-from": true, "resent-to": true, "resent-cc": true, "resent-bcc": true, "resent-sender": true, "resent-reply-to": true,
	"delivered-to": true, "x-original-to": true, "errors-to": true, "mail-reply-to": true, "mail-followup-to": true,
	"apparently-to": true, "for-approval": true, "for-comment": true, "for-handling": true, "abuse-reports-to": true,
	"return-receipt-to": true, "x-beenthere": true,
}

func isAddressField(name string) bool {
	return addressFieldNames[name] || addressFieldNames[strings.ToLower(name)]
}
