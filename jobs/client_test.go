package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

var jobsResource = batchv1.SchemeGroupVersion.WithResource("jobs")

func TestGet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		job := live(t)
		c := newCluster(job)
		c.fail("get", errEOF, errTooMany)
		got, err := jobs.NewClient(c, jobs.Options{}).Get(t.Context(), "ns", job.Name)
		require.NoError(t, err)
		require.Equal(t, job.UID, got.UID)
		require.Equal(t, 3, c.count("get"))

		_, err = jobs.NewClient(c, jobs.Options{}).Get(t.Context(), "ns", "none")
		require.True(t, apierrors.IsNotFound(err), "%v", err)
		require.ErrorContains(t, err, "get jobs.batch ns/none")
		require.Equal(t, 4, c.count("get"), "not found is final")
	})
}

func TestList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mine := live(t)
		other := build(t, func(r *jobs.Request) { r.Step = "other" })
		c := newCluster(mine, other)
		c.fail("list", errTimeout)
		got, err := jobs.NewClient(c, jobs.Options{}).List(t.Context(), "ns", identity.ExecutionSelector("u-1")+","+identity.LabelStep+"=helm")
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Equal(t, mine.UID, got[0].UID)

		got, err = jobs.NewClient(c, jobs.Options{}).List(t.Context(), "ns", identity.ExecutionSelector("u-1"))
		require.NoError(t, err)
		require.Len(t, got, 2)

		c.fail("list", errRBAC)
		_, err = jobs.NewClient(c, jobs.Options{}).List(t.Context(), "ns", "")
		require.ErrorContains(t, err, "list jobs.batch ns: ")
	})
}

// TestListPages: the second page is requested, and a page that fails restarts the list.
func TestListPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		n := 0
		c.PrependReactor("list", "jobs", func(a ktesting.Action) (bool, runtime.Object, error) {
			n++
			options := a.(ktesting.ListActionImpl).ListOptions
			switch {
			case options.Continue == "":
				return true, &batchv1.JobList{ListMeta: metav1.ListMeta{Continue: "next"}, Items: []batchv1.Job{{ObjectMeta: metav1.ObjectMeta{Name: "a"}}}}, nil
			case n == 2:
				return true, nil, apierrors.NewResourceExpired("continue token expired")
			default:
				return true, &batchv1.JobList{Items: []batchv1.Job{{ObjectMeta: metav1.ObjectMeta{Name: "b"}}}}, nil
			}
		})
		got, err := jobs.NewClient(c, jobs.Options{}).List(t.Context(), "ns", "")
		require.NoError(t, err)
		require.Len(t, got, 2)
		require.Equal(t, []string{"a", "b"}, []string{got[0].Name, got[1].Name})
		require.Equal(t, 4, n)
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		job := live(t)
		c := newCluster(job)
		// As the API server does with the Foreground policy: the object stays.
		c.instead("delete", func() {
			time.AfterFunc(time.Minute, func() { _ = c.Tracker().Delete(jobsResource, "ns", job.Name) })
		})
		c.answer("delete", func(n int, a ktesting.Action) error {
			options := a.(ktesting.DeleteActionImpl).DeleteOptions
			require.Equal(t, metav1.DeletePropagationForeground, *options.PropagationPolicy)
			require.Equal(t, job.UID, *options.Preconditions.UID)
			if n == 1 {
				return errEOF
			}
			return nil
		})
		start := time.Now()
		require.NoError(t, jobs.NewClient(c, jobs.Options{}).Delete(t.Context(), "ns", job.Name, job.UID))
		require.GreaterOrEqual(t, time.Since(start), time.Minute, "it returns when the Job is gone")
		require.Equal(t, 2, c.count("delete"))
	})
}

func TestDeleteGone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		objects []runtime.Object
		answer  error
	}{
		"not there":               {nil, nil},
		"replaced, refused":       {[]runtime.Object{live(t)}, apierrors.NewConflict(resource, "j", errors.New("Precondition failed: UID in precondition: a, UID in object meta: b"))},
		"replaced under its name": {[]runtime.Object{live(t)}, errNotFound},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(tc.objects...)
			if tc.answer != nil {
				c.fail("delete", tc.answer)
			}
			require.NoError(t, jobs.NewClient(c, jobs.Options{}).Delete(t.Context(), "ns", build(t).Name, "another"), name)
			require.Equal(t, 1, c.count("delete"), name)
		})
	}
}

func TestDeleteFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		job := live(t)
		c := newCluster(job)
		c.fail("delete", errDenied)
		err := jobs.NewClient(c, jobs.Options{}).Delete(t.Context(), "ns", job.Name, job.UID)
		require.ErrorIs(t, err, errDenied)

		// A pod on a dead node keeps the Job forever, but the wait is bounded.
		c.instead("delete", func() {})
		start := time.Now()
		err = jobs.NewClient(c, jobs.Options{GoneFor: time.Minute}).Delete(t.Context(), "ns", job.Name, job.UID)
		require.ErrorContains(t, err, "still being deleted")
		require.LessOrEqual(t, time.Since(start), time.Minute)

		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("no time"))
		defer cancel()
		require.ErrorContains(t, jobs.NewClient(c, jobs.Options{}).Delete(ctx, "ns", job.Name, job.UID), "no time")
	})
}

// TestLogsNoSecrets: log lines contain no value of the spec.
func TestLogsNoSecrets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c := newCluster()
		c.fail("create", status(500, "InternalError", "webhook says: --token=hunter2"))
		request := changed(func(r *jobs.Request) { r.Spec.Template.Spec.Containers[0].Args = []string{"--token=hunter2"} })
		client := jobs.NewClient(c, jobs.Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		_, err := acquire(t.Context(), client, request)
		require.NoError(t, err)
		require.Contains(t, log.String(), "webhook says")
		require.NotContains(t, log.String(), "hunter2")
	})
}
