// Package maillab brings generated Postfix and Dovecot files up under the real
// programs and says where each message of a list ended.
//
// A run has Linux namespaces of its own (network, mounts, processes, host
// name, System V IPC): only loopback exists there, the machine's /etc,
// /var/spool, /var/lib/postfix, /run and /dev/log are covered by private file
// systems, and every process dies with the run. Inside are Postfix, Dovecot
// with LMTP and Sieve, a name server, SMTP sinks in the roles of the smart
// host, of the recipients' mail exchangers and of an internal mail store, and
// certificates made for this run. What they are called and how they behave is
// data: [World]. The configuration under test is [Site], the mail [Message],
// the answer [Result].
//
// # What can surround the site
//
//   - Either of two systems: the machine's own programs, or a Debian 13 in a
//     directory, whose Postfix 3.10 and Dovecot 2.4 then run in a chroot with all
//     else as it is ([Systems], World.Root). .ci/debian13 makes the directory.
//   - Milters and content filters, which leave a header field each time they see
//     a message, so that a test can count ([Milter], [Filter]).
//   - Any number of smart hosts: sinks of kind [KindSmartHost] with modes and
//     certificates of their own, implicit TLS, AUTH ([Login]), EHLO keywords, TLSA
//     records ([Name]).
//   - A network interface eth0 with addresses of IPv4 and IPv6 and clients and
//     servers beyond it (World.Interfaces), because packet filters exempt loopback;
//     an nftables ruleset (Site.NFTables) and a HAProxy (Site.HAProxy).
//   - All of master.cf: postscreen, verify, chrooted services, further Postfix
//     instances (Site.Files).
//
// # Use
//
// The run is a second process of the test binary, so a package that uses
// maillab has
//
//	func TestMain(m *testing.M) { maillab.Main(m) }
//
// and its tests are
//
//	maillab.Need(t)
//	result := maillab.Run(t, maillab.DefaultWorld(), site, messages)
//	if diff := cmp.Diff(want, result.Messages["out"].Recipients["x@remote1.test"]); ...
//
// Need skips the test where root's rights, namespaces or programs are missing;
// under REQUIRE_SERVERS=1 it fails. A test of both systems goes over them:
//
//	for _, system := range maillab.Systems() {
//		t.Run(system.Name, func(t *testing.T) {
//			maillab.NeedSystem(t, system)
//			world.Root = system.Root
//			...
//
// Dovecot remembers across the messages of a run: a redirect of a Message-ID it
// has redirected before is suppressed, and a vacation reply goes to each sender
// once per mailbox. Messages whose copies are compared need Message-IDs and, for
// vacation, senders of their own.
package maillab

import (
	"os"
	"testing"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
)

// IDHeader is the field with the message's ID that Run puts before each message
// whose NoID isn't set.
const IDHeader = "X-Lab-Id"

// Main is TestMain of a package that uses maillab: it does the inner part of a run
// where this process is one, else the tests, overlapping.
func Main(m *testing.M) {
	if IsChild() {
		os.Exit(Child())
	}
	servertest.Overlap()
	os.Exit(m.Run())
}

// Run brings the site up in the world, sends the messages (several at once, in
// no particular order), waits until the queues are idle, and reports where each
// message ended. A broken set-up (a file Postfix can't start with, a message
// without ID) ends the test with tb.Fatal; what the programs merely complain
// about is in [Result.Complaints] and [Result.Warnings]. "postfix check" is
// among these programs from TEST_SCALE=2 on, because it is slow and looks at the
// machine's files more than at the site's; up to TEST_SCALE=1 master(8) is started
// without Postfix's script around it.
func Run(tb testing.TB, w World, s Site, msgs []Message) Result {
	tb.Helper()
	result, err := run(w, s, msgs, servertest.Scale(tb))
	if err != nil {
		tb.Fatalf("maillab: %v", err)
	}
	return result
}
