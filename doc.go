// Package oxmailroute is the root of a module that provisions and proves mail
// routing for Open-Xchange servers behind a cloud e-mail gateway. It has no
// code; the packages are:
//
//   - [github.com/oxmailroute/oxmailroute/relay]: the policy, what it compiles
//     to, and where a message goes
//   - [github.com/oxmailroute/oxmailroute/headers]: header sections as the
//     servers read them, and conditions on them
//   - [github.com/oxmailroute/oxmailroute/sieve]: Sieve (RFC 5228) as Pigeonhole
//     runs it: parse, build, print, run
//   - [github.com/oxmailroute/oxmailroute/sieve/mailfilter]: rules in users' own
//     scripts, through what OX App Suite does to them
//   - [github.com/oxmailroute/oxmailroute/sieve/dovecot]: what doveconf says of
//     scripts and their settings
//   - [github.com/oxmailroute/oxmailroute/sieve/managesieve]: the protocol that
//     carries scripts to the server
//   - [github.com/oxmailroute/oxmailroute/sieve/provision]: an edit of many
//     mailboxes' scripts through it
//   - [github.com/oxmailroute/oxmailroute/postfix]: main.cf and master.cf edited
//     without losing a byte, tables, header checks
//   - [github.com/oxmailroute/oxmailroute/postfix/mta]: one Postfix instance,
//     evaluated: where a message goes, and why
//   - [github.com/oxmailroute/oxmailroute/relay/deploy]: files written, all or
//     none, and commands run
//   - [github.com/oxmailroute/oxmailroute/relay/policy]: the policy's values alone
//   - [github.com/oxmailroute/oxmailroute/relay/mailstore]: Dovecot's side of any
//     server, for package mta
//   - [github.com/oxmailroute/oxmailroute/relay/relaytest]: fixtures for tests
//
// Packages sieve and postfix build on headers and know nothing of each other;
// only relay knows all three.
//
// # The flow
//
//	policy := relay.Policy{Gateway: relay.Conbool(networks...), ...}
//	config, err := relay.Compile(policy, installation)   // everything that is wrong, at once
//	_, err = deploy.Write(ctx, server, config.Files(), o) // all files or none
//	err = deploy.Run(ctx, server, config.Commands())      // postmap, sievec, check, reload
//	decision := config.Route(ctx, &message)              // where does this message go, and why
//
// # What can be wrong
//
// All packages have one error type under their own name: relay.Error, postfix.Error
// and so on have Position (File, Line, Column, Path), Tenant, Err and Fix. Everything
// wrong with a value or file is reported at once, as Errors; a Warning is what works
// and may not be what was meant. errors.Is tells the kinds, which are the same in all
// packages that name them:
//
//	ErrRequired        a value is missing
//	ErrInvalid         a value can't be what it should be
//	ErrSyntax          the server would refuse the text
//	ErrIllegal         a value can't be written so that the server reads it back
//	ErrDuplicate       a value stands twice
//	ErrConflict        a value contradicts another, or what the installation has
//	ErrDamaged         a managed block's comment lines are not as they were written
//	ErrUnsupported     it may be right, and the library doesn't know it
//	ErrNotExpressible  a target has no words for it
//
// What protocols and files do wrong has types of its own (managesieve.ResponseError,
// the sentinels of deploy).
//
// # What is promised
//
// What Route says of a message is what real Postfix and Pigeonhole do with the
// emitted files: the tests run both. What a server can't express is an error
// when the policy is compiled, never an approximation. Every byte of an
// installation's own files stays, and removing the gateway brings the original
// bytes back.
package oxmailroute
