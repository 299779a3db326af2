package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// What is wrong with a place that should be written to.
var (
	ErrLink         = errors.New("is a symbolic link")
	ErrNotDirectory = errors.New("is not a directory")
	ErrNotPlain     = errors.New("is not a plain file")
	ErrHardLink     = errors.New("has further names (hard links), which would keep the old contents")
	ErrName         = errors.New("is no name for a file here")
	ErrEdited       = errors.New("was edited by hand, or has no checksum that tells")
	ErrChanged      = errors.New("was changed by somebody meanwhile")
	// ErrRefused is a configuration that the servers don't take.
	ErrRefused = errors.New("the servers don't take it")
)

// Error is a problem with a file, a setting or a program: Position (File is the
// file, the setting or the program), Err, and Fix, which is never empty. All packages
// have the same type.
type Error = fault.Error

func problem(at string, err error, fix string) *Error {
	return &Error{Position: fault.At(at), Err: err, Fix: fix}
}

const permissionFix = "run as root, or as the owner of the file and its directory; where that is so, take the immutable attribute off " +
	"(lsattr, chattr -i)"

// plain is the error for what is not a plain file.
func plain(mode fs.FileMode) error {
	switch t := mode.Type(); {
	case t == 0:
		return nil
	case t&fs.ModeSymlink != 0:
		return ErrLink
	case t&fs.ModeDir != 0:
		return fmt.Errorf("%w: it is a directory", ErrNotPlain)
	case t&fs.ModeNamedPipe != 0:
		return fmt.Errorf("%w: it is a pipe", ErrNotPlain)
	case t&fs.ModeSocket != 0:
		return fmt.Errorf("%w: it is a socket", ErrNotPlain)
	case t&fs.ModeDevice != 0:
		return fmt.Errorf("%w: it is a device", ErrNotPlain)
	}
	return ErrNotPlain
}

// failure gives an error of the file system its path and what to do.
func failure(path string, err error) error {
	if err == nil {
		return nil
	}
	var had *Error
	if errors.As(err, &had) {
		return err
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		if p.Path != "" {
			path = p.Path
		}
		err = p.Err
	}
	fix := "see to it that the directory can be written to"
	switch {
	case errors.Is(err, ErrLink):
		fix = "name what it leads to instead, or put the file or directory itself in its place"
	case errors.Is(err, ErrNotDirectory), errors.Is(err, ErrNotPlain):
		fix = "move it away"
	case errors.Is(err, ErrHardLink):
		fix = "give it contents of its own: cp -p FILE FILE.new && mv FILE.new FILE"
	case errors.Is(err, ErrName):
		fix = "name it otherwise"
	case errors.Is(err, ErrEdited):
		fix = "move it away, or give it to Compile (Installation.Written, or Files), which keeps a copy"
	case errors.Is(err, ErrChanged):
		fix = "look at it, keep elsewhere what you need of it and move it away; then do the same again"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		fix = "make room on the file system"
	case errors.Is(err, syscall.EROFS):
		fix = "mount the file system writable"
	case errors.Is(err, syscall.ENAMETOOLONG):
		fix = "choose a shorter name"
	case errors.Is(err, fs.ErrPermission):
		fix = permissionFix
	}
	return problem(path, err, fix)
}

// errNoTarget is the error for a nil target.
var errNoTarget = errors.New("deploy: a target is needed: see Local")
