package interp

import "unsafe"

// The work of a run is counted in steps, each of which takes about a
// nanosecond. What is copied or decoded is charged by the octet, and so is
// memory that isn't bounded by the message and the script alone: the limit on
// steps bounds it to some 64 MB (costAlloc).
const (
	costTest     = 1024 // a test or command, and what a trace of it takes
	costAlloc    = 16   // an octet that is allocated anew for each test or command
	costDecode   = 96   // an octet of a field with encoded words or folds
	costParse    = 32   // an octet of a field with addresses
	costTransfer = 8    // an octet of a body, to be decoded
	costCharset  = 48   // an octet of a body in another character set
	costHTML     = 64   // an octet of an HTML text
	costUnicode  = 64   // an octet that isn't ASCII, for i;unicode-casemap
	costPart     = 2048 // a part of a message
	costMIME     = 6    // an octet of a message that is split into its parts
	costBoundary = 8    // a line of it that begins with "--", for each boundary
	costFind     = 32   // an octet that is looked for in many keys at once
	costRegex    = 18   // an octet, for each state of a regular expression
	costField    = 320  // a field of the header that is looked at
	costEntry    = 4096 // one that is entered: some 200 octets of memory that nothing else bounds
	costEdit     = 128  // an octet of a field that is added
	costHeader   = 2560 // a field of a header that is changed: the collector looks at each
	costPattern  = 1536 // an octet of a pattern that is made of variables
)

// maxKeptAddresses bounds how many addresses are kept for the next test; where
// a message has more, they are read again.
const maxKeptAddresses = 1 << 13

// fold returns the value in lower case. Only a value that outlives the test
// keeps that: what is kept is at most once the message.
func (r *run) fold(v *value) []byte {
	if v.folded != nil {
		return v.folded
	}
	first := 0
	for first < len(v.text) && (v.text[first] < 'A' || 'Z' < v.text[first]) {
		first++
	}
	if first == len(v.text) {
		r.spend(first)
		v.folded = v.text
		return v.folded
	}
	r.spend(2 * len(v.text))
	var b []byte
	switch {
	case v.once:
		r.scratch = append(r.scratch[:0], v.text...)
		b = r.scratch
	case v.own || len(v.text) >= keepBuffers/4:
		b = make([]byte, len(v.text))
		copy(b, v.text)
		v.folded = b
	default:
		start := len(r.arena)
		r.arena = append(r.arena, v.text...)
		b = r.arena[start:len(r.arena):len(r.arena)]
		v.folded = b
	}
	for i := first; i < len(b); i++ {
		if 'A' <= b[i] && b[i] <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return b
}

// sharedInput is from how many octets on the text of a value stands in a trace
// once only.
const sharedInput = 64

// noteValue records a step with the value that was compared.
func (r *run) noteValue(step int, matched bool, v *value) bool {
	if !r.program.trace || len(v.text) < sharedInput {
		return r.note(step, matched, v.text)
	}
	r.note(step, matched, nil)
	r.trace[len(r.trace)-1].Input = r.input(v)
	return matched
}

// input returns the text of a value for the trace.
func (r *run) input(v *value) string {
	if v.once {
		if string(v.text) != r.lastInput {
			r.lastInput = string(v.text)
		}
		return r.lastInput
	}
	at := unsafe.SliceData(v.text)
	if s, ok := r.inputs[at]; ok && s == string(v.text) {
		return s
	}
	if r.inputs == nil {
		r.inputs = make(map[*byte]string)
	}
	s := string(v.text)
	r.inputs[at] = s
	return s
}
