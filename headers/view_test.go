package headers

import (
	"mime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// sieveTests say what header tests in Pigeonhole see of the headers A and B:
// the first value of each, "=" before it, or "-". TestSieveReads asks the real
// one.
var sieveTests = []struct{ name, raw, a, b string }{
	{"LF", "A: b\nB: c\n\nB: d\n", "=b", "=c"},
	{"CRLF", "A: b\r\nB: c\r\n\r\nB: d\r\n", "=b", "=c"},
	{"white space before the colon", "A : b\nB\t: c\n\n", "=b", "=c"},
	{"other case", "a: b\nb: c\n\n", "=b", "=c"},
	{"the first line folded", " A: b\nB: c\n\n", "-", "=c"},
	{"a From line", "From foo\nA: b\n\n", "=b", "-"},
	{"a From line with a colon", "From foo:bar\nA: b\n\n", "=b", "-"},
	{"junk is skipped", "A: b\njunk\nB: c\n\n", "=b", "=c"},
	{"junk is skipped with its folds", "A: b\njunk\n B: x\nB: c\n\n", "=b", "=c"},
	{"an empty name", "A: b\n: x\nB: c\n\n", "=b", "=c"},
	{"a name with a space", "A: b\nB c: x\nB: c\n\n", "=b", "=c"},
	{"a name with 8 bits", "A: b\nB\x80: x\nB: c\n\n", "=b", "=c"},
	{"a name ends at NUL", "A: b\nB\x00x: c\n\n", "=b", "=c"},
	{"a name that begins with NUL", "A: b\n\x00B: c\n\n", "=b", "-"},
	{"a name with a byte order mark", "\xef\xbb\xbfA: b\nB: c\n\n", "-", "=c"},
	{"an empty first line", "\nA: b\n", "-", "-"},
	{"nothing", "", "-", "-"},
	{"no line end", "A: b", "=b", "-"},
	{"no line end in a fold", "A: b\n c", "=b c", "-"},
	{"a CR at the end", "A: b\r", "=b\r", "-"},
	{"a name without a colon at the end", "B: b\nA", "-", "=b"},
	{"a CR in the middle", "A: b\rc\n\rB: c\n\n", "=b\rc", "-"},
	{"two CRs at a line end", "A: b\r\r\nB: c\n\r\r\nA: d\n\n", "=b\r", "=c"},
	{"two CRs in an empty line", "A: b\n\r\r\nB: c\n\n", "=b", "=c"},
	{"the value on the next line", "A:\n b\nB: \t\n c\n\n", "= b", "= c"},
	{"a tab on the next line", "A:\n\tb\nB: \t\n\t c\n\n", "= b", "=  c"},
	{"white space of folds", "A: b\n   c\nB: b \t\n \t c \t\n\n", "=b   c", "=b \t \t c"},
	{"folds of nothing", "A: b\r\n \r\n c\r\nB:\n \n", "=b  c", "="},
	{"no value", "A:\nB: \t \n\n", "=", "="},
	{"white space at both ends", "A: \t b  c \t\nB:b\n\n", "=b  c", "=b"},
	{"other white space stays", "A: \vb\f\nB: \xc2\xa0b\xc2\xa0\n\n", "=\vb\f", "=\u00a0b\u00a0"},
	{"a lone fold at the end goes", "A: b\n \nB: c\n\t\n\n", "=b", "=c"},
	{"NUL", "A: b\x00c\nB: b\x00\x00\n\n", "=b\uFFFDc", "=b\uFFFD\uFFFD"},
	{"8 bits", "A: \xe4b\nB: \xc3\xa4\n\n", "=\uFFFDb", "=ä"},
	{"the first value", "A: b\nA: c\nB: d\n\n", "=b", "=d"},
}

func TestScanSieve(t *testing.T) {
	for _, tt := range sieveTests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := firstValues([]byte(tt.raw))
			if diff := cmp.Diff([]string{tt.a, tt.b}, []string{a, b}); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// firstValues is what we say of the first A and B.
func firstValues(raw []byte) (a, b string) {
	first := func(name string) string {
		fields, _ := Scan(nil, raw, Sieve)
		for _, f := range fields {
			if equalFold(f.Name, name) {
				return "=" + string(Value(nil, f))
			}
		}
		return "-"
	}
	return first("a"), first("b")
}

// valueTests say what Pigeonhole makes of a header's body. TestSieveReads asks
// the real one.
var valueTests = []struct{ name, body, want string }{
	{"plain", " plain text ", "plain text"},
	{"a word", " =?utf-8?q?a?=", "a"},
	{"a word in a word", " x=?utf-8?q?a?=y", "xay"},
	{"two words join", " =?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
	{"two words join over a fold", " =?utf-8?q?a?= \t\n\t =?utf-8?q?b?=", "ab"},
	{"two words join without a space", " =?utf-8?q?a?==?utf-8?q?b?=", "ab"},
	{"other white space doesn't join", " =?utf-8?q?b?=\v=?utf-8?q?b?=", "b\vb"},
	{"words and text", "  x  =?utf-8?q?b?=  y", "x  b  y"},
	{"white space between word and text", " =?utf-8?q?a?=  x", "a  x"},
	{"an empty word", " =?utf-8?q?a?=  =?utf-8?q??=  =?utf-8?q?b?=", "ab"},
	{"a fold before the first word goes", "\n =?utf-8?q?b?=", "b"},
	{"and stays before text", "\n x=?utf-8?q?b?=", " xb"},
	{"and goes before what only looks like a word", "\n =?utf-8?q?b", "=?utf-8?q?b"},
	{"encoded white space stays in front", " =?utf-8?q?_a_?=", " a"},
	{"encoded tabs", " =?utf-8?q?=09a=09?=", "\ta"},
	{"encoded line ends stay", " =?utf-8?q?a=0A?=", "a\n"},
	{"encoded NUL is a space", " =?utf-8?q?a=00b?=", "a b"},
	{"encoded NUL at the end goes", " =?utf-8?q?a=00?=", "a"},
	{"an unknown encoding", " =?utf-8?x?a?=", "=?utf-8?x?a?="},
	{"no encoding", " =?utf-8??a?=", "=?utf-8??a?="},
	{"only an encoding's first letter counts", " =?utf-8?Qx?a?=", "a"},
	{"no end", " =?utf-8?q?a", "=?utf-8?q?a"},
	{"a space in a word", " =?utf-8?q?a b?=", "a b"},
	{"a fold in a word", " =?utf-8?q?a\n\tb?=", "a b"},
	{"a question mark in a word", " =?utf-8?q?a?b?= =?utf-8?q?c?=", "=?utf-8?q?a?b?= c"},
	{"a lone start", " a =? =?utf-8?q?b?=", "a =? b"},
	{"a start before a start", " =?=?utf-8?q?a?=", "=?a"},
	{"a broken word takes the space before it", " =?utf-8?q?a?= =?utf-8?q?b", "a=?utf-8?q?b"},
	{"in quotes", " \"=?utf-8?q?a?=\"", "\"a\""},
	{"Q: lower-case digits", " =?utf-8?q?=c3=a4?=", "ä"},
	{"Q: no digits", " =?utf-8?q?a=zzb=4?=x", "a=zzb=4x"},
	{"Q: = at the end", " =?utf-8?q?a=?=x", "a=x"},
	{"B", " =?utf-8?b?w6Q=?=", "ä"},
	{"B without padding", " =?utf-8?B?w6Q?=", "ä"},
	{"B with white space", " =?utf-8?b?w6 Q=?=", "ä"},
	{"B stops at other octets", " =?utf-8?b?YWJj!YWJj?=", "abc"},
	{"B stops at padding", " =?utf-8?b?YWI=YWJj?=", "ab"},
	{"B keeps whole octets", " =?utf-8?b?YWJjZ!?=", "abc"},
	{"B of one letter", " =?utf-8?b?Y?=x", "x"},
	{"invalid UTF-8", " =?utf-8?b?5A?=", "\uFFFD"},
	{"a run of invalid octets is one", " \xe4\xe4\xe4x\xed\xa0\x80", "\uFFFDx\uFFFD"},
	{"runs over words are one", " =?utf-8?q?=c3?= =?utf-8?q?=a4?=", "\uFFFD"},
	{"U+FFFD of one's own", " \xef\xbf\xbd\xef\xbf\xbd\xe4", "\uFFFD\uFFFD"},
	{"half a character", " \xe2\x82\xe2\x82\xac", "\uFFFD€"},
	{"overlong and too large", " \xc0\x80x\xf4\x90\x80\x80y", "\uFFFDx\uFFFDy"},
	{"beyond the BMP", " =?utf-8?q?=F0=9F=98=80?=", "😀"},
	{"a noncharacter", " \xef\xbf\xbe", "\ufffe"},
	{"a language", " =?utf-8*en?q?a?=", "a"},
	{"no charset", " =??q?a?=", "a"},
	{"us-ascii is UTF-8", " =?us-ascii?q?=C3=A4=E4?=", "ä\uFFFD"},
	{"an unknown charset is UTF-8", " =?x-unknown?q?abc=C3=A4=E4?=z", "abcä\uFFFDz"},
	{"iso-8859-1", " =?iso-8859-1?q?=E4=80?=", "ä\u0080"},
	{"latin1", " =?latin1?q?=E4?=", "ä"},
	{"iso-8859-15", " =?ISO-8859-15?Q?=A4?=", "€"},
	{"iso-8859-9", " =?iso-8859-9?q?=FD?=", "ı"},
	{"windows-1252", " =?windows-1252?q?=80?=", "€"},
	{"koi8-r", " =?koi8-r?q?=C1?=", "а"},
	{"gb2312", " =?gb2312?b?yNWxvg==?=", "日本"},
	{"gb18030", " =?gb18030?b?yNWxvg==?=", "日本"},
	{"gbk, invalid", " =?gbk?q?=FF?=\xe4", "\uFFFD"},
	{"big5", " =?big5?b?pOk=?=", "日"},
	{"shift_jis", " =?shift_jis?b?k/o=?=", "日"},
	{"iso-2022-jp", " =?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"},
	{"euc-jp", " =?euc-jp?b?xvw=?=", "日"},
	{"euc-kr", " =?euc-kr?b?wM8=?=", "일"},
	{"utf-7", " =?utf-7?q?+AHkAZQBz-?=", "yes"},
	{"utf-7, mixed", " =?UTF-7?q?a+-b+AHk!?=", "a+by!"},
	{"utf-7, invalid", " =?utf-7?q?~=E4?=x", "\uFFFDx"},
	{"utf-16 without a mark is the machine's", " =?utf-16?b?eQA=?=", "y"},
	{"utf-16 with a mark", " =?utf-16?b?/v8AeQ==?=", "y"},
	{"utf-16be", " =?utf-16be?b?AHk=?=", "y"},
	{"utf-32", " =?utf-32?b?eQAAAA==?=", "y"},
	{"what iconv doesn't know", " =?hz-gb-2312?q?~{HU~}?=", "~{HU~}"},
}

func TestValue(t *testing.T) {
	for _, tt := range valueTests {
		t.Run(tt.name, func(t *testing.T) {
			f := Field{Name: []byte("A"), Body: []byte(tt.body)}
			got := string(Value([]byte("kept"), f))
			if got != "kept"+tt.want {
				t.Errorf("got %q, want %q", got, "kept"+tt.want)
			}
		})
	}
}

func TestValueAllocates(t *testing.T) {
	f := Field{Name: []byte("A"), Body: []byte("  a plain value \t")}
	if n := testing.AllocsPerRun(100, func() {
		var buf [64]byte
		if v := Value(buf[:0], f); len(v) == 0 {
			t.Fatal()
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzValue compares with the standard library's decoder where both must agree:
// on words that it made itself, with plain text between them.
func FuzzValue(f *testing.F) {
	f.Add("Bücher", "x y", "日本", true)
	f.Add("a=?b", "_", "\"", false)
	f.Add("ä \t", "x", " ö", false)
	f.Fuzz(func(t *testing.T, first, plain, second string, q bool) {
		encoding := mime.BEncoding
		if q {
			encoding = mime.QEncoding
		}
		first, second = encoding.Encode("utf-8", first), encoding.Encode("utf-8", second)
		for _, s := range []string{first, second} {
			// Encode leaves what needs no encoding as it is.
			if !strings.HasPrefix(s, "=?utf-8?") {
				return
			}
		}
		for _, c := range []byte(plain) {
			if c < ' ' || c > '~' {
				return
			}
		}
		if plain == "" || strings.Contains(plain, "=?") || strings.TrimSpace(plain) != plain {
			return
		}
		body := first + " " + plain + " " + second
		want, err := new(mime.WordDecoder).DecodeHeader(strings.ReplaceAll(body, "\r\n", ""))
		if err != nil || !utf8.ValidString(want) || strings.Contains(want, replacement) {
			return
		}
		want = strings.TrimRight(strings.ReplaceAll(want, "\x00", " "), " \t")
		if got := string(Value(nil, Field{Body: []byte(" " + body)})); got != want {
			t.Errorf("%q: got %q, want %q", body, got, want)
		}
	})
}
