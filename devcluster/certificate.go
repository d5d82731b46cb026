package devcluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Lifetimes of certificates, as of those made by kubeadm.
const (
	validity          = 365 * 24 * time.Hour
	authorityValidity = 10 * validity
)

// Types of the blocks of an encoded authority.
const (
	certificateBlock = "CERTIFICATE"
	keyBlock         = "EC PRIVATE KEY"
	tokenBlock       = "KONTINUE TOKEN"
)

// authority is what the endpoints of a cluster have in common: the certificate authority,
// and the token of their users.
type authority struct {
	token string
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := newTemplate(authorityValidity)
	if err != nil {
		return nil, err
	}
	template.Subject.CommonName = "kontinue development cluster"
	template.KeyUsage = x509.KeyUsageCertSign
	template.IsCA, template.MaxPathLenZero = true, true
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{token: rand.Text(), cert: cert, key: key}, err
}

// serving returns a new certificate for the host.
func (a *authority) serving(hostport string) (cert tls.Certificate, err error) {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return cert, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return cert, err
	}
	template, err := newTemplate(validity)
	if err != nil {
		return cert, err
	}
	template.Subject.CommonName = "kube-apiserver"
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.DNSNames = []string{"localhost"}
	template.IPAddresses = []net.IP{net.ParseIP(host), net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

func newTemplate(lifetime time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime),
		BasicConstraintsValid: true,
	}, err
}

// pem returns the certificate of the authority, for a kubeconfig.
func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: a.cert.Raw})
}

// encode returns the authority with its secrets.
func (a *authority) encode() ([]byte, error) {
	key, err := x509.MarshalECPrivateKey(a.key)
	out := a.pem()
	for _, block := range []*pem.Block{{Type: keyBlock, Bytes: key}, {Type: tokenBlock, Bytes: []byte(a.token)}} {
		out = append(out, pem.EncodeToMemory(block)...)
	}
	return out, err
}

// parseAuthority reads what encode has written.
func parseAuthority(content []byte) (*authority, error) {
	a := &authority{}
	var errs []error
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		var err error
		switch block.Type {
		case certificateBlock:
			a.cert, err = x509.ParseCertificate(block.Bytes)
		case keyBlock:
			a.key, err = x509.ParseECPrivateKey(block.Bytes)
		case tokenBlock:
			a.token = string(block.Bytes)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("the certificate authority is damaged: %w", err)
	}
	if a.cert == nil || a.key == nil || a.token == "" || !a.key.PublicKey.Equal(a.cert.PublicKey) {
		return nil, errors.New("the certificate authority is not complete")
	}
	return a, nil
}
