package mta

import (
	"path"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// expandMacros puts values in the place of $name, ${name}, $(name), and what
// they make of ${name?text} and ${name:text} (local(8), luser_relay). A name that
// isn't known stays.
func expandMacros(text string, value func(name string) (string, bool)) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(text, "$")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		if strings.HasPrefix(after, "$") {
			b.WriteByte('$')
			text = after[1:]
			continue
		}
		name, rest := "", ""
		if after != "" && strings.IndexByte("{(", after[0]) >= 0 {
			end := map[byte]string{'{': "}", '(': ")"}[after[0]]
			if name, rest, ok = strings.Cut(after[1:], end); !ok {
				b.WriteString("$" + after)
				return b.String()
			}
		} else {
			n := 0
			for n < len(after) && isNameOctet(after[n]) {
				n++
			}
			name, rest = after[:n], after[n:]
		}
		text = rest
		instead := ""
		i := strings.IndexAny(name, "?:")
		kind := byte(0)
		if i >= 0 {
			name, instead, kind = name[:i], name[i+1:], name[i]
		}
		v, known := value(name)
		switch {
		case !known:
			b.WriteString("$" + name)
		case kind == 0:
			b.WriteString(v)
		case (kind == '?') == (v != ""):
			b.WriteString(expandMacros(instead, value))
		}
	}
}

func isNameOctet(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// macros are the values of pipe(8)'s macros, and of local(8)'s environment, by
// their names in lower case. Those of the client aren't known here.
func (w *Way) macros(h hop, to string) func(name string) (string, bool) {
	local, domain := splitAddress(to)
	user, extension, _ := w.e.agent.split(local)
	return func(name string) (string, bool) {
		switch strings.ToLower(name) {
		case "recipient":
			return to, true
		case "sender":
			return w.m.From, true
		case "original_recipient":
			return w.written[1], true
		case "user", "logname":
			return user, true
		case "mailbox", "local":
			return local, true
		case "extension":
			return extension, true
		case "domain":
			return domain, true
		case "nexthop":
			return h.nexthop, true
		}
		return "", false
	}
}

// pipe is the pipe(8) delivery agent: the command of its service with the macros
// filled in, which only the caller knows ([Options].Run).
func (w *Way) pipe(h hop, to, domain string) {
	if sv, ok := w.e.pipes[h.transport]; ok && w.e.run != nil {
		at := to
		for _, a := range sv.Args {
			flags, ok := strings.CutPrefix(a, "flags=")
			if !ok {
				continue
			}
			local, domain := splitAddress(at)
			if strings.Contains(flags, "u") {
				local = fold(local)
			}
			if strings.Contains(flags, "h") {
				domain, h.nexthop = fold(domain), fold(h.nexthop)
			}
			if domain != "" {
				local += "@" + domain
			}
			at = local
		}
		if h.nexthop == "" {
			h.nexthop = domain
		}
		value := w.macros(h, at)
		sender := func(name string) (string, bool) {
			if strings.EqualFold(name, "sender") && w.m.From == "" {
				return nullSender(sv), true
			}
			return value(name)
		}
		var argv []string
		for i, a := range sv.Args {
			first, ok := strings.CutPrefix(a, "argv=")
			if !ok {
				continue
			}
			for _, word := range append([]string{first}, sv.Args[i+1:]...) {
				argv = append(argv, expandMacros(word, sender))
			}
			break
		}
		if len(argv) > 0 && w.e.run(w, h.exported(), to, argv) {
			return
		}
	}
	w.step(h.command, w.rule, h.at, h.nexthop, "handed to another program")
	w.endAt(ActionRelay, TargetService{h.transport, h.nexthop}, to, "")
}

// nullSender is the attribute null_sender of a pipe(8) service.
func nullSender(sv postfix.Service) string {
	for _, a := range sv.Args {
		if v, ok := strings.CutPrefix(a, "null_sender="); ok {
			return v
		}
	}
	return "MAILER-DAEMON"
}

// localCommand is mailbox_command_maps and mailbox_command; it reports false
// where there is none.
func (w *Way) localCommand(h hop, to, user string) bool {
	a := &w.e.agent
	command, at := a.command, a.commandAt
	if a.commands != nil {
		a.commands.unknown(w, user)
		if row, ok := w.tookRow(a.commands.asked.Lookup(user)); ok {
			command, at = row.Value, placeOfRow(row)
		}
	}
	if command == "" {
		return false
	}
	if w.e.run != nil {
		h.at = at
		if argv, ok := w.shell(h, to, command); ok && w.e.run(w, h.exported(), to, argv) {
			return true
		}
	}
	w.depends("mailbox_command "+command, at, to, "delivered to INBOX")
	w.step("local", w.rule, at, to, "to mailbox_command")
	w.end(ActionMailbox, "INBOX", to, "")
	return true
}

// program is a command of an alias.
func (w *Way) program(h hop, to, command string, at place) {
	if w.e.run != nil {
		h.at = at
		if argv, ok := w.shell(h, to, command); ok && w.e.run(w, h.exported(), to, argv) {
			return
		}
	}
	w.endAt(ActionRelay, TargetCommand(command), to, "")
}

// shell takes a command of local(8) apart as sh(1) does, with the variables of
// its environment. Ok is false where it takes more of a shell than quotes and
// variables.
func (w *Way) shell(h hop, to, command string) (argv []string, ok bool) {
	value := w.macros(h, to)
	var word strings.Builder
	started, quote := false, byte(0)
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case quote == '\'' && c != '\'', quote == '"' && c != '"' && c != '$' && c != '\\' && c != '`':
			word.WriteByte(c)
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, started = c, true
		case c == '$':
			n := i + 1
			for n < len(command) && (command[n] == '_' || command[n] == '{' || command[n] >= 'A' && command[n] <= 'Z') {
				n++
			}
			name := command[i+1 : n]
			if inner, braces := strings.CutPrefix(name, "{"); braces {
				if n == len(command) || command[n] != '}' {
					return nil, false
				}
				name, n = inner, n+1
			}
			v, known := value(name)
			if name == "USER" || name == "LOGNAME" {
				v = fold(v)
			}
			if !known || quote == 0 && strings.ContainsAny(v, " \t\n*?[") {
				return nil, false
			}
			word.WriteString(v)
			started, i = started || v != "" || quote != 0, n-1
		case quote == 0 && (c == ' ' || c == '\t'):
			if started {
				argv, started = append(argv, word.String()), false
				word.Reset()
			}
		case strings.IndexByte("\\`|&;<>()*?[]#~!{}\n", c) >= 0:
			return nil, false
		default:
			word.WriteByte(c)
			started = true
		}
	}
	if started {
		argv = append(argv, word.String())
	}
	return argv, quote == 0 && len(argv) > 0
}

// IsDeliveryAgent reports whether a command is dovecot-lda(1), by its first word.
func IsDeliveryAgent(argv []string) bool {
	if len(argv) == 0 {
		return false
	}
	name := path.Base(argv[0])
	return name == "dovecot-lda" || name == "deliver" && strings.Contains(argv[0], "dovecot")
}
