package sieve

import (
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
)

// writer makes nodes of typed values and collects the extensions they use.
type writer struct {
	used Extensions
	have Extensions // what ihave turned on
}

func (w *writer) use(x Extensions) { w.used |= x &^ w.have }

// requires returns the extensions. Where a string needs encoded-character it
// rewrites all strings of the nodes for it.
func (w *writer) requires(nodes []*node) Extensions {
	if eachString(nodes, func(s *string) bool { return !quotable(*s) }) {
		w.use(ExtEncodedCharacter)
		eachString(nodes, func(s *string) bool { *s = encodeCharacters(*s); return false })
	}
	if w.used.Has(ExtIMAPFlags) {
		// The two exclude each other.
		w.used &^= ExtIMAP4Flags
	}
	return w.used
}

// eachString calls f for every string until it returns true.
func eachString(nodes []*node, f func(*string) bool) bool {
	for _, n := range nodes {
		for i := range n.args {
			for j := range n.args[i].strs {
				if f(&n.args[i].strs[j].value) {
					return true
				}
			}
		}
		if eachString(n.tests, f) || eachString(n.block, f) {
			return true
		}
	}
	return false
}

// invalid stands for what is no value of the language, such as a nil test. No
// compiler knows the word, so a script with it is refused as a whole.
const invalid = "invalid"

// word returns s where it is an identifier, so that a made-up match type can't
// become more than a word.
func word(s string) string {
	if s == "" || len(s) > maxIdentifier || !ascii.IsAlpha(int(s[0])) {
		return invalid
	}
	for i := 0; i < len(s); i++ {
		if !ascii.IsAlpha(int(s[i])) && !ascii.IsDigit(int(s[i])) {
			return invalid
		}
	}
	return s
}

func (w *writer) commands(list []Command) []*node {
	var out []*node
	for _, c := range list {
		if c, ok := c.(If); ok {
			out = w.chain(out, c)
			continue
		}
		out = append(out, w.command(c))
	}
	return out
}

// chain writes an If with its elsif and else.
func (w *writer) chain(out []*node, c If) []*node {
	branch := func(name string, test Test, then []Command) {
		out = append(out, &node{
			name: name, tests: []*node{w.test(test)},
			hasBlock: true, block: w.commands(then),
		})
	}
	branch("if", c.Test, c.Then)
	for _, e := range c.ElsIf {
		branch("elsif", e.Test, e.Then)
	}
	if len(c.Else) > 0 {
		out = append(out, &node{name: "else", hasBlock: true, block: w.commands(c.Else), silent: true})
	}
	return out
}

// command writes a command that isn't an If.
func (w *writer) command(c Command) *node {
	switch c := c.(type) {
	case Stop:
		return &node{name: "stop"}
	case Discard:
		return &node{name: "discard"}
	case Keep:
		return newNode("keep").flags(w, c.Flags)
	case FileInto:
		w.use(ExtFileInto)
		n := newNode("fileinto").flag(w, ExtCopy, "copy", c.Copy).flag(w, ExtMailbox, "create", c.Create)
		if c.SpecialUse != "" {
			w.use(ExtSpecialUse)
			n.tag("specialuse").str(c.SpecialUse)
		}
		return n.flags(w, c.Flags).str(c.Mailbox)
	case Redirect:
		return newNode("redirect").flag(w, ExtCopy, "copy", c.Copy).str(c.Address)
	case Reject:
		w.use(ExtReject)
		return newNode("reject").str(c.Reason)
	case Vacation:
		return w.vacation(c)
	case AddFlag:
		return w.flagCommand("addflag", c.Variable, c.Flags)
	case SetFlag:
		return w.flagCommand("setflag", c.Variable, c.Flags)
	case RemoveFlag:
		return w.flagCommand("removeflag", c.Variable, c.Flags)
	case Comment:
		// A line break would end the comment.
		return &node{isComment: true, comment: strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ").Replace(string(c))}
	case Unread:
		if grammatical(string(c), false) {
			return &node{raw: string(c)}
		}
		return newNode(invalid)
	default:
		return w.extension(c)
	}
}

// extension writes the commands of commandext.go.
func (w *writer) extension(c Command) *node {
	switch c := c.(type) {
	case EReject:
		w.use(ExtEReject)
		return newNode("ereject").str(c.Reason)
	case Set:
		w.use(ExtVariables)
		return w.modifiers(newNode("set"), c.Modifiers).str(c.Name).str(c.Value)
	case AddHeader:
		w.use(ExtEditHeader)
		return newNode("addheader").flag(w, ExtEditHeader, "last", c.Last).str(c.Name).str(c.Value)
	case DeleteHeader:
		w.use(ExtEditHeader)
		n := newNode("deleteheader").position(w, 0, c.Index, c.Last)
		w.matching(n, matching{match: c.Match, relation: c.Relation, comparator: c.Comparator})
		n.str(c.Name)
		if c.Values != nil {
			n.strList(c.Values)
		}
		return n
	case Include:
		w.use(ExtInclude)
		n := newNode("include")
		if c.Location != "" {
			n.tag(word(string(c.Location)))
		}
		return n.flag(w, ExtInclude, "once", c.Once).flag(w, ExtInclude, "optional", c.Optional).str(c.Script)
	case Return:
		w.use(ExtInclude)
		return newNode("return")
	case Global:
		w.use(ExtInclude | ExtVariables)
		return newNode("global").strList(c.Names)
	case Import:
		w.use(ExtInclude | ExtVariables)
		return newNode("import").strList(c.Names)
	case Export:
		w.use(ExtInclude | ExtVariables)
		return newNode("export").strList(c.Names)
	case Notify:
		return w.notify(c)
	case DraftNotify:
		w.use(ExtNotify)
		n := newNode("notify").text("method", c.Method).text("id", c.ID).priority(c.Priority)
		if c.Options != nil {
			n.tag("options").strList(c.Options)
		}
		return n.text("message", c.Message)
	case Denotify:
		w.use(ExtNotify)
		n := newNode("denotify")
		if c.Match != "" {
			w.matching(n, matching{match: c.Match, relation: c.Relation})
			n.str(c.Key)
		}
		return n.priority(c.Priority)
	case Mark:
		w.use(ExtIMAPFlags)
		return newNode("mark")
	case Unmark:
		w.use(ExtIMAPFlags)
		return newNode("unmark")
	case ForEveryPart:
		w.use(ExtForEveryPart)
		n := newNode("foreverypart").text("name", c.Name)
		n.hasBlock, n.block = true, w.commands(c.Block)
		return n
	case Break:
		w.use(ExtForEveryPart)
		return newNode("break").text("name", c.Name)
	case ExtractText:
		w.use(ExtExtractText | ExtForEveryPart | ExtVariables)
		return w.modifiers(newNode("extracttext"), c.Modifiers).number("first", c.First).str(c.Variable)
	case Fail:
		w.use(ExtIHave)
		return newNode("error").str(c.Text)
	case DebugLog:
		w.use(ExtDovecotDebug)
		return newNode("debug_log").str(c.Text)
	case Report:
		w.use(ExtDovecotReport)
		return newNode("report").flag(w, ExtDovecotReport, "headers_only", c.HeadersOnly).str(c.Type).str(c.Text).str(c.Address)
	default: // nil, or a type that embeds a command; command writes the others
		return newNode(invalid)
	}
}
