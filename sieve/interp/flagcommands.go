package interp

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/imapflag"
)

// addFlags returns a new list with the flags added.
func addFlags(list, flags []string) []string {
	out := slices.Clip(list)
	for _, f := range flags {
		if !hasFlag(out, f) {
			out = append(out, f)
		}
	}
	return out
}

// removeFlags returns a new list without the flags.
func removeFlags(list, flags []string) []string {
	var out []string
	for _, f := range list {
		if !hasFlag(flags, f) {
			out = append(out, f)
		}
	}
	return out
}

// addFlagText returns a variable's flags with others behind them. The server
// leaves what is there as it stands, with all of its spaces.
func addFlagText(text string, flags []string) string {
	have := imapflag.Split([]string{text})
	for _, f := range flags {
		if hasFlag(have, f) {
			continue
		}
		if have = append(have, f); text != "" {
			text += " "
		}
		text += f
	}
	return text
}

// removeFlagText returns a variable's flags without one. The server cuts it out
// with the space behind it, or with the one before it at the end of the text, and
// leaves the rest as it stands.
func removeFlagText(text, flag string) string {
	for at := 0; at < len(text); {
		if text[at] == ' ' {
			at++
			continue
		}
		end := at
		for end < len(text) && text[end] != ' ' {
			end++
		}
		if !strings.EqualFold(text[at:end], flag) {
			at = end
			continue
		}
		if end = min(end+1, len(text)); end == len(text) && at > 0 {
			at--
		}
		text = text[:at] + text[end:]
	}
	return text
}

// flagCommand is addflag, setflag or removeflag (RFC 5232 section 3).
type flagCommand struct {
	kind     flagChange
	constant []string // the flags, where they are known
	flags    []text   // the flags otherwise
	variable *part    // where the flags are kept; nil: in the script's own
}

type flagChange uint8

const (
	addingFlags flagChange = iota
	settingFlags
	removingFlags
)

func (c *compiler) flagCommand(in *instruction, kind flagChange, flags []string, variable string) {
	f := &flagCommand{kind: kind}
	if list := c.texts(flags, "Flags"); constants(list) {
		if f.constant = validFlags(flags); kind == removingFlags {
			f.constant = imapflag.Split(flags)
		}
	} else {
		f.flags = list
	}
	if variable != "" {
		v := c.named(variable, "Variable")
		f.variable = &v
	}
	in.kind, in.op = opRun, f
}

func (f *flagCommand) perform(r *run, _ *instruction) error {
	list := f.constant
	if f.variable != nil {
		r.spend(costAlloc * len(r.variable(f.variable)))
	}
	if f.flags != nil {
		list = r.strs(f.flags)
		r.spendStrings(list)
		if r.failed != nil {
			return nil
		}
		if f.kind == removingFlags {
			list = imapflag.Split(list)
		} else {
			list = validFlags(list)
		}
	}
	have, text := r.flags, ""
	if f.variable != nil {
		text = r.variable(f.variable)
		have = imapflag.Split([]string{text})
	}
	r.spend(costAlloc * (1 + len(list)) * (1 + len(have)))
	if r.failed != nil {
		return nil
	}
	if f.variable != nil {
		switch f.kind {
		case addingFlags:
			r.spend(len(text) * len(list))
			text = addFlagText(text, list)
		case settingFlags:
			text = strings.Join(list, " ")
		case removingFlags:
			r.spend(len(text) * (1 + len(list) + len(have)))
			for _, flag := range list {
				text = removeFlagText(text, flag)
			}
		}
		r.assign(f.variable, text)
		return nil
	}
	switch f.kind {
	case addingFlags:
		have = addFlags(have, list)
	case settingFlags:
		have = list
	case removingFlags:
		have = removeFlags(have, list)
	}
	r.flags = have
	return nil
}
