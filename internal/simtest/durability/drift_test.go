package durability_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// resumers are the two ways in which a worker finds the Job of a dead worker: in
// its cache, or because the create fails with AlreadyExists.
var resumers = map[string]func(w *simtest.World, first func()) *simtest.Worker{
	"cached": func(w *simtest.World, first func()) *simtest.Worker {
		first()
		return w.Worker()
	},
	"not cached": func(w *simtest.World, first func()) *simtest.Worker {
		second := w.Worker()
		w.Cluster.APIServer().StallWatches(apiserver.WatchMatch{User: second.User})
		first()
		return second
	},
}

// eachResumer runs the test with each resumer, on the Job of a worker that was
// killed while the Job was running and on that of one killed afterwards.
func eachResumer(t *testing.T, test func(w *simtest.World, resume func(first func(ktx *kontinue.ExecutionContext)) *simtest.Worker)) {
	t.Helper()
	for name, resumer := range resumers {
		for state, lives := range map[string]time.Duration{"running": 5 * time.Second, "ended": time.Minute} {
			t.Run(state+" and "+name, func(t *testing.T) {
				t.Parallel()
				simtest.Run(t, func(w *simtest.World) {
					w.Cluster.On(containers.Match{}, containers.Script{Run: 10 * time.Second})
					test(w, func(first func(ktx *kontinue.ExecutionContext)) *simtest.Worker {
						return resumer(w, func() {
							p := w.Worker()
							time.AfterFunc(lives, p.Kill)
							first(p.ExecutionContext())
							w.Sleep(time.Minute)
						})
					})
				})
			})
		}
	}
}

// deploy returns a step whose second version has another spec.
func deploy(version, name string) *kontinue.PodOptions {
	container := corev1.Container{
		Name: "main", Image: "deploy:" + version,
		Env:  []corev1.EnvVar{{Name: "TOKEN", Value: "secret-" + version}},
		Args: []string{"--password=" + version},
	}
	spec := corev1.PodSpec{Containers: []corev1.Container{container}}
	if version == "v2" {
		spec.Containers = append(spec.Containers, corev1.Container{Name: "proxy", Image: "proxy:1"})
	}
	return &kontinue.PodOptions{StepOptions: kontinue.StepOptions{Name: name}, Spec: spec}
}

var deployDrift = []string{
	"template.spec.containers[0].args: changed",
	"template.spec.containers[0].env[TOKEN].value: changed",
	"template.spec.containers[0].image: deploy:v1 -> deploy:v2",
	"template.spec.containers[proxy]: unset -> set",
}

func TestDriftOfANamedStepIsInTheResult(t *testing.T) {
	t.Parallel()
	eachResumer(t, func(w *simtest.World, resume func(func(*kontinue.ExecutionContext)) *simtest.Worker) {
		p := resume(func(ktx *kontinue.ExecutionContext) { _, _ = kontinue.RunPod(ktx, deploy("v1", "deploy")) })
		r, err := kontinue.RunPod(p.ExecutionContext(), deploy("v2", "deploy"))
		require.NoError(w, err)
		require.True(w, r.Resumed())
		require.Equal(w, deployDrift, r.Drift())
		w.RequireRanOnce(map[string]int{"deploy": 1})
	})
}

func TestDriftOfAnUnnamedStepIsRefused(t *testing.T) {
	t.Parallel()
	eachResumer(t, func(w *simtest.World, resume func(func(*kontinue.ExecutionContext)) *simtest.Worker) {
		p := resume(func(ktx *kontinue.ExecutionContext) { _, _ = kontinue.RunPod(ktx, deploy("v1", "")) })
		_, err := kontinue.RunPod(p.ExecutionContext(), deploy("v2", ""))
		require.ErrorIs(w, err, kontinue.ErrSpecDrift)
		require.ErrorContains(w, err, `step "step-1" of execution ns/release: job was created from another spec: job ns/release-step-1-`)
		for _, line := range deployDrift {
			require.ErrorContains(w, err, "\n\t"+line)
		}
		require.NotContains(w, err.Error(), "secret")
		require.NotContains(w, err.Error(), "password")
		w.RequireRanOnce(map[string]int{"step-1": 1})
	})
}

