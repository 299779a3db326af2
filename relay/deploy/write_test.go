package deploy_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/relay/deploy"
)

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	files := []relay.File{{Name: "postfix/a", Mode: 0o640, Data: []byte("1")}, {Name: "sieve/before/b", Data: []byte("2")}}
	r, err := write(dir, deploy.Options{}, files...)
	if err != nil || !slices.Equal(r.Written, []string{"postfix/a", "sieve/before/b"}) {
		t.Fatal(r, err)
	}
	want := tree(t, dir)
	if len(want) != 5 || !strings.HasPrefix(want["postfix/a"], "-rw-r-----") || !strings.HasPrefix(want["sieve/before/b"], "-rw-r--r--") {
		t.Errorf("written: %v", want)
	}
	before, _ := os.Stat(filepath.Join(dir, "postfix/a"))
	if r, err := write(dir, deploy.Options{}, files...); err != nil || len(r.Written) != 0 {
		t.Errorf("the second time: %v %v", r, err)
	}
	if after, _ := os.Stat(filepath.Join(dir, "postfix/a")); !os.SameFile(before, after) {
		t.Error("a file is written anew that is as it should be")
	}
	// To the places on a server.
	root := t.TempDir()
	c := compile(t, policy(), relay.Installation{})
	if _, err := write(root, deploy.Options{Places: policy().Places()}, c.Files()...); err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Files() {
		if data, err := os.ReadFile(filepath.Join(root, f.Path)); err != nil || string(data) != string(f.Data) || f.Path == "" {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	for _, name := range []string{"etc/postfix/main.cf", "etc/dovecot/conf.d/99-conbool.conf", "etc/dovecot/sieve/before/10-conbool.sieve"} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Error(err)
		}
	}
}

// TestWriteAttributes: mode, owner and access control lists stay; a mode that a
// file is emitted with is given to one that is there, too.
func TestWriteAttributes(t *testing.T) {
	dir := t.TempDir()
	modes := map[string]os.FileMode{"main.cf": 0o600, "master.cf": 0o640, "table": 0o640, "open": 0o644, "secret": 0o644}
	gid := os.Getgid()
	for name, mode := range modes {
		path := put(t, dir, name, "old", mode)
		if os.Getuid() == 0 {
			gid = 12345
			if err := os.Chown(path, 0, gid); err != nil {
				t.Fatal(err)
			}
		}
	}
	modes["secret"], modes["new"] = 0o600, 0o644
	var files []relay.File
	for name := range modes {
		f := relay.File{Name: name, Data: []byte("new")}
		if name == "secret" {
			f.Mode = 0o600
		}
		files = append(files, f)
	}
	old := syscall.Umask(0o077)
	_, err := write(dir, deploy.Options{}, files...)
	syscall.Umask(old)
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range modes {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := deploy.Owner(info); info.Mode() != mode || name != "new" && *got != (relay.Owner{UID: os.Getuid(), GID: gid}) {
			t.Errorf("%s: %v %v", name, info.Mode(), got)
		}
		if data, _ := os.ReadFile(filepath.Join(dir, name)); string(data) != "new" {
			t.Errorf("%s is %q", name, data)
		}
	}
	// A mode alone is a change, too, and another owner.
	r, err := write(dir, deploy.Options{}, relay.File{Name: "open", Mode: 0o600, Data: []byte("new")})
	if info, _ := os.Stat(filepath.Join(dir, "open")); err != nil || len(r.Written) != 1 || info.Mode() != 0o600 {
		t.Errorf("%v %v %v", r, err, info.Mode())
	}
	_, err = write(dir, deploy.Options{}, relay.File{Name: "open", Owner: &relay.Owner{UID: 54321, GID: 54321}, Data: []byte("new")})
	info, _ := os.Stat(filepath.Join(dir, "open"))
	if root := os.Getuid() == 0; root && (err != nil || deploy.Owner(info).UID != 54321) || !root && !has(err, "open", "54321",
		"run as root") {
		t.Errorf("owner %v, %v", deploy.Owner(info), err)
	}
}

