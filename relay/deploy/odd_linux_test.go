package deploy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/relay/deploy"
)

// mount gives a test a small file system of its own, which nothing outlives.
func mount(t *testing.T, options string) string {
	t.Helper()
	if os.Getuid() != 0 {
		servertest.Missing(t, "only root can mount a file system")
	}
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, options); err != nil {
		servertest.Missing(t, "no file system can be mounted: "+err.Error())
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// TestOddFileSystems: a full or read-only file system, and files that may not be
// changed, leave everything as it was, and the error says what to do.
func TestOddFileSystems(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 300<<10)
	for _, tt := range []struct {
		name, options string
		alter         func(t *testing.T, dir string)
		fix           string
	}{
		{"full", "size=512k", nil, "make room"},
		{"no inodes", "size=8m,nr_inodes=14", nil, "make room"},
		{"read-only", "size=8m", func(t *testing.T, dir string) {
			if err := unix.Mount("none", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
				t.Fatal(err)
			}
		}, "writable"},
		{"immutable", "size=8m", func(t *testing.T, dir string) { immutable(t, filepath.Join(dir, "postfix/c")) }, "chattr"},
		{"immutable directory", "size=8m", func(t *testing.T, dir string) { immutable(t, filepath.Join(dir, "sieve")) }, "chattr"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := mount(t, tt.options)
			for _, name := range []string{"postfix/a", "postfix/b", "postfix/c", "sieve/d"} {
				put(t, dir, name, "old "+name, 0o640)
			}
			if tt.alter != nil {
				tt.alter(t, dir)
			}
			before := tree(t, dir)
			files := []relay.File{{Name: "postfix/a", Data: big}, {Name: "postfix/b", Data: []byte("b")}, {Name: "postfix/c", Data: []byte("c")},
				{Name: "sieve/d", Data: big}}
			for i := range 12 { // with names of their own, for inodes
				files = append(files, relay.File{Name: fmt.Sprintf("new/%d", i), Data: []byte("n")})
			}
			_, err := write(dir, deploy.Options{}, files...)
			var e *deploy.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.fix) {
				t.Errorf("error %v, want %q", err, tt.fix)
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
		})
	}
}

// immutable sets the attribute that not even root writes over (chattr(1)).
func immutable(t *testing.T, name string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	set := func(flags uint32) error {
		return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags))
	}
	if err := set(0x10); err != nil {
		servertest.Missing(t, "the file system has no immutable files: "+err.Error())
	}
	t.Cleanup(func() {
		if f, err := os.Open(name); err == nil {
			unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, 0)
			f.Close()
		}
	})
}

