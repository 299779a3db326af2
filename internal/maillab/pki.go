package maillab

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// KeyPair is an issued certificate and its private key, in PEM.
type KeyPair struct {
	Certificate, Key []byte
}

// Fingerprint is the SHA-256 fingerprint of the certificate in the form of
// Postfix's check_ccert_access (TLS_README): upper-case hex pairs with colons.
func (k KeyPair) Fingerprint() (string, error) {
	c, err := k.parse()
	if err != nil {
		return "", err
	}
	return fingerprint(c.Raw), nil
}

// PublicKeyFingerprint is the SHA-256 fingerprint of the certificate's public
// key (its SubjectPublicKeyInfo) in the same form.
func (k KeyPair) PublicKeyFingerprint() (string, error) {
	c, err := k.parse()
	if err != nil {
		return "", err
	}
	return fingerprint(c.RawSubjectPublicKeyInfo), nil
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}

func (k KeyPair) parse() (*x509.Certificate, error) {
	block, _ := pem.Decode(k.Certificate)
	if block == nil {
		return nil, fmt.Errorf("no PEM certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

func (k KeyPair) signer() (crypto.Signer, error) {
	block, _ := pem.Decode(k.Key)
	if block == nil {
		return nil, fmt.Errorf("no PEM key")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	return key.(crypto.Signer), nil
}

// Issue makes the certificates, with new keys. Those that have holds already
// are kept as they are. It fails on an issuer that isn't in the map or that is
// issued, in the end, by itself.
func Issue(certificates map[string]Certificate, have map[string]KeyPair) (map[string]KeyPair, error) {
	keys := make(map[string]KeyPair, len(certificates))
	for name, pair := range have {
		keys[name] = pair
	}
	var issue func(name string, depth int) (KeyPair, error)
	issue = func(name string, depth int) (KeyPair, error) {
		if pair, ok := keys[name]; ok {
			return pair, nil
		}
		c, ok := certificates[name]
		switch {
		case !ok:
			return KeyPair{}, fmt.Errorf("certificate %q isn't described", name)
		case depth > len(certificates):
			return KeyPair{}, fmt.Errorf("certificate %q: its issuers form a circle", name)
		}
		var issuer *KeyPair
		if c.Issuer != "" {
			by, err := issue(c.Issuer, depth+1)
			if err != nil {
				return KeyPair{}, err
			}
			issuer = &by
		}
		pair, err := c.issue(issuer)
		if err != nil {
			return KeyPair{}, fmt.Errorf("certificate %q: %w", name, err)
		}
		keys[name] = pair
		return pair, nil
	}
	for name := range certificates {
		if _, err := issue(name, 0); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// issue makes one certificate, signed by the issuer or, without one, by its own
// key.
func (c Certificate) issue(issuer *KeyPair) (KeyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return KeyPair{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return KeyPair{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: c.CommonName},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.AddDate(0, 0, 30),
		DNSNames:              c.Names,
		BasicConstraintsValid: true,
		IsCA:                  c.Authority,
		KeyUsage:              x509.KeyUsageDigitalSignature,
	}
	if c.Organization != "" {
		template.Subject.Organization = []string{c.Organization}
	}
	if c.Authority {
		template.KeyUsage |= x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	} else {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	if c.Expired {
		template.NotBefore = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
		template.NotAfter = template.NotBefore.AddDate(0, 0, 1)
	}
	parent, signer := template, crypto.Signer(key)
	if issuer != nil {
		if parent, err = issuer.parse(); err != nil {
			return KeyPair{}, err
		}
		if signer, err = issuer.signer(); err != nil {
			return KeyPair{}, err
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return KeyPair{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return KeyPair{}, err
	}
	return KeyPair{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
	}, nil
}
