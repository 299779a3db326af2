package relay_test

import (
	"io/fs"
	"os"
	"path/filepath"
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
