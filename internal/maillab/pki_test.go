package maillab

import (
	"crypto/tls"
	"crypto/x509"
	"regexp"
	"strings"
	"testing"
)

func TestIssue(t *testing.T) {
	w := DefaultWorld()
	keys, err := Issue(w.Certificates, nil)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(keys["ca"].Certificate)
	tests := []struct {
		name      string
		cn        string
		names     int
		trusted   bool
		gatewayOK bool
	}{
		{"ox", "ox.example.com", 1, true, false},
		{"conbool", "mail.conbool.com", 1, true, true},
		{"cnonly", "mail.conbool.com", 0, true, false},
		{"wrongname", "mail.evil.test", 1, true, false},
		{"expired", "mail.conbool.com", 1, false, false},
		{"otherca-leaf", "mail.conbool.com", 1, false, false},
		{"selfsigned", "mail.conbool.com", 1, false, false},
		{"stranger", "stranger.test", 1, true, false},
		{"evilcn", `mail.conbool.com", Issuer "(" (verified OK))`, 0, false, false},
		{"evilissuer", "x", 1, false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			pair := keys[test.name]
			if _, err := tls.X509KeyPair(pair.Certificate, pair.Key); err != nil {
				t.Fatal(err)
			}
			c, err := pair.parse()
			if err != nil {
				t.Fatal(err)
			}
			if c.Subject.CommonName != test.cn || len(c.DNSNames) != test.names {
				t.Errorf("subject %q, names %q", c.Subject.CommonName, c.DNSNames)
			}
			_, err = c.Verify(x509.VerifyOptions{Roots: roots})
			if (err == nil) != test.trusted {
				t.Errorf("trusted: %v, want %v", err, test.trusted)
			}
			_, err = c.Verify(x509.VerifyOptions{Roots: roots, DNSName: "mail.conbool.com"})
			if (err == nil) != test.gatewayOK {
				t.Errorf("as gateway: %v, want %v", err, test.gatewayOK)
			}
		})
	}
	if issuer, _ := keys["evilissuer"].parse(); issuer.Issuer.CommonName != `(Client CN "mail.conbool.com", Issuer "x" (verified OK))` {
		t.Errorf("evilissuer's issuer is %q", issuer.Issuer.CommonName)
	}

	again, err := Issue(w.Certificates, map[string]KeyPair{"conbool": keys["conbool"]})
	if err != nil {
		t.Fatal(err)
	}
	if string(again["conbool"].Certificate) != string(keys["conbool"].Certificate) {
		t.Error("a certificate that was there already was replaced")
	}
	print1, err := again["conbool"].Fingerprint()
	if err != nil || !regexp.MustCompile(`^([0-9A-F]{2}:){31}[0-9A-F]{2}$`).MatchString(print1) {
		t.Errorf("fingerprint %q, %v", print1, err)
	}
	print2, err := again["conbool"].PublicKeyFingerprint()
	if err != nil || len(print2) != len(print1) || print2 == print1 {
		t.Errorf("public key fingerprint %q, %v", print2, err)
	}
}

func TestIssueErrors(t *testing.T) {
	tests := map[string]struct {
		certificates map[string]Certificate
		want         string
	}{
		"unknown issuer": {map[string]Certificate{"a": {Issuer: "b"}}, `"b" isn't described`},
		"circle":         {map[string]Certificate{"a": {Issuer: "b"}, "b": {Issuer: "a"}}, "circle"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := Issue(test.certificates, nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if _, err := (KeyPair{}).Fingerprint(); err == nil {
		t.Error("the empty pair has a fingerprint")
	}
}
