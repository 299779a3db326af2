package relay_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/relay"
)

// tree lists a directory: names with contents.
func tree(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func TestWriteDir(t *testing.T) {
	dir := t.TempDir()
	files := []relay.File{{Name: "postfix/a", Mode: 0o640, Data: []byte("1")}, {Name: "sieve/before/b", Mode: 0o644, Data: []byte("2")}}
	for range 2 {
		if err := relay.WriteDir(dir, files); err != nil {
			t.Fatal(err)
		}
	}
	got := tree(t, dir)
	if len(got) != 2 || got["postfix/a"] != "1" || got["sieve/before/b"] != "2" {
		t.Errorf("written: %v", got)
	}
	if info, err := os.Stat(filepath.Join(dir, "postfix/a")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode: %v %v", info.Mode(), err)
	}
}

// TestWriteDirNothingHalfWritten: where one file can't be written, the others
// stay as they were and nothing is left lying about.
func TestWriteDirNothingHalfWritten(t *testing.T) {
	tests := []struct {
		name string
		file relay.File
	}{
		{"a directory in its place", relay.File{Name: "taken", Data: []byte("x")}},
		{"a file where a directory must be", relay.File{Name: "old/below/x", Data: []byte("x")}},
		{"outside", relay.File{Name: "../x", Data: []byte("x")}},
		{"absolute", relay.File{Name: "/x", Data: []byte("x")}},
		{"no name", relay.File{Name: "", Data: []byte("x")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.MkdirAll(filepath.Join(dir, "taken", "by"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "old"), []byte("before"), 0o644); err != nil {
				t.Fatal(err)
			}
			err := relay.WriteDir(dir, []relay.File{{Name: "new/deep/a", Data: []byte("1")}, {Name: "old2", Data: []byte("2")}, tt.file})
			if err == nil {
				t.Fatal("no error")
			}
			if got := tree(t, dir); len(got) != 1 || got["old"] != "before" {
				t.Errorf("left: %v", got)
			}
			if _, err := os.Stat(filepath.Join(dir, "new")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("an empty directory is left: %v", err)
			}
		})
	}
}

func TestReadInstallation(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"main.cf": "a = b\n", "tables/x": "k v\n", "x.db": "binary"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"link": "tables/x", "broken": "nowhere", "links": "tables"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	in, err := relay.ReadInstallation(os.DirFS(dir), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Files) != 3 || string(in.Files["/etc/postfix/tables/x"]) != "k v\n" || string(in.Files["/etc/postfix/link"]) != "k v\n" {
		t.Errorf("read: %q", in.Files)
	}
	if _, err := relay.ReadInstallation(os.DirFS(filepath.Join(dir, "tables")), ""); err == nil {
		t.Error("a directory without main.cf is no error")
	}
}

func TestCommandRun(t *testing.T) {
	tests := []struct {
		name string
		cmd  relay.Command
		want string // in the error; empty: none
	}{
		{"well", relay.Command{Args: []string{"sh", "-c", "true"}}, ""},
		{"fails", relay.Command{Args: []string{"sh", "-c", "echo why >&2; exit 3"}}, "why"},
		{"complains and exits 0", relay.Command{Args: []string{"sh", "-c", "echo skipped a line >&2"}, Silent: true}, "skipped a line"},
		{"may complain", relay.Command{Args: []string{"sh", "-c", "echo note >&2"}}, ""},
		{"missing", relay.Command{Args: []string{"/nonexistent/program"}}, "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.cmd.Run(context.Background())
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
