package scenarios

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
)

// identities returns scenarios in which the Job of a step is used by a second worker,
// has another spec, or was replaced by a foreign Job.
func identities() []*Scenario {
	var second string
	return []*Scenario{
		{
			Name: "two-workers", Shows: "a second worker resumes the step while the first one waits, and both get the same result",
			Pod:  podOf("sleep 2; echo 'at once'; exit 4"),
			Want: podFails(WantExit{Container: "main", Code: 4, Reason: "Error"}, "exit code 4: at once"),
			During: func(ctx context.Context, r *Run) error {
				if _, err := r.runningPod(ctx); err != nil {
					return err
				}
				return r.elsewhere(ctx, func(ktx *kontinue.ExecutionContext) error {
					job, pod, err := r.call(ktx)
					if err == nil {
						second = newResult(job, pod).text()
					}
					return err
				})
			},
			After: func(ctx context.Context, r *Run) error {
				if first := r.result().text(); first != second {
					return fmt.Errorf("the second worker got a different result:\n%s\nthe first worker got:\n%s", second, first)
				}
				return r.wantOneJob(ctx)
			},
		},
		{
			Name: "drift-of-a-named-step", Shows: "the function has changed; a named step returns the old Job's result and reports the drift",
			Pod:  named("build", podOf("exit 5")),
			Want: podFails(WantExit{Container: "main", Code: 5, Reason: "Error"}, "exit code 5"),
			After: func(ctx context.Context, r *Run) error {
				return r.elsewhere(ctx, func(ktx *kontinue.ExecutionContext) error {
					pod, err := kontinue.RunPod(ktx, changed(named("build", podOf("exit 5")), r.cluster.Image()))
					if err != nil {
						return err
					}
					if pod.Err().Error() != r.Pod.Err().Error() || !pod.Resumed() {
						return fmt.Errorf("the result is %w, want that of the first run: %w", pod.Err(), r.Pod.Err())
					}
					return errors.Join(checkDrift(strings.Join(pod.Drift(), "\n")), r.wantOneJob(ctx))
				})
			},
		},
		{
			Name: "drift-of-an-unnamed-step", Shows: "the function has changed; an unnamed step does not adopt the old Job",
			Pod:  podOf("exit 5"),
			Want: podFails(WantExit{Container: "main", Code: 5, Reason: "Error"}, "exit code 5"),
			After: func(ctx context.Context, r *Run) error {
				return r.elsewhere(ctx, func(ktx *kontinue.ExecutionContext) error {
					_, err := kontinue.RunPod(ktx, changed(podOf("exit 5"), r.cluster.Image()))
					if !errors.Is(err, kontinue.ErrSpecDrift) {
						return fmt.Errorf("want ErrSpecDrift, got %w", err)
					}
					return errors.Join(checkDrift(err.Error()), r.wantOneJob(ctx))
				})
			},
		},
		{
			Name: "name-taken", Shows: "the Job is replaced by a foreign one with the same name, which the step does not touch",
			Pod: podOf("true"), Want: podSucceeds(),
			After: func(ctx context.Context, r *Run) error {
				r.noResume = true
				list, err := r.jobs(ctx)
				if err != nil {
					return err
				}
				foreign, err := r.replace(ctx, &list[0])
				if err != nil {
					return err
				}
				return r.elsewhere(ctx, func(ktx *kontinue.ExecutionContext) error {
					if _, _, err := r.call(ktx); !errors.Is(err, kontinue.ErrNameConflict) {
						return fmt.Errorf("want ErrNameConflict, got %w", err)
					}
					live, err := r.Admin.BatchV1().Jobs(r.Namespace).Get(ctx, foreign.Name, metav1.GetOptions{})
					if err == nil && (live.UID != foreign.UID || live.Generation != foreign.Generation || !maps.Equal(live.Annotations, foreign.Annotations)) {
						err = errors.New("the foreign Job was changed")
					}
					return err
				})
			},
		},
	}
}

// elsewhere calls the function with the client of another worker.
func (r *Run) elsewhere(ctx context.Context, function func(*kontinue.ExecutionContext) error) error {
	return r.inWorker(ctx, func(client *kontinue.Client) error {
		ktx, err := client.NewExecutionContext(ctx, r.Context.Execution())
		if err != nil {
			return err
		}
		return function(ktx)
	})
}

// changed adds a working directory and a variable to the options of a step.
func changed(o *kontinue.PodOptions, image string) *kontinue.PodOptions {
	main := &o.Spec.Containers[0]
	main.Image = image
	main.Env = append(main.Env, corev1.EnvVar{Name: "TOKEN", Value: "canary"})
	main.WorkingDir = "/tmp"
	return o
}

// checkDrift returns an error unless the text names the fields that changed has
// changed, without the value of the variable.
func checkDrift(text string) error {
	for _, want := range []string{"workingDir", "/tmp", "env"} {
		if !strings.Contains(text, want) {
			return fmt.Errorf("the drift does not mention %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "canary") {
		return fmt.Errorf("the drift contains the value of a variable:\n%s", text)
	}
	return nil
}

func (r *Run) wantOneJob(ctx context.Context) error {
	list, err := r.jobs(ctx)
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("there are %d Jobs, want 1", len(list))
	}
	return err
}

// replace deletes a Job and creates a suspended Job without an owner under its name.
func (r *Run) replace(ctx context.Context, of *batchv1.Job) (*batchv1.Job, error) {
	client := r.Admin.BatchV1().Jobs(r.Namespace)
	err := client.Delete(ctx, of.Name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)})
	if err != nil {
		return nil, err
	}
	err = eventually(ctx, func(ctx context.Context) (bool, error) {
		list, err := r.jobs(ctx)
		return len(list) == 0, err
	})
	if err != nil {
		return nil, err
	}
	template := corev1.PodTemplateSpec{Spec: of.Spec.Template.Spec}
	return client.Create(ctx, &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: of.Name},
		Spec:       batchv1.JobSpec{Suspend: new(true), Template: template},
	}, metav1.CreateOptions{})
}
