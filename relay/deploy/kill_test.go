package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/relay/deploy"
)

// changed is a writing with everything in it: files that change, that are new in
// new directories, that stay, that get another mode, and that go.
func changed(tb testing.TB) (before func(tb testing.TB) string, files []relay.File, o deploy.Options) {
	obsolete := ""
	for _, f := range compile(tb, policy(), relay.Installation{}).Files() {
		if f.Name == "postfix/conbool_scope" {
			obsolete = string(f.Data)
		}
	}
	before = func(tb testing.TB) string {
		dir := tb.TempDir()
		put(tb, dir, "postfix/main.cf", "old main\n", 0o600)
		put(tb, dir, "postfix/master.cf", "old master\n", 0o640)
		put(tb, dir, "postfix/stays", "same\n", 0o644)
		put(tb, dir, "postfix/mode", "same\n", 0o644)
		put(tb, dir, "postfix/conbool_scope", obsolete, 0o644)
		put(tb, dir, "postfix/conbool_scope.db", "compiled", 0o644)
		return dir
	}
	files = []relay.File{
		{Name: "postfix/main.cf", Data: []byte("new main\n")}, {Name: "postfix/master.cf", Data: []byte("new master\n")},
		{Name: "postfix/stays", Data: []byte("same\n")},
		{Name: "postfix/mode", Mode: 0o600, Data: []byte("same\n")}, {Name: "sieve/before/x.sieve", Data: []byte("keep;\n")},
		{Name: "postfix/table", Data: []byte("a b\n")},
	}
	return before, files, deploy.Options{Gateway: "conbool", Obsolete: []string{"postfix/conbool_scope", "postfix/conbool_scope.db"}}
}

// faulty fails or dies at the n-th operation that changes something.
type faulty struct {
	deploy.Local
	count *int
	at    int
	// half: the operation is done as far as it goes, first.
	half bool
	// err is returned from then on up to the until-th operation; nil: the writer dies.
	err   error
	until int
}

type death struct{}

func (f faulty) do(op func() error, half func()) error {
	*f.count++
	if n := *f.count; n == f.at || f.err != nil && n > f.at && n <= f.until {
		if f.half && half != nil {
			half()
		}
		if f.err == nil {
			panic(death{})
		}
		return f.err
	}
	return op()
}

func (f faulty) Create(name string, data []byte, a deploy.Attr) error {
	return f.do(func() error { return f.Local.Create(name, data, a) }, func() {
		if f.err == nil { // what an error leaves of a file is removed by Create itself
			f.Local.Create(name, data[:len(data)/2], deploy.Attr{Mode: 0o600})
		}
	})
}

func (f faulty) whole(op func() error) error {
	half := func() {
		if f.err == nil {
			op()
		}
	}
	return f.do(op, half)
}

func (f faulty) Keep(name, as string) error {
	return f.whole(func() error { return f.Local.Keep(name, as) })
}
func (f faulty) Mkdir(name string, m fs.FileMode) error {
	return f.whole(func() error { return f.Local.Mkdir(name, m) })
}
func (f faulty) Rename(from, to string) error {
	return f.whole(func() error { return f.Local.Rename(from, to) })
}
func (f faulty) Remove(name string) error {
	return f.whole(func() error { return f.Local.Remove(name) })
}
func (f faulty) Sync(dir string) error { return f.whole(func() error { return f.Local.Sync(dir) }) }

// try runs it until it dies.
func try(do func() error) (err error, died bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(death); !ok {
				panic(r)
			}
			died = true
		}
	}()
	return do(), false
}

// live is a tree without what a writing makes for itself.
func live(all map[string]string) map[string]string {
	out := maps.Clone(all)
	maps.DeleteFunc(out, func(name, text string) bool {
		return strings.Contains(name, ".oxmailroute") || strings.HasPrefix(text, "d")
	})
	return out
}

