package jobs_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/apicall"
	"github.com/kontinue/kontinue/jobs"
)

// TestUndecidedCreates: the call that creates a Job has ended, and it is not known yet
// whether the Job will exist.
func TestUndecidedCreates(t *testing.T) {
	t.Parallel()
	lost := func(d time.Duration) func(context.Context, string) error {
		return func(ctx context.Context, verb string) error {
			if verb != "create" {
				return nil
			}
			return errors.Join(pause(ctx, d), errEOF)
		}
	}
	for name, tc := range map[string]struct {
		there   func(context.Context, string) error // what comes before a create is carried out
		ends    time.Duration                       // of the context of the call
		want    time.Duration                       // until it is known; negative: when the call ends
		created bool
	}{
		"answered in time":   {there: takes("create", time.Second), ends: 10 * time.Second, want: -1, created: true},
		"held in admission":  {there: takes("create", 6*time.Second), ends: 2 * time.Second, want: 6 * time.Second, created: true},
		"no answer":          {there: takes("create", time.Hour), ends: 2 * time.Second, want: apicall.Timeout},
		"connection is lost": {there: lost(time.Second), ends: 1500 * time.Millisecond, want: time.Second + apicall.Timeout}, // it is sent again
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				client := jobs.NewClient(&slow{Interface: c, there: tc.there}, jobs.Options{})
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), tc.ends)
				defer cancel()
				_, err := acquire(ctx, client, request())
				execution := request().Execution.UID
				creates := client.Undecided(execution)
				if tc.want < 0 {
					require.NoError(t, err)
					require.Empty(t, creates)
					return
				}
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorContains(t, err, "a resume will find it")
				require.Equal(t, tc.ends, time.Since(began), "the call ends with its context")
				require.Len(t, creates, 1)
				require.Empty(t, client.Undecided("another"))
				short, end := context.WithTimeoutCause(t.Context(), time.Second, errors.New("no time"))
				defer end()
				require.ErrorContains(t, creates.Wait(short), "no time")
				require.NoError(t, creates.Wait(t.Context()))
				require.InDelta(t, tc.want.Seconds(), time.Since(began).Seconds(), 1)
				require.Empty(t, client.Undecided(execution))
				list, err := c.BatchV1().Jobs("ns").List(t.Context(), metav1.ListOptions{})
				require.NoError(t, err)
				require.Equal(t, tc.created, len(list.Items) == 1)
			})
		})
	}
}

// TestLostCreateIsFound: the same call finds out what has become of it.
func TestLostCreateIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, n := newCluster(), 0
		client := jobs.NewClient(&slow{Interface: c, back: func(_ context.Context, verb string) error {
			if n++; verb == "create" && n == 1 {
				return errEOF
			}
			return nil
		}}, jobs.Options{})
		_, err := acquire(t.Context(), client, request())
		require.NoError(t, err)
		require.Empty(t, client.Undecided(request().Execution.UID))
	})
}

// TestCloseAbandonsCreates: nothing is left of one that has no answer, and no other is
// sent.
func TestCloseAbandonsCreates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		client := jobs.NewClient(&slow{Interface: c, there: takes("create", time.Hour)}, jobs.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := acquire(ctx, client, request())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		began := time.Now()
		require.NoError(t, client.Close(t.Context()))
		require.Zero(t, time.Since(began))
		_, err = acquire(t.Context(), client, request())
		require.ErrorContains(t, err, "closed")
		require.Zero(t, c.count("create"))
	})
}
