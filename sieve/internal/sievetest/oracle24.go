package sievetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
)

// programs24 is the configuration of Pigeonhole 2.4 with every extension on.
const programs24 = `dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
base_dir = %[3]s/run
ssl = no
mail_uid = %[1]s
mail_gid = %[2]d
first_valid_uid = 0
first_valid_gid = 0
mail_home = %[3]s/home
mail_driver = maildir
mail_path = %[3]s/mail
postmaster_address = postmaster@example.org
sieve_extensions {
  editheader = yes
  vacation-seconds = yes
  special-use = yes
  mboxmetadata = yes
  servermetadata = yes
  spamtest = yes
  spamtestplus = yes
  virustest = yes
  vnd.dovecot.environment = yes
  vnd.dovecot.report = yes
}
sieve_spamtest_status_type = score
sieve_spamtest_status_header = X-Spam-Score: ([0-9.]+)
sieve_spamtest_score_max_value = 10
sieve_virustest_status_type = score
sieve_virustest_status_header = X-Virus-Score: ([0-9.]+)
sieve_virustest_score_max_value = 5
`

// ServerExtensions24 is all that Debian 13 has and can turn on.
const ServerExtensions24 = ServerExtensions&^sieve.ImportExport&^sieve.ExtNotify&^sieve.ExtIMAPFlags | sieve.ExtUnicodeCasemap | sieve.Pigeonhole24

// NewOracleOf is NewOracle of either release; that of 2.4 has every extension on.
func NewOracleOf(tb testing.TB, dovecot24 bool) *Oracle {
	tb.Helper()
	if !dovecot24 {
		return NewOracle(tb)
	}
	o := &Oracle{sievec: "/usr/bin/sievec", Test: "/usr/bin/sieve-test", filter: "/usr/bin/sieve-filter", Dir: tb.TempDir(),
		root: debian13Root()}
	NeedRoot(tb, o.root)
	if _, err := os.Stat(o.root + o.filter); err != nil {
		servertest.Missing(tb, "no sieve-filter in "+o.root)
	}
	o.Conf = filepath.Join(o.Dir, "dovecot.conf")
	o.open(tb)
	_, gid, user := Owner(tb)
	o.Mailbox(tb, "mail", nil)
	if err := os.WriteFile(o.Conf, fmt.Appendf(nil, programs24, user, gid, o.Dir), 0o644); err != nil {
		tb.Fatal(err)
	}
	return o
}

// open lets the programs, which drop root's privileges, get to the directory.
func (o *Oracle) open(tb testing.TB) {
	tb.Helper()
	for d := o.Dir; d != os.TempDir() && len(d) > 1; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			return
		}
	}
}

// ManageSieve speaks with a server of scripts that has further settings, and
// returns what it says.
func (o *Oracle) ManageSieve(tb testing.TB, settings, input string) string {
	tb.Helper()
	uid, gid, name := Owner(tb)
	home := filepath.Join(o.Dir, "home")
	if err := os.MkdirAll(home, 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chown(home, uid, gid); err != nil {
		tb.Fatal(err)
	}
	own := "sieve_script own {\n  type = personal\n  path = " + home + "/sieve\n  active_path = " + home + "/.active.sieve\n}\n"
	if o.root == "" {
		own = "plugin {\n  sieve = file:" + home + "/sieve;active=" + home + "/.active.sieve\n"
		settings += "}\n"
	}
	conf, err := os.ReadFile(o.Conf)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(o.Conf, append(conf, own+settings...), 0o644); err != nil {
		tb.Fatal(err)
	}
	args := []string{"/usr/lib/dovecot/managesieve", "-c", o.Conf}
	if os.Getuid() == 0 {
		args = append([]string{"setpriv", "--reuid=" + strconv.Itoa(uid), "--regid=" + strconv.Itoa(gid), "--clear-groups"}, args...)
	}
	cmd := o.command(args)
	cmd.Env = append(os.Environ(), "USER="+name, "HOME="+home, "DOVECOT_PRESERVE_ENVS=USER HOME")
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("managesieve: %v\n%s", err, out)
	}
	return string(out)
}

// Doveconf is what doveconf -n prints.
func (o *Oracle) Doveconf(tb testing.TB) []byte {
	tb.Helper()
	out, err := o.command([]string{"/usr/bin/doveconf", "-c", o.Conf, "-n"}).Output()
	if err != nil {
		tb.Fatalf("doveconf: %v", err)
	}
	return out
}

func (o *Oracle) command(args []string) *exec.Cmd {
	if o.root != "" {
		args = InRoot(o.root, o.Dir, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = o.Dir
	return cmd
}
