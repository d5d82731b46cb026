package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/internal/apicall"
)

const (
	defaultRetryFor = 2 * time.Minute
	defaultGoneFor  = 10 * time.Minute
	pageSize        = 500
	// defaultMaxInFlight stays below the 100 streams that an API server allows on
	// one HTTP/2 connection.
	defaultMaxInFlight = 64
	// createReserve is the divisor of MaxInFlight for the share that creates cannot use.
	createReserve = 8
)

// Options configure a [Client]. The zero value means the defaults.
type Options struct {
	// RetryFor bounds how long one call retries a request that fails with a transient
	// error. A call that writes a record retries until its context ends, so that an
	// outage loses no result, and logs a warning after this time. A request without a
	// response fails after 75 seconds. Default: 2 minutes.
	RetryFor time.Duration
	// GoneFor bounds how long a call waits until a Job in deletion is gone with
	// its pods, which may take the pods' termination grace period and, on a dead
	// node, longer. Default: 10 minutes.
	GoneFor time.Duration
	// MaxInFlight is how many requests of this client are open at a time. Additional
	// requests queue in FIFO order. An eighth of them, and at least one unless
	// MaxInFlight is 1, is not available to creates: results, cancels and deletes never
	// wait behind thousands of new Jobs. A call releases its slot while it backs off,
	// except after a 429, when it holds the slot until it succeeds or gives up.
	// Default: 64.
	MaxInFlight int
	// Logger gets retries and adoptions at level Debug, and at level Warn a record that
	// cannot be written for a long time. Default: none.
	Logger *slog.Logger
}

// Client creates, finds, marks and deletes the Jobs of steps. It is safe for
// concurrent use.
type Client struct {
	clientset kubernetes.Interface
	retries   limits       // of a request that fails
	creates   limits       // of one that creates a Job
	records   limits       // of one that writes a record
	deletion  limits       // of the wait until a Job is gone
	every     slots        // of all of these
	waiting   atomic.Int64 // calls that have no slot yet
	undecided *undecided
	log       *slog.Logger
}

// NewClient returns a Client that works through the clientset.
func NewClient(clientset kubernetes.Interface, o Options) *Client {
	if o.RetryFor <= 0 {
		o.RetryFor = defaultRetryFor
	}
	if o.GoneFor <= 0 {
		o.GoneFor = defaultGoneFor
	}
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = defaultMaxInFlight
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	every := make(slots, o.MaxInFlight)
	creating := make(slots, max(1, o.MaxInFlight-max(1, o.MaxInFlight/createReserve)))
	return &Client{
		clientset: clientset,
		retries:   limits{all: o.RetryFor, pause: maxDelay, slots: []slots{every}},
		creates:   limits{all: o.RetryFor, pause: maxDelay, slots: []slots{creating, every}},
		records:   limits{warn: o.RetryFor, pause: maxDelay, slots: []slots{every}},
		deletion:  limits{all: o.GoneFor, pause: maxGoneDelay, slots: []slots{every}},
		every:     every,
		undecided: newUndecided(),
		log:       o.Logger,
	}
}

// Requests returns how many requests are open, of Options.MaxInFlight, and how many calls
// wait for one of these. A call that backs off from an overloaded server counts as open.
func (c *Client) Requests() (open, queued int) { return len(c.every), int(c.waiting.Load()) }

// Get reads a Job from the API server, never from a cache. A Job that does not
// exist is an error for which apierrors.IsNotFound holds.
func (c *Client) Get(ctx context.Context, namespace, name string) (*batchv1.Job, error) {
	var job *batchv1.Job
	err := c.retry(ctx, "get job", c.retries, once(func(ctx context.Context) *APIError {
		var err *APIError
		job, err = c.get(ctx, namespace, name)
		return err
	}))
	if err != nil {
		return nil, err
	}
	return job, nil
}

func (c *Client) get(ctx context.Context, namespace, name string) (*batchv1.Job, *APIError) {
	job, err := apicall.Bounded(ctx, func(ctx context.Context) (*batchv1.Job, error) {
		return c.clientset.BatchV1().Jobs(namespace).Get(ctx, name, metav1.GetOptions{})
	})
	if err != nil {
		return nil, apiError("get", namespace, name, err)
	}
	return job, nil
}

// List reads the Jobs that the label selector matches from the API server, in
// pages, all of one consistent state.
func (c *Client) List(ctx context.Context, namespace, selector string) ([]batchv1.Job, error) {
	var all []batchv1.Job
	err := c.eachJob(ctx, namespace, selector, func() { all = nil }, func(job *batchv1.Job) { all = append(all, *job) })
	if err != nil {
		return nil, err
	}
	return all, nil
}

