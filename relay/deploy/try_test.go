package deploy_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/relay/deploy"
)

// issue writes a certificate with its key, and the certificate as its authority.
func issue(tb testing.TB, dir, name string, until time.Time) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ox.example.com"},
		DNSNames:  []string{"ox.example.com"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	put(tb, dir, name+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})), 0o644)
	put(tb, dir, name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), 0o600)
}

// site is a server's root, a policy whose files are there, and what it emits.
type site struct {
	root   deploy.Local
	dir    string // of the certificates, as the server sees it
	busy   string // a port that somebody listens on
	policy relay.Policy
	files  map[string]string
	modes  map[string]os.FileMode
}

func newSite(tb testing.TB, root string) *site {
	tb.Helper()
	on := ""
	dir := tb.TempDir()
	if root != "/" {
		on = root
		var err error
		if dir, err = os.MkdirTemp(root+"/tmp", "deploy-test-"); err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { os.RemoveAll(dir) })
	}
	os.Chmod(dir, 0o755)
	issue(tb, dir, "ox", time.Now().Add(time.Hour))
	issue(tb, dir, "other", time.Now().Add(time.Hour))
	issue(tb, dir, "expired", time.Now().Add(-time.Hour))
	put(tb, dir, "empty.pem", "", 0o644)
	if err := syscall.Mkfifo(dir+"/fifo", 0o644); err != nil {
		tb.Fatal(err)
	}
	s := &site{root: deploy.Local{Dir: root}, dir: strings.TrimPrefix(dir, on), policy: policy(), files: map[string]string{},
		modes: map[string]os.FileMode{}}
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { busy.Close() })
	_, s.busy, _ = net.SplitHostPort(busy.Addr().String())
	s.policy.Gateway.SmartHost.CertFile, s.policy.Gateway.SmartHost.KeyFile = s.dir+"/ox.pem", s.dir+"/ox.key"
	s.policy.Gateway.SmartHost.CAFile = s.dir + "/ox.pem"
	s.policy.Server.CertFile, s.policy.Server.KeyFile = s.dir+"/ox.pem", s.dir+"/ox.key"
	if root != "/" {
		s.policy.Server.Postfix, s.policy.Server.Dovecot = "3.10", "2.4"
	}
	for _, f := range compile(tb, s.policy, relay.Installation{}).Files() {
		s.files[f.Name] = string(f.Data)
	}
	return s
}

func (s *site) try() (deploy.Trial, error) {
	var list []relay.File
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		list = append(list, relay.File{Name: name, Mode: s.modes[name], Data: []byte(strings.NewReplacer("DIR", s.dir, "BUSY",
			s.busy).Replace(s.files[name]))})
	}
	o := deploy.Options{Places: s.policy.Places(), Ask: []string{"alice@example.com", "nobody@example.com", "x@remote.example"}}
	return deploy.Try(context.Background(), s.root, list, o)
}

// A broken directory: what is added to main.cf and master.cf, and other files.
type broken struct {
	name         string
	main, master string
	files        map[string]string
	want         []string // in the error
	root         bool     // only root can tell
	ip           bool     // only ip(8) can tell
}

func (b broken) apply(s *site) {
	s.files["postfix/main.cf"] += b.main
	s.files["postfix/master.cf"] += b.master
	for name, text := range b.files {
		s.files[name] += text
		s.modes[name] = 0o644
		if strings.HasSuffix(name, "secret") {
			s.modes[name] = 0o600
		}
	}
}

