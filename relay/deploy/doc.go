// Package deploy does what touches a disk or runs a program: it writes the files
// of a [relay.Config] or [relay.Removal], and runs commands.
//
// Everything goes through a small interface, [Target], of which [Local] is this
// machine. A caller who works over SSH implements it with his client's means.
//
//	server := deploy.Local{Dir: "/"}
//	options := deploy.Options{Places: policy.Places(), Gateway: policy.Gateway.Name, Obsolete: config.Obsolete()}
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
package deploy
