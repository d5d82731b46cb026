package durability_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// ask returns what a client in another process, which is not started and has another worker
// group, says of the Execution: it sends one LIST and nothing else.
func ask(w *simtest.World) []kontinue.StepStatus {
	w.Helper()
	client, log := w.NewClient("asker", func(c *kontinue.Config) { c.Group = "another" })
	stats := w.Cluster.APIServer().Stats()
	before := stats.Count("asker", "", "")
	steps, err := client.Steps(w.Context(), w.Execution)
	require.NoError(w, err)
	stats = w.Cluster.APIServer().Stats()
	require.Equal(w, 1, stats.Count("asker", "", "")-before)
	require.Equal(w, stats.Count("asker", "", ""), stats.Count("asker", "list", "jobs"))
	require.Empty(w, log.Warnings())
	require.Zero(w, w.StopClient(client))
	return steps
}

// askFor returns the only run of the only step.
func askFor(w *simtest.World) kontinue.StepStatus {
	w.Helper()
	steps := ask(w)
	require.Len(w, steps, 1)
	return steps[0]
}

// runStep runs a step in the worker and sends its error.
func runStep(p *simtest.Worker, name string, change func(*kontinue.ScriptOptions)) <-chan error {
	options := simtest.Script(name, "true")
	if change != nil {
		change(options)
	}
	ktx, done := p.ExecutionContext(), make(chan error, 1)
	go func() {
		_, err := kontinue.RunScript(ktx, options)
		done <- err
	}()
	return done
}

// TestStepsOfAStepOnItsWay: each state, as another process and the worker's own client see
// it.
func TestStepsOfAStepOnItsWay(t *testing.T) {
	t.Parallel()
	simtest.RunReal(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{Step: "build"}, containers.Script{Unschedulable: time.Minute, Run: time.Hour})
		require.Empty(w, ask(w))
		p := w.Worker()
		began := time.Now().UTC()
		done := runStep(p, "build", func(o *kontinue.ScriptOptions) { o.DisplayName = "Build it" })

		w.Sleep(30 * time.Second)
		s := askFor(w)
		require.Equal(w, []string{"build", "Build it"}, []string{s.Name, s.DisplayName})
		require.Equal(w, kontinue.StepPending, s.State)
		require.WithinDuration(w, began, s.Times.Created, time.Second)
		require.Empty(w, s.Pods)
		require.False(w, s.Recorded)
		own, err := p.Client.Steps(w.Context(), w.Execution)
		require.NoError(w, err)
		require.Equal(w, kontinue.StepPending, own[0].State)
		require.Equal(w, "Unschedulable", own[0].Reason)
		require.Contains(w, own[0].Message, "Insufficient cpu")
		require.Equal(w, []string{w.Pods()[0].Name}, own[0].Pods, "this client watches the pod")

		w.Sleep(time.Minute)
		require.Equal(w, kontinue.StepRunning, askFor(w).State)
		own, err = p.Client.Steps(w.Context(), w.Execution)
		require.NoError(w, err)
		require.Equal(w, kontinue.StepRunning, own[0].State)
		require.Empty(w, own[0].Reason)
		require.WithinDuration(w, began.Add(time.Minute), own[0].Times.Started, 10*time.Second)
		require.Zero(w, own[0].Times.Ended)

		require.NoError(w, <-done)
		s = askFor(w)
		require.Equal(w, kontinue.StepSucceeded, s.State)
		require.True(w, s.Recorded)
		require.Equal(w, []string{w.Pods()[0].Name}, s.Pods)
		require.WithinDuration(w, began.Add(time.Hour+time.Minute), s.Times.Ended, 10*time.Second)
		require.Empty(w, s.Class)
		own, err = p.Client.Steps(w.Context(), w.Execution)
		require.NoError(w, err)
		require.Equal(w, []kontinue.StepStatus{s}, own)
	})
}

