package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// ends returns scenarios about how much of a pod's end a step waits for, some of them with
// a container that the cluster injects into the pod before that of the step.
func ends() []*Scenario {
	mesh := container("mesh", hang)
	slow := with(container("mesh", "trap '' TERM; sleep 1000"), func(c *corev1.Container) {
		c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	})
	inject := func(c corev1.Container) func(ctx context.Context, r *Run) error {
		return func(ctx context.Context, r *Run) error { return r.inject(ctx, c) }
	}
	playBoth := func(code int32, mesh containers.Script) map[string]containers.Script {
		scripts := play(mesh, "mesh")
		scripts["main"] = containers.Script{Run: time.Second, Exit: containers.Exit{Code: code}}
		return scripts
	}
	until := func(until kontinue.Until) *kontinue.PodOptions {
		o := podOf("sleep 1")
		o.Until = until
		return o
	}
	return []*Scenario{
		{
			Name: "injected-container", Shows: "the script succeeds beside a container that was injected and never ends", Needs: []Capability{Injection},
			Pod: podOf("sleep 1"), Play: playBoth(0, containers.Script{Run: containers.Forever}), Before: inject(mesh), Want: podSucceeds(),
			Differs: "the deadline of the record stops the container that was injected",
		},
		{
			Name: "injected-container-and-failure", Shows: "the script fails beside a container that was injected and never ends", Needs: []Capability{Injection},
			Pod: podOf("sleep 1; exit 3"), Play: playBoth(3, containers.Script{Run: containers.Forever}), Before: inject(mesh),
			Want: podFails(WantExit{Container: "main", Code: 3, Reason: "Error"}, `container "main" failed: exit code 3`),
		},
		{
			Name: "injected-sidecar", Shows: "the script succeeds beside a native sidecar that was injected and does not stop", Needs: []Capability{Injection},
			Pod: podOf("sleep 1"), Play: playBoth(0, containers.Script{Run: containers.Forever, IgnoreTERM: true}), Before: inject(slow), Want: podSucceeds(),
		},
		{
			Name: "until-pod", Shows: "the step waits until the phase of its pod is final",
			Pod: until(kontinue.UntilPod), Play: play(containers.Script{Run: time.Second}), Want: podSucceeds(),
		},
		{
			Name: "until-job", Shows: "the step waits until its Job has its condition",
			Pod: until(kontinue.UntilJob), Play: play(containers.Script{Run: time.Second}), Want: podSucceeds(),
		},
		{
			Name: "quota-of-one-pod", Shows: "the next step's pod has to wait until that of the step before is final",
			Pod: podOf("sleep 1"), Play: play(containers.Script{Run: time.Second}),
			Before: func(ctx context.Context, r *Run) error { return r.quotaOf(ctx, "pods", 1) },
			Want:   podSucceeds(),
			After: func(_ context.Context, r *Run) error {
				for range 3 {
					if _, next, err := r.call(r.Context); err != nil || !next.Succeeded() || next.Resumed() {
						return errors.Join(errors.New("the next step did not succeed"), err)
					}
				}
				return nil
			},
		},
	}
}

// inject has the cluster put a container before those of each pod in the namespace, and
// waits until it does.
func (r *Run) inject(ctx context.Context, c corev1.Container) error {
	c.Image = r.cluster.Image()
	if err := r.cluster.Inject(ctx, r.test, r.Namespace, c); err != nil {
		return err
	}
	probe := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "probe"}, Spec: pod(container("main", "true"))}
	err := eventually(ctx, func(ctx context.Context) (bool, error) {
		made, err := r.Admin.CoreV1().Pods(r.Namespace).Create(ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			return false, err
		}
		return len(made.Spec.Containers)+len(made.Spec.InitContainers) == 2, nil
	})
	if err != nil {
		return fmt.Errorf("no container is injected: %w", err)
	}
	return nil
}
