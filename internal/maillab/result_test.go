package maillab

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFields(t *testing.T) {
	header, body := split([]byte("A: 1\r\na : two\r\n more\r\nB:3\r\nA:\r\n\r\nA: body\r\n"))
	if string(body) != "A: body\n" {
		t.Errorf("body %q", body)
	}
	for name, want := range map[string][]string{"a": {" 1", " two\n more", ""}, "B": {"3"}, "C": nil} {
		if diff := cmp.Diff(want, fields(header, name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, test := range []struct{ data, header, body string }{
		{"", "", ""},
		{"\nbody", "", "body"},
		{"A: 1\n", "A: 1\n", ""},
		{"A: 1\n\n", "A: 1\n", ""},
	} {
		if h, b := split([]byte(test.data)); string(h) != test.header || string(b) != test.body {
			t.Errorf("split(%q) = %q, %q", test.data, h, b)
		}
	}
}

func TestPlaceString(t *testing.T) {
	for want, p := range map[string]Place{
		"mailbox:Spam":    {Kind: KindMailbox, Name: "Spam"},
		"rejected:550":    {Kind: KindRejected, Code: 550},
		"deferred":        {Kind: KindDeferred},
		"mx:remote1.test": {Kind: KindMX, Name: "remote1.test"},
	} {
		if got := p.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
