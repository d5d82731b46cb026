package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/apicall"
	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/record"
)

// recorded is the value of identity.LabelRecorded.
const recorded = "true"

// SaveRecord writes the step's record on its Job, where it outlives the pods, and the
// label by which the watch no longer shows the Job. It returns the record that is on
// the Job then, which is what every later reader gets: another worker may have been
// first, and the first record stands. version is the Job's resource version then, if it is
// known. A record that cannot be read is replaced, unless a later version of this library
// wrote it. A Job that is gone or replaced is [ErrJobDeleted].
//
// The API server checks that there is no record yet, and not that the Job is unchanged:
// the Job controller writes the status at the same time.
//
// The same request sets activeDeadlineSeconds to deadline unless that is nil, which bounds
// a Job that is recorded while its pod is still running.
func (c *Client) SaveRecord(ctx context.Context, namespace, name string, uid types.UID, text string, deadline *int64) (stored, version string, err error) {
	// seen is the resource version of a Job that was read and has no valid record, which is
	// then replaced. If its labels or annotations were removed, a JSON patch has no map to
	// add to.
	replace, seen := false, ""
	labels, annotations := object{identity.LabelRecorded: recorded}, object{identity.AnnotationRecord: text}
	spec := object{}
	if deadline != nil {
		spec["activeDeadlineSeconds"] = *deadline
	}
	err = c.retry(ctx, "save record", c.records, func(ctx context.Context) (bool, error) {
		var failure error
		if !replace {
			version, failure = c.addRecord(ctx, namespace, name, uid, text, deadline)
		} else {
			_, failure = c.tryPatch(ctx, namespace, name, uid, seen, labels, annotations, spec)
		}
		if failure == nil {
			stored = text
			return true, nil
		}
		if errors.Is(failure, ErrJobDeleted) {
			return true, failure
		}
		if apicall.Overloaded(failure) {
			return false, failure // the server has not processed it
		}
		live, unread := c.get(ctx, namespace, name)
		switch {
		case unread != nil && apierrors.IsNotFound(unread):
			return true, fmt.Errorf("%w: %w; looked because of: %w", ErrJobDeleted, unread, failure)
		case unread != nil:
			return !unread.Transient(), fmt.Errorf("%w; looked because of: %w", unread, failure)
		case !apicall.SameUID(live.UID, uid, live.Namespace, live.Name):
			return true, fmt.Errorf("%w: another object has its name now: %w", ErrJobDeleted, failure)
		}
		there := identity.MetadataOf(live).Record
		if _, err := record.Decode(there); there != "" && (err == nil || errors.Is(err, record.ErrNewer)) {
			stored, version = there, live.ResourceVersion
			return true, nil
		}
		failure = withLargest(failure, live)
		first := !replace
		replace, seen = true, live.ResourceVersion
		if first && apierrors.IsInvalid(failure) || apierrors.IsConflict(failure) {
			return false, failure
		}
		return !transient(failure), failure
	})
	return stored, version, err
}

// addRecord adds label and record to a Job that has none. The tests of a JSON patch
// (RFC 6902) are the API server's: where one fails, nothing is written and the answer
// is a 422.
func (c *Client) addRecord(ctx context.Context, namespace, name string, uid types.UID, text string, deadline *int64) (version string, _ error) {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value"`
	}
	at := func(field, key string) string {
		return "/metadata/" + field + "/" + strings.ReplaceAll(key, "/", "~1")
	}
	annotation := at("annotations", identity.AnnotationRecord)
	patch := []operation{
		{"test", annotation, nil},
		{"add", annotation, text},
		{"add", at("labels", identity.LabelRecorded), recorded},
	}
	if deadline != nil {
		patch = append(patch, operation{"add", "/spec/activeDeadlineSeconds", *deadline})
	}
	if !apicall.MissingUID(namespace, name, uid) {
		patch = append([]operation{{"test", "/metadata/uid", uid}}, patch...)
	}
	data, err := json.Marshal(patch)
	if err != nil {
		return "", fmt.Errorf("job %s/%s: encode patch: %w", namespace, name, err)
	}
	job, err := apicall.Bounded(ctx, func(ctx context.Context) (*batchv1.Job, error) {
		return c.clientset.BatchV1().Jobs(namespace).Patch(ctx, name, types.JSONPatchType, data, metav1.PatchOptions{})
	})
	if err != nil {
		return "", apiError("patch", namespace, name, err)
	}
	return job.ResourceVersion, nil
}

// largeAnnotation is the size in bytes from which an annotation is named in the error
// of a record that was refused: all of an object's take 256 KiB at most.
const largeAnnotation = 64 * 1024

// withLargest adds to a refusal the largest annotation of the Job, if it is large.
func withLargest(failure error, job *batchv1.Job) error {
	key, size := "", largeAnnotation
	for k, v := range job.Annotations {
		if len(v) > size {
			key, size = k, len(v)
		}
	}
	if key == "" || transient(failure) {
		return failure
	}
	return fmt.Errorf("%w; its annotation %s takes %d bytes", failure, key, size)
}

// Unlabel removes the label by which the watch does not show a Job. A Job that is gone
// or replaced is [ErrJobDeleted].
func (c *Client) Unlabel(ctx context.Context, namespace, name string, uid types.UID) error {
	return c.retry(ctx, "remove label", c.retries, func(ctx context.Context) (bool, error) {
		return c.tryPatch(ctx, namespace, name, uid, "", object{identity.LabelRecorded: nil}, nil, nil)
	})
}

func transient(err error) bool {
	failure := asAPIError(err)
	return failure != nil && failure.Transient()
}
