package sievetest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve/internal/mboxname"
)

// LDA delivers with dovecot-lda of one of the releases, to a mail store of its own.
// The store and what the server remembers stay from delivery to delivery.
type LDA struct {
	// Dovecot24 says that it is Dovecot 2.4 in the Debian 13 root.
	Dovecot24 bool
	// Settings are lines of the configuration behind all others: those of plugin {}
	// where they begin with "sieve" and the release is 2.3.
	Settings []string
	// Location is what stands behind "maildir:DIR" in mail_location of 2.3, and
	// Separator that of the namespace; "" is the default. FS and UTF8 say the same
	// for 2.4.
	Location, Separator string
	FS, UTF8            bool

	// Dupes is what the server remembers after a delivery, as it stands on disk.
	Dupes []byte

	dir, root, lda string
	deliveries     int
}

// Delivery is a message for dovecot-lda.
type Delivery struct {
	Message    string
	Scripts    []string // the last one is the user's, the others come before it
	From, To   string
	OriginalTo string // "" is To
	Refusable  bool   // the script may not compile: Delivered.Refused says so
}

// Delivered is what became of it.
type Delivered struct {
	Stored  []string // the mailboxes, each once, in order
	Sent    []Sent
	Failed  bool // a script failed, and the message was kept
	Refused bool
	Log     string
}

// Sent is a message that the server gave to sendmail.
type Sent struct {
	Args string // -f SENDER -- RECIPIENT
	Text string
}

// debian13Root is where the Debian 13 file system is; see internal/maillab.
func debian13Root() string {
	if root := os.Getenv("DEBIAN13_ROOT"); root != "" {
		return root
	}
	return "/var/cache/oxmailroute/debian13"
}

// NewLDA skips the test where the release isn't there.
func NewLDA(tb testing.TB, dovecot24 bool) *LDA {
	tb.Helper()
	l := &LDA{Dovecot24: dovecot24, dir: tb.TempDir(), lda: "/usr/lib/dovecot/dovecot-lda"}
	if dovecot24 {
		l.root = debian13Root()
		NeedRoot(tb, l.root)
	} else {
		l.lda = servertest.Need(tb, "dovecot-lda")
	}
	for d := l.dir; d != os.TempDir() && len(d) > 1; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			break
		}
	}
	for _, sub := range []string{"", "mail", "mail/cur", "mail/new", "mail/tmp"} {
		l.make(tb, sub)
	}
	return l
}

// NeedRoot skips the test where programs of the Debian 13 root can't be run.
func NeedRoot(tb testing.TB, root string) {
	tb.Helper()
	if os.Getuid() != 0 {
		servertest.Missing(tb, "only root can run the programs of Debian 13 in "+root)
	}
	if _, err := os.Stat(root + "/usr/lib/dovecot/dovecot-lda"); err != nil {
		servertest.Missing(tb, "no Debian 13 in "+root+"/; .ci/debian13 makes one, DEBIAN13_ROOT says where it is")
	}
}

// InRoot is the command that runs a program in the Debian 13 root, which has
// the directory at the same place.
func InRoot(root, dir string, args ...string) []string {
	const script = `mount -t tmpfs tmpfs "$1/tmp" && mkdir -p "$1$2" && mount --bind "$2" "$1$2" && root=$1 && shift 2 && cd / && exec chroot "$root" "$@"`
	return append([]string{"unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", root, dir}, args...)
}

