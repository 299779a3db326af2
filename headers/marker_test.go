package headers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var domainTests = []struct {
	domain, ascii, unicode string
	err                    error
}{
	{"example.com", "example.com", "example.com", nil},
	{"Example.COM.", "example.com", "example.com", nil},
	{"BÜCHER.example", "xn--bcher-kva.example", "bücher.example", nil},
	{"xn--bcher-kva.example", "xn--bcher-kva.example", "bücher.example", nil},
	{"XN--BCHER-KVA.example", "xn--bcher-kva.example", "bücher.example", nil},
	{"bu\u0308cher.example", "xn--bcher-kva.example", "bücher.example", nil},
	{"straße.example", "xn--strae-oqa.example", "straße.example", nil},
	{"例え。テスト", "xn--r8jz45g.xn--zckzah", "例え.テスト", nil},
	{"r3---sn-x.example", "r3---sn-x.example", "r3---sn-x.example", nil},
	{"localhost", "localhost", "localhost", nil},
	{"1and1.com", "1and1.com", "1and1.com", nil},
	{"1.2.arpa", "1.2.arpa", "1.2.arpa", nil},
	{long(63) + ".com", long(63) + ".com", long(63) + ".com", nil},
	{strings.Repeat("a.", 126) + "z", strings.Repeat("a.", 126) + "z", strings.Repeat("a.", 126) + "z", nil},

	{"", "", "", ErrRequired},
	{".", "", "", ErrInvalid},
	{"..", "", "", ErrInvalid},
	{"a..b", "", "", ErrInvalid},
	{".a", "", "", ErrInvalid},
	{"a.com..", "", "", ErrInvalid},
	{"-a.com", "", "", ErrInvalid},
	{"a-.com", "", "", ErrInvalid},
	{"a_b.com", "", "", ErrInvalid},
	{"a b.com", "", "", ErrInvalid},
	{" a.com", "", "", ErrInvalid},
	{"a@b.com", "", "", ErrInvalid},
	{"@b.com", "", "", ErrInvalid},
	{"*.com", "", "", ErrInvalid},
	{"a.com\n", "", "", ErrInvalid},
	{"a\x00.com", "", "", ErrInvalid},
	{"a/b.com", "", "", ErrInvalid},
	{"\xe4.com", "", "", ErrInvalid},
	{"ä_.com", "", "", ErrInvalid},
	{"xn--a.com", "", "", ErrInvalid},
	{"xn--.com", "", "", ErrInvalid},
	{"xn--example-.com", "", "", ErrInvalid},
	{"a\u200db.com", "", "", ErrInvalid},
	{"\u2488com", "", "", ErrInvalid},
	{"192.0.2.1", "", "", ErrInvalid},
	{"[192.0.2.1]", "", "", ErrInvalid},
	{"2001:db8::1", "", "", ErrInvalid},
	{long(64) + ".com", "", "", ErrInvalid},
	{"ä" + long(60) + ".com", "", "", ErrInvalid},
	{strings.Repeat("a.", 126) + "zz", "", "", ErrInvalid},
	{strings.Repeat("ä.", 1000) + "com", "", "", ErrInvalid},
}

func TestASCIIDomain(t *testing.T) {
	for _, tt := range domainTests {
		got, err := ASCIIDomain(tt.domain)
		remedied(t, err)
		if got != tt.ascii || !errors.Is(err, tt.err) {
			t.Errorf("%.60q: got %q, %v", tt.domain, got, err)
		}
		got, err = UnicodeDomain(tt.domain)
		if got != tt.unicode || !errors.Is(err, tt.err) {
			t.Errorf("%.60q with U-labels: got %q, %v", tt.domain, got, err)
		}
	}
}

