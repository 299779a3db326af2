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
// [Denotify]) are read and printed, but can't be run.
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
//   - regular expressions are those of headers.CompileERE, which has the list
//     of what it doesn't take, back-references above all
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
