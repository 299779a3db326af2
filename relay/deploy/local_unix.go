//go:build unix

package deploy

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/oxmailroute/oxmailroute/relay"
)

// nonblock opens a pipe without waiting for its other end.
const nonblock = syscall.O_NONBLOCK

func describe(i fs.FileInfo) Info {
	info := Info{Type: i.Mode().Type()}
	info.Mode = i.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	if st, ok := i.Sys().(*syscall.Stat_t); ok {
		info.Owner = &relay.Owner{UID: int(st.Uid), GID: int(st.Gid)}
		info.Links = uint64(st.Nlink)
	}
	return info
}

// giveOwner gives a file its owner, where it is not its already: an ordinary
// user may not even say so.
func giveOwner(f *os.File, o relay.Owner) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if have := describe(info).Owner; have != nil && *have == o {
		return nil
	}
	return f.Chown(o.UID, o.GID)
}

func tryLock(f *os.File) (bool, error) {
	for {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOLCK):
			return true, nil // a file system without locks
		default:
			return err == nil, err
		}
	}
}

func chroot(cmd *exec.Cmd, root string) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	cmd.Dir = "/"
	return nil
}
