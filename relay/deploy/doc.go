// Package deploy does what touches a disk or runs a program: it writes the files
// of a [relay.Config] or [relay.Removal], tries them, and runs commands.
//
// Everything goes through a small interface, [Target], of which [Local] is this
// machine. A caller who works over SSH implements it with what the client can do.
//
//	server := deploy.Local{Dir: "/"}
//	options := deploy.Options{Places: policy.Places(), Gateway: policy.Gateway.Name, Obsolete: config.Obsolete()}
//	if _, err := deploy.Try(ctx, server, config.Files(), options); err != nil { ... } // nothing has changed
//	if _, err := deploy.Write(ctx, server, config.Files(), options); err != nil { ... } // nothing has changed
//	err := deploy.Run(ctx, server, config.Commands())
//
// # Writing
//
// [Write] writes all files or none. A journal below the root says what is being
// done, new contents lie beside their places before the first one is renamed,
// and what is there keeps a second name until all is done. An error undoes
// everything; after a kill, at whichever system call, the next Write or [Recover]
// finishes it or undoes it. Owners, modes and extended attributes stay.
//
// # Trying
//
// postconf and "postfix check" open no tables, patterns or restrictions, and the
// paths in the files are those of the live ones. [Try] therefore copies the
// configuration into a directory of its own with the new files in it, rewrites
// the paths, and asks the servers' own programs there: every table that a
// setting names is compiled and opened, every restriction word looked at,
// certificates and keys read, scripts, rulesets and fragments checked. Where it
// is root, a Postfix of its own with queue, data directory and loopback ports of
// its own is started, asked on each listener, has each smtp(8) and lmtp(8) begin,
// and is stopped. Nothing live changes.
package deploy
