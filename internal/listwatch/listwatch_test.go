package listwatch_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue/internal/listwatch"
)

// TestStateFollowsTheRequests: an open watch ends a failure, but a list alone does not,
// and the end of the reflector is not a failure.
func TestStateFollowsTheRequests(t *testing.T) {
	t.Parallel()
	forbidden := apierrors.NewForbidden(schema.GroupResource{Group: "batch", Resource: "jobs"}, "", errors.New("no rule allows it"))
	var answer error
	changed := make(chan struct{}, 1)
	cfg := jobsOf(nil)
	cfg.Changed = changed
	cfg.List = func(context.Context, metav1.ListOptions) (runtime.Object, error) { return &batchv1.JobList{}, answer }
	cfg.Watch = func(context.Context, metav1.ListOptions) (watch.Interface, error) { return watch.NewFake(), answer }
	lw := listwatch.New(cfg)
	opened, failure := lw.State()
	require.False(t, opened)
	require.Nil(t, failure)
	require.Empty(t, changed)

	answer = forbidden
	_, err := lw.ListWithContext(t.Context(), metav1.ListOptions{})
	require.ErrorIs(t, err, forbidden)
	require.Len(t, changed, 1)
	_, failure = lw.State()
	require.True(t, failure.Denied())
	require.EqualError(t, failure, `list jobs in namespace "ns": `+forbidden.Error()+` (grant verb "list" on resource "jobs" in a Role of that namespace)`)

	answer = nil
	_, err = lw.ListWithContext(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Error(t, health(lw))
	_, err = lw.WatchWithContext(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	opened, failure = lw.State()
	require.True(t, opened)
	require.Nil(t, failure)

	answer = context.Canceled
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = lw.WatchWithContext(ctx, metav1.ListOptions{})
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, health(lw))
	require.True(t, lw.IsWatchListSemanticsUnSupported())
	require.False(t, (&listwatch.Error{Err: io.EOF}).Denied())
}
