package headers

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// long returns n octets without white space.
func long(n int) string { return strings.Repeat("z", n) }

// postfixTests say what cleanup(8) looks up. TestPostfixReads asks the real one.
var postfixTests = []struct {
	name, raw string
	want      []seen
}{
	{"LF and CRLF are line ends", "A: b\r\nC: d\n\r\nE: f", p("A: b", "C: d")},
	{"white space before the colon goes", "A : b\nC\t \t: d\n\n", p("A: b", "C: d")},
	{"white space after the colon stays", "A:b\nB:\nC: \t c \nD:\t\n\n", p("A:b", "B:", "C: \t c ", "D:\t")},
	{"folds are one LF", "A: b \r\n  c\n\td\r\r\n\r\n", p("A: b \n  c\n\td")},
	{"lines of white space are folds", "A: b\n \nB: c\n\t\n\nC: d", p("A: b\n ", "B: c\n\t")},
	{"a value may begin on the next line", "A:\n b\n\n", p("A:\n b")},
	{"several CRs are part of the line end", "A: b\r\r\nB: c\n\r\r\nC: d", p("A: b", "B: c")},
	{"a CR inside a line is a space", "A: b\rc\nB\r: c\n\n", p("A: b c", "B: c")},
	{"a CR at the start of a line folds it", "A: b\n\rB: c\n\r \n d\n\n", p("A: b\n B: c\n  \n d")},
	{"a CR at the very start feeds smtpd's Received", "\rA: b\n c\nB: c\n\n", p("B: c")},
	{"a first line of white space ends the header", " A: b\nB: c\n\n", nil},
	{"an empty first line ends the header", "\nA: b\n", nil},
	{"no octets", "", nil},
	{"no line end", "A: b", p("A: b")},
	{"no line end in a fold", "A: b\n c\r", p("A: b\n c")},
	{"a From line is X-Mailbox-Line", "From foo bar\nA: b\n\n", p("X-Mailbox-Line: From foo bar", "A: b")},
	{"several From lines, with marks", ">>From foo\nFrom b\rc\r\nA: b\n\n", p("X-Mailbox-Line: >>From foo", "X-Mailbox-Line: From b c",
		"A: b")},
	{"From takes no other case", "from foo\nA: b\n\n", nil},
	{"From takes a space", ">From\nA: b\n\n", nil},
	{"a From line takes no fold", "From foo\n bar\nA: b\n\n", p("X-Mailbox-Line: From foo")},
	{"a From line takes a fold with CR", "From foo\n\rbar\nA: b\n\n", p("X-Mailbox-Line: From foo\n bar", "A: b")},
	{"a later From line ends the header", "A: b\nFrom foo\nB: c\n\n", p("A: b")},
	{"a line without a colon ends the header", "A: b\njunk\nB: c\n\n", p("A: b")},
	{"an empty name ends the header", "A: b\n: x\nB: c\n\n", p("A: b")},
	{"a name with a space ends the header", "A: b\nB c: x\nC: c\n\n", p("A: b")},
	{"a name with 8 bits ends the header", "A: b\n\x80: x\nB: c\n\n", p("A: b")},
	{"a name with a byte order mark ends the header", "\xef\xbb\xbfA: b\nB: c\n\n", nil},
	{"a name with a control character ends the header", "A: b\nB\x01: x\nB: c\n\n", p("A: b")},
	{"a name with DEL ends the header", "A: b\nB\x7f: x\nB: c\n\n", p("A: b")},
	{"a name with NUL ends the header", "A: b\nB\x00: x\nB: c\n\n", p("A: b")},
	{"a line that begins with NUL ends the header", "A: b\n\x00\nB: c\n\n", p("A: b")},
	{"NUL does not end as an empty line does", "Content-Type: message/rfc822\n\x00\nA: b\n\n", []seen{{MIME, "Content-Type: message/rfc822"}}},
	{"all other ASCII is legal in a name", "!#(),.;<>@[\\]\"'~: x\nB: c\n\n", p("!#(),.;<>@[\\]\"'~: x", "B: c")},
	{"a second colon is value", "A:: b\nB :: b\n\n", p("A:: b", "B:: b")},
	{"8 bits in a value", "A: \xe4\nB: =?utf-8?q?a?=\n\n", p("A: \xe4", "B: =?utf-8?q?a?=")},
	{"NUL hides the rest of its line", "A: b\x00c\n d\x00e\n f\n\n", p("A: b\n d\n f")},
	{"a fold of NUL", "A:\x00 b\n \x00c\n\n", p("A:\n ")},
	{"a colon at octet 2048", "A" + long(2046) + ": x\nB: y\n\n", p("A"+long(2046)+": x", "B: y")},
	{"a colon behind octet 2048", "A" + long(2047) + ": x\nB: y\n\n", nil},
	{"a long line is one", "A: " + long(5000) + "\nB: y\n\n", p("A: "+long(5000), "B: y")},
	{"NUL hides up to octet 2048", "A: " + long(2000) + "\x00" + strings.Repeat("y", 44) + "xyz\n w\n\n", p("A: " + long(2000) + "xyz\n w")},
	{"a line end isn't torn in two", "A: " + long(2044) + "\r\n w\n\n", p("A: " + long(2044) + "\n w")},
	{"a CR at octet 2048 may be none", "A: " + long(2044) + "\rw\n\n", p("A: " + long(2044) + " w")},
	{"102400 octets are the limit", "A: " + long(102397) + "\n foo\nB: x\n\n", p("A: "+long(102397), "B: x")},
	{"one less takes another line", "A: " + long(102396) + "\n foo\n bar\nB: x\n\n", p("A: "+long(102396)+"\n foo", "B: x")},
	{"the limit cuts at octets of 2048", "A: " + long(102500) + "\n foo\nB: x\n\n", p("A: "+long(102397), "B: x")},
	{"MIME fields", "Content-Type: text/plain\nMIME-VERSION : 1\nContent-Disposition: a\nContent-ID: a\nContent-Description: a\nContent-Transfer-Encoding: 8bit\n\n",
		[]seen{{MIME, "Content-Type: text/plain"}, {MIME, "MIME-VERSION: 1"}, {MIME, "Content-Disposition: a"}, {MIME, "Content-ID: a"},
			{MIME, "Content-Description: a"}, {MIME, "Content-Transfer-Encoding: 8bit"}}},
	{"no MIME fields", "Content-Language: de\nContent-MD5: x\nContent-Length: x\nContent-Location: x\nContent-: x\n\n",
		p("Content-Language: de", "Content-MD5: x", "Content-Length: x", "Content-Location: x", "Content-: x")},
}

