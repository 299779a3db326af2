package headers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	mixed    = "Content-Type: multipart/mixed; boundary=b"
	digest   = "Content-Type: multipart/digest; boundary=b"
	calendar = "Content-Type: text/calendar"
	attached = "Content-Type: message/rfc822"
)

// m and n are look-ups in mime_header_checks and nested_header_checks.
func m(l string) seen { return seen{MIME, l} }
func n(l string) seen { return seen{Nested, l} }

var walkTests = []struct {
	name, raw string
	want      []seen
}{
	{"parts", mixed + "\n\n--b\n" + calendar + "\nX: y\n\ntext\nZ: z\n--b\n\nX: y\n--b--\nW: w\n\n", []seen{m(mixed), m(calendar), m("X: y")}},
	{"CRLF", mixed + "\r\n\r\npreamble\r\n--b\r\n" + calendar + "\r\n\r\ntext\r\n--b--\r\n", []seen{m(mixed), m(calendar)}},
	{"MIME-Version isn't needed but seen", "MIME-Version: 1.0\n" + mixed + "\n\n--b\n" + calendar + "\n\n",
		[]seen{m("MIME-Version: 1.0"), m(mixed), m(calendar)}},
	{"a part without an end", mixed + "\n\n--b\n" + calendar + "\n", []seen{m(mixed), m(calendar)}},
	{"no boundary, no parts", "Content-Type: multipart/mixed\n\n--b\n" + calendar + "\n\n", []seen{m("Content-Type: multipart/mixed")}},
	{"an empty boundary", "Content-Type: multipart/mixed; boundary=\"\"\n\n--x\n" + calendar + "\n\n",
		[]seen{m("Content-Type: multipart/mixed; boundary=\"\""), m(calendar)}},
	{"an empty boundary takes more than the hyphens", "Content-Type: multipart/mixed; boundary=\"\"\n\n--\n" + calendar + "\n\n",
		[]seen{m("Content-Type: multipart/mixed; boundary=\"\"")}},
	{"a quoted boundary with escapes and a fold", "Content-Type: multipart/mixed; boundary=\"a \\\"b \n\tc\"\n\n--a \"b\tc\n" + calendar +
		"\n\n", []seen{m("Content-Type: multipart/mixed; boundary=\"a \\\"b \n\tc\""), m(calendar)}},
	{"comments and case", "content-type: (x) MULTIPART (y (z)) / mixed ; BOUNDARY (\\)) = b\n\n--b\n" + calendar + "\n\n",
		[]seen{m("content-type: (x) MULTIPART (y (z)) / mixed ; BOUNDARY (\\)) = b"), m(calendar)}},
	{"text behind a boundary", mixed + "\n\n--bfoo\n" + calendar + "\n\n--b-x\nX: y\n\n", []seen{m(mixed), m(calendar), m("X: y")}},
	{"what follows the end has no parts", mixed + "\n\n--b--\n--b\n" + calendar + "\n\n", []seen{m(mixed)}},
	{"two boundaries in one field", "Content-Type: multipart/mixed; boundary=b; boundary=c\n\n--b\nX: 1\n\n--c\nX: 2\n\n",
		[]seen{m("Content-Type: multipart/mixed; boundary=b; boundary=c"), m("X: 1")}},
	{"two boundaries, the inner first", "Content-Type: multipart/mixed; boundary=b; boundary=c\n\n--c\nX: 2\n\n--b\nX: 1\n\n",
		[]seen{m("Content-Type: multipart/mixed; boundary=b; boundary=c"), m("X: 2"), m("X: 1")}},
	{"a type without a subtype", "Content-Type: multipart; boundary=b\n\n--b\nX: y\n\n", []seen{m("Content-Type: multipart; boundary=b"),
		m("X: y")}},
	{"a quoted type is none", "Content-Type: \"multipart\"/mixed; boundary=b\n\n--b\nX: y\n\n",
		[]seen{m("Content-Type: \"multipart\"/mixed; boundary=b")}},
	{"nested", mixed + "\n\n--b\nContent-Type: multipart/x; boundary=c\n\n--c\n" + calendar + "\n\n--c--\n\n--b\nX: y\n\n",
		[]seen{m(mixed), m("Content-Type: multipart/x; boundary=c"), m(calendar), m("X: y")}},
	{"an inner boundary is missing", mixed + "\n\n--b\nContent-Type: multipart/x; boundary=c\n\n--c\n" + calendar + "\n\n--b\nX: y\n\n",
		[]seen{m(mixed), m("Content-Type: multipart/x; boundary=c"), m(calendar), m("X: y")}},
	{"the inner of two equal boundaries", mixed + "\n\n--b\n" + mixed + "\n\n--b--\n--b\nX: y\n\n", []seen{m(mixed), m(mixed), m("X: y")}},
	{"a longer boundary of the same beginning", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/x; boundary=bb\n\n--bb\nX: y\n\n--b\nY: z\n\n", []seen{m(mixed), m("Content-Type: multipart/x; boundary=bb"), m("X: y"), m("Y: z")}},
	{"an attached message", attached + "\n\nX: y\n" + calendar + "\n\nZ: z\n", []seen{m(attached), n("X: y"), m(calendar)}},
	{"an attached message in a part", mixed + "\n\n--b\n" + attached + "\n\nX: y\n" + calendar + "\n\nZ: z\n--b\nW: w\n\n",
		[]seen{m(mixed), m(attached), n("X: y"), m(calendar), m("W: w")}},
	{"a multipart in an attached message", attached + "\n\nX: y\n" + mixed + "\n\n--b\nZ: z\n\n",
		[]seen{m(attached), n("X: y"), m(mixed), m("Z: z")}},
	{"a message in a message", attached + "\n\n" + attached + "\n\nX: y\n\n", []seen{m(attached), m(attached), n("X: y")}},
	{"an encoded message is read as it stands", attached + "\nContent-Transfer-Encoding: base64\n\nX: y\n\n",
		[]seen{m(attached), m("Content-Transfer-Encoding: base64"), n("X: y")}},
	{"message/partial isn't entered", "Content-Type: message/partial\n\nX: y\n\n", []seen{m("Content-Type: message/partial")}},
	{"message/external-body isn't entered", "Content-Type: message/external-body\n\nX: y\n\n",
		[]seen{m("Content-Type: message/external-body")}},
	{"message/global is entered", "Content-Type: message/global\n\nX: y\n\n", []seen{m("Content-Type: message/global"), n("X: y")}},
	{"message/global-headers isn't entered", "Content-Type: message/global-headers\n\nX: y\n\n",
		[]seen{m("Content-Type: message/global-headers")}},
	{"message/delivery-status isn't entered", "Content-Type: message/delivery-status\n\nX: y\n\n",
		[]seen{m("Content-Type: message/delivery-status")}},
	{"message without a subtype isn't entered", "Content-Type: message\n\nX: y\n\n", []seen{m("Content-Type: message")}},
	{"text behind the subtype", "Content-Type: message/rfc822 x\n\nX: y\n\n", []seen{m("Content-Type: message/rfc822 x"), n("X: y")}},
	{"text/rfc822-headers isn't entered", "Content-Type: text/rfc822-headers\n\nX: y\n\n", []seen{m("Content-Type: text/rfc822-headers")}},
	{"a digest's parts are messages", digest + "\n\n--b\n\nX: y\n\n--b\nZ: z\n\nX: 2\n\n", []seen{m(digest), n("X: y"), m("Z: z"), n("X: 2")}},
	{"a digest's part of another type", digest + "\n\n--b\nContent-Type: text/plain\n\nX: y\n\n",
		[]seen{m(digest), m("Content-Type: text/plain")}},
	{"an unknown type leaves a digest's part a message", digest + "\n\n--b\nContent-Type: image/png\n\nX: y\n\n",
		[]seen{m(digest), m("Content-Type: image/png"), n("X: y")}},
	{"an empty type doesn't", digest + "\n\n--b\nContent-Type:\n\nX: y\n\n", []seen{m(digest), m("Content-Type:")}},
	{"the last Content-Type counts", "Content-Type: text/plain\n" + attached + "\n\nX: y\n\n",
		[]seen{m("Content-Type: text/plain"), m(attached), n("X: y")}},
	{"boundaries of each Content-Type count", mixed + "\nContent-Type: text/plain\n\n--b\nX: y\n\n",
		[]seen{m(mixed), m("Content-Type: text/plain"), m("X: y")}},
	{"a part's header ends at a line without a colon", mixed + "\n\n--b\nX: y\njunk\nZ: z\n\n--b\nW: w\n\n",
		[]seen{m(mixed), m("X: y"), m("W: w")}},
	{"a part's header ends at a boundary", mixed + "\n\n--b\nX: y\n--b\nZ: z\n\n", []seen{m(mixed), m("X: y"), m("Z: z")}},
	{"a boundary with a colon is a field in a header", "Content-Type: multipart/mixed; boundary=\"b:c\"\n\n--b:c\nX: y\n--b:c\nZ: z\n\n--b:c\nW: w\n\n", []seen{m("Content-Type: multipart/mixed; boundary=\"b:c\""), m("X: y"), m("--b:c"), m("Z: z"), m("W: w")}},
	{"a boundary right behind the header", mixed + "\n--b\nX: y\n\n", []seen{m(mixed), m("X: y")}},
	{"folds and spaces in a part's header", mixed + "\n\n--b\nX : y\r\n\tz\n\n", []seen{m(mixed), m("X: y\n\tz")}},
	{"a part's header can't begin with a fold", mixed + "\n\n--b\n X: y\nZ: z\n\n", []seen{m(mixed)}},
	{"a boundary in the middle of a long line", mixed + "\n\n" + long(2048) + "--b\nX: y\n\n", []seen{m(mixed)}},
	{"CRs are spaces in boundaries", "Content-Type: multipart/mixed; boundary=\"b c\"\n\n--b\rc\nX: y\n\n",
		[]seen{m("Content-Type: multipart/mixed; boundary=\"b c\""), m("X: y")}},
	{"a boundary of 2045 octets", "Content-Type: multipart/mixed;\n boundary=" + long(2045) + "\n\n--" + long(2045) + "\nX: y\n\n",
		[]seen{m("Content-Type: multipart/mixed;\n boundary=" + long(2045)), m("X: y")}},
	{"a boundary of 2046 octets has an empty header behind it", "Content-Type: multipart/mixed;\n boundary=" + long(2046) + "\n\n--" +
		long(2046) + "\nX: y\n\n", []seen{m("Content-Type: multipart/mixed;\n boundary=" + long(2046))}},
	{"or a field", "Content-Type: multipart/mixed;\n boundary=" + long(2046) + "\n\n--" + long(2046) + "A: b\nX: y\n\n",
		[]seen{m("Content-Type: multipart/mixed;\n boundary=" + long(2046)), m("A: b"), m("X: y")}},
	{"or neither", "Content-Type: multipart/mixed;\n boundary=" + long(2046) + "\n\n--" + long(2046) + "--\nX: y\n\n",
		[]seen{m("Content-Type: multipart/mixed;\n boundary=" + long(2046))}},
	{"a boundary of 2047 octets fits no line", "Content-Type: multipart/mixed;\n boundary=" + long(2047) + "\n\n--" + long(2047) +
		"\nX: y\n\n", []seen{m("Content-Type: multipart/mixed;\n boundary=" + long(2047))}},
	{"a boundary that is too short", "Content-Type: multipart/mixed; boundary=" + long(30) + "\n\n--" + long(29) + "\nX: y\n\n",
		[]seen{m("Content-Type: multipart/mixed; boundary=" + long(30))}},
	{"an unknown type", "Content-Type: application/octet-stream; boundary=b\n\n--b\nX: y\n\n",
		[]seen{m("Content-Type: application/octet-stream; boundary=b")}},
	{"encoded-words aren't decoded", "Content-Type: =?utf-8?q?multipart/mixed?=; boundary=b\n\n--b\nX: y\n\n",
		[]seen{m("Content-Type: =?utf-8?q?multipart/mixed?=; boundary=b")}},
	{"a tab and CR before the colon", "Content-Type\t\r: multipart/mixed; boundary=b\n\n--b\nX: y\n\n",
		[]seen{m("Content-Type: multipart/mixed; boundary=b"), m("X: y")}},
	{"102 levels", levels(102), levelsSeen(102)},
}

// levels is a message of multiparts in multiparts.
func levels(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Content-Type: multipart/x; boundary=b%d.\n\n--b%d.\n", i, i)
	}
	return b.String() + "X: y\n\n"
}

func levelsSeen(n int) (all []seen) {
	for i := range n {
		all = append(all, m(fmt.Sprintf("Content-Type: multipart/x; boundary=b%d.", i)))
	}
	return append(all, m("X: y"))
}

func TestWalk(t *testing.T) {
	for _, tt := range walkTests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, walked([]byte(tt.raw))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestWalkStops(t *testing.T) {
	fields, body := Scan(nil, []byte(mixed+"\nA: b\n\n--b\nX: y\nZ: z\n\n"), HeaderChecks)
	for stop := 1; stop <= 4; stop++ {
		calls := 0
		Walk(fields, body, func(Class, Field) bool {
			calls++
			return calls < stop
		})
		if calls != stop {
			t.Errorf("%d calls, want %d", calls, stop)
		}
	}
}

func TestClassString(t *testing.T) {
	for c, want := range map[Class]string{Primary: "header_checks", MIME: "mime_header_checks", Nested: "nested_header_checks"} {
		if c.String() != want {
			t.Errorf("%d: %s", c, c)
		}
	}
}
