package deploy

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// extended reads a file's extended attributes (xattr(7)): access control lists,
// security labels, capabilities.
func extended(f *os.File) (map[string]string, error) {
	fd := int(f.Fd())
	n, err := unix.Flistxattr(fd, nil)
	if errors.Is(err, unix.ENOTSUP) || err == nil && n == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list := make([]byte, n)
	if n, err = unix.Flistxattr(fd, list); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00") {
		size, err := unix.Fgetxattr(fd, name, nil)
		if err != nil {
			continue // gone, or not to be read
		}
		value := make([]byte, size)
		if size, err = unix.Fgetxattr(fd, name, value); err == nil {
			out[name] = string(value[:size])
		}
	}
	return out, nil
}

// extend gives a file extended attributes. Those that the kernel keeps for
// itself may not be given by everybody; without them the file is not less
// protected.
func extend(f *os.File, attributes map[string]string) error {
	for name, value := range attributes {
		err := unix.Fsetxattr(int(f.Fd()), name, []byte(value), 0)
		if err != nil && (strings.HasPrefix(name, "user.") || strings.HasPrefix(name, "system.posix_acl")) {
			return err
		}
	}
	return nil
}