// TestStepsWhoseResultsAreRecorded: all that is left is the record, without pods and
// workers.
func TestStepsWhoseResultsAreRecorded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		script  containers.Script
		options func(*kontinue.ScriptOptions)
		cancel  bool
		want    kontinue.StepStatus // what is compared of it
		message string
	}{
		"succeeded": {want: kontinue.StepStatus{State: kontinue.StepSucceeded}},
		"failed": {
			script:  containers.Script{Exit: containers.Exit{Code: 3}},
			want:    kontinue.StepStatus{State: kontinue.StepFailed, Reason: "Error", Class: kontinue.ClassUser},
			message: `container "script" failed: exit code 3`,
		},
		"OOMKilled": {
			script:  containers.Script{Exit: containers.Exit{Code: 137, Reason: "OOMKilled"}},
			want:    kontinue.StepStatus{State: kontinue.StepFailed, Reason: "OOMKilled", Class: kontinue.ClassUser},
			message: "OOMKilled",
		},
		"given up": {
			script:  containers.Script{Unschedulable: containers.Forever},
			options: func(o *kontinue.ScriptOptions) { o.StartLimits = kontinue.StartLimits{"Unschedulable": time.Minute} },
			want:    kontinue.StepStatus{State: kontinue.StepFailed, Reason: "Unschedulable", Class: kontinue.ClassCapacity},
			message: "Insufficient cpu",
		},
		"timed out": {
			script:  containers.Script{Run: time.Hour},
			options: func(o *kontinue.ScriptOptions) { o.Timeout = time.Minute },
			want:    kontinue.StepStatus{State: kontinue.StepFailed, Reason: "DeadlineExceeded", Class: kontinue.ClassTimeout},
		},
		"canceled": {
			script: containers.Script{Run: time.Hour}, cancel: true,
			want: kontinue.StepStatus{State: kontinue.StepFailed, Reason: "DeadlineExceeded", Class: kontinue.ClassCanceled},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.RunReal(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{Step: "work"}, tc.script)
				p := w.Worker()
				done := runStep(p, "work", tc.options)
				if tc.cancel {
					w.Sleep(10 * time.Second)
					require.NoError(w, p.Client.Cancel(w.Context(), w.Execution))
				}
				require.NoError(w, <-done)
				w.StopClient(p.Client)
				w.Sleep(time.Minute)
				removePods(w)
				s := askFor(w)
				require.Equal(w, tc.want, kontinue.StepStatus{State: s.State, Reason: s.Reason, Class: s.Class})
				require.Contains(w, s.Message, tc.message)
				require.True(w, s.Recorded)
				require.Equal(w, w.Jobs()["work"][0].Name, s.Job)
				require.NotZero(w, s.Times.Ended)
				require.Len(w, s.Pods, 1)
			})
		})
	}
}

// removePods deletes all pods at once.
func removePods(w *simtest.World) {
	w.Helper()
	for _, pod := range w.Pods() {
		require.NoError(w, w.Cluster.ForceDeletePod(w.Context(), "ns", pod.Name))
	}
	require.Empty(w, w.Pods())
}

// TestStepsWithoutAWorker: how the steps ended is not recorded, and the Jobs alone say
// what became of them.
func TestStepsWithoutAWorker(t *testing.T) {
	t.Parallel()
	simtest.RunReal(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{Step: "good"}, containers.Script{Run: time.Minute})
		w.Cluster.On(containers.Match{Step: "bad"}, containers.Script{Run: time.Minute, Exit: containers.Exit{Code: 3}})
		p := w.Worker()
		names := []string{"good", "bad", "held"}
		for _, name := range names {
			ktx := p.ExecutionContext()
			go func() {
				_, _ = kontinue.RunJob(ktx, &kontinue.JobOptions{StepOptions: kontinue.StepOptions{Name: name}, Spec: batchv1.JobSpec{
					Suspend: new(name == "held"), BackoffLimit: new(int32(0)),
					Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "alpine:3"}}}},
				}})
			}()
			w.Sleep(2 * time.Second)
		}
		p.Kill()
		w.Sleep(10 * time.Minute)
		steps := ask(w)
		require.Len(w, steps, len(names))
		for i, want := range []kontinue.StepStatus{
			{Name: "good", State: kontinue.StepSucceeded},
			{Name: "bad", State: kontinue.StepFailed, Reason: "BackoffLimitExceeded", Class: kontinue.ClassUser},
			{Name: "held", State: kontinue.StepSuspended, Reason: "JobSuspended"},
		} {
			got := steps[i]
			require.Equal(w, want, kontinue.StepStatus{Name: got.Name, State: got.State, Reason: got.Reason, Class: got.Class})
			require.False(w, got.Recorded)
			require.Equal(w, want.State == kontinue.StepSuspended, got.Times.Ended.IsZero())
		}
	})
}

