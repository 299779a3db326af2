package provision_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/internal/managesievetest"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve/provision"
)

// toggle puts the block in and takes it out again, so that each run stores every
// script.
func toggle(mailbox string, script []byte) ([]byte, error) {
	before, rest, ok := bytes.Cut(script, []byte(blockBegin))
	if !ok {
		return manage(mailbox, script)
	}
	_, after, _ := bytes.Cut(rest, []byte(blockEnd))
	return bytes.Join([][]byte{before, after}, nil), nil
}

// BenchmarkSync is the cost per mailbox by the number of mailboxes, against the
// server in memory: every script is changed.
func BenchmarkSync(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("mailboxes=%d", n), func(b *testing.B) {
			s := memoryServer()
			mailboxes := make([]string, n)
			for i := range mailboxes {
				mailboxes[i] = fmt.Sprintf("user%d@example.com", i)
				s.Put(mailboxes[i], provision.OpenXchange, oxScript(i), true)
			}
			o := options(s)
			o.Edit = toggle
			b.ReportAllocs()
			start := cpuTime(b)
			for b.Loop() {
				reports, err := provision.Sync(context.Background(), mailboxes, o)
				if err != nil || provision.Count(reports, provision.Updated) != n {
					b.Fatalf("error %v, %d updated", err, provision.Count(reports, provision.Updated))
				}
			}
			b.ReportMetric(float64(cpuTime(b)-start)/float64(b.N)/float64(n), "cpu-ns/mailbox")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/mailbox")
		})
	}
}

// cpuTime is what this process has used of the processors, which other programs
// on the machine disturb less than the clock.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchMailboxes are mailboxes with a script as Open-Xchange writes it.
func benchMailboxes(b *testing.B, d *managesievetest.Dovecot, n int) []string {
	b.Helper()
	mailboxes := make([]string, n)
	for i := range mailboxes {
		mailboxes[i] = fmt.Sprintf("user%d@example.com", i)
		if err := d.Put(mailboxes[i], provision.OpenXchange, oxScript(i), true); err != nil {
			b.Fatal(err)
		}
	}
	return mailboxes
}

func perSecond(b *testing.B, n int) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "mailboxes/s")
}

// BenchmarkDovecot changes the script of each of 1,000 mailboxes on a real server
// over loopback, with STARTTLS and a login for each: get, check, get, put, get.
func BenchmarkDovecot(b *testing.B) {
	for _, parallel := range []int{1, 8} {
		b.Run(fmt.Sprintf("parallel=%d", parallel), func(b *testing.B) {
			d := managesievetest.StartDovecot(b, "")
			mailboxes := benchMailboxes(b, d, 1000)
			o := dovecotOptions(d, nil)
			o.Edit, o.Parallel = toggle, parallel
			for b.Loop() {
				reports, err := provision.Sync(context.Background(), mailboxes, o)
				if err != nil || provision.Count(reports, provision.Updated) != len(mailboxes) {
					b.Fatalf("error %v, %d updated\n%s", err, provision.Count(reports, provision.Updated), d.Log())
				}
			}
			perSecond(b, len(mailboxes))
		})
	}
}

// BenchmarkSieveConnect does a part of that, get and put, by two processes of
// sieve-connect per mailbox, as a shell script would.
func BenchmarkSieveConnect(b *testing.B) {
	program := servertest.Need(b, "sieve-connect")
	for _, parallel := range []int{1, 8} {
		b.Run(fmt.Sprintf("parallel=%d", parallel), func(b *testing.B) {
			d := managesievetest.StartDovecot(b, "")
			mailboxes := benchMailboxes(b, d, 20)
			dir := b.TempDir()
			_, port, _ := net.SplitHostPort(d.Addr)
			run := func(mailbox string, action ...string) error {
				args := append([]string{"--nosrv", "--server", "localhost", "--port", port, "--tlscafile", d.AuthorityFile(), "--user", d.Master,
					"--authzid", mailbox,
					"--authmech", "PLAIN", "--passwordfd", "0", "--remotesieve", provision.OpenXchange}, action...)
				c := exec.Command(program, args...)
				c.Stdin = strings.NewReader(d.Password + "\n")
				if out, err := c.CombinedOutput(); err != nil {
					return fmt.Errorf("sieve-connect: %w\n%s\n%s", err, out, d.Log())
				}
				return nil
			}
			change := func(mailbox string) error {
				file := filepath.Join(dir, mailbox)
				if err := run(mailbox, "--localsieve", file, "--download"); err != nil {
					return err
				}
				script, err := os.ReadFile(file)
				if err != nil {
					return err
				}
				if script, err = toggle(mailbox, script); err != nil {
					return err
				}
				if err := os.WriteFile(file, script, 0o600); err != nil {
					return err
				}
				return run(mailbox, "--localsieve", file, "--upload")
			}
			for b.Loop() {
				inParallel(b, parallel, mailboxes, change)
			}
			perSecond(b, len(mailboxes))
		})
	}
}

// BenchmarkSievec takes the way beside the server, for one who is root on the
// machine with the homes: edit the file, compile it by sievec, move both over the
// old ones.
func BenchmarkSievec(b *testing.B) {
	program := servertest.Need(b, "sievec")
	for _, parallel := range []int{1, 8} {
		b.Run(fmt.Sprintf("parallel=%d", parallel), func(b *testing.B) {
			d := managesievetest.StartDovecot(b, "")
			mailboxes := benchMailboxes(b, d, 100)
			change := func(mailbox string) error {
				file := filepath.Join(d.Home(mailbox), "sieve", provision.OpenXchange+".sieve")
				script, err := os.ReadFile(file)
				if err != nil {
					return err
				}
				if script, err = toggle(mailbox, script); err != nil {
					return err
				}
				if err := os.WriteFile(file+".new", script, 0o600); err != nil {
					return err
				}
				if out, err := exec.Command(program, file+".new").CombinedOutput(); err != nil {
					return fmt.Errorf("sievec: %w\n%s", err, out)
				}
				return os.Rename(file+".new", file)
			}
			for b.Loop() {
				inParallel(b, parallel, mailboxes, change)
			}
			perSecond(b, len(mailboxes))
		})
	}
}

func inParallel(b *testing.B, parallel int, mailboxes []string, change func(string) error) {
	b.Helper()
	work := make(chan string)
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			for m := range work {
				if err := change(m); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for _, m := range mailboxes {
		work <- m
	}
	close(work)
	workers.Wait()
	if b.Failed() {
		b.FailNow()
	}
}
