package durability_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// call is what a call of a step gave.
type call struct {
	resumed bool
	drift   []string
	err     error // of which errors.Is finds it
}

// calls are the steps of a version of a function, each called whatever the one before gave.
type calls []func(*kontinue.ExecutionContext) call

func script(name, command string, change ...func(*kontinue.ScriptOptions)) func(*kontinue.ExecutionContext) call {
	return func(ktx *kontinue.ExecutionContext) call {
		opts := simtest.Script(name, command)
		for _, f := range change {
			f(opts)
		}
		r, err := kontinue.RunScript(ktx, opts)
		if err != nil {
			return call{err: err}
		}
		return call{resumed: r.Resumed(), drift: r.Drift()}
	}
}

func job(name, command string) func(*kontinue.ExecutionContext) call {
	return func(ktx *kontinue.ExecutionContext) call {
		container := corev1.Container{Name: "script", Image: "alpine:3", Command: []string{"/bin/sh", "-c", command}}
		r, err := kontinue.RunJob(ktx, &kontinue.JobOptions{
			StepOptions: kontinue.StepOptions{Name: name},
			Spec:        batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{container}}}},
		})
		if err != nil {
			return call{err: err}
		}
		return call{resumed: r.Resumed(), drift: r.Drift()}
	}
}

// TestChangedFunction resumes an Execution with another version of its function:
// docs/durability.md has a line for each case.
func TestChangedFunction(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before, after calls
		want          []call // of after
		jobs          map[string]int
	}{
		"step added": {
			calls{script("a", "1"), script("c", "3")},
			calls{script("a", "1"), script("b", "2"), script("c", "3")},
			[]call{{resumed: true}, {}, {resumed: true}},
			map[string]int{"a": 1, "b": 1, "c": 1},
		},
		"step removed": {
			calls{script("a", "1"), script("b", "2")}, calls{script("a", "1")},
			[]call{{resumed: true}}, map[string]int{"a": 1, "b": 1},
		},
		"step renamed": {
			calls{script("a", "1")}, calls{script("b", "1")},
			[]call{{}}, map[string]int{"a": 1, "b": 1},
		},
		"name used for another step": {
			calls{script("a", "1")}, calls{script("a", "2")},
			[]call{{resumed: true, drift: []string{"template.spec.containers[0].command: changed"}}}, map[string]int{"a": 1},
		},
		"options that are no part of the spec": {
			calls{script("a", "1")},
			calls{script("a", "1", func(o *kontinue.ScriptOptions) {
				o.Timeout, o.Until, o.Retry = time.Hour, kontinue.UntilJob, kontinue.Retry{Limit: 3}
				o.DisplayName, o.ExtraLabels, o.ExtraAnnotations = "A", map[string]string{"team": "x"}, map[string]string{"team": "x"}
			})},
			[]call{{resumed: true}}, map[string]int{"a": 1},
		},
		"unnamed step added behind the others": {
			calls{script("", "1")}, calls{script("", "1"), script("", "2")},
			[]call{{resumed: true}, {}}, map[string]int{"step-1": 1, "step-2": 1},
		},
		"unnamed step added before another": {
			calls{script("", "1")}, calls{script("", "2")},
			[]call{{err: kontinue.ErrSpecDrift}}, map[string]int{"step-1": 1},
		},
		"unnamed step with the same spec added before another": {
			calls{script("", "1")}, calls{script("", "1"), script("", "1")},
			[]call{{resumed: true}, {}}, map[string]int{"step-1": 1, "step-2": 1},
		},
		"from RunScript to RunJob": {
			calls{script("a", "1")}, calls{job("a", "1")},
			[]call{{resumed: true, drift: []string{"backoffLimit: 0 -> unset (removed, or added by the cluster)"}}}, map[string]int{"a": 1},
		},
		"from RunJob to RunScript": {
			calls{job("a", "1")}, calls{script("a", "1")},
			[]call{{resumed: true, drift: []string{"backoffLimit: 6 -> 0", "podReplacementPolicy: TerminatingOrFailed -> Failed"}}}, map[string]int{"a": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Run: 10 * time.Second})
				first := w.Worker()
				time.AfterFunc(time.Duration(len(tc.before))*10*time.Second-5*time.Second, first.Kill) // in the last step
				ktx := first.ExecutionContext()
				for _, step := range tc.before {
					step(ktx)
				}
				ktx = w.Worker().ExecutionContext()
				for i, step := range tc.after {
					got := step(ktx)
					require.ErrorIs(w, got.err, tc.want[i].err, "step %d", i)
					require.Equal(w, tc.want[i].resumed, got.resumed, "step %d", i)
					require.Equal(w, tc.want[i].drift, got.drift, "step %d", i)
				}
				w.Sleep(time.Minute)
				found := map[string]int{}
				for step, all := range w.Jobs() {
					found[step] = len(all)
					for _, job := range all {
						require.Equal(w, int32(1), job.Status.Succeeded, "step %s is neither stopped nor run again", step)
					}
				}
				require.Equal(w, tc.jobs, found)
			})
		})
	}
}
