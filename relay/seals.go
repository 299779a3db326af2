package relay

import (
	"bytes"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// The BEGIN and END lines of the managed blocks have a sum, and the lists of
// their lines stand in NAME_seals beside the tables. The order in which main.cf,
// master.cf and this file are put in place doesn't matter: package deploy puts
// all or none there, and where others copied some, a block that is as it was
// written needs no list, and one that was edited stays.

// emitSeals emits the lists of the blocks in main.cf and master.cf.
func (c fileWriter) emitSeals(main *postfix.Main, master *postfix.Master) {
	lines := slices.Concat(main.Seals(c.names.owner), master.Seals(c.names.owner))
	if len(lines) == 0 {
		return
	}
	slices.Sort(lines)
	text := "# " + c.names.managed() + "\n" +
		"# The lines of the managed blocks in main.cf and master.cf, by the sums in BEGIN and END:\n" +
		"# by them a removal tells them from what somebody wrote between them.\n" +
		strings.Join(slices.Compact(lines), "\n") + "\n"
	c.emit("postfix/"+c.names.seals, []byte(text))
}

// sealsIn are the lists of an installation's blocks. An edited file has none: by
// it somebody's lines could be taken for generated ones.
func (n names) sealsIn(in Installation) []string {
	data := in.configured()[n.seals]
	if !n.owns(data) || !intact(data) {
		return nil
	}
	return strings.Split(string(data), "\n")
}

// stillSealed reports whether a mark in a file is one that the lists know.
func (n names) stillSealed(in Installation, now []byte) bool {
	return slices.ContainsFunc(n.sealsIn(in), func(line string) bool {
		key, _, ok := strings.Cut(line, " ")
		return ok && key != "#" && bytes.Contains(now, []byte(" ["+key+"]"))
	})
}