// eachJob lists in pages and calls each for every Job, after reset at the beginning
// of each try.
func (c *Client) eachJob(ctx context.Context, namespace, selector string, reset func(), each func(*batchv1.Job)) error {
	return c.retry(ctx, "list jobs", c.retries, once(func(ctx context.Context) *APIError {
		reset()
		options := metav1.ListOptions{LabelSelector: selector, Limit: pageSize}
		for {
			page, err := apicall.Bounded(ctx, func(ctx context.Context) (*batchv1.JobList, error) {
				return c.clientset.BatchV1().Jobs(namespace).List(ctx, options)
			})
			if err != nil {
				return apiError("list", namespace, "", err)
			}
			for i := range page.Items {
				each(&page.Items[i])
			}
			if options.Continue = page.Continue; options.Continue == "" {
				return nil
			}
		}
	}))
}

// Delete deletes the Job with that UID, and returns when it is gone with all its
// pods. The propagation policy is Foreground: the Job stays, and starts nothing
// more, until the garbage collector has removed its pods, so that a run created
// after it never overlaps with it. (The API's default for Jobs is Orphan.) A Job
// that is already gone, or replaced under its name, is no error.
func (c *Client) Delete(ctx context.Context, namespace, name string, uid types.UID) error {
	return c.deleteUnless(ctx, namespace, name, uid, nil)
}

// deleteUnless is Delete, but leaves alone a Job for which keep holds when the API server
// deletes it. It reads the Job for that; a nil keep reads nothing.
func (c *Client) deleteUnless(ctx context.Context, namespace, name string, uid types.UID, keep func(*batchv1.Job) bool) error {
	options := metav1.DeleteOptions{
		PropagationPolicy: new(metav1.DeletePropagationForeground),
		Preconditions:     &metav1.Preconditions{UID: &uid},
	}
	kept := false
	err := c.retry(ctx, "delete job", c.retries, func(ctx context.Context) (bool, error) {
		if keep != nil {
			live, failure := c.get(ctx, namespace, name)
			switch {
			case failure != nil && apierrors.IsNotFound(failure):
				return true, nil
			case failure != nil:
				return !failure.Transient(), failure
			case !apicall.SameUID(live.UID, uid, live.Namespace, live.Name):
				return true, nil
			case keep(live):
				kept = true
				return true, nil
			}
			options.Preconditions.ResourceVersion = &live.ResourceVersion
		}
		_, err := apicall.Bounded(ctx, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, c.clientset.BatchV1().Jobs(namespace).Delete(ctx, name, options)
		})
		switch failure := apiError("delete", namespace, name, err); {
		case err == nil, apierrors.IsNotFound(err):
			return true, nil
		case apierrors.IsConflict(err):
			if gone, _ := c.gone(ctx, namespace, name, uid); gone {
				return true, nil
			}
			return false, failure
		default:
			return !failure.Transient(), failure
		}
	})
	if err != nil || kept {
		return err
	}
	return c.waitGone(ctx, namespace, name, uid)
}

// waitGone returns when no Job with that UID is left under the name. Polling is
// enough: deletion takes seconds, and a watch would be no more reliable.
func (c *Client) waitGone(ctx context.Context, namespace, name string, uid types.UID) error {
	return c.retry(ctx, "wait until the job is gone", c.deletion, func(ctx context.Context) (bool, error) {
		gone, err := c.gone(ctx, namespace, name, uid)
		if e := asAPIError(err); e != nil {
			return !e.Transient(), err
		}
		return gone, err
	})
}

// gone reports whether no Job with that UID exists. If it still exists, the error says
// what keeps it.
func (c *Client) gone(ctx context.Context, namespace, name string, uid types.UID) (bool, error) {
	job, err := c.get(ctx, namespace, name)
	switch {
	case err == nil && !apicall.SameUID(job.UID, uid, job.Namespace, job.Name):
		return true, nil
	case err == nil:
		return false, fmt.Errorf("job %s/%s is still being deleted; finalizers: %s", namespace, name, strings.Join(job.Finalizers, ", "))
	case apierrors.IsNotFound(err):
		return true, nil
	default:
		return false, err
	}
}

// waitEnded returns when no Job with that UID is left under the name or, unless gone
// is set, when it is terminal or being deleted.
func (c *Client) waitEnded(ctx context.Context, namespace, name string, uid types.UID, gone bool) error {
	if gone {
		return c.waitGone(ctx, namespace, name, uid)
	}
	return c.retry(ctx, "wait until the job has ended", c.deletion, func(ctx context.Context) (bool, error) {
		live, err := c.get(ctx, namespace, name)
		switch {
		case err != nil && apierrors.IsNotFound(err):
			return true, nil
		case err != nil:
			return !err.Transient(), err
		case !apicall.SameUID(live.UID, uid, live.Namespace, live.Name), live.DeletionTimestamp != nil, StatusOf(live).Terminal:
			return true, nil
		default:
			return false, fmt.Errorf("job %s/%s has a recorded result and its pods have not ended yet", namespace, name)
		}
	})
}
