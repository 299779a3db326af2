package deploy

import (
	"context"
	"io/fs"
	"net"

	"github.com/oxmailroute/oxmailroute/relay"
)

// Files is a tree of files, as [Write] needs it: a directory of this machine
// ([Local]), or whatever a caller makes of SFTP. Names are slash-separated and
// below the root, as in [fs.ValidPath]. No method follows a symbolic link,
// neither at a name's end nor on the way to it, and none waits for what isn't a
// plain file. Errors wrap those of package io/fs.
type Files interface {
	// Root is the tree's place, for messages.
	Root() string
	// State is the directory below the root that the journal lies in while
	// something is written.
	State() string
	// Lock keeps other writers out of the tree until unlock is called or the
	// process is gone. It waits until ctx is done.
	Lock(ctx context.Context) (unlock func(), err error)
	// Lstat describes what is there.
	Lstat(name string) (Info, error)
	// ReadFile reads a plain file, and describes the very file that it read.
	ReadFile(name string) ([]byte, Info, error)
	// ReadDir returns the names in a directory.
	ReadDir(name string) ([]string, error)
	// Create makes a file that must not be there yet, which is on the disk when
	// it returns. Nobody but the owner can open it before it has its attributes.
	Create(name string, data []byte, a Attr) error
	// Keep gives a file a second name in its directory that must not be there
	// yet: the same file, or a copy of it with its attributes.
	Keep(name, as string) error
	// Mkdir makes a directory.
	Mkdir(name string, mode fs.FileMode) error
	// Rename puts a file in the place of another one of the same directory.
	Rename(from, to string) error
	// Remove removes a file, or a directory that is empty.
	Remove(name string) error
	// Sync brings a directory's entries to the disk.
	Sync(dir string) error
}

// Target is a server: its files, from "/" on, its programs and its ports. The
// caller who works over SSH implements it with what the client can do.
type Target interface {
	Files
	// Run runs a program with its words and returns what it printed. The error is
	// that it could not be run; an exit status is none.
	Run(ctx context.Context, args []string, stdin []byte) (Output, error)
	// Dial connects to an address as seen from the server: networks "tcp" and
	// "unix".
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}

// Output is what a program printed and its exit status.
type Output struct {
	Stdout, Stderr []byte
	Status         int
}

// Attr are the attributes of a file that survive its being written anew.
type Attr struct {
	// Mode has the permissions with setuid, setgid and sticky.
	Mode fs.FileMode
	// Owner is nil where it is whoever writes.
	Owner *relay.Owner
	// Extended are extended attributes, access control lists among them, where
	// the system and its file system have them.
	Extended map[string]string
}

// Info describes a file.
type Info struct {
	Attr
	// Type are the type's bits; a plain file has none.
	Type fs.FileMode
	// Links is the number of names that the file has; 0: not known.
	Links uint64
}
