package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIssuedCertificateIsTrusted(t *testing.T) {
	t.Parallel()
	authority, err := NewAuthority("ca")
	require.NoError(t, err)
	base := filepath.Join(t.TempDir(), "server")
	require.NoError(t, authority.WriteFiles(base, Certificate{
		User: "user", Groups: []string{"group"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Names: []string{"name"},
	}))
	pair, err := tls.LoadX509KeyPair(base+".crt", base+".key")
	require.NoError(t, err)
	require.Equal(t, "user", pair.Leaf.Subject.CommonName)
	require.Equal(t, []string{"group"}, pair.Leaf.Subject.Organization)

	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(authority.PEM))
	for _, name := range []string{"127.0.0.1", "name"} {
		for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
			_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, KeyUsages: []x509.ExtKeyUsage{usage}})
			require.NoError(t, err)
		}
	}
	other, err := NewAuthority("ca")
	require.NoError(t, err)
	foreign := x509.NewCertPool()
	require.True(t, foreign.AppendCertsFromPEM(other.PEM))
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: foreign})
	require.Error(t, err)
}

func TestNewKey(t *testing.T) {
	t.Parallel()
	key, err := NewKey()
	require.NoError(t, err)
	block, rest := pem.Decode(key)
	require.Empty(t, rest)
	_, err = x509.ParseECPrivateKey(block.Bytes)
	require.NoError(t, err)
}
