package cluster

import (
	"encoding/csv"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
)

func TestTokenFile(t *testing.T) {
	t.Parallel()
	tokens := newTokens()
	require.Len(t, tokens, len(userGroups))
	records, err := csv.NewReader(strings.NewReader(string(tokenFile(tokens)))).ReadAll()
	require.NoError(t, err)
	require.Len(t, records, len(userGroups))
	seen := map[string]bool{}
	for _, record := range records { // token, user, uid, groups
		require.Equal(t, tokens[User(record[1])], record[0])
		require.Equal(t, userGroups[User(record[1])], record[3])
		require.Len(t, record[0], 32)
		require.False(t, seen[record[0]], "two users share a token")
		seen[record[0]] = true
	}
}

func TestWriteKubeconfig(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, writeKubeconfig(path, "https://127.0.0.1:1", "c", []byte("ca"), Worker, "token"))
	config, err := clientcmd.BuildConfigFromFlags("", path)
	require.NoError(t, err)
	require.Equal(t, "https://127.0.0.1:1", config.Host)
	require.Equal(t, "token", config.BearerToken)
	require.Equal(t, []byte("ca"), config.CAData)
}
