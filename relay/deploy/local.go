package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/oxmailroute/oxmailroute/relay"
)

// Local is a directory of this machine, and where it is "/" or the root
// directory of another system, a [Target]. Its zero value is the working
// directory.
type Local struct {
	// Dir is the root. Programs run with it as their root directory, which needs
	// root's rights where it isn't "/" (chroot(2)).
	Dir string
	// Journal is the directory below Dir for the journal. Empty: .oxmailroute,
	// and var/lib/oxmailroute where Dir is "/".
	Journal string
}

// maxFile bounds what is read of one file, in bytes; a table of a million
// addresses has less.
const maxFile = 1 << 28

// Root is Dir.
func (l Local) Root() string {
	if l.Dir == "" {
		return "."
	}
	return filepath.Clean(l.Dir)
}

// State is where the journal lies.
func (l Local) State() string {
	switch {
	case l.Journal != "":
		return path.Clean(filepath.ToSlash(l.Journal))
	case l.Root() == "/":
		return "var/lib/oxmailroute"
	}
	return ".oxmailroute"
}

// open opens a directory below the root, no part of whose name is a link: each
// is looked at before it is opened, and after it again.
func (l Local) open(dir string) (*os.Root, error) {
	at, err := os.OpenRoot(l.Root())
	if err != nil {
		return nil, err
	}
	if dir == "." {
		return at, nil
	}
	done := ""
	for _, part := range strings.Split(dir, "/") {
		done = path.Join(done, part)
		next, err := step(at, part)
		at.Close()
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: l.name(done), Err: cause(err)}
		}
		at = next
	}
	return at, nil
}

func step(at *os.Root, part string) (*os.Root, error) {
	before, err := at.Lstat(part)
	switch {
	case err != nil:
		return nil, err
	case before.Mode()&fs.ModeSymlink != 0:
		return nil, ErrLink
	case !before.IsDir():
		return nil, ErrNotDirectory
	}
	next, err := at.OpenRoot(part)
	if err != nil {
		return nil, err
	}
	after, err := next.Stat(".")
	if err == nil && !os.SameFile(before, after) {
		err = ErrLink // swapped for one in between
	}
	if err != nil {
		next.Close()
		return nil, err
	}
	return next, nil
}

// cause takes the name off an error that gets a longer one.
func cause(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}

