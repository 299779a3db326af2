package headers

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-message/textproto"
)

// benchmarkHeader is a header section of 2 KB as they come through gateways.
func benchmarkHeader() []byte {
	var b strings.Builder
	for i := range 5 {
		fmt.Fprintf(&b, "Received: from mx%d.example.org (mx%d.example.org [192.0.2.%d])\r\n\tby mail.example.com (Postfix) with ESMTPS id 4XyZab%d\r\n\tfor <alice@example.com>; Sun, 22 Nov 2026 17:00:0%d +0000 (UTC)\r\n", i, i, i, i, i)
	}
	b.WriteString("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=s1;\r\n\th=from:to:subject:date; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n\tb=" + long(300) + "\r\n")
	b.WriteString("From: Bob <bob@example.org>\r\nTo: Alice <alice@example.com>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from here\r\nDate: Sun, 22 Nov 2026 17:00:00 +0000\r\nMessage-ID: <1234567890@example.org>\r\n")
	b.WriteString("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nX-Conbool-Example-Com: true\r\nX-Spam-Status: No, score=-1.9\r\n")
	for b.Len() < 2046 {
		fmt.Fprintf(&b, "X-Filler-%d: value\r\n", b.Len())
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

func BenchmarkScan(b *testing.B) {
	raw := benchmarkHeader()
	for _, v := range []View{HeaderChecks, Sieve} {
		b.Run(string(v), func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				var buf [64]Field
				fields, _ := Scan(buf[:0], raw, v)
				if len(fields) < 10 {
					b.Fatal(len(fields))
				}
			}
		})
	}
	b.Run("go-message", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			h, err := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(raw)))
			if err != nil || h.Len() < 10 {
				b.Fatal(err)
			}
		}
	})
}

// markers is the Any of n markers.
func markers(n int) Any {
	list := make(Any, 0, n)
	for i := range n {
		list = append(list, Match{Name: fmt.Sprintf("X-Conbool-d%d-example-com", i), Op: Is, Values: []string{"true"}})
	}
	return list
}

func BenchmarkMatchField(b *testing.B) {
	raw := benchmarkHeader()
	fields, _ := Scan(nil, raw, HeaderChecks)
	for _, n := range []int{1, 1000, 100000} {
		m, err := Compile(markers(n), HeaderChecks)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("header/markers=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, f := range fields {
					if m.MatchField(f) {
						b.Fatal(f)
					}
				}
			}
		})
	}
	m, err := Compile(Match{Name: "X-Conbool-Example-Com", Op: Is, Values: []string{"true"}}, HeaderChecks)
	if err != nil {
		b.Fatal(err)
	}
	f := Field{Name: []byte("X-Conbool-Example-Com"), Body: []byte(" true")}
	b.Run("hit", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !m.MatchField(f) {
				b.Fatal()
			}
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{1, 1000, 100000} {
		list := markers(n)
		b.Run(fmt.Sprintf("markers=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Compile(list, HeaderChecks); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWalk(b *testing.B) {
	raw := []byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		strings.Repeat(long(76)+"\r\n", 10000) + "--b--\r\n")
	fields, body := Scan(nil, raw, HeaderChecks)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		Walk(fields, body, func(Class, Field) bool {
			n++
			return true
		})
		if n != 3 {
			b.Fatal(n)
		}
	}
}

func BenchmarkMarkers(b *testing.B) {
	for _, n := range []int{10, 1000000} {
		domains := make([]string, n)
		for i := range domains {
			domains[i] = fmt.Sprintf("d%d.example.com", i)
		}
		m, err := NewMarkers("X-Conbool-", domains)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("domains=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				name, ok := m.Name("d7.example.com")
				if !ok || len(m.Domains(name)) != 1 {
					b.Fatal(name)
				}
			}
		})
	}
}