// still are the directories that a look shows to be broken, all at once;
// running are those that the trial's Postfix shows; alone are those that nothing
// else can be seen beside.
var (
	still = []broken{
		{name: "missing table", main: "relocated_maps = hash:/etc/postfix/nope\n", want: []string{"main.cf:", "relocated_maps: ",
			"hash:/etc/postfix/nope"}},
		{name: "bad regexp", main: "smtp_header_checks = regexp:/etc/postfix/rx\n", files: map[string]string{"postfix/rx": "/(/ WARN\n"},
			want: []string{"smtp_header_checks", "/etc/postfix/rx, line 1"}},
		{name: "bad pcre", main: "smtp_body_checks = pcre:/etc/postfix/px\n", files: map[string]string{"postfix/px": "/a/ WARN\n/(/ WARN\n"},
			want: []string{"smtp_body_checks", "/etc/postfix/px, line 2"}},
		{name: "bad CIDR", main: "postscreen_access_list = cidr:/etc/postfix/cx\n",
			files: map[string]string{"postfix/cx": "10.0.0.0/33 permit\n"},
			want:  []string{"postscreen_access_list", "/etc/postfix/cx, line 1"}},
		{name: "unknown restriction", main: "smtpd_etrn_restrictions = permit_mynetwork, reject\n", want: []string{"main.cf:",
			"smtpd_etrn_restrictions", `"permit_mynetwork"`}},
		{name: "unknown restriction of a listener",
			master: "10099 inet n - n - - smtpd\n  -o { smtpd_end_of_data_restrictions = check_bogus_access hash:/x }\n",
			want:   []string{"master.cf:", "smtpd_end_of_data_restrictions", `"check_bogus_access"`}},
		{name: "missing program", master: "ghost unix - n n - - nosuchprogram\n", want: []string{"master.cf:", "nosuchprogram",
			"install its package"}},
		{name: "missing program of pipe", master: "piped unix - n n - - pipe user=nobody argv=/nonexistent/filter\n",
			want: []string{"master.cf:", "/nonexistent/filter"}},
		{name: "pipe without user", master: "userless unix - n n - - pipe argv=/bin/cat\n", want: []string{"master.cf:", "userless", "no user="}},
		{name: "unknown user of pipe", master: "stranger unix - n n - - pipe user=nosuchuser argv=/bin/cat\n",
			want: []string{"master.cf:", "nosuchuser"}},
		{name: "missing certificate", main: "lmtp_tls_cert_file = DIR/none.pem\nlmtp_tls_key_file = DIR/ox.key\n",
			want: []string{"lmtp_tls_cert_file", "none.pem"}},
		{name: "key that doesn't fit", main: "smtpd_tls_eccert_file = DIR/ox.pem\nsmtpd_tls_eckey_file = DIR/other.key\n",
			want: []string{"smtpd_tls_eckey_file", "other.key", "match"}},
		{name: "expired certificate", main: "lmtp_tls_eccert_file = DIR/expired.pem\nlmtp_tls_eckey_file = DIR/expired.key\n",
			want: []string{"lmtp_tls_eccert_file", "valid from"}},
		{name: "authorities without certificate", main: "lmtp_tls_CAfile = DIR/empty.pem\n", want: []string{"lmtp_tls_CAfile", "no certificate"}},
		{name: "a directory instead of a table", main: "canonical_maps = texthash:/etc\n", want: []string{"canonical_maps", "texthash:/etc"}},
		{name: "a pipe instead of a table", main: "sender_canonical_maps = regexp:DIR/fifo\n", want: []string{"sender_canonical_maps", "fifo"}},
		{name: "a service twice", master: "smtp unix - - n - - smtp\n", want: []string{"master.cf:", "smtp unix is there twice"}},
		{name: "unreadable for proxymap", main: "sender_bcc_maps = proxy:texthash:/etc/postfix/secret\n",
			files: map[string]string{"postfix/secret": "a b\n"},
			want:  []string{"sender_bcc_maps", "proxymap"}, root: true},
		{name: "unknown type", main: "smtp_generic_maps = nosuch:/x\n", want: []string{"smtp_generic_maps", "nosuch"}},
		{name: "missing list", main: "permit_mx_backup_networks = /etc/postfix/nonets\n", want: []string{"permit_mx_backup_networks", "nonets"}},
		{name: "a row twice", main: "recipient_bcc_maps = hash:/etc/postfix/dup\n",
			files: map[string]string{"postfix/dup": "a b\na c\n"}, want: []string{"/etc/postfix/dup", "duplicate"}},
		{name: "a port that somebody has", master: "127.0.0.1:BUSY inet n - n - - smtpd\n", want: []string{"master.cf:",
			"somebody listens on 127.0.0.1:"}},
		{name: "a port that Postfix has", master: "0.0.0.0:10030 inet n - n - - smtpd\n", want: []string{"master.cf:",
			"127.0.0.1:10030 and 0.0.0.0:10030 are the same port"}},
		{name: "a port without a number", master: "smtpss inet n - n - - smtpd\n", want: []string{"master.cf:", `"smtpss"`, "known to nobody"}},
		{name: "a host that isn't found", master: "nosuch.invalid:10094 inet n - n - - smtpd\n", want: []string{"master.cf:",
			"nosuch.invalid", "not found"}},
		{name: "another server's address", master: "192.0.2.77:10093 inet n - n - - smtpd\n", want: []string{"master.cf:",
			"192.0.2.77 is no address of this server"}, ip: true},
		{name: "no such transport", main: "content_filter = nosuch:[127.0.0.1]:10024\n", want: []string{"main.cf:", "content_filter",
			`no transport "nosuch"`}},
		{name: "no such service", master: "10092 inet n - n - - smtpd\n  -o cleanup_service_name=cleanup-nosuch\n", want: []string{"master.cf:",
			"cleanup_service_name", `"cleanup-nosuch"`}},
		{name: "a broken script", files: map[string]string{"sieve/before/10-conbool.sieve": "keep\n"},
			want: []string{"10-conbool.sieve", "sievec"}},
		{name: "a broken fragment", files: map[string]string{"dovecot/99-conbool.conf": "nosuchsetting = {\n"},
			want: []string{"doveconf", "99-conbool.conf"}},
	}
	alone = []broken{
		{name: "macro loop", main: "loop_a = $loop_b\nloop_b = $loop_a\nrelocated_maps = $loop_a\n", want: []string{"postconf", "loop_"}},
		{name: "half a service", master: "smtp inet n\n", want: []string{"postconf", "master.cf"}},
		{name: "bad interface", main: "inet_interfaces = nosuchhost..invalid\n", want: []string{"main.cf:", "inet_interfaces",
			"nosuchhost..invalid"}, root: true},
	}
	running = []broken{
		{name: "value that kills smtpd", master: "10098 inet n - n - - smtpd\n  -o smtpd_forbid_bare_newline=bogus\n",
			want: []string{"master.cf:", "smtpd_forbid_bare_newline", "bogus"}, root: true},
		{name: "number that kills smtpd", master: "10097 inet n - n - - smtpd\n  -o smtpd_timeout=5x\n", want: []string{"master.cf:",
			"smtpd_timeout", "5x"}, root: true},
		{name: "value that kills cleanup",
			master: "dies unix n - n - 0 cleanup\n  -o header_size_limit=big\n10096 inet n - n - - smtpd\n  -o cleanup_service_name=dies\n  -o smtpd_recipient_restrictions=permit\n",
			want:   []string{"header_size_limit"}, root: true},
		{name: "value that kills smtp", master: "dead unix - - n - - smtp\n  -o smtp_tls_security_level=bogus\n", want: []string{"master.cf:",
			"smtp_tls_security_level", "bogus"}, root: true},
		{name: "number that kills lmtp", master: "deaf unix - - n - - lmtp\n  -o lmtp_connect_timeout=5y\n", want: []string{"master.cf:",
			"lmtp_connect_timeout", "5y"}, root: true},
		{name: "login of a kind that isn't there",
			master: "10095 inet n - n - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n  -o smtpd_sasl_type=nosuch\n",
			want:   []string{"SASL", "nosuch"}, root: true},
	}
)

