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
// # What is sent
//
// The messages of vacation, reject, ereject and notify ([Outgoing]) are those of
// dovecot-lda and LMTP in the default configuration: the envelope and every
// octet are the server's, with its folding, its encoded words and its header
// fields in their order, except for the Message-ID, the Date (which is
// [Input].Now) and the boundary of a rejection. They show the message as it
// came, without the changes of editheader. "host" and "postmaster" of
// [Input].Environment stand for the settings hostname and postmaster_address;
// octets that iconv would decode otherwise than go-message show in subjects.
//
// Oddities of the server that they have: who has no domain is written as a
// group ("To: postmaster: "); a :from that variables make is written as it
// stands, an address or not; a reject of a message from the null sender goes to
// the address in its Return-Path; notify and reject heed Auto-Submitted, but
// reject only the first; the URI's header field "data" is left out, where "date"
// was meant.
//
// # The server's own faults
//
// The tests hold this package against Pigeonhole 0.5.19 (Dovecot 2.3.19). Where
// the server strays, this package follows, so that it says what will happen:
//
//   - a message is lost where a script stores it in the inbox and then in a
//     missing mailbox ([KeepLost])
//   - of a message's keywords none is stored where :flags has one that is
//     invalid, or one of them is longer than 50 octets (mail_max_keyword_length)
//   - what it takes for a string of C ends at a NUL: regular expressions, flags,
//     texts that are sent, the URI of notify; :upper and :lower stop there
//   - :length, :encodeurl and :quotewildcard believe the first octet of a
//     character, whatever follows
//   - "${h:40}" is an encoded character
//   - the test string compares with i;octet where no comparator is named (0.5;
//     2.4 with i;ascii-casemap, see sieve.Pigeonhole24)
//   - redirect isn't done where X-Sieve-Redirected-From has the octets of the
//     recipient or of sieve_user_email, whoever wrote it, and the message is kept
//   - header with :count and :index takes the last field for none
//   - header with :mime :anychild goes no further at a part without a header,
//     and behind the last part of a multipart it goes on with what follows
//   - duplicate that is tried a second time with the same id, handle and :last
//     fails the script, or where the message is one, doesn't hold
//   - duplicate takes the id from the message as it came, and notify and vacation
//     their subjects, whatever editheader has changed
//   - of a field that addheader adds, header sees the script's text (of each of
//     its lines that doesn't begin with white space the first octet is lost),
//     but address sees the encoded words that the message gets
//   - nothing before a constant test that decides an anyof or allof is tried,
//     so that it sets no match variables
//
// Not followed are
//
//   - its crashes: the compiler on hasflag without arguments, the interpreter
//     on some patterns of :matches like "a*/", on deleteheader with :regex or
//     :count, on notify with :options, and on tests of the body or of MIME parts behind a change of the header;
//     where it had looked at the body before and doesn't crash, it goes on with
//     the parts from before a change of Content-Type
//   - that "X" matches "*?X"
//   - that a foreverypart inside of another one fails at run time
//   - that the limit of 4 nested foreverypart counts across includes
//   - that date forgets an :index that is written before :zone or
//     :originalzone; Format prints the zone first
//   - that the item "host" of the environment is the machine's name in 0.5, not
//     the setting hostname that stands in messages; Input.Environment has one
//   - that what a script stores as "" and keeps too is twice in the inbox:
//     [Result.Mailboxes] has each mailbox once
//   - that removeflag of a variable with the variable itself leaves flags over
//   - a regular expression from a variable that the server takes and
//     headers.CompileERE doesn't (back-references, too many states) fails the
//     script; a broken one matches nothing, as there
package interp
