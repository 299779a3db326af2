package sievetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// BenchScript has n rules that don't match.
func BenchScript(n int) *sieve.Script {
	s := &sieve.Script{}
	for i := range n {
		s.Commands = append(s.Commands, sieve.If{
			Test: sieve.Header{Match: sieve.Is, Names: []string{[]string{"X-Conbool-Released", "X-Conbool-Flag", "Subject", "X-Spam"}[i%4]},
				Keys: []string{fmt.Sprint("value ", i)}},
			Then: []sieve.Command{sieve.FileInto{Mailbox: fmt.Sprint("Folder ", i)}, sieve.Stop{}},
		})
	}
	return s
}

// GatewayScript is what the gateway's provisioning emits.
func GatewayScript() *sieve.Script {
	rule := func(name, value, mailbox string) sieve.Command {
		return sieve.If{
			Test: sieve.Header{Match: sieve.Is, Names: []string{name}, Keys: []string{value}},
			Then: []sieve.Command{sieve.FileInto{Mailbox: mailbox}, sieve.Stop{}},
		}
	}
	return &sieve.Script{Commands: []sieve.Command{rule("X-Conbool-Released", "yes", "INBOX"), rule("X-Conbool-Flag", "YES", "Spam")}}
}

// BenchMessage has 2 KB and the header of a message that has come a long way.
func BenchMessage() []byte {
	var b strings.Builder
	for i := range 4 {
		fmt.Fprintf(&b, "Received: from mx%d.example.net (mx%d.example.net [192.0.2.%d])\n\tby mail.example.org with ESMTPS id 4abc%d\n\tfor <user@example.org>; Sun, 22 Nov 2026 17:00:0%d +0000 (UTC)\n", i, i, i, i, i)
	}
	b.WriteString("DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=s1;\n\th=from:to:subject; bh=abcdefghijklmnopqrstuvwxyz0123456789abcdefg=;\n\tb=abcdefghijklmnopqrstuvwxyz\n")
	for _, f := range []string{"From: Alice <alice@example.net>", "To: user@example.org", "Subject: Minutes of the meeting",
		"Date: Sun, 22 Nov 2026 17:00:00 +0000",
		"Message-ID: <1@example.net>", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit",
		"X-Mailer: Example", "X-Conbool-example-org: true", "X-Conbool-Flag: YES", "Return-Path: <alice@example.net>"} {
		b.WriteString(f + "\n")
	}
	b.WriteString("\n")
	for b.Len() < 2048 {
		b.WriteString("A line of text as people write it to each other.\n")
	}
	return []byte(b.String())
}

// BenchSizes are numbers of rules.
var BenchSizes = []int{1, 25, 500}

// Fastest measures f and reports the quickest tenth too: what it takes where
// nobody else has the processor meanwhile.
func Fastest(b *testing.B, size int, f func()) {
	b.SetBytes(int64(size))
	b.ReportAllocs()
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		f()
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(size)/float64(took[len(took)/10].Nanoseconds())*1e3, "p10-MB/s")
}