// TestObstacles: whatever is in the way is refused by name with what to do, and
// nothing has changed.
func TestObstacles(t *testing.T) {
	outside := t.TempDir()
	put(t, outside, "main.cf", "theirs", 0o644)
	mkdir := func(t *testing.T, path string) {
		t.Helper()
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	symlink := func(t *testing.T, to, path string) {
		t.Helper()
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name, file string
		make       func(t *testing.T, dir string)
		want       []string
	}{
		{"a directory in its place", "d/x", func(t *testing.T, dir string) { mkdir(t, dir+"/d/x") }, []string{"d/x", "directory",
			"move it away"}},
		{"a file where a directory must be", "old/below/x", nil, []string{"old: is not a directory", "move it away"}},
		{"a link", "d/x", func(t *testing.T, dir string) { mkdir(t, dir+"/d"); symlink(t, "../old", dir+"/d/x") }, []string{"d/x",
			"symbolic link", "name what"}},
		{"a link to nowhere", "d/x", func(t *testing.T, dir string) { mkdir(t, dir+"/d"); symlink(t, "nowhere", dir+"/d/x") },
			[]string{"d/x", "symbolic link"}},
		{"a directory that is a link", "d/main.cf", func(t *testing.T, dir string) { symlink(t, outside, dir+"/d") }, []string{"/d:",
			"symbolic link"}},
		{"a directory that is a link within", "d/x", func(t *testing.T, dir string) { mkdir(t, dir+"/e"); symlink(t, "e", dir+"/d") },
			[]string{"/d:", "symbolic link"}},
		{"a directory further up is a link", "d/e/x", func(t *testing.T, dir string) { symlink(t, outside, dir+"/d") }, []string{"/d:",
			"symbolic link"}},
		{"a pipe", "p", func(t *testing.T, dir string) {
			if err := syscall.Mkfifo(dir+"/p", 0o644); err != nil {
				t.Fatal(err)
			}
		}, []string{"/p:", "pipe", "move it away"}},
		{"a socket", "s", func(t *testing.T, dir string) {
			l, err := net.Listen("unix", dir+"/s")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		}, []string{"/s:", "socket"}},
		{"hard links", "h", func(t *testing.T, dir string) {
			if err := os.Link(put(t, dir, "h", "both", 0o644), dir+"/h2"); err != nil {
				t.Fatal(err)
			}
		}, []string{"/h:", "hard link", "cp -p"}},
		{"outside", "../x", nil, []string{`"../x"`, "no name"}},
		{"absolute", "/x", nil, []string{`"/x"`, "no name"}},
		{"no name", "", nil, []string{`""`, "no name"}},
		{"the root", ".", nil, []string{`"."`, "no name"}},
		{"a newline", "a\nb", nil, []string{`"a\nb"`, "no name"}},
		{"a NUL", "a\x00b", nil, []string{`"a\x00b"`, "no name"}},
		{"not clean", "a//b", nil, []string{`"a//b"`, "no name"}},
		{"our own", ".oxmailroute/journal", nil, []string{"no name"}},
		{"twice", "new/deep/a", nil, []string{"new/deep/a", "twice"}},
		{"below another", "new/deep/a/b", nil, []string{"new/deep/a", "not a directory"}},
		{"too long", strings.Repeat("x", 300), nil, []string{"shorter"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "old", "before", 0o644)
			if tt.make != nil {
				tt.make(t, dir)
			}
			before, theirs := tree(t, dir), tree(t, outside)
			done := make(chan error, 1)
			go func() {
				_, err := write(dir, deploy.Options{}, relay.File{Name: "new/deep/a", Data: []byte("1")}, relay.File{Name: "old2", Data: []byte("2")},
					relay.File{Name: "old", Data: []byte("3")}, relay.File{Name: tt.file, Data: []byte("x")})
				done <- err
			}()
			select {
			case err := <-done:
				if !has(err, tt.want...) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				if e := (*deploy.Error)(nil); !errors.As(err, &e) || e.Fix == "" {
					t.Errorf("no fix: %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("it hangs")
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(theirs, tree(t, outside)); diff != "" {
				t.Errorf("outside (-before +after):\n%s", diff)
			}
		})
	}
}

// TestObsolete: what is obsolete goes with the writing, with what was compiled
// from it; what was edited, what isn't ours and what a setting still names stays.
func TestObsolete(t *testing.T) {
	c := compile(t, policy(), relay.Installation{})
	const gateway = "conbool"
	const script = "sieve/before/10-conbool.sieve"
	install := func(t *testing.T) string {
		t.Helper()
		dir := t.TempDir()
		if _, err := write(dir, deploy.Options{}, c.Files()...); err != nil {
			t.Fatal(err)
		}
		put(t, dir, "postfix/conbool_scope.db", "x", 0o644)
		put(t, dir, "sieve/before/10-conbool.svbin", "x", 0o644)
		put(t, dir, "postfix/foreign", "x", 0o644)
		return dir
	}
	const fragment = "dovecot/99-conbool.conf"
	names := []string{"postfix/conbool_scope", "postfix/conbool_scope.db", script, "sieve/before/10-conbool.svbin", fragment,
		"postfix/foreign", "postfix/none"}
	replaced := func(main string) []relay.File {
		return []relay.File{{Name: "postfix/main.cf", Data: []byte(main)}, {Name: "postfix/master.cf",
			Data: []byte("smtp inet n - n - - smtpd\n")}}
	}
	t.Run("gone", func(t *testing.T) {
		dir := install(t)
		r, err := write(dir, deploy.Options{Gateway: gateway, Obsolete: names}, replaced("# hash:/etc/postfix/conbool_scope\n")...)
		if err != nil || len(r.Left) != 0 || len(r.Deleted) != 5 {
			t.Fatalf("%+v %v", r, err)
		}
		now := tree(t, dir)
		for _, n := range names[:5] {
			if now[n] != "" {
				t.Errorf("%s is there", n)
			}
		}
		if now["postfix/foreign"] == "" {
			t.Error("what isn't ours is gone")
		}
	})
	t.Run("edited", func(t *testing.T) {
		dir := install(t)
		data, err := os.ReadFile(filepath.Join(dir, script))
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, script, string(data)+"# mine\n", 0o644)
		r, err := write(dir, deploy.Options{Gateway: gateway, Obsolete: names}, replaced("")...)
		if err != nil || len(r.Left) != 1 || r.Left[0].File != script || r.Left[0].Fix == "" {
			t.Fatalf("%+v %v", r, err)
		}
		if now := tree(t, dir); now[script] == "" || now["sieve/before/10-conbool.svbin"] == "" {
			t.Error("it is gone, or what was compiled from it")
		}
	})
	// By whatever spelling, in the new files or, where they aren't written, in those that are there.
	for _, value := range []string{
		"transport_maps = hash:/etc/postfix/conbool_scope\n", "a =\n  # no\n  hash:/etc/postfix/conbool_scope\n",
		"a = hash:$config_directory/conbool_scope,b\n",
		"a = { hash:${config_directory}/conbool_scope }\n", "a = texthash:conbool_scope\n",
		"a = proxy:pipemap:{hash:/etc/postfix/conbool_scope}\n",
	} {
		t.Run("named/"+value, func(t *testing.T) {
			dir := install(t)
			if _, err := write(dir, deploy.Options{}, replaced(value)...); err != nil {
				t.Fatal(err)
			}
			for _, files := range [][]relay.File{nil, replaced(value)} {
				r, err := write(dir, deploy.Options{Gateway: gateway, Obsolete: names[:2]}, files...)
				if err != nil || len(r.Left) != 1 || !strings.Contains(r.Left[0].Why, "main.cf:") || len(r.Deleted) != 0 {
					t.Fatalf("%+v %v", r, err)
				}
			}
		})
	}
	// A script that Dovecot's configuration names, in the fragment that stays or in a file of the installation's.
	for file, why := range map[string]string{fragment: fragment + ":", "dovecot/90-sieve.conf": "dovecot/90-sieve.conf:2"} {
		t.Run("named/"+file, func(t *testing.T) {
			dir := install(t)
			obsolete := slices.Clone(names)
			if file == fragment {
				obsolete = slices.DeleteFunc(obsolete, func(n string) bool { return n == fragment })
			} else {
				put(t, dir, file, "plugin {\n  sieve_before3 = /etc/dovecot/sieve/before/10-conbool.sieve\n}\n", 0o644)
			}
			r, err := write(dir, deploy.Options{Gateway: gateway, Obsolete: obsolete}, replaced("")...)
			if err != nil || len(r.Left) != 1 || r.Left[0].File != script || !strings.Contains(r.Left[0].Why, why) {
				t.Fatalf("%+v %v", r, err)
			}
			if now := tree(t, dir); now[script] == "" || now["sieve/before/10-conbool.svbin"] == "" {
				t.Error("it is gone, or what was compiled from it")
			}
		})
	}
	if _, err := write(t.TempDir(), deploy.Options{Gateway: gateway, Obsolete: []string{"../x"}}); err == nil {
		t.Error("a path out of the directory is no error")
	}
}

// TestWriteEdited: what somebody wrote into a file of ours is not written over,
// unless it is kept among the files.
func TestWriteEdited(t *testing.T) {
	c := compile(t, policy(), relay.Installation{})
	const name = "dovecot/99-conbool.conf"
	dir := t.TempDir()
	if _, err := write(dir, deploy.Options{}, c.Files()...); err != nil {
		t.Fatal(err)
	}
	data, _ := os.ReadFile(filepath.Join(dir, name))
	edited := string(data) + "# mine\n"
	put(t, dir, name, edited, 0o644)
	before := tree(t, dir)
	if _, err := write(dir, deploy.Options{}, c.Files()...); !errors.Is(err, deploy.ErrEdited) || !has(err, name) {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	written, err := relay.ReadWritten(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := write(dir, deploy.Options{}, compile(t, policy(), relay.Installation{Written: written}).Files()...); err != nil {
		t.Fatal(err)
	}
	kept := false
	for _, text := range tree(t, dir) {
		kept = kept || strings.HasSuffix(text, edited)
	}
	if !kept {
		t.Error("what was edited is lost")
	}
}

// TestLeftovers: temporary files of a kill of old go, others of such names stay.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "postfix/main.cf", "old contents\n", 0o644)
	stay := map[string]string{".main.cf.20240101": "a backup of mine\n", ".main.cf.bak": "", ".other.123": "", ".main.cf.12345678901": ""}
	for name, text := range stay {
		put(t, dir, "postfix/"+name, text, 0o644)
	}
	for name, text := range map[string]string{".main.cf.1": "", ".main.cf.2": "new con", ".main.cf.33": "new contents\n",
		".main.cf.4294967295": "old contents\n"} {
		put(t, dir, "postfix/"+name, text, 0o600)
	}
	if _, err := write(dir, deploy.Options{}, relay.File{Name: "postfix/main.cf", Data: []byte("new contents\n")}); err != nil {
		t.Fatal(err)
	}
	got := tree(t, dir)
	for name := range stay {
		if got["postfix/"+name] == "" {
			t.Errorf("%s is gone", name)
		}
	}
	if len(got) != 2+len(stay) {
		t.Errorf("there: %v", got)
	}
}

// TestLock: two writers don't mix.
func TestLock(t *testing.T) {
	dir := t.TempDir()
	unlock, err := deploy.Local{Dir: dir}.Lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := deploy.Write(ctx, deploy.Local{Dir: dir}, []relay.File{{Name: "x"}}, deploy.Options{}); !errors.Is(err,
		context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	unlock()
	if _, err := write(dir, deploy.Options{}, relay.File{Name: "x"}); err != nil {
		t.Error(err)
	}
}

func TestRun(t *testing.T) {
	tests := []struct {
		name string
		cmd  relay.Command
		want string // in the error; empty: none
	}{
		{"well", relay.Command{Args: []string{"sh", "-c", "true"}}, ""},
		{"fails", relay.Command{Args: []string{"sh", "-c", "echo why >&2; exit 3"}}, "exit status 3: why"},
		{"complains and exits 0", relay.Command{Args: []string{"sh", "-c", "echo skipped a line >&2"}, Silent: true}, "skipped a line"},
		{"may complain", relay.Command{Args: []string{"sh", "-c", "echo note >&2"}}, ""},
		{"missing", relay.Command{Args: []string{"/nonexistent/program"}}, "no such file"},
		{"not found", relay.Command{Args: []string{"nonexistent-program"}}, "not found"},
		{"no words", relay.Command{}, "without words"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := deploy.Run(context.Background(), deploy.Local{Dir: "/"}, []relay.Command{tt.cmd})
			if tt.want == "" && err != nil || tt.want != "" && !has(err, tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
