package jobs_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var resource = schema.GroupResource{Group: "batch", Resource: "jobs"}

// request returns a valid request, which tests modify.
func request() *jobs.Request {
	return &jobs.Request{
		Execution: identity.Execution{Namespace: "ns", Name: "deploy", UID: "u-1"},
		Owner:     metav1.OwnerReference{APIVersion: "example.com/v1", Kind: "Execution", Name: "deploy", UID: "u-1"},
		Group:     "blue", Step: "helm",
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "main", Image: "alpine:3.19", Command: []string{"true"}}},
		}}},
	}
}

func changed(change ...func(*jobs.Request)) *jobs.Request {
	r := request()
	for _, c := range change {
		c(r)
	}
	return r
}

func build(t *testing.T, change ...func(*jobs.Request)) *batchv1.Job {
	t.Helper()
	job, err := changed(change...).Build()
	require.NoError(t, err)
	return job
}

// acquire calls Acquire for a first run without a cache, so that the create decides.
func acquire(ctx context.Context, c *jobs.Client, r *jobs.Request) (jobs.Acquired, error) {
	return c.Acquire(ctx, r, jobs.None, firstRuns(c, r), nil)
}

func firstRuns(c *jobs.Client, r *jobs.Request) *jobs.Runs { return c.NewRuns(r.Execution, false) }

// cluster is client-go's fake with UIDs, and with responses that a test can replace.
type cluster struct {
	*fake.Clientset
	uids   atomic.Int64
	writes sync.Mutex // of a server's Jobs, each of which reads its Job first
}

func newCluster(objects ...runtime.Object) *cluster {
	c := &cluster{Clientset: fake.NewSimpleClientset(objects...)}
	c.PrependReactor("create", "jobs", func(a ktesting.Action) (bool, runtime.Object, error) {
		job := a.(ktesting.CreateAction).GetObject().(*batchv1.Job)
		job.UID = types.UID("job-" + strconv.FormatInt(c.uids.Add(1), 10))
		return false, nil, nil
	})
	return c
}

// answer runs f before the n-th request (from 1) of that verb and every later one until
// it returns false. An error of f is the response.
func (c *cluster) answer(verb string, f func(n int, a ktesting.Action) error) {
	n := 0
	c.PrependReactor(verb, "jobs", func(a ktesting.Action) (bool, runtime.Object, error) {
		n++
		err := f(n, a)
		return err != nil, nil, err
	})
}

// fail makes the first requests of the verb fail with these errors; nil lets one pass.
func (c *cluster) fail(verb string, errs ...error) {
	c.answer(verb, func(n int, _ ktesting.Action) error {
		if n <= len(errs) {
			return errs[n-1]
		}
		return nil
	})
}

// instead runs f instead of the fake's implementation of the verb. Later calls take
// precedence.
func (c *cluster) instead(verb string, f func()) {
	c.PrependReactor(verb, "jobs", func(ktesting.Action) (bool, runtime.Object, error) {
		f()
		return true, nil, nil
	})
}

// count must not be called by a reactor: the fake holds its lock meanwhile.
func (c *cluster) count(verb string) int {
	n := 0
	for _, a := range c.Actions() {
		if a.GetVerb() == verb {
			n++
		}
	}
	return n
}

func (c *cluster) counts(verbs ...string) []int {
	var all []int
	for _, verb := range verbs {
		all = append(all, c.count(verb))
	}
	return all
}

// commit stores the object of a create as the API server would have.
func (c *cluster) commit(a ktesting.Action) error {
	job := a.(ktesting.CreateAction).GetObject().(*batchv1.Job).DeepCopy()
	job.UID = "committed"
	return c.Tracker().Create(a.GetResource(), job, a.GetNamespace())
}

// The errors of a real API server.
var (
	errEOF      = errors.New(`Post "https://10.0.0.1/apis/batch/v1/namespaces/ns/jobs": EOF`)
	errTooMany  = apierrors.NewTooManyRequestsError("too many requests, please try again later")
	errWebhook  = status(http.StatusInternalServerError, metav1.StatusReasonInternalError, `Internal error occurred: failed calling webhook "w.example.com": Post "https://w.svc": context deadline exceeded`)
	errBusyHook = status(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, `admission webhook "w.example.com" denied the request: slow down`)
	errTimeout  = apierrors.NewTimeoutError("request did not complete within requested timeout", 0)
	errRBAC     = apierrors.NewForbidden(resource, "j", errors.New(`User "system:serviceaccount:ns:w" cannot create resource "jobs" in API group "batch" in the namespace "ns"`))
	errRBACGet  = apierrors.NewForbidden(resource, "j", errors.New(`User "system:serviceaccount:ns:w" cannot get resource "jobs" in API group "batch" in the namespace "ns"`))
	errQuota    = apierrors.NewForbidden(resource, "j", errors.New("exceeded quota: q, requested: count/jobs.batch=1, used: count/jobs.batch=1, limited: count/jobs.batch=1"))
	errDenied   = apierrors.NewForbidden(resource, "j", errors.New(`admission webhook "policy.example.com" denied the request: no latest tags`))
	errQuotaRow = apierrors.NewConflict(schema.GroupResource{Resource: "resourcequotas"}, "q", errors.New("the object has been modified"))
	errExists   = apierrors.NewAlreadyExists(resource, "j")
	errNotFound = apierrors.NewNotFound(resource, "j")
	errNoNS     = apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "ns")
	batchKind   = schema.GroupKind{Group: "batch", Kind: "Job"}
	errInvalid  = apierrors.NewInvalid(batchKind, "j", nil)
	errUnauth   = apierrors.NewUnauthorized("Unauthorized")
	errTooLarge = apierrors.NewRequestEntityTooLargeError("limit is 3145728")
)

func errTerminating() error {
	err := apierrors.NewForbidden(resource, "j", errors.New("unable to create new content in namespace ns because it is being terminated"))
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: corev1.NamespaceTerminatingCause, Field: "metadata.namespace"})
	return err
}

func status(code int32, reason metav1.StatusReason, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message}}
}

func typesUID(s string) types.UID { return types.UID(s) }
