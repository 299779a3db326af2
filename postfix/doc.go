// Package postfix holds Postfix's files as typed values: it reads them as
// Postfix 3.7 does, writes them so that Postfix reads the same values back, and
// answers from the values what Postfix would find in the files. It is for
// programs that provision mail routing and want to know, before a server runs,
// what the server will do.
//
// # main.cf and master.cf
//
// [ParseMain] and [ParseMaster] keep every byte of a customer's file.
// [Main.Set] and [Master.Set] put an owner's parameters and services into it
// between comment lines that say so, and change nothing else;
// [Main.Remove] and [Master.Remove] bring the original bytes back. What a
// customer's line says otherwise is an error with its place, never overwritten
// silently.
//
//	m, err := postfix.ParseMain("main.cf", src)
//	err = m.Set("oxmailroute", []postfix.Param{{Name: "relayhost"}})
//	os.WriteFile("main.cf", m.Format(), 0o644)
//
// # Look-up tables
//
// A [Table] is the source text of a hash: or texthash: table, [Table.Index]
// answers look-ups in it, and [Search] and [Aliases] ask an index for what the
// manual pages of transport(5), virtual(5) and access(5) say, in their order.
// A [CIDRTable] is for client addresses, a [PatternTable] for regexp: and pcre:
// tables, [Union], [Pipe] and [Static] for tables made of others.
//
// # Header checks
//
// A [CheckTable] says what cleanup(8) does with header lines. Its conditions
// are predicates of package headers; what one header line can't tell is
// refused with [headers.ErrNotExpressible] and never widened.
// [CheckTable.Format] writes the regexp: table, [CheckTable.Compile] makes the
// [Checks] that find the same rule in Go, with the line of the text for
// traces. [ParseCheckTable] reads a customer's own tables.
//
// # Errors
//
// Everything that is wrong is reported at once as [Errors]: each has a file and
// line, or the path to a value. Values that would be read as something else, or
// break out of the line they are written to, are refused with [ErrIllegal].
// What Postfix only logs is a [Warning].
//
// Nothing here reads or writes files or looks anything up elsewhere. Compiled
// values are safe for concurrent use.
package postfix
