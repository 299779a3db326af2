package tracepattern

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"testing"
)

// canonical is an address as smtpd(8) writes it.
func canonical(a netip.Addr) string {
	if a.Is4() {
		return a.String()
	}
	return "IPv6:" + a.String()
}

// TestNetwork: the pattern matches what smtpd(8) writes for an address if
// and only if the network has it; at each prefix length, with zeros in all
// places, inside, next to it and anywhere.
func TestNetwork(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(six bool) netip.Addr {
		var b [16]byte
		if !six {
			binary.BigEndian.PutUint32(b[:4], r.Uint32())
			return netip.AddrFrom4([4]byte(b[:4]))
		}
		for i := range 8 {
			switch r.IntN(4) {
			case 0:
				binary.BigEndian.PutUint16(b[2*i:], uint16(r.Uint32()))
			case 1:
				b[2*i+1] = byte(r.Uint32())
			}
		}
		b[0] = b[0]&0x5f | 0x20 // neither ::/80 nor fe80::/10
		return netip.AddrFrom16(b)
	}
	near := func(a netip.Addr, keep int) netip.Addr { // the same first bits
		x, y := a.AsSlice(), draw(a.Is6()).AsSlice()
		for i := range x {
			for bit := range 8 {
				if 8*i+bit >= keep {
					x[i] = x[i]&^(0x80>>bit) | y[i]&(0x80>>bit)
				}
			}
		}
		out, _ := netip.AddrFromSlice(x)
		return out
	}
	n := 40
	for bits := 1; bits <= 128; bits++ {
		for range n {
			for _, six := range []bool{true, false} {
				if !six && bits > 32 {
					continue
				}
				a := draw(six)
				p := netip.PrefixFrom(a, bits).Masked()
				text, err := Network(p)
				if err != nil {
					if six && bits < 4 {
						continue // has all kinds of addresses
					}
					t.Fatalf("%s: %v", p, err)
				}
				re := regexp.MustCompilePOSIX(`\[` + text + `\]`)
				for _, b := range []netip.Addr{a, p.Addr(), near(a, bits), near(a, bits), near(a, max(bits-1, 0)), near(a, max(bits-3, 0)),
					near(a, bits/2), draw(six), draw(!six)} {
					if got, want := re.MatchString("["+canonical(b)+"]"), p.Contains(b); got != want {
						t.Fatalf("%s in %s: %v, want %v; %s", b, p, got, want, text)
					}
				}
			}
		}
	}
	for _, refused := range []string{"::/96", "fe80::/64", "::/0"} {
		if text, err := Network(netip.MustParsePrefix(refused)); err == nil {
			t.Errorf("%s is %s", refused, text)
		}
	}
	if text, err := Network(netip.MustParsePrefix("::1/128")); text != "IPv6:::1" {
		t.Errorf("::1: %s, %v", text, err)
	}
}
