package main

import (
	"context"
	"encoding/json"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"

	"github.com/kontinue/kontinue/devcluster"
)

// workloads is the resource of Kueue's Workloads, which a devcluster has to be given.
var (
	workloads = schema.GroupVersionResource{Group: "kueue.x-k8s.io", Version: "v1beta2", Resource: "workloads"}
	kinds     = []devcluster.Kind{{Group: workloads.Group, Version: workloads.Version, Kind: "Workload", Status: true}}
)

// kueue plays Kueue: it writes what Kueue's controllers write to a Job and to the Workload
// that they make of it. It has no quota; its methods are called instead.
type kueue struct {
	jobs      batchclient.JobInterface
	workloads dynamic.ResourceInterface
}

// newKueue returns the Kueue of a namespace.
func newKueue(config *rest.Config, namespace string) (*kueue, error) {
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &kueue{clientset.BatchV1().Jobs(namespace), client.Resource(workloads).Namespace(namespace)}, nil
}

// hold makes a Workload of the Job that says why it waits.
func (k *kueue) hold(ctx context.Context, job *batchv1.Job, message string) error {
	owner := metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))
	workload := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": workloads.GroupVersion().String(), "kind": "Workload",
		"spec": map[string]any{"active": true, "queueName": job.Labels["kueue.x-k8s.io/queue-name"]},
	}}
	workload.SetName("job-" + job.Name)
	workload.SetLabels(map[string]string{"kueue.x-k8s.io/job-uid": string(job.UID)})
	workload.SetOwnerReferences([]metav1.OwnerReference{*owner})
	_, err := k.workloads.Create(ctx, workload, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return k.condition(ctx, job, metav1.Condition{Type: "QuotaReserved", Status: metav1.ConditionFalse, Reason: "Pending", Message: message})
}

// admit reserves the quota and starts the Job, on the nodes of a flavor.
func (k *kueue) admit(ctx context.Context, job *batchv1.Job) error {
	if err := k.condition(ctx, job, metav1.Condition{Type: "QuotaReserved", Status: metav1.ConditionTrue, Reason: "QuotaReserved"}); err != nil {
		return err
	}
	return k.patch(ctx, job, `{"spec":{"suspend":false,"template":{
		"metadata":{"labels":{"kueue.x-k8s.io/podset":"main"}},"spec":{"nodeSelector":{"kubernetes.io/os":"linux"}}}}}`)
}

// evict stops the Job and puts it back into the queue. When its pods are gone the pod
// template becomes the one that was submitted.
func (k *kueue) evict(ctx context.Context, job *batchv1.Job, message string) error {
	if err := k.condition(ctx, job, metav1.Condition{Type: "QuotaReserved", Status: metav1.ConditionFalse, Reason: "Preempted", Message: message}); err != nil {
		return err
	}
	if err := k.suspend(ctx, job); err != nil {
		return err
	}
	if err := k.patch(ctx, job, `{"status":{"startTime":null}}`, "status"); err != nil {
		return err
	}
	return retry.OnError(retry.DefaultBackoff, apierrors.IsInvalid, func() error {
		return k.patch(ctx, job, `{"spec":{"template":{"metadata":{"labels":{"kueue.x-k8s.io/podset":null}},"spec":{"nodeSelector":null}}}}`)
	})
}

// suspend is also what Kueue does to a Job that something else has started.
func (k *kueue) suspend(ctx context.Context, job *batchv1.Job) error {
	return k.patch(ctx, job, `{"spec":{"suspend":true}}`)
}

// condition sets a condition of the Job's Workload.
func (k *kueue) condition(ctx context.Context, job *batchv1.Job, condition metav1.Condition) error {
	condition.LastTransitionTime = metav1.Now()
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []metav1.Condition{condition}}})
	if err != nil {
		return err
	}
	if _, err := k.workloads.Patch(ctx, "job-"+job.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		return fmt.Errorf("Workload of Job %s: %w", job.Name, err)
	}
	return nil
}

func (k *kueue) patch(ctx context.Context, job *batchv1.Job, patch string, subresources ...string) error {
	_, err := k.jobs.Patch(ctx, job.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, subresources...)
	return err
}
