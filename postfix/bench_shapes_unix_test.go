//go:build unix

package postfix_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/postfix"
)

// shapes are the forms in which people write header_checks, each as a table of
// about 100 rules or of one.
var shapes = []struct {
	name, kind string
	table      func() string
}{
	{"one literal", "regexp", repeat(1, "/^X-Spam-Flag: YES/ FILTER smtp:[127.0.0.1]:%[1]d")},
	{"literals, one name", "regexp", repeat(100, "/^Subject: .*offer%[1]d/ REJECT")},
	{"literals, many names", "regexp", repeat(100, "/^X-Marker-%[1]d: yes/ FILTER smtp:[127.0.0.1]:25")},
	{"words anywhere", "regexp", repeat(100, "/viagra%[1]d/ REJECT")},
	{"name, then words anywhere", "regexp", repeat(100, "/^Subject:.*cheap.*pills%[1]d/ REJECT")},
	{"alternatives of names", "regexp", repeat(100, "/^(X-Mailer|User-Agent): Bulk%[1]d/ REJECT")},
	{"alternatives of words", "regexp", repeat(100, "/^Subject: (buy|sell|get) (now|today) %[1]d/ REJECT")},
	{"many alternatives", "regexp", one("/^Subject: .*(" + join(100, "word%d", "|") + ")/ REJECT")},
	{"file name extensions", "regexp", one(`/name=[^>]*\.(bat|com|exe|dll|vbs|scr|pif|cmd|lnk|hta|js|jar|cpl|wsf)/ REJECT`)},
	{"leading .*", "regexp", repeat(20, "/.*unsubscribe%[1]d.*/ WARN")},
	{"bracket expressions", "regexp", repeat(100, "/^Received: from [0-9a-f]+%[1]d[.]dyn/ WARN")},
	{"counted", "regexp", repeat(50, "/^Subject: [^ ]{40,60}%[1]d/ REJECT")},
	{"address in angle brackets", "regexp", repeat(100, "/^From:.*<.*@domain%[1]d[.]example>/ REJECT")},
	{"network in Received", "regexp", repeat(100, `/^Received:.*\[192\.0\.2\.%[1]d\]/ WARN`)},
	{"white space", "regexp", repeat(50, "/^Subject:[[:space:]]*$|^Subject:[[:space:]]+mail%[1]d/ REJECT")},
	{"end of line", "regexp", repeat(100, "/number %[1]d$/ WARN")},
	{"one if for all", "regexp", one("if /^Subject:/\n" + repeat(100, "/lottery%[1]d/ REJECT")() + "endif\n")},
	{"an if for each", "regexp", repeat(100, "if /^X-Marker-%[1]d:/\n/yes/ REJECT\nendif")},
	{"if not", "regexp", one("if !/^Received:/\n" + repeat(100, "/relay%[1]d/ REJECT")() + "endif\n")},
	{"nested ifs", "regexp", one("if /^(To|Cc|From):/\nif /example/\n" + repeat(100, "/user%[1]d@/ WARN")() + "endif\nendif\n")},
	{"groups in the result", "regexp", repeat(50, "/^X-From-%[1]d: (.*)@(.*)/ REPLACE X-Sender: $1 at $2")},
	{"case counts", "regexp", repeat(100, "/^X-UPPER: Yes%[1]d/i WARN")},
	{"not matched", "regexp", repeat(100, "!/e|a|i|o|u|%[1]d/ WARN")},
	{"pcre: one name", "pcre", repeat(100, "/^Subject: .*offer%[1]d/ REJECT")},
	{"pcre: many names", "pcre", repeat(100, `/^X-Marker-%[1]d:\s*yes/ FILTER smtp:[127.0.0.1]:25`)},
	{"pcre: words anywhere", "pcre", repeat(100, `/\bviagra%[1]d\b/ REJECT`)},
	{"pcre: file name extensions", "pcre", one(`/^Content-(Disposition|Type).*name\s*=\s*"?(.*\.(bat|com|exe|dll|vbs|scr|pif))(\?=)?"?\s*(;|$)/ REJECT`)},
	{"pcre: lazy", "pcre", repeat(50, "/^Subject:.*?promo.*?%[1]d/ WARN")},
	{"pcre: one if for all", "pcre", one("if /^Subject:/\n" + repeat(100, "/lottery%[1]d/ REJECT")() + "endif\n")},
	{"pcre: many alternatives", "pcre", one("/^Subject: .*(?:" + join(100, "word%d", "|") + ")/ REJECT")},
}

