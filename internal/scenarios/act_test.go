package scenarios

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestEventually: a request without a response is sent again, and named if none has one.
// Another error ends the poll.
func TestEventually(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lost := &url.Error{Op: "Post", URL: "https://127.0.0.1", Err: errors.New("stream error")}
		wrong := errors.New("wrong")
		for _, tc := range []struct {
			answers []error
			want    []error
		}{
			{[]error{lost, nil}, nil},
			{[]error{lost, wrong}, []error{wrong}},
			{[]error{lost, lost, lost, lost, lost, lost, lost, lost, lost, lost, lost}, []error{context.DeadlineExceeded, lost}},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			n := -1
			err := eventually(ctx, func(context.Context) (bool, error) {
				n++
				return tc.answers[n] == nil, tc.answers[n]
			})
			cancel()
			require.Equal(t, tc.want == nil, err == nil)
			for _, want := range tc.want {
				require.ErrorIs(t, err, want)
			}
			require.Equal(t, len(tc.want) == 2, errors.Is(err, lost), "one that was sent again is not named")
		}
	})
}