// p are look-ups in header_checks.
func p(lines ...string) (all []seen) {
	for _, l := range lines {
		all = append(all, seen{Primary, l})
	}
	return all
}

// seen is one look-up of cleanup(8): the table and the exact key.
type seen struct {
	Class Class
	Line  string
}

// walked is what we say cleanup looks up.
func walked(raw []byte) (all []seen) {
	fields, body := Scan(nil, raw, HeaderChecks)
	Walk(fields, body, func(c Class, f Field) bool {
		all = append(all, seen{c, string(Line(nil, f))})
		return true
	})
	return all
}

func TestScanPostfix(t *testing.T) {
	for _, tt := range postfixTests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, walked([]byte(tt.raw))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestScanBody(t *testing.T) {
	for _, tt := range []struct {
		name, raw, want string
		view            View
	}{
		{"behind the empty line", "A: b\n\nbody\n", "body\n", HeaderChecks},
		{"behind the empty line, CRLF", "A: b\r\n\r\nbody\n", "body\n", HeaderChecks},
		{"at the line that isn't a field", "A: b\njunk\n\nbody\n", "junk\n\nbody\n", HeaderChecks},
		{"at the first line of white space", " A: b\n\nbody\n", " A: b\n\nbody\n", HeaderChecks},
		{"none", "A: b\n c", "", HeaderChecks},
		{"Sieve: behind the empty line", "A: b\njunk\n\nbody\n", "body\n", Sieve},
		{"Sieve: behind the empty line, CRLF", "A: b\r\njunk\r\n\r\nbody\n", "body\n", Sieve},
		{"Sieve: two CRs are no line end", "A: b\n\r\r\nB: c\n\nbody\n", "body\n", Sieve},
		{"Sieve: none", "A: b\njunk", "", Sieve},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, body := Scan(nil, []byte(tt.raw), tt.view)
			if string(body) != tt.want {
				t.Errorf("got %q, want %q", body, tt.want)
			}
		})
	}
}

