package sievetest

import (
	"fmt"
	"os"
	"path/filepath"
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
	o := &Oracle{sievec: "/usr/bin/sievec", Test: "/usr/bin/sieve-test", filter: "/usr/bin/sieve-filter", Dir: tb.TempDir(), root: debian13Root()}
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