func TestASCIIDomainErrors(t *testing.T) {
	for domain, want := range map[string]string{
		"a_b.com":    `"a_b.com" is not a domain: '_' may not stand in it; write letters, digits, hyphens and dots`,
		"a..b":       `"a..b" is not a domain: it has an empty label; remove a dot`,
		"192.0.2.1":  `"192.0.2.1" is not a domain: the last label has digits only, as in an address; write a name`,
		"a.-b":       `"a.-b" is not a domain: the label "-b" begins or ends with a hyphen; remove the hyphen`,
		"":           `the domain is empty; write a domain such as example.com`,
		long(254):    `a domain of 254 octets is too long; at most 253`,
		"@b.example": `"@b.example" is not a domain: '@' may not stand in it; write letters, digits, hyphens and dots`,
	} {
		if _, err := ASCIIDomain(domain); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestMarkerName(t *testing.T) {
	for _, tt := range []struct {
		prefix, domain, want string
		err                  error
	}{
		{"X-Conbool-", "example.com", "X-Conbool-example-com", nil},
		{"X-Conbool-", "Mail.Example.COM.", "X-Conbool-mail-example-com", nil},
		{"X-Conbool-", "a-b.com", "X-Conbool-a-b-com", nil},
		{"X-Conbool-", "bücher.example", "X-Conbool-xn--bcher-kva-example", nil},
		{"", "example.com", "", ErrRequired},
		{"X ", "example.com", "", ErrInvalid},
		{"X:", "example.com", "", ErrInvalid},
		{"Ä-", "example.com", "", ErrInvalid},
		{"X-\n", "example.com", "", ErrInvalid},
		{long(501), "example.com", "", ErrInvalid},
		{"X-", "", "", ErrRequired},
		{"X-", "a b", "", ErrInvalid},
	} {
		got, err := MarkerName(tt.prefix, tt.domain)
		remedied(t, err)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%.20q, %q: got %q, %v", tt.prefix, tt.domain, got, err)
		}
	}
}

func TestMarkers(t *testing.T) {
	m, err := NewMarkers("X-Conbool-", []string{"a.b.com", "Example.com", "a-b.com", "bücher.example", "example.com.", "a.b-com", "x.y-z",
		"x-y.z"})
	if err != nil {
		t.Fatal(err)
	}
	for domain, want := range map[string]string{
		"example.com":           "X-Conbool-example-com",
		"EXAMPLE.com":           "X-Conbool-example-com",
		"Bücher.example":        "X-Conbool-xn--bcher-kva-example",
		"xn--bcher-kva.example": "X-Conbool-xn--bcher-kva-example",
		"a-b.com":               "X-Conbool-a-b-com",
		"b.com":                 "",
		"not a domain":          "",
		"":                      "",
	} {
		if got, ok := m.Name(domain); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v", domain, got, ok)
		}
	}
	for name, want := range map[string][]string{
		"X-Conbool-example-com":           {"example.com"},
		"x-conbool-EXAMPLE-com":           {"example.com"},
		"X-Conbool-a-b-com":               {"a-b.com", "a.b-com", "a.b.com"},
		"X-Conbool-xn--bcher-kva-example": {"xn--bcher-kva.example"},
		"X-Conbool-":                      nil,
		"X-Conbool":                       nil,
		"Y-Conbool-example-com":           nil,
		"X-Conbool-example.com":           nil,
		"":                                nil,
	} {
		if diff := cmp.Diff(want, m.Domains(name)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	if diff := cmp.Diff([][]string{{"a-b.com", "a.b-com", "a.b.com"}, {"x-y.z", "x.y-z"}}, m.Collisions()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestNewMarkersErrors(t *testing.T) {
	_, err := NewMarkers("X :", []string{"a.com", "", "b_c.com"})
	want := []wrong{{"prefix", ErrInvalid}, {"domains[1]", ErrRequired}, {"domains[2]", ErrInvalid}}
	if diff := cmp.Diff(want, wrongs(t, err), cmp.Comparer(func(a, b error) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestMarkersNone(t *testing.T) {
	m, err := NewMarkers("X-", nil)
	if err != nil {
		t.Fatal(err)
	}
	if name, ok := m.Name("a.com"); ok || m.Domains("X-a-com") != nil || m.Collisions() != nil {
		t.Error(name)
	}
}

// FuzzMarker: a marker leads back to its domain, is a legal header name that
// Scan reads, and both forms of a domain have the same.
func FuzzMarker(f *testing.F) {
	for _, tt := range domainTests {
		f.Add("X-Conbool-", tt.domain)
	}
	f.Add("X-A-", "a-b.c")
	f.Fuzz(func(t *testing.T, prefix, domain string) {
		name, err := MarkerName(prefix, domain)
		m, indexErr := NewMarkers(prefix, []string{domain, "other.example"})
		if (err == nil) != (indexErr == nil) {
			t.Fatalf("%v, %v", err, indexErr)
		}
		if err != nil {
			if !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrRequired) {
				t.Fatal(err)
			}
			return
		}
		ascii, err := ASCIIDomain(domain)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ASCIIDomain(ascii); again != ascii || err != nil {
			t.Fatalf("%q again: %q, %v", ascii, again, err)
		}
		unicode, err := UnicodeDomain(domain)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ASCIIDomain(unicode); back != ascii || err != nil {
			t.Fatalf("%q from %q: %q, %v", unicode, ascii, back, err)
		}
		if got, ok := m.Name(domain); got != name || !ok {
			t.Fatalf("Name: %q, %v", got, ok)
		}
		if !slices.Contains(m.Domains(strings.ToUpper(name)), ascii) {
			t.Fatalf("Domains(%q): %q", name, m.Domains(name))
		}
		if err := Validate(Exists{name}); err != nil {
			t.Fatal(err)
		}
		for _, v := range []View{HeaderChecks, Sieve} {
			fields, _ := Scan(nil, []byte(name+": true\n\n"), v)
			if len(fields) != 1 || string(fields[0].Name) != name {
				t.Fatalf("%s: %q", v, fields)
			}
		}
	})
}

// Look-ups must not get slower with the number of domains.
func TestMarkersMany(t *testing.T) {
	domains := make([]string, 100000)
	for i := range domains {
		domains[i] = fmt.Sprintf("d%d.example.com", i)
	}
	m, err := NewMarkers("X-Conbool-", domains)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, ok := m.Name("d99999.example.com"); !ok {
			t.Fatal("unknown")
		}
	}); n > 2 {
		t.Errorf("Name: %v allocations", n)
	}
	if got := m.Domains("X-Conbool-d5-example-com"); !slices.Equal(got, []string{"d5.example.com"}) {
		t.Error(got)
	}
}