func one(text string) func() string { return func() string { return text + "\n" } }

func join(n int, form, by string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(form, i)
	}
	return strings.Join(parts, by)
}

func repeat(n int, form string) func() string { return one(join(n, form, "\n")) }

// headerLines are n lines as mail has them, of all lengths, one in ten of which
// has a word of the tables.
func headerLines(n int) []string {
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("the report for march is ready see attached invoice number offer today example word viagra user pills lottery relay promo quarter figures and a meeting")
	phrase := func() string {
		var b []string
		for range 3 + r.IntN(9) {
			w := words[r.IntN(len(words))]
			if r.IntN(10) == 0 {
				w += fmt.Sprint(r.IntN(120))
			}
			b = append(b, w)
		}
		return strings.Join(b, " ")
	}
	list := make([]string, n)
	for i := range list {
		switch r.IntN(8) {
		case 0, 1:
			list[i] = fmt.Sprintf("Received: from mail%d.example.com (mail%d.example.com [192.0.2.%d])\n by mx.example.com (Postfix) with ESMTPS id 4Xy%d\n for <user%d@example.net>; Mon, 2 Mar 2026 09:12:44 +0100 (CET)",
				i, i, r.IntN(256), i, r.IntN(200))
		case 2, 3:
			list[i] = "Subject: " + phrase()
		case 4:
			list[i] = fmt.Sprintf("From: Alice %s <user%d@domain%d.example>", words[r.IntN(len(words))], r.IntN(200), r.IntN(200))
		case 5:
			list[i] = fmt.Sprintf("X-Marker-%d: %s", r.IntN(200), []string{"yes", "no"}[r.IntN(2)])
		case 6:
			list[i] = "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=2026;\n t=1772439164; h=from:from:reply-to:subject:date:message-id;\n b=" + strings.Repeat("Zm9v", 30)
		default:
			list[i] = fmt.Sprintf("Content-Type: application/octet-stream; name=\"%s.%s\"", words[r.IntN(len(words))],
				[]string{"pdf", "exe", "txt"}[r.IntN(3)])
		}
	}
	return list
}

// BenchmarkChecksShapes looks header lines up in each shape of table and reports
// the processor time of one beside that of postmap -h, whose start is taken off.
func BenchmarkChecksShapes(b *testing.B) {
	postmap := servertest.Need(b, "postmap")
	lines := headerLines(4_000)
	var message bytes.Buffer
	fields := make([]headers.Field, len(lines))
	for i, l := range lines {
		message.WriteString(l + "\n")
		name, body, _ := strings.Cut(l, ":")
		fields[i] = headers.Field{Name: []byte(name), Body: []byte(body)}
	}
	message.WriteString("\n")
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.cf"), nil, 0o644); err != nil {
		b.Fatal(err)
	}
	for _, s := range shapes {
		b.Run(s.name, func(b *testing.B) {
			text := s.table()
			file := filepath.Join(dir, "checks")
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				b.Fatal(err)
			}
			ask := func(input []byte) (time.Duration, int) {
				quickest, found := time.Hour, 0
				for range 3 {
					cmd := exec.Command(postmap, "-c", dir, "-h", "-q", "-", s.kind+":"+file)
					cmd.Stdin = bytes.NewReader(input)
					out, _ := cmd.Output()
					found = bytes.Count(out, []byte("\t"))
					quickest = min(quickest, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
				}
				return quickest, found
			}
			start, _ := ask([]byte("X: y\n\n"))
			all, found := ask(message.Bytes())
			table, warnings := postfix.ParseCheckTable("checks", s.kind, []byte(text))
			if len(warnings) > 0 {
				b.Fatal(warnings)
			}
			c, err := table.Compile()
			if err != nil {
				b.Fatal(err)
			}
			hits := 0
			for _, f := range fields {
				if _, ok := c.Lookup(f); ok {
					hits++
				}
			}
			if hits != found {
				b.Fatalf("%d lines found, by postmap %d", hits, found)
			}
			before := processorTime(b)
			i := 0
			for b.Loop() {
				c.Lookup(fields[i%len(fields)])
				i++
			}
			own := float64((processorTime(b) - before).Nanoseconds()) / float64(b.N)
			perLine := float64((all - start).Nanoseconds()) / float64(len(lines))
			b.ReportMetric(own, "cpu-ns/op")
			b.ReportMetric(perLine, "postmap-ns/op")
			b.ReportMetric(own/perLine, "ratio")
		})
	}
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
