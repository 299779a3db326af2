package relay_test

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/relay"
)

// wholeFiles are the policies of these tests, with every kind of file among them.
func wholeFiles(t *testing.T) map[string]relay.Policy {
	around := labPolicy(t, "lab.json")
	around.Firewall.Ports = []uint16{25}
	around.Balancer = relay.Balancer{Bind: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.9:25")}, Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.3.1/32")},
		Servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.10:25")}}
	around.Direct = []string{"remote2.test"}
	tenants := labPolicy(t, "lab.json")
	tenants.Sieve.Form = relay.SievePerTenant
	return map[string]relay.Policy{"around": around, "tenants": tenants}
}

// over is an installation with what was written.
func over(in relay.Installation, c *relay.Config) relay.Installation {
	out := result(in, c.Files(), nil)
	out.Written = map[string][]byte{}
	for _, f := range c.Files() {
		if !strings.HasPrefix(f.Name, "postfix/") {
			out.Written[f.Name] = f.Data
		}
	}
	return out
}

// put is in with one file changed; it shares the others.
func put(in relay.Installation, name string, data []byte) relay.Installation {
	in.Files, in.Written = maps.Clone(in.Files), maps.Clone(in.Written)
	if base, ok := strings.CutPrefix(name, "postfix/"); ok {
		in.Files["/etc/postfix/"+base] = data
	} else {
		in.Written[name] = data
	}
	return in
}

func blockFile(name string) bool { return name == "postfix/main.cf" || name == "postfix/master.cf" }

// TestManagedEveryEdit edits each line of each whole file of ours in every way an
// administrator's hand may. Then a removal leaves the file and names it, and a
// second write refuses it by name, or keeps it as it was under another name, and
// says so.
func TestManagedEveryEdit(t *testing.T) {
	total, compiled := 0, 0
	every, compileEvery := servertest.OneIn(t, 31), servertest.OneIn(t, 5)
	kinds := map[string]int{}
	for title, p := range wholeFiles(t) {
		c := compile(t, p, labBase(t))
		after := over(labBase(t), c)
		count := 0
		for _, f := range c.Files() {
			if blockFile(f.Name) {
				continue
			}
			kinds[strings.Split(f.Name, "/")[0]]++
			lines := strings.Split(string(f.Data), "\n")
			for at, line := range lines {
				for n, h := range handEdits("main.cf") {
					if count++; count%every != 0 {
						continue
					}
					next, span := "", 1
					if h.two {
						if at+1 >= len(lines) {
							continue
						}
						next, span = lines[at+1], 2
					}
					now, _ := h.edit(rand.New(rand.NewPCG(uint64(at), uint64(n))), line, next)
					data := []byte(strings.Join(slices.Concat(lines[:at], now, lines[at+span:]), "\n"))
					if bytes.Equal(data, f.Data) {
						continue
					}
					total++
					in := put(after, f.Name, data)
					r, err := relay.Remove("conbool", in)
					if err != nil {
						t.Fatal(err)
					}
					i := slices.IndexFunc(r.Left, func(l relay.Left) bool { return l.File == f.Name })
					if i < 0 || r.Left[i].Why == "" || r.Left[i].Fix == "" || slices.Contains(r.Obsolete, f.Name) || len(r.Left) != 1 {
						t.Errorf("%s, %s:%d %q, %s, now %q: left %v, obsolete %v", title, f.Name, at+1, line, h.name, now, r.Left, slices.Contains(r.Obsolete, f.Name))
					}
					if count%compileEvery != 0 {
						continue
					}
					compiled++
					again, err := tryCompile(t, p, in)
					base := strings.TrimPrefix(f.Name, "postfix/")
					if err != nil {
						var e *relay.Error
						if !errors.Is(err, relay.ErrConflict) || !errors.As(err, &e) || e.Position.String() != base || e.Fix == "" || relay.Managed("conbool", data) {
							t.Errorf("%s, %s:%d, %s: %v", title, f.Name, at+1, h.name, err)
						}
						continue
					}
					kept := slices.ContainsFunc(again.Files(), func(k relay.File) bool {
						return bytes.Equal(k.Data, data) && k.Name != f.Name && k.Mode == 0o600 &&
							slices.ContainsFunc(again.Warnings(), func(w relay.Warning) bool { return w.Position.String() == base && strings.Contains(w.Text, k.Name) })
					})
					if !kept {
						t.Errorf("%s, %s:%d %q, %s, now %q: written anew, and nothing kept: %v", title, f.Name, at+1, line, h.name, now, again.Warnings())
					}
				}
			}
		}
	}
	for _, kind := range []string{"postfix", "dovecot", "sieve", "nftables", "haproxy"} {
		if kinds[kind] == 0 {
			t.Errorf("no file of %s", kind)
		}
	}
	t.Logf("%d edits of files, %d compiled over", total, compiled)
}

