package events

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/internal/apicall"
)

const (
	// pause is the time from the end of one request to the next.
	pause = 100 * time.Millisecond
	// limit is the number of Events that are read of one object. The API server merges
	// those that repeat.
	limit = 100
)

// Reader reads Events, and the Workloads of a queue. It is safe for concurrent use.
type Reader struct {
	client  kubernetes.Interface
	log     *slog.Logger
	turn    chan struct{} // holds a token while no request is open
	refused places        // the right to list Events is missing

	noWorkloads places       // the right to list Workloads is missing
	version     atomic.Int32 // of workloadVersions, that the cluster serves
}

// NewReader returns a Reader.
func NewReader(client kubernetes.Interface, log *slog.Logger) *Reader {
	r := &Reader{client: client, log: log, turn: make(chan struct{}, 1)}
	r.turn <- struct{}{}
	return r
}

// Refuse says that the right to list Events is missing in a namespace, or in all for "",
// which the caller has logged.
func (r *Reader) Refuse(namespace string) { r.refused.add(namespace) }

// places are the namespaces in which a right is missing; "" stands for all.
type places struct{ sync.Map }

// add reports whether the namespace is new.
func (p *places) add(namespace string) bool {
	_, known := p.LoadOrStore(namespace, true)
	return !known
}

func (p *places) has(namespace string) bool {
	_, all := p.Load("")
	_, one := p.Load(namespace)
	return all || one
}

// Warning returns reason and message of the newest Event of type Warning about an object,
// or nothing if there is none. One that repeats how a Job ended does not count. Without the
// right to list Events it returns nothing, and logs that once for each namespace. Other
// errors are those of the request, or the cause of ctx.
//
// One request is open at a time, and ten are sent a second at most; other calls wait.
func (r *Reader) Warning(ctx context.Context, namespace string, object types.UID) (reason, message string, _ error) {
	if allowed, err := r.take(ctx, &r.refused, namespace); !allowed {
		return "", "", err
	}
	defer r.pass()
	selector := fields.Set{"involvedObject.uid": string(object), "type": corev1.EventTypeWarning}.String()
	list, err := apicall.Bounded(ctx, func(ctx context.Context) (*corev1.EventList, error) {
		return r.client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: selector, Limit: limit})
	})
	switch {
	case apierrors.IsForbidden(err):
		if r.refused.add(namespace) {
			r.log.WarnContext(ctx, "events cannot be listed, so that some steps that do not start remain unexplained: grant the verb list on events, which is optional",
				"namespace", namespace, "error", err)
		}
		return "", "", nil
	case err != nil:
		return "", "", err
	}
	var newest *corev1.Event
	for i := range list.Items {
		e := &list.Items[i]
		// client-go's fake clientset ignores the selector.
		if e.InvolvedObject.UID != object || e.Type != corev1.EventTypeWarning || repeats(e) {
			continue
		}
		if newest == nil || !last(e).Before(last(newest)) {
			newest = e
		}
	}
	if newest == nil {
		return "", "", nil
	}
	return newest.Reason, newest.Message, nil
}

// take waits for this call's turn. It returns false if the right is missing that the
// request needs, or with the cause of ctx.
func (r *Reader) take(ctx context.Context, refused *places, namespace string) (bool, error) {
	if refused.has(namespace) {
		return false, nil
	}
	select {
	case <-r.turn:
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	if refused.has(namespace) { // while this call waited
		r.turn <- struct{}{}
		return false, nil
	}
	return true, nil
}

// pass ends the turn.
func (r *Reader) pass() { time.AfterFunc(pause, func() { r.turn <- struct{}{} }) }

// repeats reports whether the Event says no more than the condition by which its Job failed.
func repeats(e *corev1.Event) bool {
	switch e.Reason {
	case batchv1.JobReasonDeadlineExceeded, batchv1.JobReasonBackoffLimitExceeded, batchv1.JobReasonPodFailurePolicy,
		batchv1.JobReasonFailedIndexes, batchv1.JobReasonMaxFailedIndexesExceeded:
		return e.InvolvedObject.Kind == "Job"
	}
	return false
}

// last is when the event was seen for the last time, in the form of either Events API.
func last(e *corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}