// in does something to a name in the directory that it is in.
func (l Local) in(op, name string, do func(dir *os.Root, base string) error) error {
	if !fs.ValidPath(name) || strings.ContainsRune(name, 0) {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	dir, err := l.open(path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := do(dir, path.Base(name)); err != nil {
		return &fs.PathError{Op: op, Path: l.name(name), Err: cause(err)}
	}
	return nil
}

func (l Local) name(name string) string { return filepath.Join(l.Root(), filepath.FromSlash(name)) }

// Lock locks the root directory (flock(2)); it makes the directory where there
// is none.
func (l Local) Lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(l.Root(), 0o755); err != nil {
		return nil, err
	}
	f, err := os.Open(l.Root())
	if err != nil {
		return nil, err
	}
	for {
		ok, err := tryLock(f)
		if err == nil && !ok {
			err = ctx.Err()
		}
		switch {
		case err != nil:
			f.Close()
			return nil, fmt.Errorf("%s: another writer has it: %w", l.Root(), err)
		case ok:
			return func() { f.Close() }, nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Lstat describes what is there.
func (l Local) Lstat(name string) (info Info, err error) {
	err = l.in("lstat", name, func(dir *os.Root, base string) error {
		i, err := dir.Lstat(base)
		if err == nil {
			info = describe(i)
		}
		return err
	})
	return info, err
}

// openFile opens what must be a plain file.
func openFile(dir *os.Root, base string) (*os.File, Info, error) {
	before, err := dir.Lstat(base)
	if err != nil {
		return nil, Info{}, err
	}
	if err := plain(before.Mode()); err != nil {
		return nil, Info{}, err
	}
	f, err := dir.OpenFile(base, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, Info{}, err
	}
	after, err := f.Stat()
	if err == nil && !os.SameFile(before, after) {
		err = ErrLink
	}
	if err != nil {
		f.Close()
		return nil, Info{}, err
	}
	info := describe(after)
	if info.Extended, err = extended(f); err != nil {
		f.Close()
		return nil, Info{}, err
	}
	return f, info, nil
}

// ReadFile reads a plain file.
func (l Local) ReadFile(name string) (data []byte, info Info, err error) {
	err = l.in("read", name, func(dir *os.Root, base string) error {
		f, i, err := openFile(dir, base)
		if err != nil {
			return err
		}
		defer f.Close()
		info = i
		if data, err = io.ReadAll(io.LimitReader(f, maxFile+1)); err == nil && len(data) > maxFile {
			err = fmt.Errorf("more than %d bytes: %w", maxFile, fs.ErrInvalid)
		}
		return err
	})
	return data, info, err
}

// ReadDir returns the names in a directory.
func (l Local) ReadDir(name string) ([]string, error) {
	dir, err := l.open(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// Create makes a file.
func (l Local) Create(name string, data []byte, a Attr) error {
	return l.in("create", name, func(dir *os.Root, base string) error { return create(dir, base, data, a) })
}

func create(dir *os.Root, base string, data []byte, a Attr) (err error) {
	f, err := dir.OpenFile(base, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			dir.Remove(base)
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if a.Owner != nil {
		if err = giveOwner(f, *a.Owner); err != nil {
			return err
		}
	}
	if err = f.Chmod(a.Mode); err != nil { // after chown(2), which takes setuid off
		return err
	}
	if err = extend(f, a.Extended); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// Keep makes a link, and a copy where the file system has none or the system
// allows none.
func (l Local) Keep(name, as string) error {
	return l.in("keep", name, func(dir *os.Root, base string) error {
		if dir.Link(base, path.Base(as)) == nil {
			return nil
		}
		f, info, err := openFile(dir, base)
		if err != nil {
			return err
		}
		defer f.Close()
		data, err := io.ReadAll(f)
		if err != nil {
			return err
		}
		return create(dir, path.Base(as), data, info.Attr)
	})
}

// Mkdir makes a directory.
func (l Local) Mkdir(name string, mode fs.FileMode) error {
	return l.in("mkdir", name, func(dir *os.Root, base string) error {
		if err := dir.Mkdir(base, mode); err != nil {
			return err
		}
		return dir.Chmod(base, mode) // umask(2) may have taken something off
	})
}

// Rename puts a file in the place of another one of the same directory.
func (l Local) Rename(from, to string) error {
	if path.Dir(from) != path.Dir(to) {
		return &fs.PathError{Op: "rename", Path: to, Err: fs.ErrInvalid}
	}
	return l.in("rename", to, func(dir *os.Root, base string) error { return dir.Rename(path.Base(from), base) })
}

// Remove removes a file, or a directory that is empty.
func (l Local) Remove(name string) error {
	return l.in("remove", name, func(dir *os.Root, base string) error { return dir.Remove(base) })
}

// Sync flushes a directory; not every file system can.
func (l Local) Sync(name string) error {
	dir, err := l.open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}

// Run runs a program of this machine.
func (l Local) Run(ctx context.Context, args []string, stdin []byte) (Output, error) {
	if len(args) == 0 {
		return Output{}, errors.New("a command without words")
	}
	name := args[0]
	root := l.Root()
	if root == "." || root == "/" {
		root = ""
	}
	if !strings.Contains(name, "/") {
		found, err := lookPath(root, name)
		if err != nil {
			return Output{}, err
		}
		name = found
	}
	cmd := exec.CommandContext(ctx, name, args[1:]...)
	cmd.Args[0] = args[0]
	// What a program leaves running must not keep the caller waiting.
	cmd.WaitDelay = time.Second
	if root != "" {
		if err := chroot(cmd, root); err != nil {
			return Output{}, err
		}
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	out := Output{stdout.Bytes(), stderr.Bytes(), 0}
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		if out.Status = exit.ExitCode(); out.Status < 0 {
			return out, fmt.Errorf("%s: %w", args[0], err) // a signal
		}
		return out, nil
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return out, err
}

// lookPath finds a program. Debian keeps most of these out of an ordinary
// user's PATH.
func lookPath(root, name string) (string, error) {
	if root == "" {
		if file, err := exec.LookPath(name); err == nil {
			return file, nil
		}
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		file := path.Join(dir, name)
		if info, err := os.Stat(filepath.Join(root, file)); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}

// Owner is a file's owner; nil where the system has none that could be told.
func Owner(info fs.FileInfo) *relay.Owner {
	if info == nil {
		return nil
	}
	return describe(info).Owner
}

// Dial connects from this machine; the path of a Unix socket is below Dir.
func (l Local) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	if network == "unix" {
		address = filepath.Join(l.Dir, address)
	}
	return d.DialContext(ctx, network, address)
}