// TestManagedMark: every file that is ours alone is as it was written, and what
// has another gateway's name, or a longer one, is not ours.
func TestManagedMark(t *testing.T) {
	for title, p := range wholeFiles(t) {
		for _, f := range compile(t, p, labBase(t)).Files() {
			want := !blockFile(f.Name)
			if relay.Managed("conbool", f.Data) != want || relay.Intact("conbool", f.Data) != want || relay.Managed("con", f.Data) || relay.Managed("conbool2", f.Data) || relay.Intact("con", f.Data) {
				t.Errorf("%s, %s", title, f.Name)
			}
		}
	}
	tests := []struct {
		name, text      string
		managed, intact bool
	}{
		{"nothing", "", false, false},
		{"of old", "# oxmailroute-conbool: managed file, change the policy instead\n", true, false},
		{"a wrong sum", "# oxmailroute-conbool: managed file, change the policy instead [AAAAAA]\n", true, false},
		{"quoted", "a # oxmailroute-conbool: managed file, change the policy instead\n", false, false},
		{"another text", "# oxmailroute-conbool: managed files\n", true, false},
		{"far below", strings.Repeat("#\n", 3000) + "# oxmailroute-conbool: managed file, change the policy instead\n", false, false},
	}
	for _, tt := range tests {
		if m, i := relay.Managed("conbool", []byte(tt.text)), relay.Intact("conbool", []byte(tt.text)); m != tt.managed || i != tt.intact {
			t.Errorf("%s: %v %v", tt.name, m, i)
		}
	}
}

// TestManagedOthers: the files of another gateway, with a policy of its own, are not
// taken for damaged ones, edited or not.
func TestManagedOthers(t *testing.T) {
	p := labPolicy(t, "lab.json")
	in := over(labBase(t), compile(t, p, labBase(t)))
	p.Gateway.Name = "acme"
	for _, f := range compile(t, p, labBase(t)).Files() {
		if !blockFile(f.Name) {
			in = put(in, f.Name, f.Data)
			in = put(in, f.Name+"-edited", append(f.Data, "# mine\n"...))
		}
	}
	r, err := relay.Remove("conbool", in)
	if err != nil || len(r.Left) > 0 {
		t.Errorf("left %v, %v", r.Left, err)
	}
	if i := slices.IndexFunc(r.Obsolete, func(name string) bool { return strings.Contains(name, "acme") }); i >= 0 {
		t.Errorf("%s is to be deleted", r.Obsolete[i])
	}
}

