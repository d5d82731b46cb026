package kontinue_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue"
)

// TestRequestsOfARESTConfig: requests accept protobuf and no compression, unless the
// user has set a content type.
func TestRequestsOfARESTConfig(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		content rest.ContentConfig
		accept  string
	}{
		"default":  {accept: "application/vnd.kubernetes.protobuf,application/json"},
		"the user": {rest.ContentConfig{ContentType: "application/json"}, "application/json, */*"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var accept, encoding atomic.Value
			// With TLS, as every API server: without it client-go uses the default transport.
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				accept.Store(r.Header.Get("Accept"))
				encoding.Store(r.Header.Get("Accept-Encoding"))
				w.WriteHeader(http.StatusForbidden)
			}))
			t.Cleanup(server.Close)
			given := &rest.Config{Host: server.URL, ContentConfig: tc.content, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
			before := rest.CopyConfig(given)
			client, err := kontinue.New(kontinue.Config{RESTConfig: given, Namespace: "ns", StartTimeout: time.Minute})
			require.NoError(t, err)
			require.Error(t, client.Start(t.Context()))
			require.Equal(t, tc.accept, accept.Load())
			require.Empty(t, encoding.Load())
			require.Equal(t, before, given, "the client works on a copy")
		})
	}
}
