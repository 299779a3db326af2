package relay

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// TestDefaults: the built-in values that Route rests on are those of both
// systems' Postfix, on every compatibility level that changes one.
func TestDefaults(t *testing.T) {
	for _, system := range maillab.Systems() {
		t.Run(system.Name, func(t *testing.T) {
			maillab.NeedSystem(t, system)
			dir, err := os.MkdirTemp(filepath.Join(system.Root, "/tmp"), "defaults")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			for _, level := range []string{"0", "1", "2", "3.6", "3.10"} {
				if level == "3.10" && system.Root == "" {
					continue // newer than the program
				}
				text := "compatibility_level = " + level + "\nmyhostname = ox.example.com\n"
				main, err := postfix.ParseMain("main.cf", []byte(text))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, "main.cf"), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				names := slices.Sorted(maps.Keys(defaults))
				cmd := exec.Command("/usr/sbin/postconf", slices.Concat([]string{"-c", strings.TrimPrefix(dir, system.Root), "-xh"}, names)...)
				cmd.Dir = "/"
				if system.Root != "" {
					cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: system.Root}
				}
				out, err := cmd.Output()
				if err != nil {
					t.Fatal(err)
				}
				lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
				if len(lines) != len(names) {
					t.Fatalf("%d values for %d names", len(lines), len(names))
				}
				for i, name := range names {
					want := strings.Join(list(lines[i]), " ")
					if got := strings.Join(list(settings{main: main}.get(name)), " "); got != want {
						t.Errorf("level %s: %s is %q, Postfix has %q", level, name, got, want)
					}
				}
			}
		})
	}
}