// TestTry: what the policy emits passes, and each of the broken directories is
// refused before anything live has changed, with its place and a fix.
func TestTry(t *testing.T) {
	servertest.Need(t, "postfix")
	isRoot := os.Getuid() == 0
	roots := []string{"/"}
	if isRoot {
		s := maillab.Debian13()
		maillab.NeedSystem(t, s)
		roots = append(roots, s.Root)
	}
	for _, root := range roots {
		type group struct {
			name  string
			cases []broken
		}
		groups := []group{{"good", nil}, {"still", still}, {"running", running}}
		for _, b := range alone {
			groups = append(groups, group{b.name, []broken{b}})
		}
		if root != "/" && servertest.Scaled(t, 1) == 1 {
			groups = groups[:2] // the rest in longer runs
		}
		if servertest.Scaled(t, 1) > 1 { // each alone, too
			for _, b := range slices.Concat(still, running) {
				groups = append(groups, group{b.name, []broken{b}})
			}
		}
		for _, g := range groups {
			t.Run(filepath.Base(root)+"/"+g.name, func(t *testing.T) {
				t.Parallel()
				s := newSite(t, root)
				for _, b := range g.cases {
					b.apply(s)
				}
				trial, err := s.try()
				if len(g.cases) == 0 && err != nil {
					t.Errorf("refused: %v", err)
				}
				text := ""
				if err != nil {
					text = err.Error()
				}
				for _, b := range g.cases {
					if b.root && !isRoot || b.ip && !hasProgram(root, "ip") {
						continue
					}
					found := false
					for line := range strings.Lines(text) {
						found = found || !slices.ContainsFunc(b.want, func(w string) bool { return !strings.Contains(line, w) })
					}
					if !found || !errors.Is(err, deploy.ErrRefused) {
						t.Errorf("%s: no line with %q in\n%s", b.name, b.want, text)
					}
				}
				if strings.Contains(text+strings.Join(trial.Warnings, "\n"), "oxmailroute-trial") {
					t.Errorf("a path of the stage is named: %s %q", text, trial.Warnings)
				}
				if !isRoot && g.name == "good" && !slices.ContainsFunc(trial.Untried, func(u string) bool { return strings.Contains(u, "only root") }) {
					t.Errorf("untried: %q", trial.Untried)
				}
				t.Logf("warnings: %q, untried: %q", trial.Warnings, trial.Untried)
			})
		}
	}
}

