package interp

// failCommand is the command error (RFC 5463 section 5).
type failCommand struct{ text text }

func (f *failCommand) perform(r *run, in *instruction) error {
	return r.errorf(in, "error: %s", r.str(&f.text))
}
