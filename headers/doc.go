// Package headers reads header sections the way the servers of a mail route
// read them, and decides conditions on them.
package headers
