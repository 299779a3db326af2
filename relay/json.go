package relay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ParsePolicy reads a policy from JSON. Field names are those of the Go types;
// an unknown field is an error, so that a misspelt one can't be a silent
// default. Networks are "192.0.2.0/24", listener addresses "127.0.0.1:10030",
// conditions as [headers.Condition] writes them. Errors name file, line and
// column; what the values say is [Policy.Validate]'s matter.
func ParsePolicy(name string, data []byte) (Policy, error) {
	var p Policy
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		offset := d.InputOffset()
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		switch {
		case errors.As(err, &syntax):
			offset = syntax.Offset
		case errors.As(err, &kind):
			offset = kind.Offset
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			offset = int64(len(data))
			err = errors.New("the text ends inside the policy")
		}
		return Policy{}, &Error{Path: position(name, data, offset), Err: fmt.Errorf("%w: %v", ErrInvalid, err)}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Policy{}, &Error{Path: position(name, data, d.InputOffset()), Err: fmt.Errorf("%w: something stands behind the policy", ErrInvalid), Fix: "remove it"}
	}
	return p, nil
}

// position is file:line:column of an offset.
func position(name string, data []byte, offset int64) string {
	offset = min(max(offset, 0), int64(len(data)))
	before := data[:offset]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - (bytes.LastIndexByte(before, '\n') + 1) + 1
	return fmt.Sprintf("%s:%d:%d", name, line, column)
}