// TestManagedOfOld: files without a checksum can't be told from edited ones. A
// removal leaves them; a second write replaces them where nothing is lost by it.
func TestManagedOfOld(t *testing.T) {
	sum := regexp.MustCompile(`(?m)^(# oxmailroute-conbool: managed file, change the policy instead) \[......\]$`)
	for title, p := range wholeFiles(t) {
		c := compile(t, p, labBase(t))
		in := over(labBase(t), c)
		var names []string
		for _, f := range c.Files() {
			if !blockFile(f.Name) {
				names = append(names, f.Name)
				in = put(in, f.Name, sum.ReplaceAll(f.Data, []byte("$1")))
			}
		}
		again := compile(t, p, in)
		if diff := cmp.Diff(emittedFiles(c), emittedFiles(again)); diff != "" {
			t.Errorf("%s: written over files of old (-want +got):\n%s", title, diff)
		}
		if diff := cmp.Diff(c.Warnings(), again.Warnings()); diff != "" {
			t.Errorf("%s: warnings (-want +got):\n%s", title, diff)
		}
		r, err := relay.Remove("conbool", in)
		if err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, l := range r.Left {
			left = append(left, l.File)
			if !strings.Contains(l.Why, "no checksum") {
				t.Errorf("%s: %v", title, l)
			}
		}
		if diff := cmp.Diff(names, left); diff != "" {
			t.Errorf("%s: left (-want +got):\n%s", title, diff)
		}
		// A policy that emits something else keeps them.
		p.Gateway.Networks = append(p.Gateway.Networks, netip.MustParsePrefix("203.0.113.7/32"))
		again = compile(t, p, in)
		if !slices.ContainsFunc(again.Files(), func(f relay.File) bool {
			return strings.HasPrefix(f.Name, "postfix/conbool_clients.cidr.edited-") && bytes.Equal(f.Data, in.Files["/etc/postfix/conbool_clients.cidr"])
		}) {
			t.Errorf("%s: the file of old is not kept", title)
		}
	}
}

// TestManagedNotNeeded: an edited file that the policy has no longer stays, and
// is named; so is what was kept from one.
func TestManagedNotNeeded(t *testing.T) {
	p := wholeFiles(t)["around"]
	in := over(labBase(t), compile(t, p, labBase(t)))
	for _, name := range []string{"haproxy/conbool.cfg", "nftables/conbool.nft", "sieve/before/10-conbool.sieve"} {
		in = put(in, name, append(bytes.Clone(in.Written[name]), "# mine\n"...))
	}
	in = put(in, "postfix/conbool_bypass", append(bytes.Clone(in.Files["/etc/postfix/conbool_bypass"]), "# mine\n"...))
	kept := in
	for _, f := range compile(t, p, in).Files() {
		if strings.Contains(f.Name, ".edited-") {
			kept = put(kept, f.Name, f.Data)
		} else if !blockFile(f.Name) {
			kept = put(kept, f.Name, f.Data)
		}
	}
	less := labPolicy(t, "lab.json")
	less.Sieve.Form = relay.SievePerMailbox
	c := compile(t, less, in)
	for _, name := range []string{"haproxy/conbool.cfg", "nftables/conbool.nft", "sieve/before/10-conbool.sieve"} {
		if slices.Contains(c.Obsolete(), name) || !slices.ContainsFunc(c.Warnings(), func(w relay.Warning) bool { return w.Position.String() == name && strings.Contains(w.Text, "by hand") }) {
			t.Errorf("%s: obsolete %v, warnings %v", name, c.Obsolete(), c.Warnings())
		}
	}
	r, err := relay.Remove("conbool", kept)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, l := range r.Left {
		name, _, ok := strings.Cut(l.File, ".edited-")
		if left = append(left, name); !ok || !strings.Contains(l.Why, "kept") {
			t.Errorf("left %v", l)
		}
	}
	if diff := cmp.Diff([]string{"haproxy/conbool.cfg", "nftables/conbool.nft", "postfix/conbool_bypass", "sieve/before/10-conbool.sieve"}, left); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Compiled again over what was kept, nothing is kept twice.
	for _, f := range compile(t, p, kept).Files() {
		if strings.Contains(f.Name, ".edited-") {
			t.Errorf("kept again: %s", f.Name)
		}
	}
}

func TestReadWritten(t *testing.T) {
	got, err := relay.ReadWritten(fstest.MapFS{
		"dovecot/99-conbool.conf":          {Data: []byte("1")},
		"sieve/before/10-conbool.svbin":    {Data: []byte("2")},
		"sieve/tenants/a.example.sieve":    {Data: []byte("3")},
		"sieve/tenants/deeper/x.sieve":     {Data: []byte("4")},
		"postfix/main.cf":                  {Data: []byte("5")},
		"haproxy/conbool.cfg.edited-01234": {Data: []byte("6")},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"dovecot/99-conbool.conf": []byte("1"), "sieve/tenants/a.example.sieve": []byte("3"), "haproxy/conbool.cfg.edited-01234": []byte("6")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
