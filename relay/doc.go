// Package relay describes the mail routing of an Open-Xchange installation
// behind a cloud e-mail gateway, compiles it to files for Postfix and Dovecot,
// and answers where a message goes.
//
// A [Policy] is plain data. [Compile] checks it against an [Installation] and
// returns a [Config], whose Files are written and whose Commands are run by
// package deploy, and whose Route walks the very tables and settings that were
// written. [Remove] takes everything out again, but for what somebody edited by hand,
// which it names: no such line is deleted or written over.
//
// # What is emitted, and why
//
// A gateway's own instructions usually say: set relayhost, and let a header
// check FILTER marked mail past it. On a server with mailboxes that sends
// marked mail for local recipients back to the gateway, because FILTER
// overrides every other route (header_checks(5)); it sends bounces and foreign
// senders' forwards to the gateway, which knows neither; and it believes
// markers that users write themselves. So the work is done in two passes of
// one Postfix instance:
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
// even without a marker. The transport of outgoing mail removes all of these
// headers (smtp_header_checks); hosts that the server relays to, and content
// filters, get the markers. Dovecot's redirects come back in at a listener of their own,
// where markers stay. Sieve rules file released mail into INBOX and flagged mail
// into a folder before users' own rules run.
//
// With topology [Outbound] there are the same two passes and nothing comes in from
// the gateway. Two, because FILTER overrides every route and takes the recipient's
// domain for the next hop unchecked: smtp(8) dies of one that is no host name, and
// with it all mail. What comes to the second pass was resolved before.
//
// [Policy].Further has more gateways for other tenants of the same server. The
// sender map, the removal of markers and the delivery rules are one each; every
// gateway has a listener, a second pass and a transport of its own, and on its
// listener the other gateways' markers are removed. Mail between the tenants
// stays here. What any gateway delivered goes to none of them again.
//
// # Where the rules for delivery run
//
// [Sieve].Form chooses between three places for the same rules:
//
//   - [Global], one script before every mailbox's own: for servers where all
//     tenants use the gateway. Nothing has to be kept up to date, and users can't
//     change it.
//   - [PerTenant], the same script for each domain that uses the gateway: for
//     servers where some tenants must not notice it. Dovecot finds it by the
//     domain of its user name, which must be the mail address.
//   - [PerMailbox], rules in mailboxes' own scripts by [MailboxRules]: where single
//     mailboxes are switched on, or Dovecot's configuration is somebody else's.
//     Users see the rules in OX App Suite, and can move them or switch them off;
//     who writes the whole script anew from an old page takes them out until the
//     next run of package provision.
//
// The first two are files for sieve_before, which [Config.Commands] has compiled
// by sievec(1) before Dovecot reloads: mail users can't write binaries there.
// Scripts in a Dovecot dict are not emitted: a dict that doesn't answer defers
// the mail, each delivery compiles the script anew unless mail users can write
// a directory for binaries, and nothing here could write the dict.
//
// # What to know
//
//   - Postfix and Pigeonhole read a header differently, and Route models both:
//     Pigeonhole decodes RFC 2047 words ("=?utf-8?q?YES?=" is "YES") and does
//     not match a value that was folded to the next line; header checks see the
//     raw line and match a folded value.
//   - The calendar exemption needs no trust: whoever sends through the server
//     can avoid the gateway with a text/calendar part. Calendars inside
//     attached messages count, because mime_header_checks sees them.
//   - Sieve runs at delivery and can't route outbound mail. "Enable the smart
//     host only in the Sieve rules of the chosen mailboxes" is [SomeSenders]
//     with [PerMailbox].
//   - Header checks see one field at a time. [Spam].Mark therefore marks
//     released mail too where the gateway left its spam marker in.
//   - The certificate's name is checked in the Received: line that smtpd(8)
//     writes, because no access restriction of Postfix compares names; it is
//     the subject's common name that counts.
//   - With [Inbound].Return the gateway may hand mail back: its certificate and
//     a sender in scope are the condition, because smtpd(8) decides about a
//     recipient before it sees a header. The check of a certificate's name comes
//     after the message, so that a host in the gateway's networks without it is
//     refused at the end of the data.
//   - Passwords for [Auth] stay in their file. A smart host that does not offer a
//     login is noticed by what else it offers; see there.
//   - Markers are honoured exactly, and in any case. Up to 100 domains each has
//     a pattern in the bypass table; from 101 on a table NAME_markers has them,
//     behind two small ones that cut the domain out of the line and write it in
//     lower case, so that neither time nor memory grows (BENCHMARKS.md has what
//     both cost Postfix). [Loop].AnyDomain is one pattern for all, as a choice.
//   - A listener behind a load balancer ([Balancer]) believes the PROXY line of
//     whoever connects, and smtpd's restrictions see the announced client only.
//     No setting of Postfix closes that: the listener is on loopback, where
//     programs of this server can still claim an address but not the gateway's
//     certificate, or [Firewall] admits the balancer alone.
//   - The generated listeners on loopback (Server.SecondPass, ReEntry, Sorting,
//     Strip, Generated) take mail from every program of this server without a
//     login, as sendmail(1) does, and the first three believe markers. Who can run
//     programs there can send past the gateway.
//   - What Sieve makes (vacation, notify, reject, reports) loses all markers; what
//     it redirects at delivery keeps them. Dovecot's own fields tell the two apart
//     by their order, which no script can change. That holds for other servers'
//     Dovecot, too, which sends to a listener of role reentry. What Sieve sends
//     elsewhere (imapsieve) goes the way it went before, by sendmail(1) or the installation's
//     submission_host.
//   - Redirects are treated as sendmail(1)'s mail was: its header checks, milters and
//     content filter. X-Sieve-Redirected-From stays, whatever header_checks say of it.
//   - [Firewall] filters what comes in to the server itself. What is forwarded to
//     containers passes another hook, and loopback stays open.
//   - Route follows the installation's own settings too: canonical, generic and
//     masquerading rewrites of the envelope, BCC copies, virtual and local
//     aliases, regexp:, pcre:, inline:, static:, unionmap: and pipemap: tables,
//     relay hosts, listings of recipients and senders, sender logins, header and
//     body checks, content filters that come back at a listener of role
//     reinjection. [Outcome] has the envelope that arrives.
//   - Addresses in header fields are rewritten as Postfix rewrites them: for mail
//     of sendmail(1) and of local_header_rewrite_clients (with
//     remote_header_rewrite_domain for others', too) after the header checks, by
//     canonical tables and masquerading and to complete addresses, and by
//     smtp_generic_maps for all mail on its way out, where smtp_header_checks
//     remove, replace and add fields as well. Header checks of the second
//     pass and Sieve see them so, and [Outcome].Edits lists them. What cleanup(8)
//     adds to such mail is there as well (From, Date, Message-Id), without the
//     full name that sendmail(1) finds for its user.
//   - Dovecot offers no SMTPUTF8 (RFC 6531). Mail that declares it, or that
//     Postfix finds to need it, and has a sender, a recipient or a header beyond
//     ASCII, goes back to its sender instead of into a mailbox, and so at every
//     next hop without it ([Message].SMTPUTF8, NextHops). Postfix asks only new
//     connections: one that lmtp(8) has kept open takes such mail. What comes
//     undeclared is delivered; Dovecot 2.3 then takes a sender beyond ASCII for
//     none, in Sieve's envelope tests and in redirects, and refuses such a
//     recipient.
//   - Domains and addresses in SQL or LDAP are the [Directory]'s to answer. Without
//     one a domain of the policy is taken for listed where no list can be read, and
//     the decision names that.
//   - What only another program can answer (milters, policy services, DNS
//     lists, SQL without a [Directory], users' .forward files, whether a content
//     filter hands XFORWARD on, whether a next hop offers SMTPUTF8, which
//     addresses inet_interfaces = all has) is in
//     [Decision].Assumptions with the answer that Route went on with; where there
//     are none, the configuration was followed in full. [Config.Warnings] names
//     such settings beforehand.
package relay
