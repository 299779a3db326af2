// Package sieve reads, builds, checks and prints Sieve mail filters (RFC 5228)
// the way Dovecot's Pigeonhole does. Package
// [github.com/oxmailroute/oxmailroute/sieve/interp] runs them.
//
// A [Script] is a plain value: a list of typed commands that hold typed tests.
// It comes from a literal, from source by [Parse], or from go-sieve's syntax
// tree by [FromAST]. [Script.Format] prints it in one canonical form,
// [Script.Validate] says what is wrong with one that was built in Go, and [Check]
// what is wrong or strange in a source.
//
// RFC 5228 is covered whole, and what [Extensions] has; everything else is refused
// with a position ([ErrUnsupported]), and nothing is ignored.
//
// Which of them a server has on is a value, [Extensions], with [Debian12] and
// [Debian13] as what those have unless sieve_extensions says otherwise.
// [ParseFor] refuses what such a server refuses to compile, all at once and with
// places; [Check] adds warnings; [ParseTree] is the source with every byte in its
// place, for programs that edit scripts.
//
// # Strings
//
// A Go string holds the octets of a Sieve string. A line break in a Sieve
// string is CRLF, whatever the line ends of the file are; a value built in Go
// must say "\r\n" too. Octets that a quoted string can't carry (NUL, a lone CR
// or LF) are printed with the encoded-character extension.
package sieve
