package sieve

import (
	"slices"
	"strings"
)

// writer makes nodes of typed values and collects the extensions they use.
type writer struct {
	used map[string]bool
}

func (w *writer) use(extension string) {
	if w.used == nil {
		w.used = make(map[string]bool)
	}
	w.used[extension] = true
}

// requires returns the sorted extensions. Where a string needs
// encoded-character it rewrites all strings of the nodes for it.
func (w *writer) requires(nodes []*node) []string {
	if eachString(nodes, func(s *string) bool { return !quotable(*s) }) {
		w.use(extEncodedCharacter)
		eachString(nodes, func(s *string) bool { *s = encodeCharacters(*s); return false })
	}
	out := make([]string, 0, len(w.used))
	for name := range w.used {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
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
	if s == "" || len(s) > maxIdentifier || !isAlpha(int(s[0])) {
		return invalid
	}
	for i := 0; i < len(s); i++ {
		if !isAlpha(int(s[i])) && !isDigit(int(s[i])) {
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

func (w *writer) command(c Command) *node {
	switch c := c.(type) {
	case If:
		// Written by chain.
	case Stop:
		return &node{name: "stop"}
	case Discard:
		return &node{name: "discard"}
	case Keep:
		return &node{name: "keep", args: w.flagsTag(nil, c.Flags)}
	case FileInto:
		w.use(extFileInto)
		n := &node{name: "fileinto"}
		if c.Copy {
			w.use(extCopy)
			n.args = append(n.args, tagArg("copy"))
		}
		if c.Create {
			w.use(extMailbox)
			n.args = append(n.args, tagArg("create"))
		}
		n.args = append(w.flagsTag(n.args, c.Flags), stringArg(c.Mailbox))
		return n
	case Redirect:
		n := &node{name: "redirect"}
		if c.Copy {
			w.use(extCopy)
			n.args = append(n.args, tagArg("copy"))
		}
		n.args = append(n.args, stringArg(c.Address))
		return n
	case Reject:
		w.use(extReject)
		return &node{name: "reject", args: []argument{stringArg(c.Reason)}}
	case Vacation:
		return w.vacation(c)
	case AddFlag:
		w.use(extIMAP4Flags)
		return &node{name: "addflag", args: []argument{listArg(c.Flags)}}
	case SetFlag:
		w.use(extIMAP4Flags)
		return &node{name: "setflag", args: []argument{listArg(c.Flags)}}
	case RemoveFlag:
		w.use(extIMAP4Flags)
		return &node{name: "removeflag", args: []argument{listArg(c.Flags)}}
	case Comment:
		// A line break would end the comment.
		return &node{isComment: true, comment: strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ").Replace(string(c))}
	}
	return &node{name: invalid}
}

func (w *writer) flagsTag(args []argument, flags []string) []argument {
	if flags == nil {
		return args
	}
	w.use(extIMAP4Flags)
	return append(args, tagArg("flags"), listArg(flags))
}

func (w *writer) vacation(c Vacation) *node {
	w.use(extVacation)
	n := &node{name: "vacation"}
	if c.Days != nil {
		n.args = append(n.args, tagArg("days"), argument{kind: argNumber, num: *c.Days})
	}
	if c.Subject != nil {
		n.args = append(n.args, tagArg("subject"), stringArg(*c.Subject))
	}
	if c.From != "" {
		n.args = append(n.args, tagArg("from"), stringArg(c.From))
	}
	if c.Addresses != nil {
		n.args = append(n.args, tagArg("addresses"), listArg(c.Addresses))
	}
	if c.MIME {
		n.args = append(n.args, tagArg("mime"))
	}
	if c.Handle != nil {
		n.args = append(n.args, tagArg("handle"), stringArg(*c.Handle))
	}
	n.args = append(n.args, stringArg(c.Reason))
	return n
}

func (w *writer) test(t Test) *node {
	switch t := t.(type) {
	case True:
		return &node{name: "true"}
	case False:
		return &node{name: "false"}
	case Not:
		return &node{name: "not", tests: []*node{w.test(t.Test)}}
	case AllOf:
		return w.tests("allof", t)
	case AnyOf:
		return w.tests("anyof", t)
	case Size:
		tag := "under"
		if t.Over {
			tag = "over"
		}
		return &node{name: "size", args: []argument{tagArg(tag), numberArg(t.Limit)}}
	case Exists:
		return &node{name: "exists", args: []argument{listArg(t.Names)}}
	case MailboxExists:
		w.use(extMailbox)
		return &node{name: "mailboxexists", args: []argument{listArg(t.Mailboxes)}}
	case Header:
		n := &node{name: "header"}
		for _, m := range []struct {
			tag string
			set bool
		}{{"mime", t.MIME}, {"anychild", t.AnyChild}, {string(t.MIMEPart), t.MIMEPart != ""}} {
			if m.set {
				w.use(extMIME)
				n.args = append(n.args, tagArg(word(m.tag)))
			}
		}
		n.args = w.matching(n.args, matching{t.Match, t.Relation, t.Comparator, ""})
		n.args = append(n.args, listArg(t.Names), listArg(t.Keys))
		return n
	case Address:
		n := &node{name: "address"}
		n.args = w.matching(n.args, matching{t.Match, t.Relation, t.Comparator, t.Part})
		n.args = append(n.args, listArg(t.Names), listArg(t.Keys))
		return n
	case Envelope:
		w.use(extEnvelope)
		n := &node{name: "envelope"}
		n.args = w.matching(n.args, matching{t.Match, t.Relation, t.Comparator, t.Part})
		n.args = append(n.args, listArg(t.Fields), listArg(t.Keys))
		return n
	case HasFlag:
		w.use(extIMAP4Flags)
		n := &node{name: "hasflag"}
		n.args = w.matching(n.args, matching{t.Match, t.Relation, t.Comparator, ""})
		n.args = append(n.args, listArg(t.Flags))
		return n
	}
	return &node{name: invalid}
}

func (w *writer) tests(name string, tests []Test) *node {
	n := &node{name: name, list: true}
	for _, t := range tests {
		n.tests = append(n.tests, w.test(t))
	}
	return n
}

// matching writes the tags of a comparing test.
func (w *writer) matching(args []argument, m matching) []argument {
	if m.part != "" {
		args = append(args, tagArg(word(string(m.part))))
	}
	if m.match != "" {
		args = append(args, tagArg(word(string(m.match))))
		switch m.match {
		case Count, Value:
			w.use(extRelational)
			args = append(args, stringArg(string(m.relation)))
		case Regex:
			w.use(extRegex)
		}
	}
	if m.comparator != "" {
		if m.comparator == ASCIINumeric {
			w.use(extComparator + string(ASCIINumeric))
		}
		args = append(args, tagArg("comparator"), stringArg(string(m.comparator)))
	}
	return args
}
