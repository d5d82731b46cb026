package listwatch_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/listwatch"
)

func TestSilentWatchIsClosed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		query  string
		closed bool
	}{
		"watch":     {"?watch=true", true},
		"watch = 1": {"?watch=1", true},
		"list":      {"?limit=1", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				reader, writer := io.Pipe()
				rt := listwatch.CloseIdle(time.Minute)(transportFunc(func(*http.Request) (*http.Response, error) {
					return &http.Response{Body: reader}, nil
				}))
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://api/pods"+tc.query, nil)
				require.NoError(t, err)
				resp, err := rt.RoundTrip(req)
				require.NoError(t, err)
				ended := drain(resp.Body)
				for range 5 { // data every 50 s keeps it open
					pass(50 * time.Second)
					_, err := io.WriteString(writer, "bookmark")
					require.NoError(t, err)
				}
				synctest.Wait()
				require.Empty(t, ended)
				pass(61 * time.Second)
				synctest.Wait()
				require.Equal(t, tc.closed, len(ended) == 1)
				require.NoError(t, resp.Body.Close())
				_, err = io.Copy(writer, strings.NewReader("late"))
				require.ErrorIs(t, err, io.ErrClosedPipe)
				if err = <-ended; tc.closed {
					require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				}
			})
		})
	}
}

// TestWatchWithoutHeadersIsEnded: a proxy has accepted the request but does not respond.
func TestWatchWithoutHeadersIsEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := listwatch.CloseIdle(time.Minute)(transportFunc(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://api/pods?watch=true", nil)
		require.NoError(t, err)
		began := time.Now()
		resp, err := rt.RoundTrip(req)
		require.ErrorContains(t, err, "nothing came from the API server")
		require.Nil(t, resp)
		require.Equal(t, 30*time.Second, time.Since(began))
	})
}
