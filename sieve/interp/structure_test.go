package interp_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/emersion/go-message"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// structureCases are messages whose parts have the types text/x-a, text/x-b and
// so on: which of them the server and this package find, and which go-message
// finds. They show why package sieve has its own walk over the body.
var structureCases = []struct {
	name, message string
	want, other   []string
}{
	{"plain parts", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/x-a\n\n1\n--b\nContent-Type: text/x-b\n\n2\n--b--\n",
		[]string{"a", "b"}, []string{"a", "b"}},
	{"junk line in the header", "junk\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/x-a\n\n1\n--b--\n",
		[]string{"a"}, nil},
	{"junk line in a part's header",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\njunk\nContent-Type: text/x-a\n\n1\n--b\nContent-Type: text/x-b\n\n2\n--b--\n",
		[]string{"a", "b"}, nil},
	{"attached message", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nContent-Type: text/x-a\n\n1\n--b--\n", []string{"a"}, nil},
	{"no closing boundary", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/x-a\n\n1\n", []string{"a"}, []string{"a"}},
	{"broken parameter", "Content-Type: multipart/mixed; boundary=b; x\n\n--b\nContent-Type: text/x-a\n\n1\n--b--\n", []string{"a"}, nil},
	{"two boundary parameters", "Content-Type: multipart/mixed; boundary=b; boundary=c\n\n--b\nContent-Type: text/x-a\n\n1\n--b--\n",
		[]string{"a"}, nil},
	{"text behind the boundary", "Content-Type: multipart/mixed; boundary=b\n\n--bx\nContent-Type: text/x-a\n\n1\n--b--\n", []string{"a"},
		nil},
	{"inner boundary left open", "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n--i\nContent-Type: text/x-a\n\n1\n--o\nContent-Type: text/x-b\n\n2\n--o--\n", []string{"a", "b"}, []string{"a"}},
	{"unknown transfer encoding of a part",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/x-a\nContent-Transfer-Encoding: x\n\n1\n--b\nContent-Type: text/x-b\n\n2\n--b--\n", []string{"a", "b"}, []string{"a", "b"}},
	{"encoded multipart", "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\nContent-Type: text/x-a\n\n1\n--b--\n", []string{"a"}, []string{"a"}},
	{"comment in the type", "Content-Type: multipart/mixed (c); boundary=b\n\n--b\nContent-Type: text/x-a (c)\n\n1\n--b--\n", []string{"a"},
		nil},
	{"two types, the first with parts",
		"Content-Type: multipart/mixed; boundary=b\nContent-Type: text/plain\n\n--b\nContent-Type: text/x-a\n\n1\n--b--\n", []string{"a"},
		[]string{"a"}},
	{"two types, the second with parts",
		"Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/x-a\n\n1\n--b--\n", nil, nil},
	{"space before the colon", "Content-Type : multipart/mixed; boundary=b\n\n--b\nContent-Type : text/x-a\n\n1\n--b--\n", []string{"a"},
		[]string{"a"}},
}

const structureLabels = "abc"

// structureScript stores a copy for every type that a part has.
func structureScript() []byte {
	var b strings.Builder
	b.WriteString(`require ["mime", "fileinto", "copy"]; `)
	for _, c := range structureLabels {
		fmt.Fprintf(&b, "if header :mime :anychild :contenttype \"Content-Type\" \"text/x-%c\" { fileinto :copy \"%c\"; }\n", c, c)
	}
	return []byte(b.String())
}

// goMessageTypes are the labels of the parts that go-message finds.
func goMessageTypes(raw []byte) []string {
	var list []string
	e, err := message.Read(bytes.NewReader(raw))
	if e == nil {
		return nil
	}
	_ = err // an unknown charset or transfer encoding doesn't hide the structure
	e.Walk(func(_ []int, part *message.Entity, err error) error {
		if part == nil {
			return err
		}
		if kind, _, _ := part.Header.ContentType(); strings.HasPrefix(kind, "text/x-") {
			list = append(list, strings.TrimPrefix(kind, "text/x-"))
		}
		if part.MultipartReader() == nil {
			io.Copy(io.Discard, part.Body)
		}
		return nil
	})
	return list
}

func TestStructure(t *testing.T) {
	s, err := sieve.Parse("", structureScript())
	if err != nil {
		t.Fatal(err)
	}
	p := compiled(t, s)
	differ := 0
	for _, tt := range structureCases {
		var got []string
		r := p.Run(&interp.Input{Raw: []byte(tt.message)})
		for _, box := range r.Mailboxes() {
			if box != sieve.Inbox {
				got = append(got, box)
			}
		}
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.other, goMessageTypes([]byte(tt.message)), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +go-message):\n%s", tt.name, diff)
		}
		if !cmp.Equal(tt.want, tt.other, cmpopts.EquateEmpty()) {
			differ++
		}
	}
	if differ == 0 {
		t.Error("go-message finds the same parts in all cases")
	}
}

// TestStructureServer asks sieve-test which parts there are.
func TestStructureServer(t *testing.T) {
	o := sievetest.NewOracle(t)
	for _, tt := range structureCases {
		var want []string
		for _, label := range tt.want {
			want = append(want, "store "+label+" copy")
		}
		got := o.DecideOne(t, "", "", structureScript(), []byte(tt.message))
		if diff := cmp.Diff(want, got.Actions, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +Pigeonhole):\n%s", tt.name, diff)
		}
	}
}
