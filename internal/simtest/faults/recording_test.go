package faults_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestOutageAtTheEnd: the API server goes when a Job has ended, before its pods are
// read or its outcome is recorded, and is away for half an hour. That is survived as
// in the middle of a wait.
func TestOutageAtTheEnd(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]apiserver.Fault{
		"recording, refused":      {Match: apiserver.Match{Verb: "patch"}, Before: simtest.ErrRefused},
		"recording, no answer":    {Match: apiserver.Match{Verb: "patch"}, Delay: time.Hour},
		"recording, overloaded":   {Match: apiserver.Match{Verb: "patch"}, Before: apierrors.NewTooManyRequests("busy", 1)},
		"recording, broken":       {Match: apiserver.Match{Verb: "patch"}, Before: apierrors.NewInternalError(errors.New("etcdserver: leader changed"))},
		"reading pods, refused":   {Match: apiserver.Match{Verb: "list", Resource: "pods"}, Before: simtest.ErrRefused},
		"reading pods, no answer": {Match: apiserver.Match{Verb: "list", Resource: "pods"}, Delay: time.Hour},
		"all, refused":            {Before: simtest.ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.APIServer().SetWatchHook(func(i apiserver.WatchInfo, e watch.Event) (bool, time.Duration) {
					pod := i.Resource == "pods" && strings.HasPrefix(name, "reading")
					return i.User != "worker" || !pod || e.Type == watch.Bookmark, 0
				})
				client, log, ended := startStep(w, "worker", 20*time.Minute)
				fault.User = "worker"
				undo := w.Cluster.APIServer().AddFault(fault)
				w.Sleep(40 * time.Minute)
				select {
				case err := <-ended:
					require.NoError(t, err)
					require.Fail(t, "it has ended in the outage")
				default:
				}
				require.NotEmpty(t, log.Warnings())
				undo()
				over := time.Now()
				require.NoError(t, <-ended)
				require.Less(t, time.Since(over), 150*time.Second, "the last request times out, and a pause follows")
				w.RequireRanOnce(map[string]int{"a": 1})
				require.Zero(t, w.StopClient(client))
			})
		})
	}
}

// TestEndOfTheWaitWhileItIsRecorded: the outage is survived as long as the context
// lives.
func TestEndOfTheWaitWhileItIsRecorded(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		p := w.Worker()
		w.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: p.User, Verb: "patch"}, Before: simtest.ErrRefused})
		time.AfterFunc(time.Hour, func() { p.Cancel(nil) })
		began := time.Now()
		_, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("a", "true"))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, simtest.ErrRefused)
		require.ErrorContains(t, err, "a resume finds it")
		require.Equal(t, time.Hour, time.Since(began))
		r, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("a", "true"))
		require.NoError(t, err)
		require.True(t, r.Resumed())
		w.RequireRanOnce(map[string]int{"a": 1})
	})
}

// TestRecordIsRefusedForGood: the error names the Job and what to correct, nothing runs
// twice, and the step has its result when that is done.
func TestRecordIsRefusedForGood(t *testing.T) {
	t.Parallel()
	forbidden := apierrors.NewForbidden(batchv1.Resource("jobs"), "release-a", errors.New("policy: jobs are immutable"))
	for name, tc := range map[string]struct {
		fault error
		blob  int // the size of a foreign annotation
		says  string
	}{
		"policy":             {fault: forbidden, says: "an admission rule of the cluster refuses it"},
		"request too large":  {fault: apierrors.NewRequestEntityTooLargeError("limit is 3145728"), says: "remove annotations"},
		"object too large":   {fault: apierrors.NewInternalError(errors.New("etcdserver: request is too large")), says: "remove annotations"},
		"foreign annotation": {blob: 261_900, says: "its annotation example.com/blob takes 261900 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute, Exit: containers.Exit{Code: 7}})
				var mend func()
				if tc.fault != nil {
					mend = w.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: "*", Verb: "patch"}, Before: tc.fault})
				} else {
					annotate := func(change func(map[string]string)) {
						job := w.Jobs()["a"][0]
						change(job.Annotations)
						_, err := w.Admin().BatchV1().Jobs("ns").Update(w.Context(), &job, metav1.UpdateOptions{})
						require.NoError(w, err)
					}
					time.AfterFunc(30*time.Second, func() {
						annotate(func(all map[string]string) { all["example.com/blob"] = strings.Repeat("x", tc.blob) })
					})
					mend = func() { annotate(func(all map[string]string) { delete(all, "example.com/blob") }) }
				}
				for range 3 { // a resume does not change it
					began, p := time.Now(), w.Worker()
					time.AfterFunc(time.Hour, p.Kill)
					_, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("a", "exit 7"))
					require.ErrorContains(t, err, "refuses to record its outcome")
					require.ErrorContains(t, err, "BackoffLimitExceeded", "it says how the Job has ended")
					require.ErrorContains(t, err, w.Jobs()["a"][0].Name)
					require.ErrorContains(t, err, tc.says)
					require.Less(t, time.Since(began), 2*time.Minute)
				}
				w.Execution.Attempts, w.Execution.ChildPolicy = 1, kontinue.ChildPolicyRetryFailed
				_, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("a", "exit 7"))
				require.ErrorContains(t, err, "refuses to record its outcome", "it was given to no attempt")
				mend()
				r, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("a", "exit 7"))
				require.NoError(t, err)
				require.Equal(t, int32(7), simtest.ExitCode(r))
				w.RequireRanOnce(map[string]int{"a": 1})
				// It belongs to the attempt that was given it: the next one runs the step again.
				w.Execution.Attempts = 2
				_, err = kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("a", "exit 7"))
				require.NoError(t, err)
				require.Len(t, w.Jobs()["a"], 2)
			})
		})
	}
}