func (l *LDA) make(tb testing.TB, sub string) {
	tb.Helper()
	uid, gid, _ := Owner(tb)
	path := filepath.Join(l.dir, sub)
	if err := os.MkdirAll(path, 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chown(path, uid, gid); err != nil {
		tb.Fatal(err)
	}
}

func (l *LDA) write(tb testing.TB, name, text string, mode os.FileMode) string {
	tb.Helper()
	uid, gid, _ := Owner(tb)
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chown(path, uid, gid); err != nil {
		tb.Fatal(err)
	}
	return path
}

// conf23 is the configuration in the language of Dovecot 2.3: the directory, who
// owns it, what is behind the location, lines of plugin {} and other lines.
const conf23 = `log_path = /dev/stderr
mail_uid = %[2]d
mail_gid = %[3]d
first_valid_uid = 0
first_valid_gid = 0
mail_location = maildir:%[1]s/mail%[4]s
mail_home = %[1]s
ssl = no
postmaster_address = postmaster@example.org
hostname = mail.example.org
sendmail_path = %[1]s/sendmail
protocol lda {
  mail_plugins = sieve
}
plugin {
%[5]s}
%[6]s`

// conf24 is the same in the language of Dovecot 2.4.
const conf24 = `dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
log_path = /dev/stderr
mail_uid = %[2]d
mail_gid = %[3]d
first_valid_uid = 0
first_valid_gid = 0
mail_driver = maildir
mail_path = %[1]s/mail
mail_inbox_path =
mail_home = %[1]s
ssl = no
postmaster_address = postmaster@example.org
hostname = mail.example.org
sendmail_path = %[1]s/sendmail
protocol lda {
  mail_plugins {
    sieve = yes
  }
}
sieve_extensions {
  editheader = yes
  vacation-seconds = yes
}
%[4]s%[5]s%[6]s`

// Config writes the configuration for the scripts, and returns its path.
func (l *LDA) Config(tb testing.TB, scripts []string) string {
	tb.Helper()
	uid, gid, _ := Owner(tb)
	var plugin, rest strings.Builder
	for i, s := range scripts {
		path := l.write(tb, fmt.Sprintf("s%d.sieve", i), s, 0o644)
		last := i == len(scripts)-1
		switch {
		case l.Dovecot24:
			kind := "before"
			if last {
				kind = "personal"
			}
			fmt.Fprintf(&plugin, "sieve_script s%d {\n  type = %s\n  path = %s\n}\n", i, kind, path)
		case last:
			fmt.Fprintf(&plugin, "  sieve = file:%s\n", path)
		default:
			number := ""
			if i > 0 {
				number = strconv.Itoa(i + 1)
			}
			fmt.Fprintf(&plugin, "  sieve_before%s = %s\n", number, path)
		}
	}
	if !l.Dovecot24 {
		plugin.WriteString("  sieve_extensions = +editheader +vacation-seconds\n")
	}
	for _, s := range l.Settings {
		if !l.Dovecot24 && strings.HasPrefix(s, "sieve") {
			plugin.WriteString("  " + s + "\n")
		} else {
			rest.WriteString(s + "\n")
		}
	}
	if l.Separator != "" {
		fmt.Fprintf(&rest, "namespace inbox {\n  inbox = yes\n  separator = %s\n}\n", l.Separator)
	}
	if !l.Dovecot24 {
		return l.write(tb, "dovecot.conf", fmt.Sprintf(conf23, l.dir, uid, gid, l.Location, plugin.String(), rest.String()), 0o644)
	}
	store := ""
	if l.FS {
		store += "mailbox_list_layout = fs\n"
	}
	if l.UTF8 {
		store += "mailbox_list_utf8 = yes\n"
	}
	return l.write(tb, "dovecot.conf", fmt.Sprintf(conf24, l.dir, uid, gid, store, plugin.String(), rest.String()), 0o644)
}

// Global writes a script for sieve_global, and returns the settings for it.
func (l *LDA) Global(tb testing.TB, name, text string) []string {
	tb.Helper()
	l.make(tb, "global")
	l.write(tb, "global/"+name+".sieve", text, 0o644)
	if l.Dovecot24 {
		return []string{"sieve_script global {", "  type = global", "  path = " + l.dir + "/global", "}"}
	}
	return []string{"sieve_global = " + l.dir + "/global"}
}

// Doveconf is what doveconf prints of the configuration.
func (l *LDA) Doveconf(tb testing.TB, conf string, flags ...string) []byte {
	tb.Helper()
	args := append([]string{"/usr/bin/doveconf", "-c", conf}, flags...)
	if l.Dovecot24 {
		args = InRoot(l.root, l.dir, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = l.dir
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("doveconf: %v\n%s", err, said.String())
	}
	return out
}

// Deliver delivers a message and takes it out of the store again.
func (l *LDA) Deliver(tb testing.TB, d Delivery) Delivered {
	tb.Helper()
	uid, gid, name := Owner(tb)
	if l.deliveries++; d.OriginalTo == "" {
		d.OriginalTo = d.To
	}
	sent := filepath.Join(l.dir, "sent")
	l.write(tb, "sendmail", "#!/bin/sh\nn="+sent+".$$\n{ echo \"$*\"; cat; } >$n.new; mv $n.new $n.$(date +%s%N)\n", 0o755)
	conf, message := l.Config(tb, d.Scripts), l.write(tb, "message.eml", d.Message, 0o644)
	args := []string{l.lda, "-c", conf, "-e", "-f", d.From, "-a", d.OriginalTo, "-r", d.To, "-p", message}
	if os.Getuid() == 0 {
		args = append([]string{"setpriv", "--reuid=" + strconv.Itoa(uid), "--regid=" + strconv.Itoa(gid), "--clear-groups"}, args...)
	}
	if l.Dovecot24 {
		args = InRoot(l.root, l.dir, args...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = l.dir
	cmd.Env = append(os.Environ(), "HOME="+l.dir, "USER="+name)
	var logged bytes.Buffer
	cmd.Stderr = &logged
	if err := cmd.Run(); err != nil {
		tb.Fatalf("dovecot-lda: %v\n%s", err, logged.String())
	}
	out := Delivered{Stored: l.take(tb), Log: logged.String(), Failed: strings.Contains(logged.String(),
		"failed, but implicit keep was successful")}
	l.Dupes, _ = os.ReadFile(filepath.Join(l.dir, ".dovecot.lda-dupes"))
	if out.Refused = strings.Contains(out.Log, "Failed to compile") || strings.Contains(out.Log, "Failed to open"); out.Refused &&
		!d.Refusable {
		text, _ := os.ReadFile(filepath.Join(l.dir, fmt.Sprintf("s%d.sieve.log", len(d.Scripts)-1)))
		tb.Fatalf("dovecot-lda: %s\n%s", out.Log, text)
	}
	files, _ := filepath.Glob(sent + ".*")
	slices.SortFunc(files, func(a, b string) int { return strings.Compare(filepath.Ext(a), filepath.Ext(b)) })
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		args, rest, _ := strings.Cut(string(text), "\n")
		out.Sent = append(out.Sent, Sent{strings.TrimPrefix(args, "-i "), rest})
		os.Remove(f)
	}
	return out
}

// take lists the mailboxes with messages as their directories are named, and
// removes the messages. The inbox is mboxname.Inbox.
func (l *LDA) take(tb testing.TB) []string {
	tb.Helper()
	root := filepath.Join(l.dir, "mail")
	var out []string
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		dir := filepath.Dir(path)
		if err != nil || entry.IsDir() || filepath.Base(dir) != "new" && filepath.Base(dir) != "cur" {
			return err
		}
		box, err := filepath.Rel(root, filepath.Dir(dir))
		if err != nil {
			return err
		}
		if box = strings.TrimPrefix(box, "."); box == "" {
			box = mboxname.Inbox
		}
		out = append(out, box)
		return os.Remove(path)
	})
	if err != nil {
		tb.Fatal(err)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
