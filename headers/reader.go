package headers

import "bytes"

// Reader reads the fields of a header section one after the other as [Sieve]
// sees them, for a caller that needs few of them and no [Section]. It reads
// what [Scan] with Sieve does, and allocates nothing.
type Reader struct{ rest []byte }

// NewReader returns a Reader of the header section at the start of raw.
func NewReader(raw []byte) Reader { return Reader{raw} }

// Next returns the next field, whose octets alias raw. Behind the last one it
// reports false.
func (r *Reader) Next() (f Field, ok bool) {
	if r == nil {
		r = new(Reader)
	}
	for {
		line := r.rest
		colon, odd := 0, false
		for colon < len(line) && line[colon] != ':' && line[colon] != '\n' {
			if line[colon] <= ' ' {
				odd = true
			}
			colon++
		}
		if colon == len(line) {
			r.rest = nil
			return Field{}, false
		}
		if line[colon] == '\n' {
			if colon == 0 || colon == 1 && line[0] == '\r' {
				r.rest = line[colon+1:]
				return Field{}, false
			}
			// No field: skipped, with the lines that continue it.
			r.rest = line[foldedEnd(line, colon):]
			continue
		}
		n := foldedEnd(line, colon+1)
		f = Field{Name: line[:colon], Body: trimOneLineEnd(line[colon+1 : n])}
		r.rest = line[n:]
		if odd {
			f.Name = bytes.TrimRight(f.Name, " \t")
			if i := bytes.IndexByte(f.Name, 0); i >= 0 {
				f.Name = f.Name[:i]
			}
		}
		return f, true
	}
}

// Rest returns what Next has not read: the body, once it reported false.
func (r *Reader) Rest() []byte {
	if r == nil {
		r = new(Reader)
	}
	return r.rest
}

// foldedEnd returns where the field of b ends, in a search from offset i on:
// behind the last of its lines.
func foldedEnd(b []byte, i int) int {
	for {
		i += lineEnd(b[i:])
		if i == len(b) || b[i] != ' ' && b[i] != '\t' {
			return i
		}
	}
}
