package sieve

// Duplicate holds where the message was seen before (RFC 7352 section 3). The
// pointers are nil where the tag is absent.
type Duplicate struct {
	// Handle keeps apart what tests with another handle saw.
	Handle *string
	// Header is the field that tells messages apart, Message-ID where it is nil. No
	// message has a field of the name "".
	Header *string
	// UniqueID is what tells messages apart; it excludes Header.
	UniqueID *string
	// Seconds is how long a message is remembered.
	Seconds *uint64
	// Last counts the time from the last time it was seen, not from the first.
	Last bool
}

func (Duplicate) test() {}

func (r *reader) duplicate() Test {
	t := Duplicate{
		Handle: r.optionalText(nameHandle), Header: r.optionalText(nameHeader), UniqueID: r.optionalText(nameUniqueID),
		Seconds: r.number(nameSeconds), Last: r.has(nameLast),
	}
	if f := r.tagged(nameValue); f != nil {
		t.UniqueID = r.optionalText(nameValue)
	}
	return t
}

func (w *writer) duplicate(t Duplicate) *node {
	w.use(ExtDuplicate)
	n := newNode("duplicate").text("handle", t.Handle).text("header", t.Header)
	return n.text("uniqueid", t.UniqueID).number("seconds", t.Seconds).flag(w, ExtDuplicate, "last", t.Last)
}
