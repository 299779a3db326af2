package sieve

// Fail is the command error: it ends the script with a run-time error (RFC 5463
// section 5).
type Fail struct{ Text string }

func (Fail) command() {}

// IHave holds where the server has every one of the extensions (RFC 5463
// section 4). They are required by it: what stands behind it can use them.
type IHave struct{ Extensions []string }

func (IHave) test() {}

// ihave turns the extensions on where all of them are there (RFC 5463 section
// 4). Those that change what a string means can't be had so.
func (r *reader) ihave(n *synNode, args []synArg) (Test, truth) {
	t := IHave{}
	var all Extensions
	missing := false
	start := len(r.list)
	for _, s := range r.strings(&args[0]) {
		name := r.value(s)
		r.list = append(r.list, name)
		x := ExtensionNamed(name)
		missing = missing || x == 0 || !r.available.Has(x)
		all |= x
	}
	t.Extensions = r.list[start:len(r.list):len(r.list)]
	if missing || all&(ExtVariables|ExtEncodedCharacter) != 0 {
		return t, never
	}
	before := r.on
	for _, s := range r.strings(&args[0]) {
		r.load(s.off, ExtensionNamed(r.value(s)))
	}
	r.deferred |= all &^ before & (ExtIMAPFlags | ExtNotify)
	return t, unknown
}

// ihave writes the test; what it turns on needs no require behind it.
func (w *writer) ihave(t IHave) *node {
	w.use(ExtIHave)
	var all Extensions
	for _, name := range t.Extensions {
		all |= ExtensionNamed(name)
	}
	if all&(ExtVariables|ExtEncodedCharacter) == 0 {
		w.have |= implied(all) &^ (ExtIMAPFlags | ExtNotify)
	}
	return newNode("ihave").strList(t.Extensions)
}
