package jobs

import (
	"context"
	"encoding/json"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/apicall"
	"github.com/kontinue/kontinue/internal/identity"
)

type object = map[string]any

// Retire sets what removes a Job whose result is known: ttlSecondsAfterFinished, which
// Kubernetes counts from the Job's end and accepts also after it (0 deletes a finished Job
// at once), and activeDeadlineSeconds, which end a Job that has not ended by then. Nil
// leaves a field as it is, and nothing is sent if both are. A Job that is gone or replaced
// is [ErrJobDeleted].
func (c *Client) Retire(ctx context.Context, namespace, name string, uid types.UID, ttl *int32, deadline *int64) error {
	spec := object{}
	if ttl != nil {
		if *ttl < 0 {
			return fmt.Errorf("%w: job %s/%s: ttlSecondsAfterFinished %d is negative", ErrInvalid, namespace, name, *ttl)
		}
		spec["ttlSecondsAfterFinished"] = *ttl
	}
	if deadline != nil {
		spec["activeDeadlineSeconds"] = *deadline
	}
	if len(spec) == 0 {
		return nil
	}
	return c.patch(ctx, namespace, name, uid, nil, spec)
}

// Cancel stops a Job for good and leaves it as a record: the Job controller
// deletes its pods and writes Failed with reason DeadlineExceeded or, when a pod
// it deleted uses up the backoff limit first, BackoffLimitExceeded. The annotation
// identity.AnnotationCanceled distinguishes it from a timeout. A Job that is gone or
// replaced is [ErrJobDeleted]; a finished one keeps its status.
//
// The deadline alone does not suffice. It passes one second after the Job's start, and
// a pod could be created before; parallelism 0 prevents that. It does not run while the
// Job is suspended; with parallelism 0 the Job can be resumed without starting a pod.
func (c *Client) Cancel(ctx context.Context, namespace, name string, uid types.UID) error {
	return c.patch(ctx, namespace, name, uid, object{identity.AnnotationCanceled: "true"}, stop())
}

// CancelEnded marks a Job that has ended as one whose step was canceled after that: no other
// run of the step follows it, see [Retry]. A Job that is gone or replaced is [ErrJobDeleted].
func (c *Client) CancelEnded(ctx context.Context, namespace, name string, uid types.UID) error {
	return c.patch(ctx, namespace, name, uid, object{identity.AnnotationCanceled: identity.CanceledAfterEnd}, nil)
}

// stop is the change of a spec that stops a Job.
func stop() object { return object{"activeDeadlineSeconds": 1, "parallelism": 0, "suspend": false} }

// GiveUp stops a Job as [Client.Cancel] does, and notes why in the same request: reason is
// the text of identity.AnnotationGaveUp. Nothing is written, and the error is one for
// which apierrors.IsConflict holds, if the Job has changed since that resource version. A
// Job that is gone or replaced is [ErrJobDeleted].
func (c *Client) GiveUp(ctx context.Context, namespace, name string, uid types.UID, resourceVersion, reason string) error {
	return c.retry(ctx, "give job up", c.retries, func(ctx context.Context) (bool, error) {
		done, err := c.tryPatch(ctx, namespace, name, uid, resourceVersion, nil, object{identity.AnnotationGaveUp: reason}, stop())
		return done || apierrors.IsConflict(err), err
	})
}

// Stopped reports whether a Job is as Cancel or GiveUp leaves it.
func Stopped(job *batchv1.Job) bool {
	s := &job.Spec
	return identity.MetadataOf(job).Stopped() && (s.Suspend == nil || !*s.Suspend) &&
		s.Parallelism != nil && *s.Parallelism == 0 && s.ActiveDeadlineSeconds != nil && *s.ActiveDeadlineSeconds <= 1
}

// patch sends one JSON merge patch. It is idempotent, so every transient failure is
// retried.
func (c *Client) patch(ctx context.Context, namespace, name string, uid types.UID, annotations, spec object) error {
	return c.retry(ctx, "patch job", c.retries, func(ctx context.Context) (bool, error) {
		return c.tryPatch(ctx, namespace, name, uid, "", nil, annotations, spec)
	})
}

// tryPatch sends one JSON merge patch, once. It contains the UID, which the API server
// refuses to change (422 on metadata.uid), so a Job that was recreated with the name
// is not touched. A stand-in for a missing UID is omitted, since it would become the
// object's UID.
func (c *Client) tryPatch(ctx context.Context, namespace, name string, uid types.UID, resourceVersion string, labels, annotations, spec object) (done bool, _ error) {
	meta := object{}
	if len(labels) > 0 {
		meta["labels"] = labels
	}
	if !apicall.MissingUID(namespace, name, uid) {
		meta["uid"] = uid
	}
	if resourceVersion != "" {
		meta["resourceVersion"] = resourceVersion
	}
	if len(annotations) > 0 {
		meta["annotations"] = annotations
	}
	body := object{"metadata": meta}
	if len(spec) > 0 {
		body["spec"] = spec
	}
	data, err := json.Marshal(body)
	if err != nil {
		return true, fmt.Errorf("job %s/%s: encode patch: %w", namespace, name, err)
	}
	_, err = apicall.Bounded(ctx, func(ctx context.Context) (*batchv1.Job, error) {
		return c.clientset.BatchV1().Jobs(namespace).Patch(ctx, name, types.MergePatchType, data, metav1.PatchOptions{})
	})
	if err == nil {
		return true, nil
	}
	failure := apiError("patch", namespace, name, err)
	switch {
	case apierrors.IsNotFound(err):
		return true, fmt.Errorf("%w: %w", ErrJobDeleted, failure)
	case apierrors.IsConflict(err), apierrors.IsInvalid(err):
		// The UID differs, two writers met, or the change itself is refused: the
		// live object distinguishes the first from the others.
		if gone, _ := c.gone(ctx, namespace, name, uid); gone {
			return true, fmt.Errorf("%w: another object has its name now: %w", ErrJobDeleted, failure)
		}
	}
	return !failure.Transient(), failure
}
