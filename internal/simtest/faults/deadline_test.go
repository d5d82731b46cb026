package faults_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// timed is a step of one container with a timeout.
func timed(timeout time.Duration) *kontinue.ScriptOptions {
	opts := simtest.Script("a", "true")
	opts.Timeout = timeout
	return opts
}

// patchJob sends a merge patch of the step's Job, as a person would.
func patchJob(w *simtest.World, patch string) {
	w.Helper()
	job := w.Jobs()["a"][0]
	_, err := w.Admin().BatchV1().Jobs("ns").Patch(w.Context(), job.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	require.NoError(w, err)
}

// TestJobEndsInTimeAndNobodySeesIt: the Job completes at 31 s of its minute, and the
// worker is cut off until long after the deadline. The deadline has passed, and the
// Job has not run into it.
func TestJobEndsInTimeAndNobodySeesIt(t *testing.T) {
	t.Parallel()
	for name, cutOff := range map[string]func(w *simtest.World, user string){
		"silent watches": func(w *simtest.World, user string) {
			w.Cluster.APIServer().StallWatches(apiserver.WatchMatch{User: user})
		},
		"no API server": func(w *simtest.World, user string) {
			end := simtest.Trouble{Faults: []apiserver.Fault{{Before: simtest.ErrRefused}}, Cut: true}.Begin(w, user)
			time.AfterFunc(5*time.Minute, end)
		},
		"no answers": func(w *simtest.World, user string) {
			end := simtest.Trouble{Faults: []apiserver.Fault{{Delay: time.Hour}}, Cut: true}.Begin(w, user)
			time.AfterFunc(20*time.Minute, end)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: 30 * time.Second})
				p := w.Worker()
				time.AfterFunc(20*time.Second, func() { cutOff(w, p.User) })
				r, err := kontinue.RunScript(p.ExecutionContext(), timed(time.Minute))
				require.NoError(t, err)
				require.NoError(t, r.Err())
				w.RequireRanOnce(map[string]int{"a": 1})
			})
		})
	}
}

// TestPodsTakeTheirGracePeriod: a container cleans up for four of the ten minutes that
// its pod grants. The deadline of the Job, or Cancel, is the cause of its end, and its
// exit code is in the result.
func TestPodsTakeTheirGracePeriod(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		timeout time.Duration
		cancel  time.Duration
		want    error
	}{
		"timeout":                        {timeout: 10 * time.Second, want: kontinue.ErrDeadlineExceeded},
		"cancel":                         {cancel: 10 * time.Second, want: kontinue.ErrCanceled},
		"cancel of an old job":           {cancel: 30 * time.Hour, want: kontinue.ErrCanceled},
		"cancel of a job with a timeout": {timeout: time.Hour, cancel: 40 * time.Minute, want: kontinue.ErrCanceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: 48 * time.Hour, TermDelay: 4 * time.Minute, TermCode: 3})
				p := w.Worker()
				if tc.cancel > 0 {
					time.AfterFunc(tc.cancel, func() {
						require.NoError(w, p.Client.Cancel(w.Context(), w.Execution))
					})
				}
				r, err := kontinue.RunPod(p.ExecutionContext(), &kontinue.PodOptions{
					StepOptions: kontinue.StepOptions{Name: "a", Timeout: tc.timeout},
					Spec: corev1.PodSpec{
						TerminationGracePeriodSeconds: new(int64(600)),
						Containers:                    []corev1.Container{{Name: "main", Image: "alpine:3"}},
					},
				})
				require.NoError(t, err)
				require.ErrorIs(t, r.Err(), tc.want)
				if tc.cancel > 0 {
					require.NotErrorIs(t, r.Err(), kontinue.ErrDeadlineExceeded)
				}
				require.Equal(t, int32(3), simtest.ExitCode(r))
			})
		})
	}
}

