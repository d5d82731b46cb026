package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue/internal/identity"
)

// The scenarios play Kueue: what its controllers write to a Job and to the Workload that
// they make of it, in the same order (kubernetes-sigs/kueue, pkg/controller/jobs/job and
// pkg/controller/jobframework).

// queueName is the LocalQueue of the scenarios.
const queueName = "main"

// multiKueue is the value of managedBy that Kueue's webhook sets for a queue of MultiKueue.
const multiKueue = "kueue.x-k8s.io/multikueue"

// queued waits for the Job of a step that has a queue. It must not be able to start.
func (r *Run) queued(ctx context.Context) (*batchv1.Job, error) {
	job, err := r.job(ctx)
	if err != nil {
		return nil, err
	}
	if job.Labels[identity.LabelQueue] != queueName || job.Spec.Suspend == nil || !*job.Spec.Suspend {
		return nil, fmt.Errorf("the Job is not held for queue %s: labels %v, suspend %v", queueName, job.Labels, job.Spec.Suspend)
	}
	return job, nil
}

// workload creates the Workload of the Job, with a condition.
func (r *Run) workload(ctx context.Context, condition metav1.Condition) error {
	job, err := r.queued(ctx)
	if err != nil {
		return err
	}
	condition.LastTransitionTime = metav1.Now()
	object := map[string]any{
		"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "Workload",
		"metadata": map[string]any{
			"name": "job-" + job.Name, "namespace": r.Namespace, "labels": map[string]string{"kueue.x-k8s.io/job-uid": string(job.UID)},
			"ownerReferences": []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))},
		},
		"spec": map[string]any{"active": true, "queueName": queueName},
	}
	if err := r.write(ctx, "", object); err != nil {
		return err
	}
	return r.write(ctx, "status", map[string]any{"status": map[string]any{"conditions": []metav1.Condition{condition}}})
}

// write creates the Workload, or patches a subresource of it.
func (r *Run) write(ctx context.Context, subresource string, object map[string]any) error {
	body, err := json.Marshal(object)
	if err != nil {
		return err
	}
	client := r.Admin.CoreV1().RESTClient()
	request := client.Post().AbsPath("apis/kueue.x-k8s.io/v1beta2/namespaces", r.Namespace, "workloads")
	if subresource != "" {
		job, err := r.job(ctx)
		if err != nil {
			return err
		}
		request = client.Patch(types.MergePatchType).AbsPath("apis/kueue.x-k8s.io/v1beta2/namespaces", r.Namespace, "workloads", "job-"+job.Name, subresource)
	} else {
		request = request.SetHeader("Content-Type", "application/json")
	}
	return request.SetHeader("Accept", "application/json").Body(body).Do(ctx).Error()
}

// admit starts the Job where the queue has found room.
func (r *Run) admit(ctx context.Context) error {
	return r.patchJob(ctx, `{"spec":{"suspend":false,"template":{
		"metadata":{"labels":{"kueue.x-k8s.io/podset":"main"},"annotations":{"kueue.x-k8s.io/workload":"job"}},
		"spec":{"nodeSelector":{"kubernetes.io/os":"linux"},"tolerations":[{"key":"flavor","operator":"Exists"}]}}}}`)
}

// evict stops the Job and puts it back into the queue.
func (r *Run) evict(ctx context.Context) error {
	const stopping = `{"metadata":{"annotations":{"kueue.x-k8s.io/stopping":"true"}},"spec":{"suspend":true}}`
	if err := r.patchJob(ctx, stopping); err != nil {
		return err
	}
	job, err := r.job(ctx)
	if err != nil {
		return err
	}
	_, err = r.Admin.BatchV1().Jobs(r.Namespace).Patch(ctx, job.Name, mergePatch, []byte(`{"status":{"startTime":null}}`), metav1.PatchOptions{}, "status")
	if err != nil {
		return err
	}
	// The template can be changed when the pods are gone: its controllers try again.
	return eventually(ctx, func(ctx context.Context) (bool, error) {
		err := r.patchJob(ctx, `{"metadata":{"annotations":{"kueue.x-k8s.io/stopping":null}},"spec":{"template":{
			"metadata":{"labels":{"kueue.x-k8s.io/podset":null},"annotations":{"kueue.x-k8s.io/workload":null}},
			"spec":{"nodeSelector":null,"tolerations":null}}}}`)
		if apierrors.IsInvalid(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// hold suspends the Job whenever something else has resumed it, until it has ended.
func (r *Run) hold(ctx context.Context) error {
	jobs := r.Admin.BatchV1().Jobs(r.Namespace)
	changes, err := jobs.Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	defer changes.Stop()
	for {
		var e watch.Event
		select {
		case e = <-changes.ResultChan():
		case <-ctx.Done():
			return ctx.Err()
		}
		job, ok := e.Object.(*batchv1.Job)
		switch {
		case !ok:
			return errors.New("the watch of the Job has ended")
		case job.Annotations[identity.AnnotationRecord] != "":
			return nil
		case job.Spec.Suspend == nil || !*job.Spec.Suspend:
			if err := r.patchJob(ctx, `{"spec":{"suspend":true}}`); err != nil {
				return err
			}
		}
	}
}

// runElsewhere plays the controller that runs the Job in another cluster: it copies the
// status from there, first that of a Job that runs and then that of one that has ended by
// the conditions. The pod there has succeeded, or failed. The Job controller of this cluster
// must not have written a status before, and a write of it in between would be a conflict.
func (r *Run) runElsewhere(ctx context.Context, failed bool, ends ...batchv1.JobCondition) error {
	job, err := r.job(ctx)
	if err != nil {
		return err
	}
	if !equality.Semantic.DeepEqual(job.Status, batchv1.JobStatus{}) {
		return fmt.Errorf("the Job controller has written a status: %+v", job.Status)
	}
	now := metav1.NewTime(time.Now().Truncate(time.Second))
	job.Status.StartTime, job.Status.Active = &now, 1
	jobs := r.Admin.BatchV1().Jobs(r.Namespace)
	if job, err = jobs.UpdateStatus(ctx, job, metav1.UpdateOptions{}); err != nil {
		return err
	}
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	now = metav1.NewTime(time.Now().Truncate(time.Second))
	job.Status.Active = 0
	if failed {
		job.Status.Failed = 1
	} else {
		job.Status.Succeeded, job.Status.CompletionTime = 1, &now
	}
	for _, c := range ends {
		c.Status, c.LastTransitionTime, c.LastProbeTime = corev1.ConditionTrue, now, now
		job.Status.Conditions = append(job.Status.Conditions, c)
	}
	_, err = jobs.UpdateStatus(ctx, job, metav1.UpdateOptions{})
	return err
}