// hasProgram reports whether a root directory has a program.
func hasProgram(root, name string) bool {
	return slices.ContainsFunc([]string{"usr/sbin", "usr/bin", "sbin", "bin"}, func(dir string) bool {
		_, err := os.Stat(filepath.Join(root, dir, name))
		return err == nil
	})
}

// TestTryLeavesNothing: neither files nor processes of the trial are left, and
// the live directory is as it was.
func TestTryLeavesNothing(t *testing.T) {
	servertest.Need(t, "postfix")
	before := tree(t, "/etc/postfix")
	s := newSite(t, "/")
	ctx, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
	defer cancel()
	var list []relay.File
	for name, text := range s.files {
		list = append(list, relay.File{Name: name, Data: []byte(text)})
	}
	var seen recorder
	seen.Local = s.root
	deploy.Try(ctx, &seen, list, deploy.Options{Places: s.policy.Places()})
	if seen.dir == "" {
		t.Fatal("no stage was made")
	}
	if _, err := os.Lstat(seen.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", seen.dir, err)
	}
	dirs, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, d := range dirs {
		if to, _ := os.Readlink(d); strings.HasPrefix(to, seen.dir) {
			t.Errorf("a process is left: %s in %s", d, to)
		}
	}
	if diff := cmp.Diff(before, tree(t, "/etc/postfix")); diff != "" {
		t.Errorf("/etc/postfix (-before +after):\n%s", diff)
	}
}

type recorder struct {
	deploy.Local
	dir string
}

func (r *recorder) Run(ctx context.Context, args []string, in []byte) (deploy.Output, error) {
	out, err := r.Local.Run(ctx, args, in)
	if args[0] == "mktemp" && out.Status == 0 {
		r.dir = strings.TrimSpace(string(out.Stdout))
	}
	return out, err
}

// TestDoveconf: output of a doveconf that failed is no server without scripts.
func TestDoveconf(t *testing.T) {
	for text, want := range map[string]string{
		"exit 1": "exit status 1", "printf '# 2.3.19.1\\n# Pigeonhole\\n'": "no setting", "exit 0": "no setting",
		"printf '# 2.3\\nmail_location = x\\n'; exit 89": "exit status 89",
		"printf '# 2.3.19.1\\nprotocols = imap\\n'":      "", "echo 'doveconf: command not found' >&2; exit 127": "command not found",
	} {
		dir := t.TempDir()
		put(t, dir, "doveconf", "#!/bin/sh\n"+text+"\n", 0o755)
		t.Setenv("PATH", dir+":/usr/bin:/bin")
		out, err := deploy.Doveconf(context.Background(), deploy.Local{Dir: "/"})
		if want == "" && (err != nil || !strings.Contains(string(out), "protocols")) || want != "" && (!has(err, want) || out != nil) {
			t.Errorf("%s: %q %v", text, out, err)
		}
	}
}
