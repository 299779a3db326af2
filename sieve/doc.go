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
// RFC 5228 whole, and of the extensions: fileinto, envelope, encoded-character
// and the comparators i;octet, i;ascii-casemap, i;ascii-numeric (RFC 5228, RFC
// 4790), copy (RFC 3894), mailbox (RFC 5490), relational (RFC 5231), regex
// (draft-ietf-sieve-regex), reject (RFC 5429), vacation (RFC 5230), imap4flags
// without variables (RFC 5232), and of mime (RFC 5703) the header test with
// :mime :contenttype :is "Content-Type", with and without :anychild. Everything
// else is refused with a position ([ErrUnsupported]); nothing is ignored.
//
// # Where Parse is stricter than Pigeonhole
//
// Pigeonhole does not look inside a branch that can never run ("if false {
// ... }", what follows a true test in anyof, the branches after "if true").
// Parse does, so that what it returns is the whole script. In all else the two
// accept the same scripts for the commands covered; the limits are the same
// too: 1 MiB of source, 32 levels of blocks and of tests (the script itself is
// the first), 32 arguments, 32 octets in an identifier. Regular expressions are
// those of headers.CompileERE.
//
// # The server's own faults
//
// The tests hold this package against Pigeonhole 0.5.19 (Dovecot 2.3.19). Where
// the server strays, this package follows, so that it says what will happen: a
// message is lost where a script stores it in the inbox and then in a missing
// mailbox ([KeepLost]), and "${h:40}" is an encoded character. Not followed are
// the server's crashes (the compiler on hasflag without arguments, the
// interpreter on some patterns of :matches like "a*/") and that "X" matches
// "*?X" there.
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
