// Package provision edits the Sieve scripts of many mailboxes over ManageSieve
// (RFC 5804) and loses nothing of them.
//
// [Sync] goes through the mailboxes with a bounded number of connections. For
// each it lists the scripts, chooses one, reads it, gives it to the caller's edit
// function, and, where that changed a byte, lets the server check the result,
// stores it over the old name, reads it back and sees that what was active is
// active. What happened comes back as one [Report] per mailbox.
//
// # What can be lost, and what can't
//
// The server stores a script whole or not at all, and an active script stays
// active when it is stored anew (RFC 5804 section 2.6). So a connection cut at
// any byte, a server that is killed, or a process that dies leaves the old script
// or the new one, and the next run finds nothing to do or does the rest.
//
// The protocol has no compare-and-swap. Directly before it stores, Sync reads the
// script again and starts over if somebody changed it. What remains is the time
// between that answer and the server's storing, one round trip: a user who saves
// within it loses what was saved. A user who saves just afterwards from a page
// that was opened before takes the rules out, as with any other client; the next
// run puts them in again.
//
// # Which script
//
// [Options.Script] is the name of the script to edit, and empty for the one that
// is active. Open-Xchange has one script per user, [OpenXchange] by default, and
// other clients may have theirs beside it; only the active one runs. Where the
// named script isn't active [Options.Inactive] decides. No script is activated
// that wasn't active, except one that Sync creates where none is active and
// Options.Activate asks for it.
//
// # Failures
//
// TRYLATER, BYE, a broken connection and a server that can't be reached are tried
// again with a growing, random delay. Everything else is reported and left alone:
// a script that the server doesn't take, a quota, an error of the edit function,
// refused credentials, a certificate that can't be verified.
package provision