func TestReorderedFunction(t *testing.T) {
	t.Parallel()
	build, test := simtest.Script("", "make"), simtest.Script("", "make test")
	t.Run("unnamed steps", func(t *testing.T) {
		t.Parallel()
		eachResumer(t, func(w *simtest.World, resume func(func(*kontinue.ExecutionContext)) *simtest.Worker) {
			p := resume(func(ktx *kontinue.ExecutionContext) {
				_, _ = kontinue.RunScript(ktx, build)
				_, _ = kontinue.RunScript(ktx, test)
			})
			// The function has lost its first step, so its second is step-1 now.
			_, err := kontinue.RunScript(p.ExecutionContext(), test)
			require.ErrorIs(w, err, kontinue.ErrSpecDrift)
			require.ErrorContains(w, err, "give each step a StepOptions.Name")
			require.Len(w, w.Jobs()["step-1"], 1)
		})
	})
	t.Run("named steps", func(t *testing.T) {
		t.Parallel()
		eachResumer(t, func(w *simtest.World, resume func(func(*kontinue.ExecutionContext)) *simtest.Worker) {
			build, test := simtest.Script("build", "make"), simtest.Script("test", "make test")
			p := resume(func(ktx *kontinue.ExecutionContext) {
				_, _ = kontinue.RunScript(ktx, build)
				_, _ = kontinue.RunScript(ktx, test)
			})
			ktx := p.ExecutionContext()
			for _, step := range []*kontinue.ScriptOptions{test, build} {
				r, err := kontinue.RunScript(ktx, step)
				require.NoError(w, err)
				require.True(w, r.Succeeded())
				require.Empty(w, r.Drift())
			}
			w.RequireRanOnce(map[string]int{"build": 1, "test": 1})
		})
	})
}

// TestWhatAdmissionChangedIsNoDrift resumes a step whose Job was changed by
// admission webhooks, such as those of service meshes and policies.
func TestWhatAdmissionChangedIsNoDrift(t *testing.T) {
	t.Parallel()
	eachResumer(t, func(w *simtest.World, resume func(func(*kontinue.ExecutionContext)) *simtest.Worker) {
		w.Cluster.APIServer().AddAdmission(func(_ context.Context, a *apiserver.Attributes) error {
			job, ok := a.Object.(*batchv1.Job)
			if !ok || a.Verb != "create" {
				return nil
			}
			spec := &job.Spec.Template.Spec
			spec.InitContainers = append(spec.InitContainers, corev1.Container{Name: "mesh", Image: "mesh:1"})
			spec.Containers[0].Image = "mirror.test/" + spec.Containers[0].Image
			spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
			spec.Tolerations = append(spec.Tolerations, corev1.Toleration{Key: "batch", Operator: corev1.TolerationOpExists})
			job.Spec.Template.Annotations = map[string]string{"mesh.test/injected": "true"}
			job.Spec.TTLSecondsAfterFinished = new(int32(86400))
			job.Spec.ActiveDeadlineSeconds = new(int64(3600))
			return nil
		})
		p := resume(func(ktx *kontinue.ExecutionContext) {
			_, _ = kontinue.RunPod(ktx, deploy("v1", ""))
			_, _ = kontinue.RunPod(ktx, deploy("v1", "named"))
		})
		ktx := p.ExecutionContext()
		for _, name := range []string{"", "named"} {
			r, err := kontinue.RunPod(ktx, deploy("v1", name))
			require.NoError(w, err)
			require.True(w, r.Succeeded(), r.Message)
			require.Empty(w, r.Drift())
		}
		w.RequireRanOnce(map[string]int{"step-1": 1, "named": 1})
	})
}

// TestRetryRunsTheNewSpec: a retry creates the Job from the function's current
// spec, and that is no drift.
func TestRetryRunsTheNewSpec(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "deploy"} {
		simtest.Run(t, func(w *simtest.World) {
			w.Cluster.On(containers.Match{Image: "deploy:v1"}, containers.Script{Exit: containers.Exit{Code: 1}})
			w.Execution.ChildPolicy = kontinue.ChildPolicyRetryFailed
			r, err := kontinue.RunPod(w.Worker().ExecutionContext(), deploy("v1", name))
			require.NoError(t, err)
			require.False(t, r.Succeeded())
			w.Execution.Attempts = 1
			for range 2 { // and once more after a restart
				r, err = kontinue.RunPod(w.Worker().ExecutionContext(), deploy("v2", name))
				require.NoError(t, err)
				require.True(t, r.Succeeded())
				require.Empty(t, r.Drift())
			}
		})
	}
}