// TestDeadlineOfARunningJobIsChanged: whoever changes activeDeadlineSeconds of a
// running Job has given it that time.
func TestDeadlineOfARunningJobIsChanged(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		patch string
		cut   bool // the watches are cut meanwhile, and open again without the events
		late  bool
	}{
		"raised":                 {patch: `{"spec":{"activeDeadlineSeconds":7200}}`},
		"raised in an outage":    {patch: `{"spec":{"activeDeadlineSeconds":7200}}`, cut: true},
		"removed":                {patch: `{"spec":{"activeDeadlineSeconds":null}}`},
		"removed in an outage":   {patch: `{"spec":{"activeDeadlineSeconds":null}}`, cut: true},
		"lowered":                {patch: `{"spec":{"activeDeadlineSeconds":40}}`, late: true},
		"lowered, and passed":    {patch: `{"spec":{"activeDeadlineSeconds":1}}`, late: true},
		"raised, and not enough": {patch: `{"spec":{"activeDeadlineSeconds":600}}`, late: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: 30 * time.Minute})
				p := w.Worker()
				time.AfterFunc(30*time.Second, func() {
					end := func() {}
					if tc.cut {
						end = simtest.Troubles["unreachable"].Begin(w, p.User)
					}
					patchJob(w, tc.patch)
					w.Sleep(time.Second)
					w.Cluster.APIServer().CompactHistory()
					end()
				})
				r, err := kontinue.RunScript(p.ExecutionContext(), timed(time.Minute))
				require.NoError(t, err)
				if tc.late {
					require.ErrorIs(t, r.Err(), kontinue.ErrDeadlineExceeded)
				} else {
					require.NoError(t, r.Err())
				}
			})
		})
	}
}

// TestSuspensionResetsTheDeadline: the deadline counts from the last start. In one case
// the worker sees neither the suspension nor the resumption.
func TestSuspensionResetsTheDeadline(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]bool{"seen": false, "not seen": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: 50 * time.Second})
				p := w.Worker()
				time.AfterFunc(30*time.Second, func() {
					end := func() {}
					if cut {
						end = simtest.Troubles["unreachable"].Begin(w, p.User)
					}
					patchJob(w, `{"spec":{"suspend":true}}`)
					w.Sleep(129 * time.Second)
					patchJob(w, `{"spec":{"suspend":false}}`)
					w.Sleep(2 * time.Second)
					w.Cluster.APIServer().CompactHistory()
					end()
				})
				r, err := kontinue.RunScript(p.ExecutionContext(), timed(time.Minute))
				require.NoError(t, err)
				require.NoError(t, r.Err())
			})
		})
	}
}

// TestOverdueCountsFromTheStart: the node of a Job is dead, so that nothing ends it. A
// worker that resumes late must not wait for another timeout, whenever it does.
func TestOverdueCountsFromTheStart(t *testing.T) {
	t.Parallel()
	const timeout = 6 * time.Hour
	for name, pause := range map[string]time.Duration{
		"at once":            0,
		"4 h late":           4 * time.Hour,
		"after the deadline": 7 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: 24 * time.Hour})
				p := w.Worker()
				began := time.Now()
				time.AfterFunc(time.Minute, func() {
					require.NoError(w, w.Cluster.KillNode(w.Context(), "node-1"))
					p.Kill()
				})
				_, err := kontinue.RunScript(p.ExecutionContext(), timed(timeout))
				require.ErrorIs(t, err, simtest.ErrKilled)
				w.Sleep(pause)
				resumed := time.Now()
				ctx, cancel := context.WithTimeout(w.Context(), 48*time.Hour)
				defer cancel()
				second := w.Worker()
				x := w.Execution
				x.Resumptions = 1
				ktx, err := second.Client.NewExecutionContext(ctx, x)
				require.NoError(t, err)
				_, err = kontinue.RunScript(ktx, timed(timeout))
				require.ErrorIs(t, err, kontinue.ErrDeadlineExceeded)
				require.ErrorContains(t, err, "its node alive")
				over := began.Add(timeout)
				if resumed.After(over) {
					over = resumed
				}
				require.Less(t, time.Since(over), 5*time.Minute)
				require.GreaterOrEqual(t, time.Since(began), timeout+2*time.Minute)
				require.Equal(t, batchv1.JobFailureTarget, w.Jobs()["a"][0].Status.Conditions[0].Type)
			})
		})
	}
}
