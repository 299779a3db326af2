package relay_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-message/textproto"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// mail2KB is an ordinary message: 22 header fields, 2 KB in all.
func mail2KB() []byte {
	var b bytes.Buffer
	b.WriteString("Return-Path: <alice@example.com>\r\n")
	for i := range 4 {
		fmt.Fprintf(&b, "Received: from mail%d.example.com (mail%d.example.com [192.0.2.%d])\r\n\tby mx.example.com (Postfix) with ESMTPS id 4Xy%d\r\n\tfor <bob@example.net>; Mon, 2 Mar 2026 09:12:4%d +0100 (CET)\r\n", i, i, i, i, i)
	}
	b.WriteString("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=2026;\r\n\tt=1772439164; h=from:from:reply-to:subject:subject:date:date:message-id;\r\n\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n\tb=" + strings.Repeat("Zm9v", 30) + "\r\n")
	b.WriteString("From: Alice Example <alice@example.com>\r\nTo: Xenia <x@remote1.test>\r\nCc: Bob <bob@example.net>\r\nSubject: =?utf-8?q?Quartalszahlen_f=C3=BCr_M=C3=A4rz?=\r\nDate: Mon, 2 Mar 2026 09:12:44 +0100\r\nMessage-ID: <20260302091244.4711@example.com>\r\nIn-Reply-To: <1@remote1.test>\r\nReferences: <1@remote1.test> <2@remote1.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\nUser-Agent: App Suite\r\nX-Mailer: Open-Xchange Mailer v8.20\r\nX-Originating-Client: open-xchange-appsuite\r\nX-Priority: 3\r\nImportance: Normal\r\n\r\n")
	for b.Len() < 2048 {
		b.WriteString("The numbers are in the table below, as every month.\r\n")
	}
	return b.Bytes()
}

// manySenders is the tests' installation with n senders in scope.
func manySenders(tb testing.TB, n int) *relay.Config {
	p := labPolicy(tb, "lab.json")
	senders := make([]string, n)
	senders[0] = "alice@example.com"
	for i := 1; i < n; i++ {
		senders[i] = fmt.Sprintf("user%07d@example.com", i)
	}
	p.Tenants[0].Scope = relay.Scope{Use: relay.ScopeSenders, Senders: senders}
	c, err := relay.Compile(p, labBase(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// BenchmarkRoute is a raw 2 KB message to its decision, with its trace, for
// growing scopes. Senders change from message to message.
func BenchmarkRoute(b *testing.B) {
	raw := mail2KB()
	for _, n := range []int{10, 1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("senders=%d", n), func(b *testing.B) {
			c := manySenders(b, n)
			from := make([]string, 64)
			for i := range from {
				from[i] = fmt.Sprintf("user%07d@example.com", 1+(i*7919)%(n-1))
			}
			o := c.Origin(relay.RoleInternal)
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			i := 0
			for b.Loop() {
				d := c.Route(b.Context(), &relay.Message{Origin: o, From: from[i&63], To: "x@remote1.test", Raw: raw})
				if d.Outcomes[0].Action != relay.ActionRelay {
					b.Fatal(d)
				}
				i++
			}
		})
	}
}

// BenchmarkRouteInbound is mail from the gateway into a mailbox, through the
// global Sieve script.
func BenchmarkRouteInbound(b *testing.B) {
	raw := append([]byte("X-Conbool-example-com: true\r\nX-Conbool-Flag: YES\r\n"), mail2KB()...)
	c := manySenders(b, 10)
	m := relay.Message{Origin: c.Origin(relay.RoleGateway), From: "z@remote2.test", To: "bob@example.com", Raw: raw}
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if d := c.Route(b.Context(), &m); d.Outcomes[0].Target.String() != "Spam" {
			b.Fatal(d)
		}
	}
}

// BenchmarkHeaderParseGoMessage reads the header of the same message with
// go-message and decides nothing: what a program that starts from it pays
// before its first question.
func BenchmarkHeaderParseGoMessage(b *testing.B) {
	raw := mail2KB()
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(raw))); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPostmapQuery asks postmap -q about the same scope, one address a
// line on its standard input: what a script that asks Postfix itself pays for
// one of the look-ups of a decision.
func BenchmarkPostmapQuery(b *testing.B) {
	postmap := servertest.Need(b, "postmap")
	c := manySenders(b, 1_000)
	dir := b.TempDir()
	table := filepath.Join(dir, "conbool_scope")
	for _, f := range c.Files() {
		if f.Name == "postfix/conbool_scope" {
			if err := os.WriteFile(table, f.Data, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "main.cf"), nil, 0o644); err != nil {
		b.Fatal(err)
	}
	if out, err := exec.Command(postmap, "-c", dir, "hash:"+table).CombinedOutput(); err != nil || len(out) > 0 {
		b.Fatalf("postmap: %v %s", err, out)
	}
	b.Run("batch", func(b *testing.B) {
		var keys bytes.Buffer
		const batch = 10_000
		for i := range batch {
			fmt.Fprintf(&keys, "user%07d@example.com\n", 1+i%999)
		}
		for b.Loop() {
			cmd := exec.Command(postmap, "-c", dir, "-q", "-", "hash:"+table)
			cmd.Stdin = bytes.NewReader(keys.Bytes())
			if out, err := cmd.Output(); err != nil || len(out) == 0 {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/query")
	})
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			if out, err := exec.Command(postmap, "-c", dir, "-q", "user0000001@example.com", "hash:"+table).Output(); err != nil || len(out) == 0 {
				b.Fatal(err)
			}
		}
	})
}

// manyDomains is a policy of n hosted domains, all in scope.
func manyDomains(tb testing.TB, n int) relay.Policy {
	p := labPolicy(tb, "lab.json")
	p.Server.Hostname = "ox.example.com"
	p.Server.CertFile, p.Server.KeyFile = "/etc/ssl/lab/ox.pem", "/etc/ssl/lab/ox.key"
	p.Server.Networks = []netip.Prefix{netip.MustParsePrefix("127.0.1.0/24")}
	p.Tenants = nil
	for i := range n {
		p.Tenants = append(p.Tenants, relay.Tenant{
			Name: fmt.Sprintf("tenant %d", i), Domains: []string{fmt.Sprintf("d%06d.example", i)}, Scope: relay.Scope{Use: relay.ScopeAll},
		})
	}
	p.Mailboxes = []string{"a@d000000.example"}
	return p
}

// BenchmarkCompile turns a policy of n tenants into files and an evaluator.
func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{1, 1_000, 100_000} {
		p := manyDomains(b, n)
		b.Run(fmt.Sprintf("domains=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := relay.Compile(p, relay.Installation{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/domain")
		})
	}
}

// BenchmarkFiles hands out the files of a compiled policy.
func BenchmarkFiles(b *testing.B) {
	for _, n := range []int{1, 1_000, 100_000} {
		c, err := relay.Compile(manyDomains(b, n), relay.Installation{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("domains=%d", n), func(b *testing.B) {
			size := 0
			for b.Loop() {
				size = 0
				for _, f := range c.Files() {
					size += len(f.Data)
				}
			}
			b.SetBytes(int64(size))
		})
	}
}
