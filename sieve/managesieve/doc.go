// Package managesieve is a client of ManageSieve (RFC 5804), the protocol by
// which a mailbox's Sieve scripts are listed, read, checked, stored and
// activated on its server.
//
// [Dial] connects with STARTTLS, or TLS from the first byte, verifies the
// server's certificate and reads its capabilities. [Client.Authenticate] takes a
// mechanism of github.com/emersion/go-sasl; a master user acts for a mailbox by
// PLAIN with an authorization identity:
//
//	c, err := managesieve.Dial(ctx, "mail.example.com:4190", managesieve.Options{})
//	...
//	err = c.Authenticate(ctx, sasl.NewPlainClient("alice@example.com", "master", password))
//
// Without TLS nothing is authenticated, except over loopback where
// [LoopbackCleartext] asks for it.
//
// # Errors
//
// A refusal of the server is a [*ResponseError]. Its response code is a [Code],
// and codes are found by errors.Is along their hierarchy: an error with
// QUOTA/MAXSIZE is both [CodeQuotaMaxSize] and [CodeQuota]. What breaks the
// protocol is a [*ProtocolError], a broken or silent connection a [*ConnError];
// after either, and after BYE and a cancelled call, the connection is closed
// ([ErrClosed]). No error holds credentials or bytes of what the server sent out of
// order.
//
// # What is and isn't guaranteed
//
// Every call ends: by its answer, by the context, or by Options.CommandTimeout.
// Sizes are checked against [Limits] before memory is taken. PUTSCRIPT sends a
// script as one literal with its size before it, and a server stores it only
// when all of it came and was found valid (RFC 5804 section 2.6), so a connection
// cut at any byte leaves the old script. Where the cut comes after the script was
// sent and before the answer, the client can't know which of the two is there:
// GETSCRIPT tells.
//
// The tests run against Dovecot 2.3 and Cyrus 3.6.
//
// The protocol has no compare-and-swap: between GETSCRIPT and PUTSCRIPT somebody
// else may store the script. Package
// [github.com/oxmailroute/oxmailroute/sieve/provision] edits the scripts of many
// mailboxes with a window as small as that allows.
package managesieve
