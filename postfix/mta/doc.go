// Package mta evaluates one Postfix instance: where does a message go, by its
// main.cf, master.cf and tables. It runs no program and asks no network.
//
// [Load] reads a server's files and makes an [Instance], which [Instance.Route]
// asks; so does [New] of a [Configuration], whose tables may be in memory. The [Decision]
// says the outcomes for one recipient with the whole way there, and names as an
// [Assumption] each answer that only another program has: a milter, a policy
// service, a DNS list, a table that can't be read.
//
// What is beyond Postfix is the caller's, by [Options]: mailboxes behind LMTP,
// the server that a transport leads to, which addresses there are in a database.
// Such code sees the message as a [Way].
//
// Followed are smtpd(8)'s restrictions and access tables, pickup(8), cleanup(8)
// with header and body checks, canonical(5), masquerading, BCC copies and virtual
// aliases, trivial-rewrite(8) with its address classes and maps, smtp(8)'s and
// lmtp(8)'s generic(5) maps and header checks, local(8)'s aliases, error(8),
// discard(8), content filters that hand mail back, next hops that are listeners of
// the same instance ([Load]), and SMTPUTF8. Not followed: bounces and their own
// way back, address verification, users' .forward files. PATHS.md beside the code
// lists every way in and out that Postfix documents; postfix.Parameter.Evaluated
// says the same of each setting.
package mta