// TestKilled: the writer dies before, within and behind each operation, and the
// one who comes after it, too; then all is old or all is new, and nothing else is there.
func TestKilled(t *testing.T) {
	before, files, o := changed(t)
	oldTree := tree(t, before(t))
	newDir := before(t)
	if r, err := write(newDir, o, files...); err != nil || len(r.Deleted) != 2 || len(r.Written) != 5 {
		t.Fatal(r, err)
	}
	newTree := tree(t, newDir)
	check := func(what, dir string) {
		t.Helper()
		if got := tree(t, dir); !maps.Equal(got, oldTree) && !maps.Equal(got, newTree) {
			t.Fatalf("%s: neither all old nor all new (-old +got):\n%s", what, cmp.Diff(oldTree, got))
		}
	}
	ctx := context.Background()
	ends := map[string]int{}
	for _, half := range []bool{false, true} {
		for n := 1; ; n++ {
			dir := before(t)
			var count int
			err, died := try(func() error {
				_, err := deploy.Write(ctx, faulty{Local: deploy.Local{Dir: dir}, count: &count, at: n, half: half}, files, o)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if !died {
				break
			}
			what := fmt.Sprintf("killed at %d (half: %v)", n, half)
			// Every third time the next one is killed, too.
			for m := 1; n%3 == 0; m += 2 {
				var count int
				_, died := try(func() error {
					_, _, err := deploy.Recover(ctx, faulty{Local: deploy.Local{Dir: dir}, count: &count, at: m, half: !half})
					return err
				})
				if !died {
					break
				}
				what += fmt.Sprintf(", the next one at %d", m)
			}
			if _, _, err := deploy.Recover(ctx, deploy.Local{Dir: dir}); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			check(what, dir)
			got := "old"
			if maps.Equal(tree(t, dir), newTree) {
				got = "new"
			}
			ends[got]++
			if _, err := write(dir, o, files...); err != nil {
				t.Fatalf("%s: written again: %v", what, err)
			}
			if diff := cmp.Diff(newTree, tree(t, dir)); diff != "" {
				t.Fatalf("%s: written again (-want +got):\n%s", what, diff)
			}
		}
	}
	if ends["old"] < 10 || ends["new"] < 10 {
		t.Errorf("ends: %v", ends)
	}
}

// TestFaults: an error of each operation, once and from then on, leaves all old
// or all new, and is reported with the path.
func TestFaults(t *testing.T) {
	before, files, o := changed(t)
	oldLive := live(tree(t, before(t)))
	newDir := before(t)
	if _, err := write(newDir, o, files...); err != nil {
		t.Fatal(err)
	}
	newTree := tree(t, newDir)
	ctx := context.Background()
	faults := []error{syscall.ENOSPC, syscall.EPERM, syscall.EIO, syscall.EROFS}
	const ever = 1 << 20
	lengths := []int{0, ever, 1}
	for i := range min(servertest.Scaled(t, 3), len(faults)*len(lengths)) {
		fault, length := faults[i%len(faults)], lengths[i%len(lengths)]
		for n := 1; ; n++ {
			dir := before(t)
			var count int
			r, err := deploy.Write(ctx, faulty{Local: deploy.Local{Dir: dir}, count: &count, at: n, err: fault, until: n + length}, files, o)
			if count < n {
				break
			}
			what := fmt.Sprintf("%v at %d and %d more", fault, n, length)
			got := live(tree(t, dir))
			isOld, isNew := maps.Equal(got, oldLive), maps.Equal(got, live(newTree))
			switch {
			case err == nil && isNew && len(r.Written) > 0: // it went well without: an empty directory stays
			case err == nil:
				t.Fatalf("%s: no error", what)
			case length == 0 && !isOld && !isNew:
				t.Fatalf("%s: a mixture:\n%s", what, cmp.Diff(oldLive, got))
			case !errors.Is(err, fault) || !strings.Contains(err.Error(), dir) && !strings.Contains(err.Error(), "oxmailroute"):
				t.Fatalf("%s: error %v", what, err)
			}
			if _, _, err := deploy.Recover(ctx, deploy.Local{Dir: dir}); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			all := tree(t, dir)
			if got := live(all); !maps.Equal(got, oldLive) && !maps.Equal(got, live(newTree)) {
				t.Fatalf("%s, then recovered: a mixture:\n%s", what, cmp.Diff(oldLive, got))
			}
			for name := range all {
				if strings.Contains(name, ".oxmailroute-") || strings.HasSuffix(name, "journal") {
					t.Fatalf("%s: %s is left", what, name)
				}
			}
		}
	}
}

// swapping puts a link in a directory's place before the n-th operation.
type swapping struct {
	deploy.Local
	count   *int
	at      int
	outside string
}

func (f swapping) swap() {
	if *f.count++; *f.count == f.at {
		os.Rename(f.Dir+"/postfix", f.Dir+"/moved")
		os.Symlink(f.outside, f.Dir+"/postfix")
	}
}

func (f swapping) Lstat(name string) (deploy.Info, error) {
	f.swap()
	return f.Local.Lstat(name)
}

func (f swapping) Create(name string, data []byte, a deploy.Attr) error {
	f.swap()
	return f.Local.Create(name, data, a)
}

func (f swapping) Keep(name, as string) error {
	f.swap()
	return f.Local.Keep(name, as)
}

func (f swapping) Rename(from, to string) error {
	f.swap()
	return f.Local.Rename(from, to)
}

func (f swapping) Remove(name string) error {
	f.swap()
	return f.Local.Remove(name)
}

// TestSwapped: a directory that becomes a link meanwhile leads nowhere.
func TestSwapped(t *testing.T) {
	before, files, o := changed(t)
	outside := before(t)
	theirs := tree(t, outside)
	oldTree := tree(t, before(t))
	refused := 0
	for n := 1; ; n++ {
		dir := before(t)
		var count int
		_, err := deploy.Write(context.Background(), swapping{deploy.Local{Dir: dir}, &count, n, outside + "/postfix"}, files, o)
		if count < n {
			break
		}
		if diff := cmp.Diff(theirs, tree(t, outside)); diff != "" {
			t.Fatalf("swapped at %d: outside (-before +after):\n%s", n, diff)
		}
		// Behind the last look at it all is done.
		if moved := tree(t, dir+"/moved"); err == nil && !strings.HasSuffix(moved["main.cf"], "new main\n") {
			t.Fatalf("swapped at %d: no error", n)
		}
		if errors.Is(err, deploy.ErrLink) {
			refused++
		}
		// Put right again, the next call has all old or all new.
		os.Remove(dir + "/postfix")
		if err := os.Rename(dir+"/moved", dir+"/postfix"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := deploy.Recover(context.Background(), deploy.Local{Dir: dir}); err != nil {
			t.Fatalf("swapped at %d: %v", n, err)
		}
		got := tree(t, dir)
		if _, err := write(dir, o, files...); err != nil {
			t.Fatalf("swapped at %d: written again: %v", n, err)
		}
		if !maps.Equal(got, oldTree) && !maps.Equal(got, tree(t, dir)) {
			t.Fatalf("swapped at %d: a mixture:\n%s", n, cmp.Diff(oldTree, got))
		}
	}
	if refused < 10 {
		t.Errorf("%d times the link was seen", refused)
	}
}

// TestChangedMeanwhile: what somebody did between a kill and the next call is
// not lost, and there is a way on.
func TestChangedMeanwhile(t *testing.T) {
	before, files, o := changed(t)
	ctx := context.Background()
	for n := 1; ; n++ {
		dir := before(t)
		var count int
		if _, died := try(func() error {
			_, err := deploy.Write(ctx, faulty{Local: deploy.Local{Dir: dir}, count: &count, at: n}, files, o)
			return err
		}); !died {
			break
		}
		put(t, dir, "postfix/main.cf", "by hand\n", 0o600)
		_, _, err := deploy.Recover(ctx, deploy.Local{Dir: dir})
		if data, _ := os.ReadFile(dir + "/postfix/main.cf"); string(data) != "by hand\n" {
			t.Fatalf("killed at %d: what was written by hand is %q (%v)", n, data, err)
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, deploy.ErrChanged) || !has(err, "postfix/main.cf", "move it away") {
			t.Fatalf("killed at %d: %v", n, err)
		}
		if err := os.Rename(dir+"/postfix/main.cf", dir+"/mine"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := deploy.Recover(ctx, deploy.Local{Dir: dir}); err != nil {
			t.Fatalf("killed at %d, moved away: %v", n, err)
		}
		if data, err := os.ReadFile(dir + "/postfix/main.cf"); err != nil || string(data) != "old main\n" && string(data) != "new main\n" {
			t.Fatalf("killed at %d, moved away: %q %v", n, data, err)
		}
	}
}

const killVariable = "DEPLOY_TEST_KILLED"

// killed is the process that is killed while it writes.
func killed() int {
	runtime.LockOSThread()
	dir := os.Getenv(killVariable)
	var files []relay.File
	for _, name := range []string{"postfix/main.cf", "postfix/master.cf", "sieve/before/x.sieve"} {
		files = append(files, relay.File{Name: name, Data: []byte("new\n")})
	}
	if _, err := deploy.Write(context.Background(), deploy.Local{Dir: dir}, files, deploy.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestKilledBySignal: SIGKILL at a system call, by strace(1).
func TestKilledBySignal(t *testing.T) {
	strace := servertest.Need(t, "strace")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const calls = "mkdirat,openat,write,fchmod,fchown,fsync,renameat,renameat2,unlinkat,linkat,flock"
	start := func(inject ...string) (string, []byte, error) {
		dir := t.TempDir()
		put(t, dir, "postfix/main.cf", "old\n", 0o600)
		put(t, dir, "postfix/master.cf", "old\n", 0o640)
		log := filepath.Join(t.TempDir(), "log")
		cmd := exec.Command(strace, slices.Concat([]string{"-f", "-qq", "-o", log, "-e", "trace=" + calls}, inject, []string{self})...)
		cmd.Env = append(os.Environ(), killVariable+"="+dir, "GOMAXPROCS=1")
		out, err := cmd.CombinedOutput()
		if err != nil && len(inject) == 0 {
			t.Fatalf("strace: %v\n%s", err, out)
		}
		data, _ := os.ReadFile(log)
		return dir, data, err
	}
	oldDir := t.TempDir()
	put(t, oldDir, "postfix/main.cf", "old\n", 0o600)
	put(t, oldDir, "postfix/master.cf", "old\n", 0o640)
	oldTree := tree(t, oldDir)
	newDir, log, _ := start()
	newTree := tree(t, newDir)
	if maps.Equal(oldTree, newTree) {
		t.Fatal("nothing was written")
	}
	// How often the writing thread makes each call.
	counts := map[string]map[string]int{}
	for line := range strings.Lines(string(log)) {
		pid, rest, _ := strings.Cut(line, " ")
		call, _, ok := strings.Cut(strings.TrimSpace(rest), "(")
		if ok && strings.Trim(call, "abcdefghijklmnopqrstuvwxyz2") == "" {
			if counts[pid] == nil {
				counts[pid] = map[string]int{}
			}
			counts[pid][call]++
		}
	}
	var at []string
	for _, c := range counts {
		if c["renameat"]+c["renameat2"] == 0 {
			continue
		}
		for _, call := range slices.Sorted(maps.Keys(c)) {
			for n := 1; n <= c[call]; n++ {
				at = append(at, fmt.Sprintf("%s:signal=KILL:when=%d", call, n))
			}
		}
	}
	if len(at) < 40 {
		t.Fatalf("%d calls in\n%s", len(at), log)
	}
	runs := min(servertest.Deep(t, 8, 24), len(at))
	dead := 0
	for i := range runs {
		inject := at[i*len(at)/runs]
		dir, _, err := start("-e", "inject="+inject)
		if err != nil {
			dead++
		}
		if _, _, err := deploy.Recover(context.Background(), deploy.Local{Dir: dir}); err != nil {
			t.Fatalf("%s: %v", inject, err)
		}
		if got := tree(t, dir); !maps.Equal(got, oldTree) && !maps.Equal(got, newTree) {
			t.Fatalf("%s: neither all old nor all new:\n%s", inject, cmp.Diff(oldTree, got))
		}
	}
	if dead < runs*3/4 {
		t.Errorf("of %d runs %d were killed", runs, dead)
	}
	t.Logf("%d of %d system calls", runs, len(at))
}
