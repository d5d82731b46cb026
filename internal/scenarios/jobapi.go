package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// checkedCondition is a condition that is not one of the Job controller.
const checkedCondition batchv1.JobConditionType = "kontinue.test/Checked"

// holdFinalizer is a finalizer that no controller removes.
const holdFinalizer = "kontinue.test/hold"

// jobAPI returns scenarios in which others use the API of the step's Job. They check what
// Kubernetes' own end-to-end tests check, see docs/job-conformance.md.
func jobAPI() []*Scenario {
	suspended := func() *Scenario {
		return &Scenario{
			Job: jobOf("true", func(s *batchv1.JobSpec) { s.Suspend = new(true) }), Play: play(containers.Script{}),
			Want: Want{Succeeded: true, Complete: true, SucceededPods: 1, Pods: pods(1, succeeded)},
		}
	}
	var version string // of the Jobs before they were changed
	lifecycle := suspended()
	lifecycle.Name, lifecycle.Shows = "job-lifecycle", "the Job is patched, updated, listed, watched and deleted as one of a collection"
	lifecycle.During = func(ctx context.Context, r *Run) (err error) {
		if err = r.suspended(ctx); err == nil {
			version, err = r.relabel(ctx)
		}
		return err
	}
	lifecycle.After = func(ctx context.Context, r *Run) error { return r.deleteCollection(ctx, version) }

	status := suspended()
	status.Name, status.Shows = "job-status-written", "another client writes a condition into the status of the Job"
	status.During = func(ctx context.Context, r *Run) error {
		return firstError(r.suspended(ctx), r.writeStatus(ctx), r.patchJob(ctx, `{"spec":{"suspend":false}}`))
	}

	none := &Scenario{
		Name: "zero-completions", Shows: "a Job with no completions completes without a pod",
		Job: jobOf("true", func(s *batchv1.JobSpec) { s.Completions = new(int32(0)) }), Play: play(containers.Script{}),
		Want: Want{Complete: true, Message: []string{"the Job completed, with 0 pods succeeded"}},
	}

	finalizer := &Scenario{
		Name: "job-finalizer", Shows: "a finalizer keeps the Job after its TTL",
		Pod: podOf("true"), Play: play(containers.Script{}), Want: podSucceeds(),
		After: func(ctx context.Context, r *Run) error {
			r.noResume = true
			return r.outliveTTL(ctx, 2*time.Second)
		},
	}
	return []*Scenario{lifecycle, status, none, finalizer}
}

// selected is the label by which relabel finds the Job in all namespaces.
func (r *Run) selected() string { return "scenario.kontinue.test/name=" + r.Name }

// relabel adds a label to the suspended Job, resumes it, and finds it by the label. It
// returns the version of the Jobs before.
func (r *Run) relabel(ctx context.Context) (string, error) {
	jobs := r.Admin.BatchV1().Jobs(r.Namespace)
	job, err := r.job(ctx)
	if err != nil {
		return "", err
	}
	version := job.ResourceVersion
	patch := fmt.Sprintf(`{"metadata":{"labels":{"scenario.kontinue.test/name":%q}}}`, r.Name)
	patched, err := jobs.Patch(ctx, job.Name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		return "", err
	}
	if len(patched.Labels) != len(job.Labels)+1 || !newer(patched, version) {
		return "", fmt.Errorf("the patched Job has version %s and labels %v, and had %s and %v", patched.ResourceVersion, patched.Labels, version, job.Labels)
	}
	err = r.updateJob(ctx, func(job *batchv1.Job) {
		job.Spec.Suspend = new(false)
		metav1.SetMetaDataAnnotation(&job.ObjectMeta, "scenario.kontinue.test/updated", "true")
	})
	if err != nil {
		return "", err
	}
	list, err := r.Admin.BatchV1().Jobs(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: r.selected()})
	if err != nil {
		return "", err
	}
	if len(list.Items) != 1 || list.Items[0].Annotations["scenario.kontinue.test/updated"] != "true" {
		return "", fmt.Errorf("%d Jobs have the label: %v", len(list.Items), names(list.Items))
	}
	return version, nil
}

