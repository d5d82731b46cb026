package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	batchv1client "k8s.io/client-go/kubernetes/typed/batch/v1"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

// newServer returns a cluster whose patches and deletes have what client-go's fake lacks:
// immutable UIDs, resourceVersions that are compared and grow, a 422 for a JSON patch that
// does not apply, and a foreground deletion that takes some time.
func newServer(deletion time.Duration, objects ...runtime.Object) *cluster {
	c := newCluster(objects...)
	apply := ktesting.ObjectReaction(c.Tracker())
	c.PrependReactor("patch", "jobs", func(a ktesting.Action) (bool, runtime.Object, error) {
		c.writes.Lock()
		defer c.writes.Unlock()
		p := a.(ktesting.PatchAction)
		if p.GetPatchType() == types.MergePatchType {
			if err := c.compare(p); err != nil {
				return true, nil, err
			}
		}
		_, object, err := apply(a)
		var status apierrors.APIStatus
		switch {
		case err != nil && !errors.As(err, &status):
			// The error of the API server.
			return true, nil, apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
		case err != nil:
			return true, nil, err
		}
		job := object.(*batchv1.Job)
		version, _ := strconv.Atoi(job.ResourceVersion)
		job.ResourceVersion = strconv.Itoa(version + 1)
		return true, job, c.Tracker().Update(jobsResource, job, job.Namespace)
	})
	c.PrependReactor("delete", "jobs", func(a ktesting.Action) (bool, runtime.Object, error) {
		c.writes.Lock()
		defer c.writes.Unlock()
		d := a.(ktesting.DeleteActionImpl)
		object, err := c.Tracker().Get(jobsResource, d.Namespace, d.Name)
		if err != nil {
			return true, nil, err
		}
		job := object.(*batchv1.Job).DeepCopy()
		if p := d.DeleteOptions.Preconditions; p != nil && p.UID != nil && *p.UID != job.UID {
			return true, nil, apierrors.NewConflict(resource, d.Name, errors.New("Precondition failed: UID"))
		}
		if job.DeletionTimestamp == nil {
			beingGone(job)
			time.AfterFunc(deletion, func() { _ = c.Tracker().Delete(jobsResource, d.Namespace, d.Name) })
		}
		return true, nil, c.Tracker().Update(jobsResource, job, d.Namespace)
	})
	return c
}

// compare rejects a merge patch of another object, or of another version.
func (c *cluster) compare(p ktesting.PatchAction) error {
	object, err := c.Tracker().Get(jobsResource, p.GetNamespace(), p.GetName())
	if err != nil {
		return err
	}
	var patch batchv1.Job
	if err := json.Unmarshal(p.GetPatch(), &patch); err != nil {
		return err
	}
	switch live := object.(*batchv1.Job); {
	case patch.UID != "" && patch.UID != live.UID:
		return apierrors.NewInvalid(batchKind, live.Name, nil)
	case patch.ResourceVersion != "" && patch.ResourceVersion != live.ResourceVersion:
		return apierrors.NewConflict(resource, live.Name, errors.New("the object has been modified"))
	}
	return nil
}

// update changes the Job in the cluster, as its controller or another worker does.
func (c *cluster) update(name string, change func(*batchv1.Job)) error {
	c.writes.Lock()
	defer c.writes.Unlock()
	object, err := c.Tracker().Get(jobsResource, "ns", name)
	if err != nil {
		return err
	}
	job := object.(*batchv1.Job).DeepCopy()
	change(job)
	return c.Tracker().Update(jobsResource, job, "ns")
}

// jobsNow returns the Jobs in the cluster, without a request.
func (c *cluster) jobsNow() []batchv1.Job {
	list, err := c.Tracker().List(jobsResource, batchv1.SchemeGroupVersion.WithKind("Job"), "ns")
	if err != nil {
		panic(err)
	}
	return list.(*batchv1.JobList).Items
}

func ends(condition batchv1.JobConditionType) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: condition, Status: corev1.ConditionTrue})
	}
}

func withRecord(text string) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		j.Annotations[identity.AnnotationRecord], j.Labels[identity.LabelRecorded] = text, "true"
	}
}

// found returns a Job as the watch of the caller shows it.
func found(job *batchv1.Job) jobs.Found {
	s := jobs.Classify(&job.Status)
	f := jobs.Found{
		Name: job.Name, UID: job.UID, Metadata: identity.MetadataOf(job),
		Terminal: s.Terminal, Failed: s.Failed, Deleting: job.DeletionTimestamp != nil,
	}
	if owner := metav1.GetControllerOf(job); owner != nil {
		f.OwnerUID = owner.UID
	}
	return f
}

// slow is a clientset whose requests for Jobs are delayed before and after they take
// effect, outside of the fake's lock.
type slow struct {
	kubernetes.Interface
	there, back func(ctx context.Context, verb string) error
}

func (s *slow) BatchV1() batchv1client.BatchV1Interface {
	return slowBatch{s.Interface.BatchV1(), s}
}

type slowBatch struct {
	batchv1client.BatchV1Interface
	slow *slow
}

func (b slowBatch) Jobs(namespace string) batchv1client.JobInterface {
	return slowJobs{b.BatchV1Interface.Jobs(namespace), b.slow}
}

type slowJobs struct {
	batchv1client.JobInterface
	slow *slow
}

func (j slowJobs) Create(ctx context.Context, job *batchv1.Job, o metav1.CreateOptions) (*batchv1.Job, error) {
	return delayed(ctx, j.slow, "create", func() (*batchv1.Job, error) { return j.JobInterface.Create(ctx, job, o) })
}

func (j slowJobs) List(ctx context.Context, o metav1.ListOptions) (*batchv1.JobList, error) {
	return delayed(ctx, j.slow, "list", func() (*batchv1.JobList, error) { return j.JobInterface.List(ctx, o) })
}

func delayed[T any](ctx context.Context, s *slow, verb string, send func() (*T, error)) (*T, error) {
	if s.there != nil {
		if err := s.there(ctx, verb); err != nil {
			return nil, err
		}
	}
	answer, err := send()
	if s.back != nil {
		if lost := s.back(ctx, verb); lost != nil {
			return nil, lost
		}
	}
	return answer, err
}

// takes delays requests of that verb.
func takes(verb string, d time.Duration) func(context.Context, string) error {
	return func(ctx context.Context, v string) error {
		if v != verb {
			return nil
		}
		return pause(ctx, d)
	}
}

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