func firstAttempt(spec containers.Spec) bool {
	return spec.Pod.Annotations["kontinue.cloud/attempt"] == "0"
}

// TestStepsBeforeTheJobHasEnded: the client that watches the pod sees its end first, which
// is not that of a RunJob.
func TestStepsBeforeTheJobHasEnded(t *testing.T) {
	t.Parallel()
	simtest.RunReal(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{Step: "work"}, containers.Script{Run: time.Minute})
		p := w.Worker()
		ktx, done := p.ExecutionContext(), make(chan error, 1)
		go func() {
			_, err := kontinue.RunJob(ktx, &kontinue.JobOptions{StepOptions: kontinue.StepOptions{Name: "work"}, Spec: batchv1.JobSpec{
				BackoffLimit: new(int32(0)),
				Template:     corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "alpine:3"}}}},
			}})
			done <- err
		}()
		w.Sleep(time.Minute)
		between := 0
		for {
			w.Sleep(100 * time.Millisecond)
			own, err := p.Client.Steps(w.Context(), w.Execution)
			require.NoError(w, err)
			if len(w.Jobs()["work"][0].Status.Conditions) > 0 {
				break
			}
			require.Equal(w, kontinue.StepRunning, own[0].State)
			if w.Pods()[0].Status.Phase == corev1.PodSucceeded {
				between++
			}
		}
		require.NotZero(w, between)
		require.NoError(w, <-done)
	})
}

// TestStepsOfSeveralRuns: each run is an entry, the newest last, and steps come in the
// order in which they began.
func TestStepsOfSeveralRuns(t *testing.T) {
	t.Parallel()
	simtest.RunReal(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{Step: "zip", Where: firstAttempt}, containers.Script{Exit: containers.Exit{Code: 1}})
		w.Execution.ChildPolicy = kontinue.ChildPolicyRetryFailed
		p := w.Worker()
		for attempt := range 2 {
			w.Execution.Attempts = attempt
			ktx := p.ExecutionContext()
			for _, name := range []string{"zip", "build"} {
				_, err := kontinue.RunScript(ktx, simtest.Script(name, "true"))
				require.NoError(w, err)
			}
		}
		// A copy of a Job, with its labels, is no run.
		copied := w.Jobs()["zip"][0].DeepCopy()
		copied.ObjectMeta = metav1.ObjectMeta{Namespace: "ns", Name: "copy", Labels: copied.Labels, OwnerReferences: copied.OwnerReferences}
		copied.Spec.Selector, copied.Spec.Template.Labels = nil, nil
		_, err := w.Admin().BatchV1().Jobs("ns").Create(w.Context(), copied, metav1.CreateOptions{})
		require.NoError(w, err)

		var got []kontinue.StepStatus
		for _, s := range ask(w) {
			got = append(got, kontinue.StepStatus{Name: s.Name, Attempt: s.Attempt, Run: s.Run, State: s.State, Recorded: s.Recorded})
		}
		require.Equal(w, []kontinue.StepStatus{
			{Name: "zip", State: kontinue.StepFailed, Recorded: true},
			{Name: "zip", Attempt: 1, Run: 1, State: kontinue.StepSucceeded, Recorded: true},
			{Name: "build", State: kontinue.StepSucceeded, Recorded: true},
		}, got)
	})
}

// TestStepsAfterStop: and when its context has ended.
func TestStepsAfterStop(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		p := w.Worker()
		w.StopClient(p.Client)
		_, err := p.Client.Steps(context.Background(), w.Execution)
		require.ErrorIs(w, err, kontinue.ErrNotRunning)
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		client, _ := w.NewClient("asker", nil)
		_, err = client.Steps(ctx, w.Execution)
		require.ErrorIs(w, err, context.Canceled)
	})
}
