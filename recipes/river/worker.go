package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue"
)

// release is the river job. Each one is an Execution.
type release struct {
	Name string `json:"name"`
}

func (release) Kind() string { return "release" }

// worker runs the function of a release.
type worker struct {
	river.WorkerDefaults[release]
	client    *kontinue.Client
	clientset kubernetes.Interface
	namespace string
	slice     time.Duration // the longest run of Work
	function  func(*kontinue.ExecutionContext) error
}

// errSlice ends a slice. It is no failure.
var errSlice = errors.New("the slice has ended")

// Timeout is longer than a slice. River rescues a job of a dead worker after its Timeout,
// and one whose Timeout is -1 never.
func (w *worker) Timeout(*river.Job[release]) time.Duration { return 2 * w.slice }

// counts are in the metadata of the river job. River's own count of attempts also has those
// that ended with their worker, which a step must not take for retries.
type counts struct {
	Failures int `json:"failures"`
	Snoozes  int `json:"snoozes"` // by river
}

// Work runs the function for one slice. The next one returns to the Job that this one was
// waiting for, in this process or another one.
func (w *worker) Work(ctx context.Context, job *river.Job[release]) error {
	var n counts
	if err := json.Unmarshal(job.Metadata, &n); err != nil {
		return fmt.Errorf("metadata of river job %d: %w", job.ID, err)
	}
	execution, err := w.execution(ctx, job.JobRow, job.Args)
	if err != nil {
		return err
	}
	execution.Attempts = n.Failures
	execution.Resumptions = max(0, job.Attempt-1-n.Failures+n.Snoozes)

	slice, end := context.WithTimeoutCause(ctx, w.slice, errSlice)
	defer end()
	ktx, err := w.client.NewExecutionContext(slice, execution)
	if err != nil {
		return err
	}
	err = w.function(ktx) //nolint:contextcheck // ktx carries the context
	var failure *kontinue.ExitError
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), rivertype.ErrJobCancelledRemotely): // by Client.JobCancel
		return errors.Join(err, w.client.Cancel(context.WithoutCancel(ctx), execution))
	case errors.Is(err, kontinue.ErrCanceled), errors.Is(err, kontinue.ErrInvalid):
		return river.JobCancel(err) // another attempt changes nothing
	case errors.As(err, &failure):
		return errors.Join(err, river.MetadataSet(ctx, "failures", n.Failures+1))
	case errors.Is(err, errSlice):
		return river.JobSnooze(0)
	default: // such as a shutdown, which river does not count
		return err
	}
}

// execution returns the Execution of a river job, whose object is a ConfigMap.
func (w *worker) execution(ctx context.Context, row *rivertype.JobRow, args release) (kontinue.Execution, error) {
	maps := w.clientset.CoreV1().ConfigMaps(w.namespace)
	name := fmt.Sprintf("%s-%d", args.Name, row.ID)
	object, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		object, err = maps.Get(ctx, name, metav1.GetOptions{})
	}
	if err != nil {
		return kontinue.Execution{}, fmt.Errorf("object of river job %d: %w", row.ID, err)
	}
	return kontinue.Execution{
		Namespace:   w.namespace,
		Owner:       *metav1.NewControllerRef(object, corev1.SchemeGroupVersion.WithKind("ConfigMap")),
		ChildPolicy: kontinue.ChildPolicyRetryFailed,
		TTL:         &metav1.Duration{Duration: 24 * time.Hour},
	}, nil
}

// finish gives the Jobs of a release their TTL when river has saved that it has ended.
func (w *worker) finish(ctx context.Context, row *rivertype.JobRow) error {
	var args release
	if err := json.Unmarshal(row.EncodedArgs, &args); err != nil {
		return fmt.Errorf("arguments of river job %d: %w", row.ID, err)
	}
	execution, err := w.execution(ctx, row, args)
	if err != nil {
		return err
	}
	return w.client.Finish(ctx, execution)
}
