// Package relay describes the mail routing of an Open-Xchange installation
// behind a cloud e-mail gateway, compiles it to files for Postfix and Dovecot,
// and answers where a message goes.
//
// A [Policy] is plain data. [Compile] checks it against an [Installation] and
// returns a [Config], whose Files are written and whose Commands are run by
// package deploy, and whose Route walks the very tables and settings that were
// written. [Remove] takes everything out again, but for what somebody edited by
// hand, which it names.
//
// # What is emitted, and why
//
// A gateway's own instructions usually say: set relayhost, and let a header
// check FILTER marked mail past it. On a server with mailboxes that sends
// marked mail for local recipients back to the gateway, because FILTER
// overrides every other route (header_checks(5)); it sends bounces and foreign
// senders' forwards to the gateway, which knows neither; and it believes
// markers that users write themselves. So one Postfix instance does two passes:
//
//   - Pass 1 routes every recipient as always. Listeners that are not the
//     gateway's, and local pickup, remove the gateway's markers before anything
//     looks. Only what would leave for the Internet from a sender in scope goes
//     on to the second pass (sender_dependent_default_transport_maps).
//   - Pass 2 hands that mail to the smart host, unless a header check finds a
//     marker, or a MIME part with a calendar, and sends it to the MX instead.
//     There every recipient is known to be remote, so that FILTER does no harm.
//
// The gateway's listener takes mail from its networks alone, over TLS, with its
// certificate, for hosted recipients; it adds a header of its own
// ([DefaultOriginHeader]), so that what the gateway sent never returns to it,
// even without a marker. The transports of outgoing mail remove all of these
// headers (smtp_header_checks); hosts that the server relays to, and content
// filters, get the markers. What Sieve sends comes back in at listeners of its
// own. Sieve rules file released and flagged mail before users' own rules run
// ([SieveForm]).
//
// CONBOOL.md, beside this file, goes through a vendor's page step by step;
// COEXISTENCE.md says what is done beside what an installation has.
package relay
