// Package sieve reads, builds, prints and runs Sieve mail filters (RFC 5228)
// the way Dovecot's Pigeonhole does.
//
// A [Script] is a plain value: a list of typed commands that hold typed tests.
// It comes from a literal, from source by [Parse], or from go-sieve's syntax
// tree by [FromAST]. [Script.Format] prints it in one canonical form,
// [Compile] turns it into a [Program], and [Program.Run] says what the server
// would do with a message. A [Sequence] runs several programs one after the
// other, as Pigeonhole runs sieve_before scripts and the user's own.
//
// # What is covered
//
// RFC 5228 whole with fileinto, envelope, encoded-character and the comparators
// i;octet, i;ascii-casemap, i;ascii-numeric and i;unicode-casemap (RFC 4790, RFC
// 5051), and these extensions: copy (RFC 3894), body (RFC 5173), environment (RFC
// 5183), variables (RFC 5229), vacation and vacation-seconds (RFC 5230, RFC
// 6131), relational (RFC 5231), imap4flags (RFC 5232), subaddress (RFC 5233),
// spamtest, spamtestplus and virustest (RFC 5235), date and index (RFC 5260),
// editheader (RFC 5293), reject and ereject (RFC 5429), enotify with mailto (RFC
// 5435, RFC 5436), ihave (RFC 5463), mailbox, mboxmetadata and servermetadata
// (RFC 5490), mime, foreverypart and extracttext (RFC 5703), include (RFC 6609),
// duplicate (RFC 7352), special-use (RFC 8579), regex (draft-ietf-sieve-regex),
// Dovecot's debug, environment, report and duplicate, and the drafts imapflags
// and notify. Everything else is refused with a position ([ErrUnsupported]);
// nothing is ignored. The commands of the draft notify ([DraftNotify],
// [Denotify]) are read and printed, but Compile refuses them.
//
// What a run needs to know besides the message is given in [Input]: the time, the
// mailboxes, what was seen before, the results of scanners, the environment. What
// the server would send is there as text ([Outgoing]).
//
// Which of them a server has on is a value, [Extensions], with [Debian12] and
// [Debian13] as what those have unless sieve_extensions says otherwise.
// [ParseFor] refuses what such a server refuses to compile, all at once and with
// places; [Check] adds warnings; [ParseTree] is the source with every byte in its
// place, for programs that edit scripts.
//
// # Where Parse differs from Pigeonhole's compiler
//
// Like Pigeonhole, Parse doesn't look into a branch that can never run ("if false
// { ... }", what follows a true test in anyof, the branches after "if true"), and
// keeps what it can't read there as [Unread] and [UnreadTest]. What sievec prints
// as an error and compiles all the same is taken (a variable of an unknown
// namespace in a string, deleteheader with :last alone, an odd attribute in
// specialuse_exists). These differences are left:
//
//   - regular expressions are those of headers.CompileERE, which lacks
//     back-references and more than 1000 repetitions
//   - a list of names in deleteheader is refused, of which the server compiles a
//     program that is corrupt; so is a third argument of addflag, setflag,
//     removeflag and specialuse_exists, which it compiles and doesn't use
//   - whether an included script exists isn't looked at, as when a script is
//     uploaded
//   - settings that change limits (sieve_max_script_size,
//     sieve_variables_max_scope_size, sieve_editheader_max_header_size) have their
//     defaults: 1 MiB, 255 variables, 2048 octets
//
// The limits are the server's: 32 levels of blocks and of tests (the script
// itself is the first), 4 of foreverypart, 32 arguments, 32 octets in an
// identifier.
//
// # Cost
//
// A run reads no more of a message than its script names: each field is decoded
// and parsed once, a block of many rules is looked up by field, the body is
// only read for tests of the body and of MIME parts. The work is counted in
// steps and bounded by Options.MaxSteps, not by time, so that a decision is the
// same on a busy machine.
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
//   - "${h:40}" is an encoded character
//   - the test string compares with i;octet where no comparator is named
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
//     on some patterns of :matches like "a*/", on deleteheader with :regex, and
//     on tests of the body or of MIME parts behind a change of the header;
//     where it had looked at the body before and doesn't crash, it goes on with
//     the parts from before a change of Content-Type
//   - that "X" matches "*?X"
//   - that a foreverypart inside of another one fails at run time
//   - that date forgets an :index that is written before :zone or
//     :originalzone; Format prints the zone first
//   - that removeflag of a variable with the variable itself leaves flags over
//   - the groups of a regular expression where POSIX and Go fill them
//     differently
//
// # Strings
//
// A Go string holds the octets of a Sieve string. A line break in a Sieve
// string is CRLF, whatever the line ends of the file are; a value built in Go
// must say "\r\n" too. Octets that a quoted string can't carry (NUL, a lone CR
// or LF) are printed with the encoded-character extension.
//
// # Comments
//
// A [Comment] among the commands is printed as a line of its own. Parse keeps
// the "#" comments that stand alone on their line where a command could begin;
// it drops bracketed comments, comments after a command on the same line,
// those inside a command and those between a block and its elsif or else.
package sieve
