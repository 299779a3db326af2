package postfix

import "github.com/oxmailroute/oxmailroute/postfix/internal/block"

// Seals lists what the sums in the BEGIN and END lines of the owner's blocks
// stand for, as [Main.Set] wrote them: a line for each block, to be kept in a
// file beside main.cf and given to [Main.KnowSeals] when the file is read again. It
// names no line in clear.
func (m *Main) Seals(owner string) []string {
	if m == nil {
		return nil
	}
	return block.ListsOf(m.src, owner)
}

// KnowSeals gives the file the lines that [Main.Seals] returned when its blocks
// were written; others among them, and comments, are passed over. Without them
// nothing tells the lines of a block apart that was edited: [Main.Set] and
// [Main.Remove] fail with ErrDamaged, and [Main.Extract] leaves such a block as it
// stands. A block that is as it was written needs none, nor does one of an earlier
// version, which has them in its BEGIN and END lines.
func (m *Main) KnowSeals(lines ...string) {
	if m != nil {
		m.seals = m.seals.With(lines...)
	}
}

// Seals is [Main.Seals] for master.cf.
func (m *Master) Seals(owner string) []string {
	if m == nil {
		return nil
	}
	return block.ListsOf(m.src, owner)
}

// KnowSeals is [Main.KnowSeals] for master.cf.
func (m *Master) KnowSeals(lines ...string) {
	if m != nil {
		m.seals = m.seals.With(lines...)
	}
}
