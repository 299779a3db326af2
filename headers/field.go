package headers

// Field is one header field as it stands in a message, byte for byte.
type Field struct {
	// Name as written, without the white space some writers put before the
	// colon.
	Name []byte
	// Body is everything after the colon up to the field's last line end: the
	// space after the colon and the line ends of folds are part of it.
	Body []byte
}

// Section is a header section, in the order of the message.
type Section []Field
