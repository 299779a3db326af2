// Package interp says what Dovecot's Pigeonhole does with a message under a Sieve
// script of package [sieve].
//
// [Compile] turns a script into a [Program], and [Program.Run] says what the server
// would do with a message. A [Sequence] runs several programs one after the
// other, as Pigeonhole runs sieve_before scripts and the user's own. What runs is
// what package sieve covers, but for the draft notify ([sieve.DraftNotify],
// [sieve.Denotify]), which Compile refuses.
//
// What a run needs to know besides the message is given in [Input]: the time, the
// mailboxes, what was seen before, the results of scanners, the environment. What
// the server would send is there as text ([Outgoing]).
//
// # Cost
//
// A run reads no more of a message than its script names: each field is decoded
// and parsed once, a block of many rules is looked up by field, the body is
// only read for tests of the body and of MIME parts. The work is counted in
// steps and bounded by Options.MaxSteps, not by time, so that a decision is the
// same on a busy machine.
//
// The memory of a run is bounded by the message and the script, not by the
// number of tests times the message: what a test decodes or folds is kept once
// for all tests, or is overwritten by the next one, and whatever else grows is
// charged in steps. That holds with a trace too.
//
// PIGEONHOLE.md, beside this file, lists the server's own faults, which this package
// follows so that it says what will happen, and those few that it does not.
package interp