// TestUmask: directories that are made can be entered by those who are to read
// the files in them, whatever the caller's umask.
func TestUmask(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	dir := filepath.Join(t.TempDir(), "x")
	if _, err := write(dir, deploy.Options{}, relay.File{Name: "sieve/before/a", Data: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"sieve": 0o755, "sieve/before": 0o755, "sieve/before/a": 0o644} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
}

// TestOddNames: names that a shell, a terminal or a reader of names could take
// for something else are only names.
func TestOddNames(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("l", 255)
	names := []string{"-rf", "a b", "*", "$(id)", "back\\slash", "ünïcode", "..x", "x;y", `"q"`, long, strings.Repeat("d/", 200) + "deep"}
	var files []relay.File
	for _, n := range names {
		files = append(files, relay.File{Name: n, Data: []byte(n)})
	}
	if _, err := write(dir, deploy.Options{}, files...); err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if data, err := os.ReadFile(filepath.Join(dir, n)); err != nil || string(data) != n {
			t.Errorf("%q: %q %v", n, data, err)
		}
	}
	before := tree(t, dir)
	for _, n := range []string{"", ".", "/etc/x", "../x", "a/../b", "a//b", "new\nline", "nul\x00", "esc\x1b", "\xff\xfe", long + "l",
		".oxmailroute-x", ".oxmailroute/journal"} {
		_, err := write(dir, deploy.Options{}, relay.File{Name: "fine", Data: []byte("x")}, relay.File{Name: n, Data: []byte("x")})
		var e *deploy.Error
		if !errors.As(err, &e) {
			t.Errorf("%q: error %v", n, err)
		}
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// TestWritersAtOnce: what is there at the end is one writer's, whole.
func TestWritersAtOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 3 {
				var files []relay.File
				for j := range 5 {
					files = append(files, relay.File{Name: fmt.Sprintf("d%d/f", j), Data: []byte(fmt.Sprint(i))})
				}
				if _, err := write(dir, deploy.Options{}, files...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var got []string
	for j := range 5 {
		data, _ := os.ReadFile(filepath.Join(dir, fmt.Sprintf("d%d/f", j)))
		got = append(got, string(data))
	}
	if slices.Sort(got); got[0] != got[4] || len(tree(t, dir)) != 10 {
		t.Errorf("mixed: %q, %d names", got, len(tree(t, dir)))
	}
}

// TestTryInterrupted: the start of the trial's Postfix isn't cut short when the
// caller stops waiting, so that it can be stopped, and nothing of it is left.
func TestTryInterrupted(t *testing.T) {
	servertest.Need(t, "postfix")
	if os.Getuid() != 0 {
		servertest.Missing(t, "only root can start a Postfix")
	}
	s := newSite(t, "/")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	i := &interrupter{recorder: recorder{Local: s.root}, cancel: cancel}
	var list []relay.File
	for name, text := range s.files {
		list = append(list, relay.File{Name: name, Data: []byte(text)})
	}
	if _, err := deploy.Try(ctx, i, list, deploy.Options{Places: s.policy.Places()}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if i.dir == "" || !i.started {
		t.Fatal("no Postfix was started")
	}
	if i.cut != nil {
		t.Errorf("the start was cut short: %v", i.cut)
	}
	for _, cmd := range processes(i.dir) {
		t.Errorf("left running: %q", cmd)
	}
	if _, err := os.Lstat(i.dir); err == nil {
		t.Errorf("%s is left", i.dir)
	}
}

// processes are the command lines of those that have a path in them, or as their
// directory.
func processes(dir string) []string {
	var out []string
	list, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range list {
		cmd, _ := os.ReadFile(p + "/cmdline")
		cwd, _ := os.Readlink(p + "/cwd")
		env, _ := os.ReadFile(p + "/environ")
		if strings.Contains(string(cmd)+cwd+string(env), dir) {
			out = append(out, strings.ReplaceAll(string(cmd), "\x00", " "))
		}
	}
	return out
}

// interrupter stops waiting when Postfix is being started.
type interrupter struct {
	recorder
	cancel  func()
	started bool
	cut     error
}

func (i *interrupter) Run(ctx context.Context, args []string, in []byte) (deploy.Output, error) {
	start := args[0] == "postfix" && args[len(args)-1] == "start"
	if start {
		i.started = true
		i.cancel()
	}
	out, err := i.recorder.Run(ctx, args, in)
	if start {
		i.cut = ctx.Err()
	}
	return out, err
}

// crowded is a server on which every port is taken.
type crowded struct{ recorder }

func (c *crowded) ReadFile(name string) ([]byte, deploy.Info, error) {
	data, info, err := c.recorder.ReadFile(name)
	if strings.HasSuffix(name, "/log") && err == nil {
		data = append(data, "postfix/master[1]: fatal: bind 127.0.0.1 port 20001: Address already in use\n"...)
	}
	return data, info, err
}

// TestTryCrowded: a trial that found no free port says so, and not nothing.
func TestTryCrowded(t *testing.T) {
	servertest.Need(t, "postfix")
	if os.Getuid() != 0 {
		servertest.Missing(t, "only root can start a Postfix")
	}
	if servertest.Scaled(t, 1) == 1 {
		return // three starts, in longer runs
	}
	s := newSite(t, "/")
	var list []relay.File
	for name, text := range s.files {
		list = append(list, relay.File{Name: name, Data: []byte(text)})
	}
	trial, err := deploy.Try(t.Context(), &crowded{recorder{Local: s.root}}, list, deploy.Options{Places: s.policy.Places()})
	if err != nil || !slices.ContainsFunc(trial.Untried, func(u string) bool { return strings.Contains(u, "were taken") }) {
		t.Errorf("error %v, untried %q", err, trial.Untried)
	}
}
