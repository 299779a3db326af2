package interp

// debugCommand is debug_log: it shows in the trace alone.
type debugCommand struct{ text text }

func (d *debugCommand) perform(*run, *instruction) error { return nil }
