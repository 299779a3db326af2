//go:build !unix

package deploy

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"

	"github.com/oxmailroute/oxmailroute/relay"
)

const nonblock = 0

// describe knows no owners here.
func describe(i fs.FileInfo) Info {
	return Info{Attr: Attr{Mode: i.Mode().Perm()}, Type: i.Mode().Type()}
}

func giveOwner(*os.File, relay.Owner) error { return nil }

func tryLock(*os.File) (bool, error) { return true, nil }

func chroot(*exec.Cmd, string) error { return errors.ErrUnsupported }