// deleteCollection deletes the Job by its label, and follows what has become of it since
// the version: it got the label, then the annotation, and is gone.
func (r *Run) deleteCollection(ctx context.Context, version string) error {
	r.noResume = true
	jobs := r.Admin.BatchV1().Jobs(r.Namespace)
	background := metav1.DeletePropagationBackground
	err := jobs.DeleteCollection(ctx, metav1.DeleteOptions{PropagationPolicy: &background}, metav1.ListOptions{LabelSelector: r.selected()})
	if err != nil {
		return err
	}
	changes, err := jobs.Watch(ctx, metav1.ListOptions{LabelSelector: r.selected(), ResourceVersion: version})
	if err != nil {
		return err
	}
	defer changes.Stop()
	var updated bool
	first := watch.EventType("")
	err = follow(ctx, changes, func(e watch.EventType, job *batchv1.Job) bool {
		if first == "" {
			first = e
		}
		updated = updated || e == watch.Modified && job.Annotations["scenario.kontinue.test/updated"] == "true"
		return e == watch.Deleted
	})
	switch {
	case err != nil:
		return err
	case first != watch.Added || !updated:
		return fmt.Errorf("the watch of the label began with %q, and has shown the annotation: %t", first, updated)
	}
	list, err := jobs.List(ctx, metav1.ListOptions{LabelSelector: r.selected()})
	if err == nil && len(list.Items) > 0 {
		err = fmt.Errorf("%d Jobs are left", len(list.Items))
	}
	return err
}

// writeStatus patches, updates and reads the status subresource of the Job.
func (r *Run) writeStatus(ctx context.Context) error {
	jobs := r.Admin.BatchV1().Jobs(r.Namespace)
	job, err := r.job(ctx)
	if err != nil {
		return err
	}
	// The wire format has whole seconds.
	written := batchv1.JobCondition{Type: checkedCondition, Status: corev1.ConditionTrue, Reason: "Patched", LastTransitionTime: metav1.Now().Rfc3339Copy()}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]string{"scenario.kontinue.test/patched": "true"}},
		"status":   map[string]any{"conditions": append(job.Status.Conditions, written)},
		"spec":     map[string]any{"parallelism": 7},
	})
	if err != nil {
		return err
	}
	if job, err = jobs.Patch(ctx, job.Name, mergePatch, patch, metav1.PatchOptions{}, "status"); err != nil {
		return err
	}
	if got := conditionOf(job, checkedCondition); got == nil || !got.LastTransitionTime.Equal(&written.LastTransitionTime) ||
		job.Annotations["scenario.kontinue.test/patched"] != "true" || *job.Spec.Parallelism != 1 {
		return fmt.Errorf("the status was patched to %+v, with the annotations %v and parallelism %d", job.Status, job.Annotations, *job.Spec.Parallelism)
	}
	err = onConflict(func() error {
		if job, err = jobs.Get(ctx, job.Name, metav1.GetOptions{}); err != nil {
			return err
		}
		c := conditionOf(job, checkedCondition)
		if c == nil {
			return errors.New("the Job controller has removed the condition")
		}
		c.Reason = "Updated"
		job, err = jobs.UpdateStatus(ctx, job, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	var read batchv1.Job
	request := r.Admin.BatchV1().RESTClient().Get().Namespace(r.Namespace).Resource("jobs").Name(job.Name).SubResource("status")
	if err := request.Do(ctx).Into(&read); err != nil {
		return err
	}
	if c := conditionOf(&read, checkedCondition); read.UID != job.UID || c == nil || c.Reason != "Updated" {
		return fmt.Errorf("the status subresource is %+v", read.Status)
	}
	return nil
}

// outliveTTL finishes the Execution, and requires that the Job is deleted after its TTL,
// but stays until its finalizer is removed.
func (r *Run) outliveTTL(ctx context.Context, ttl time.Duration) error {
	if err := r.patchJob(ctx, `{"metadata":{"finalizers":["`+holdFinalizer+`"]}}`); err != nil {
		return err
	}
	execution := r.Context.Execution()
	execution.TTL = &metav1.Duration{Duration: ttl}
	if err := r.Client.Finish(ctx, execution); err != nil {
		return err
	}
	var job *batchv1.Job
	err := eventually(ctx, func(ctx context.Context) (bool, error) {
		var err error
		job, err = r.job(ctx)
		return err == nil && job.DeletionTimestamp != nil, err
	})
	if err != nil {
		return fmt.Errorf("the Job was not deleted: %w", err)
	}
	ended := conditionOf(job, batchv1.JobComplete)
	if ended == nil || job.DeletionTimestamp.Sub(ended.LastTransitionTime.Time) < ttl {
		return fmt.Errorf("the Job was deleted at %s, which is before its TTL of %s: %+v", job.DeletionTimestamp, ttl, ended)
	}
	err = r.updateJob(ctx, func(job *batchv1.Job) { job.Finalizers = without(job.Finalizers, holdFinalizer) })
	if err != nil {
		return err
	}
	return eventually(ctx, func(ctx context.Context) (bool, error) {
		list, err := r.jobs(ctx)
		return err == nil && len(list) == 0, err
	})
}
