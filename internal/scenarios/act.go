package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kontinue/kontinue"
)

// reportedState waits until a state was reported to OnProgress.
func (r *Run) reportedState(ctx context.Context, state kontinue.StepState) error {
	return r.awaitReport(ctx, string(state), func(p kontinue.Progress) bool { return p.State == state })
}

// reportedReason waits until the text was reported to OnProgress as a reason or as
// part of a message.
func (r *Run) reportedReason(ctx context.Context, text string) error {
	return r.awaitReport(ctx, text, func(p kontinue.Progress) bool { return p.Reason == text || strings.Contains(p.Message, text) })
}

func (r *Run) awaitReport(ctx context.Context, what string, is func(kontinue.Progress) bool) error {
	for {
		for _, p := range r.progress() {
			if is(p) {
				return nil
			}
		}
		select {
		case <-r.newReport:
		case <-ctx.Done():
			return fmt.Errorf("%q was not reported to OnProgress: %w", what, ctx.Err())
		}
	}
}

// jobs lists the Execution's Jobs.
func (r *Run) jobs(ctx context.Context) ([]batchv1.Job, error) {
	list, err := r.Admin.BatchV1().Jobs(r.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// job waits for the Execution's Job.
func (r *Run) job(ctx context.Context) (job *batchv1.Job, err error) {
	err = eventually(ctx, func(ctx context.Context) (bool, error) {
		list, err := r.jobs(ctx)
		if len(list) == 0 {
			return false, err
		}
		job = &list[0]
		return true, nil
	})
	return job, err
}

// suspended waits until the Job controller has set the condition Suspended, which
// follows a change of the spec.
func (r *Run) suspended(ctx context.Context) error {
	return eventually(ctx, func(ctx context.Context) (bool, error) {
		job, err := r.job(ctx)
		if err != nil {
			return false, err
		}
		return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
			return c.Type == batchv1.JobSuspended && c.Status == corev1.ConditionTrue
		}), nil
	})
}

// patchJob changes the Execution's Job by a merge patch.
func (r *Run) patchJob(ctx context.Context, patch string) error {
	job, err := r.job(ctx)
	if err != nil {
		return err
	}
	_, err = r.Admin.BatchV1().Jobs(r.Namespace).Patch(ctx, job.Name, mergePatch, []byte(patch), metav1.PatchOptions{})
	return err
}

// pods waits until the condition holds for n pods and returns them.
func (r *Run) pods(ctx context.Context, n int, is func(*corev1.Pod) bool) (found []corev1.Pod, err error) {
	err = eventually(ctx, func(ctx context.Context) (bool, error) {
		list, err := r.Admin.CoreV1().Pods(r.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		found = found[:0]
		for _, p := range list.Items {
			if is(&p) {
				found = append(found, p)
			}
		}
		return len(found) >= n, nil
	})
	return found, err
}

// runningPod waits for a running pod.
func (r *Run) runningPod(ctx context.Context) (*corev1.Pod, error) {
	found, err := r.pods(ctx, 1, func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning })
	if err != nil {
		return nil, fmt.Errorf("no pod is running: %w", err)
	}
	return &found[0], nil
}

// event waits for an event with the given reason whose message contains the text.
func (r *Run) event(ctx context.Context, reason, text string) error {
	err := eventually(ctx, func(ctx context.Context) (bool, error) {
		list, err := r.Admin.CoreV1().Events(r.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		for _, e := range list.Items {
			if e.Reason == reason && strings.Contains(e.Message, text) {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("no event %s %q: %w", reason, text, err)
	}
	return nil
}

// ready sets READY=yes in containers with readyEnv that start from now on.
func (r *Run) ready(ctx context.Context) error {
	_, err := r.Admin.CoreV1().ConfigMaps(r.Namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "state"}, Data: map[string]string{"ready": "yes"},
	}, metav1.CreateOptions{})
	return err
}

// readyEnv adds the variable READY, which is set once Run.ready was called.
func readyEnv(s *batchv1.JobSpec) { readyPod(&s.Template.Spec) }

func readyPod(s *corev1.PodSpec) {
	s.Containers[0].Env = []corev1.EnvVar{{Name: "READY", ValueFrom: &corev1.EnvVarSource{
		ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "state"}, Key: "ready", Optional: new(true),
		},
	}}}
}

// secret creates a Secret with one key.
func (r *Run) secret(ctx context.Context, name, key, value string) error {
	_, err := r.Admin.CoreV1().Secrets(r.Namespace).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string][]byte{key: []byte(value)},
	}, metav1.CreateOptions{})
	return err
}

// eventually polls until check returns true or an error, or ctx is done. A request without a
// response is sent again: a busy API server resets streams.
func eventually(ctx context.Context, check func(ctx context.Context) (bool, error)) error {
	var lost error
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		done, err := check(ctx)
		var transport *url.Error
		if lost = nil; errors.As(err, &transport) {
			lost = err
			return false, nil
		}
		return done, err
	})
	if err != nil {
		return errors.Join(err, lost)
	}
	return nil
}

// pause waits for d or until ctx is done.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