func TestScanAppends(t *testing.T) {
	var buf [4]Field
	buf[0] = Field{Name: []byte("Received")}
	raw := []byte("From x\nA: b\nC: d\n\n")
	fields, _ := Scan(buf[:1], raw, HeaderChecks)
	var names []string
	for _, f := range fields {
		names = append(names, string(f.Name))
	}
	if diff := cmp.Diff([]string{"Received", "X-Mailbox-Line", "A", "C"}, names); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if &fields[0] != &buf[0] {
		t.Error("the caller's buffer wasn't used")
	}
}

func TestScanAllocates(t *testing.T) {
	raw := benchmarkHeader()
	for _, v := range []View{HeaderChecks, Sieve} {
		if n := testing.AllocsPerRun(100, func() {
			var buf [64]Field
			fields, _ := Scan(buf[:0], raw, v)
			if len(fields) < 10 {
				t.Fatal(len(fields))
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", v, n)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, tt := range postfixTests {
		f.Add([]byte(tt.raw))
	}
	for _, tt := range sieveTests {
		f.Add([]byte(tt.raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		// Fields and body are raw, in its order, with nothing left out but what
		// stands between them.
		for _, v := range []View{HeaderChecks, Sieve} {
			fields, body := Scan(nil, raw, v)
			if !bytes.HasSuffix(raw, body) {
				t.Fatalf("%s: the body %q isn't the end", v, body)
			}
			head := raw[:len(raw)-len(body)]
			pos := 0
			for _, f := range fields {
				if string(f.Name) == "X-Mailbox-Line" && hasFromLine(head[pos:]) {
					pos += lineEnd(head[pos:])
					continue
				}
				i := bytes.Index(head[pos:], f.Name)
				if i < 0 {
					t.Fatalf("%s: no name %q behind octet %d", v, f.Name, pos)
				}
				pos += i + len(f.Name)
				if i = bytes.Index(head[pos:], append([]byte(":"), f.Body...)); i < 0 {
					t.Fatalf("%s: no body %q behind octet %d", v, f.Body, pos)
				}
				pos += i + 1 + len(f.Body)
			}
		}
		if !wellFormed(raw) {
			return
		}
		a, bodyA := Scan(nil, raw, HeaderChecks)
		b, bodyB := Scan(nil, raw, Sieve)
		if diff := cmp.Diff(a, b); diff != "" || !bytes.Equal(bodyA, bodyB) {
			t.Errorf("the views differ (-header_checks +sieve)\n%s", diff)
		}
		// Fields and body make the message again.
		var again []byte
		for _, f := range a {
			again = append(append(append(again, f.Name...), ':'), f.Body...)
			again = append(again, "\r\n"...)
		}
		again = append(append(again, "\r\n"...), bodyA...)
		if !bytes.Equal(again, raw) {
			t.Errorf("again: %q", again)
		}
	})
}

// wellFormed reports whether raw is a header section of RFC 5322 with CRLF,
// an empty line and a body: where both servers must read the same.
func wellFormed(raw []byte) bool {
	head, _, ok := bytes.Cut(raw, []byte("\r\n\r\n"))
	if !ok || bytes.ContainsAny(head, "\x00") {
		return false
	}
	for i, line := range bytes.Split(head, []byte("\r\n")) {
		if bytes.ContainsAny(line, "\r\n") || len(line) == 0 {
			return false
		}
		if i > 0 && (line[0] == ' ' || line[0] == '\t') {
			continue
		}
		name, _, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(name) >= lineLengthLimit || checkName("X"+string(name)) != nil || len(name) == 0 || hasFromLine(line) {
			return false
		}
	}
	return true
}
