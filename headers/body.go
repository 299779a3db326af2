package headers

import "bytes"

// Lines visits the lines that cleanup(8) of Postfix 3.7 shows to body_checks:
// what is no header of the message, of a part or of an attached message,
// boundaries included. Empty lines are left out, as no table is asked for them.
// offset is where the line begins in its part, for body_checks_size_limit; a
// line longer than 2048 octets comes in pieces. fields and body are what [Scan]
// returns for [HeaderChecks]. It ends early where yield returns false.
func Lines(fields Section, body []byte, yield func(line []byte, offset int) bool) {
	if yield == nil {
		return
	}
	w := walker{kind: kindText}
	for _, f := range fields {
		w.field(f, Primary)
	}
	_, inHeader := w.endHeader()
	torn, offset := false, 1 // behind the empty line, which counts
	for pos := 0; pos < len(body); {
		line := body[pos:]
		if inHeader {
			if f, n := readField(line); n > 0 {
				pos, torn = pos+n, false
				w.field(f, MIME)
				continue
			}
			inHeader, offset = false, 0
			if n := blankLine(line); n > 0 {
				_, inHeader = w.endHeader()
				pos, torn, offset = pos+n, false, 1
				continue
			}
		}
		record, n, whole := nextRecord(line, lineLengthLimit)
		begins := !torn && len(w.stack) > 0 && len(record) > 2 && bytes.HasPrefix(record, []byte("--")) && w.boundary(record[2:])
		if text := bodyLine(record); len(text) > 0 && !yield(text, offset) {
			return
		}
		pos, offset = pos+n, offset+len(record)+1
		torn = !whole
		if begins {
			inHeader = true
		}
	}
}

// bodyLine is a record as the tables see it: up to a NUL, and with spaces for
// CRs.
func bodyLine(record []byte) []byte {
	if i := bytes.IndexByte(record, 0); i >= 0 {
		record = record[:i]
	}
	if bytes.IndexByte(record, '\r') >= 0 {
		record = bytes.ReplaceAll(record, []byte("\r"), []byte(" "))
	}
	return record
}
