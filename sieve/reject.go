package sieve

// Reject refuses the message and tells its sender why (RFC 5429 section 2.2);
// it cancels the implicit keep.
type Reject struct {
	Reason string
}

func (Reject) command() {}

// EReject refuses the message in the SMTP dialogue where the server can (RFC
// 5429 section 2.1); it cancels the implicit keep. Pigeonhole as Debian builds
// it doesn't have it.
type EReject struct {
	Reason string
}

func (EReject) command() {}
