// Package pki generates the keys and certificates of a short-lived cluster: a
// certificate authority, and the certificates that it signs. With ECDSA keys this
// takes milliseconds.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// lifetime is longer than any test. The margin before now allows for clocks that are
// set back.
const (
	lifetime = 10 * 24 * time.Hour
	margin   = time.Hour
)

// Authority signs certificates.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// PEM is the authority's certificate.
	PEM []byte
}

// Certificate describes a certificate for servers at the given addresses and for a
// client with the given identity.
type Certificate struct {
	User   string   // common name: the Kubernetes user name
	Groups []string // organizations: the Kubernetes groups
	IPs    []net.IP
	Names  []string // DNS names
}

// NewAuthority returns a new certificate authority.
func NewAuthority(name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := template(pkix.Name{CommonName: name})
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &Authority{cert: cert, key: key, PEM: encode("CERTIFICATE", der)}, nil
}

// Issue returns a new key and a certificate for it, both as PEM.
func (a *Authority) Issue(c Certificate) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := template(pkix.Name{CommonName: c.User, Organization: c.Groups})
	template.IPAddresses, template.DNSNames = c.IPs, c.Names
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, private.Public(), a.key)
	if err != nil {
		return nil, nil, fmt.Errorf("sign certificate of %s: %w", c.User, err)
	}
	key, err = encodeKey(private)
	return encode("CERTIFICATE", der), key, err
}

// WriteFiles issues a certificate and writes it to BASE.crt and BASE.key.
func (a *Authority) WriteFiles(base string, c Certificate) error {
	cert, key, err := a.Issue(c)
	if err != nil {
		return err
	}
	if err := os.WriteFile(base+".crt", cert, 0o644); err != nil {
		return err
	}
	return os.WriteFile(base+".key", key, 0o600)
}

// NewKey returns a new private key for signing tokens, as PEM.
func NewKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return encodeKey(key)
}

func template(subject pkix.Name) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // crypto/rand.Reader never fails
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial, Subject: subject,
		NotBefore: now.Add(-margin), NotAfter: now.Add(lifetime),
	}
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return encode("EC PRIVATE KEY", der), nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
