// Package headers reads the header section of a message as the servers on its
// way read it, and decides conditions on it.
//
// Postfix's header_checks(5) and Pigeonhole's Sieve tests (RFC 5228) see
// different things in the same octets: where the section ends, what a field
// is, whether RFC 2047 words are decoded, what becomes of a folded line. A
// program that must say what such servers do with a message has to read it as
// each of them does. So everything here is for a [View]: [HeaderChecks] or
// [Sieve]. The rules were found by trying Postfix 3.7.11 and Dovecot 2.3.19
// with Pigeonhole 0.5.19, and the tests ask the real programs about every case.
//
// The main flow has three calls. A [Predicate] is a plain value, such as
// Match{Name: "X-Conbool-Released", Op: Is, Values: []string{"yes"}}:
//
//	matcher, err := headers.Compile(predicate, headers.Sieve)
//	fields, body := headers.Scan(buf[:0], raw, headers.Sieve)
//	yes := matcher.Match(fields, body)
//
// What a view's server has no test for is [ErrNotExpressible], never something
// weaker. [Validate] says everything that is wrong with a predicate;
// [Condition] gives it a JSON form, [Sentence] an English one.
//
// # Fields, lines, values
//
// [Scan] gives the fields as they stand in the message. [Line] is what a
// header_checks pattern sees of one, [Value] what a Sieve test sees. [Walk]
// goes over all fields of a message, those of its parts and of attached
// messages too, with the table of Postfix that looks at each.
//
// # Markers
//
// A gateway marks the messages of a domain with a header named after it.
// [MarkerName] makes the name, [Markers] leads back. [ASCIIDomain] is the check
// and the canonical form of a mail domain.
//
// # Patterns
//
// [CompileERE] and [CompileGlob] are the pattern languages of both servers,
// octet by octet as in the POSIX locale that both run in.
package headers
