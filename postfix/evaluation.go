package postfix

// Evaluation says what package mta does with a parameter when it says where a
// message goes.
type Evaluation string

// What is done with a parameter.
const (
	// Modelled: the answer follows it.
	Modelled Evaluation = "modelled"
	// Asked: it belongs to a program, a network or a database whose answer is an
	// assumption of each decision that hangs on it: milters, postscreen(8), policy
	// services, address verification, DNS lists.
	Asked Evaluation = "asked"
	// Assumed: it can change a reply or an end, and is not followed. Where a server
	// sets it to something else than its default, that is an assumption of each
	// decision of what is loaded.
	Assumed Evaluation = "assumed"
	// Beside: it changes no reply and no end by itself: how long, how many, in which
	// words, where files are, what is logged, TLS.
	Beside Evaluation = "beside"
)

// Evaluated says what package mta does with the parameter; empty where the table
// doesn't say.
func (p Parameter) Evaluated() Evaluation { return p.evaluated }
