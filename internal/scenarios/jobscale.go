package scenarios

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// waiting is a Job whose containers run until they are stopped, and succeed if they start
// when READY is set.
func waiting(change func(s *batchv1.JobSpec)) *kontinue.JobOptions {
	return jobOf(`[ "$READY" = yes ] || { `+hang+`; }`, func(s *batchv1.JobSpec) {
		readyEnv(s)
		change(s)
	})
}

// jobScale returns scenarios in which the Job is changed while it runs or is suspended.
func jobScale() []*Scenario {
	const suspend, unsuspend = `{"spec":{"suspend":true}}`, `{"spec":{"suspend":false}}`
	// again stops all pods. Their replacements succeed.
	again := func(ctx context.Context, r *Run) error {
		return firstError(r.ready(ctx), r.patchJob(ctx, suspend), r.stopped(ctx), r.patchJob(ctx, unsuspend))
	}
	memory := func(spec *corev1.PodSpec, limit string) {
		spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(limit)}
	}
	enlarge := func(ctx context.Context, r *Run) error {
		return r.updateJob(ctx, func(job *batchv1.Job) { memory(&job.Spec.Template.Spec, "24Mi") })
	}
	return []*Scenario{
		{
			Name: "ready-counts", Shows: "the Job's status counts the pods that are ready while it is suspended, resumed and suspended",
			Job: waiting(func(s *batchv1.JobSpec) {
				s.Completions, s.Parallelism, s.Suspend = new(int32(2)), new(int32(2)), new(true)
			}), Play: playReady(untilStopped),
			During: func(ctx context.Context, r *Run) error {
				if err := firstError(r.counts(ctx, 0, 0), r.patchJob(ctx, unsuspend), r.counts(ctx, 2, 2), r.patchJob(ctx, suspend)); err != nil {
					return err
				}
				return firstError(r.counts(ctx, 0, 0), r.stopped(ctx), r.ready(ctx), r.patchJob(ctx, unsuspend))
			},
			Want: Want{Succeeded: true, Complete: true, SucceededPods: 2, Pods: []WantPod{failed, failed, succeeded, succeeded}},
		},
		{
			Name: "parallelism-changed", Shows: "a running Job gets a second pod, and loses it again",
			Job:  waiting(func(s *batchv1.JobSpec) { s.Completions = new(int32(2)) }),
			Play: playReady(untilStopped),
			During: func(ctx context.Context, r *Run) error {
				if err := firstError(r.counts(ctx, 1, 1), r.patchJob(ctx, `{"spec":{"parallelism":2}}`), r.counts(ctx, 2, 2)); err != nil {
					return err
				}
				return firstError(r.patchJob(ctx, `{"spec":{"parallelism":1}}`), r.counts(ctx, 1, 1), again(ctx, r))
			},
			Want: Want{Succeeded: true, Complete: true, SucceededPods: 2, Pods: []WantPod{failed, failed, succeeded, succeeded}},
		},
		{
			Name: "elastic-indexed", Shows: "an Indexed Job is scaled from two to three indexes, and to one",
			Job: waiting(func(s *batchv1.JobSpec) {
				s.CompletionMode = new(batchv1.IndexedCompletion)
				s.Completions, s.Parallelism = new(int32(2)), new(int32(2))
			}),
			Play: playReady(untilStopped),
			During: func(ctx context.Context, r *Run) error {
				if err := r.counts(ctx, 2, 2); err != nil {
					return err
				}
				if err := invalid("completions without parallelism", r.patchJob(ctx, `{"spec":{"completions":3}}`)); err != nil {
					return err
				}
				if err := firstError(r.patchJob(ctx, `{"spec":{"completions":3,"parallelism":3}}`), r.counts(ctx, 3, 3)); err != nil {
					return err
				}
				return firstError(r.patchJob(ctx, `{"spec":{"completions":1,"parallelism":1}}`), r.counts(ctx, 1, 1), again(ctx, r))
			},
			Want:  Want{Succeeded: true, Complete: true, SucceededPods: 1, Pods: []WantPod{failed, failed, failed, succeeded}},
			After: indexes("0", nil),
		},
		{
			Name: "resources-changed", Shows: "the resources of a suspended Job are changed before it starts", Needs: []Capability{SuspendedResources},
			Job: jobOf("true", func(s *batchv1.JobSpec) {
				s.Suspend = new(true)
				memory(&s.Template.Spec, "16Mi")
			}), Play: play(containers.Script{}),
			During: func(ctx context.Context, r *Run) error {
				return firstError(r.suspended(ctx), enlarge(ctx, r), r.patchJob(ctx, unsuspend))
			},
			Want:  Want{Succeeded: true, Complete: true, SucceededPods: 1, Pods: pods(1, succeeded)},
			After: memories("24Mi"),
		},
		{
			Name: "resources-changed-after-start", Shows: "the resources of a Job are changed while it is suspended after its start", Needs: []Capability{SuspendedResources},
			Job:  waiting(func(s *batchv1.JobSpec) { memory(&s.Template.Spec, "16Mi") }),
			Play: playReady(untilStopped),
			During: func(ctx context.Context, r *Run) error {
				if err := r.counts(ctx, 1, 1); err != nil {
					return err
				}
				if err := invalid("the resources of a running Job", enlarge(ctx, r)); err != nil {
					return err
				}
				if err := firstError(r.patchJob(ctx, suspend), r.stopped(ctx), r.counts(ctx, 0, 0)); err != nil {
					return err
				}
				return firstError(enlarge(ctx, r), r.ready(ctx), r.patchJob(ctx, unsuspend))
			},
			Want:  Want{Succeeded: true, Complete: true, SucceededPods: 1, Pods: []WantPod{failed, succeeded}},
			After: memories("16Mi", "24Mi"),
		},
	}
}

// invalid requires that the API server has refused a change.
func invalid(what string, err error) error {
	switch {
	case err == nil:
		return fmt.Errorf("the API server has accepted a change of %s", what)
	case !apierrors.IsInvalid(err):
		return fmt.Errorf("a change of %s: want it to be invalid, got %w", what, err)
	}
	return nil
}

// memories requires that the pods of the result, in the order of their creation, have
// requested so much memory.
func memories(want ...string) func(ctx context.Context, r *Run) error {
	return func(_ context.Context, r *Run) error {
		var have []string
		for _, p := range byCreation(r.result().pods) {
			have = append(have, p.Spec.Containers[0].Resources.Requests.Memory().String())
		}
		return equalLists("the memory of the pods", have, want)
	}
}
