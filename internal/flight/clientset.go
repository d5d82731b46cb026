package flight

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/internal/redact"
	"github.com/kontinue/kontinue/internal/step"
)

// Wrap returns a clientset that does what the given one does, and records the requests
// that this library sends. Those that it does not send, and logs, are not recorded.
func (r *Recorder) Wrap(clientset kubernetes.Interface) kubernetes.Interface {
	if r == nil {
		return clientset
	}
	client, ok := clientset.BatchV1().RESTClient().(*rest.RESTClient)
	r.pending[0].Client.HTTP = ok && client != nil
	return recorded{clientset, r}
}

// Player is a clientset that answers from a recording. A client that is made with one gives
// it its engine, which the recorded steps are started on.
type Player interface {
	kubernetes.Interface
	Attach(*step.Engine)
}

type recorded struct {
	kubernetes.Interface
	r *Recorder
}

func (c recorded) BatchV1() batchclient.BatchV1Interface {
	return recordedBatch{c.Interface.BatchV1(), c.r}
}
func (c recorded) CoreV1() coreclient.CoreV1Interface {
	return recordedCore{c.Interface.CoreV1(), c.r}
}

type recordedBatch struct {
	batchclient.BatchV1Interface
	r *Recorder
}

func (c recordedBatch) Jobs(namespace string) batchclient.JobInterface {
	return recordedJobs{c.BatchV1Interface.Jobs(namespace), kind{c.r, "jobs", namespace}}
}

type recordedCore struct {
	coreclient.CoreV1Interface
	r *Recorder
}

func (c recordedCore) Pods(namespace string) coreclient.PodInterface {
	return recordedPods{c.CoreV1Interface.Pods(namespace), kind{c.r, "pods", namespace}}
}

func (c recordedCore) Secrets(namespace string) coreclient.SecretInterface {
	return recordedSecrets{c.CoreV1Interface.Secrets(namespace), kind{c.r, "secrets", namespace}}
}

func (c recordedCore) Events(namespace string) coreclient.EventInterface {
	return recordedEvents{c.CoreV1Interface.Events(namespace), kind{c.r, "events", namespace}}
}

type recordedJobs struct {
	batchclient.JobInterface
	kind
}

func (c recordedJobs) Create(ctx context.Context, job *batchv1.Job, o metav1.CreateOptions) (*batchv1.Job, error) {
	return answer(ctx, c.request("create", job.Name), secretsOf(&job.Spec.Template), func() (*batchv1.Job, error) { return c.JobInterface.Create(ctx, job, o) })
}

func (c recordedJobs) Get(ctx context.Context, name string, o metav1.GetOptions) (*batchv1.Job, error) {
	return answer(ctx, c.request("get", name), nil, func() (*batchv1.Job, error) { return c.JobInterface.Get(ctx, name, o) })
}

func (c recordedJobs) List(ctx context.Context, o metav1.ListOptions) (*batchv1.JobList, error) {
	return answer(ctx, c.list("list", o), nil, func() (*batchv1.JobList, error) { return c.JobInterface.List(ctx, o) })
}

func (c recordedJobs) Patch(ctx context.Context, name string, kind types.PatchType, data []byte, o metav1.PatchOptions, sub ...string) (*batchv1.Job, error) {
	q := c.request("patch", name)
	q.Changes = Changes(data)
	return answer(ctx, q, nil, func() (*batchv1.Job, error) { return c.JobInterface.Patch(ctx, name, kind, data, o, sub...) })
}

func (c recordedJobs) Delete(ctx context.Context, name string, o metav1.DeleteOptions) error {
	_, err := answer(ctx, c.request("delete", name), nil, func() (*batchv1.Job, error) { return nil, c.JobInterface.Delete(ctx, name, o) })
	return err
}

func (c recordedJobs) Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	return c.watch(ctx, o, func() (watch.Interface, error) { return c.JobInterface.Watch(ctx, o) })
}

type recordedPods struct {
	coreclient.PodInterface
	kind
}

func (c recordedPods) Get(ctx context.Context, name string, o metav1.GetOptions) (*corev1.Pod, error) {
	return answer(ctx, c.request("get", name), nil, func() (*corev1.Pod, error) { return c.PodInterface.Get(ctx, name, o) })
}

func (c recordedPods) List(ctx context.Context, o metav1.ListOptions) (*corev1.PodList, error) {
	return answer(ctx, c.list("list", o), nil, func() (*corev1.PodList, error) { return c.PodInterface.List(ctx, o) })
}

func (c recordedPods) Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	return c.watch(ctx, o, func() (watch.Interface, error) { return c.PodInterface.Watch(ctx, o) })
}

type recordedSecrets struct {
	coreclient.SecretInterface
	kind
}

func (c recordedSecrets) Create(ctx context.Context, secret *corev1.Secret, o metav1.CreateOptions) (*corev1.Secret, error) {
	return answer(ctx, c.request("create", secret.Name), nil, func() (*corev1.Secret, error) { return c.SecretInterface.Create(ctx, secret, o) })
}

func (c recordedSecrets) Get(ctx context.Context, name string, o metav1.GetOptions) (*corev1.Secret, error) {
	return answer(ctx, c.request("get", name), nil, func() (*corev1.Secret, error) { return c.SecretInterface.Get(ctx, name, o) })
}

type recordedEvents struct {
	coreclient.EventInterface
	kind
}

func (c recordedEvents) List(ctx context.Context, o metav1.ListOptions) (*corev1.EventList, error) {
	return answer(ctx, c.list("list", o), nil, func() (*corev1.EventList, error) { return c.EventInterface.List(ctx, o) })
}

// kind is one kind of objects in one namespace.
type kind struct {
	r               *Recorder
	name, namespace string
}

// request is one that is about to be sent.
type request struct {
	Request
	r *Recorder
}

func (c kind) request(verb, name string) request {
	return request{Request{Verb: verb, Resource: c.name, Namespace: c.namespace, Name: name}, c.r}
}

func (c kind) list(verb string, o metav1.ListOptions) request {
	q := c.request(verb, "")
	q.Selector = Selector(o)
	return q
}

// Selector is the one of a list or a watch, as it is recorded.
func Selector(o metav1.ListOptions) string {
	return strings.Trim(o.LabelSelector+";"+o.FieldSelector, ";")
}

// object is an object or a list.
type object interface {
	comparable
	kruntime.Object
}

// answer sends a request and records it with its answer, before the caller has that.
func answer[T object](ctx context.Context, q request, secrets redact.Secrets, send func() (T, error)) (T, error) {
	began := time.Now()
	got, err := send()
	line := Line{Kind: KindAnswer, Request: &q.Request, Took: time.Since(began)}
	var none T
	switch {
	case err != nil:
		if line.Error = q.r.failure(err, secrets); q.Resource == "secrets" { // which the answer may quote
			line.Error = q.r.failure(redact.Refusal(err), nil)
		}
		line.Error.ended(ctx)
	case got != none:
		q.r.addObject(line, got, nil)
		return got, nil
	}
	q.r.add(line)
	return got, err
}

// failure is what is recorded of an error.
func (r *Recorder) failure(err error, secrets redact.Secrets) *Error {
	secrets = slices.Concat(secrets, r.secrets())
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		s := status.Status()
		r.Scrub(&s, secrets)
		return &Error{Status: &s}
	}
	text := err.Error()
	if u := (*url.Error)(nil); errors.As(err, &u) {
		text = u.Err.Error() // without the address of the API server
	}
	return &Error{Text: secrets.Hide(text), Canceled: errors.Is(err, context.Canceled), Deadline: errors.Is(err, context.DeadlineExceeded)}
}

// ended notes that the request's context has ended, of which the error may have the cause
// alone.
func (e *Error) ended(ctx context.Context) {
	if end := ctx.Err(); end != nil && e.Status == nil {
		e.Canceled, e.Deadline = errors.Is(end, context.Canceled), errors.Is(end, context.DeadlineExceeded)
	}
}

// Changes returns the paths of a JSON patch or a JSON merge patch.
func Changes(data []byte) (paths []string) {
	var operations []struct{ Op, Path string }
	if json.Unmarshal(data, &operations) == nil {
		for _, o := range operations {
			paths = append(paths, o.Op+" "+o.Path)
		}
		return paths
	}
	var tree map[string]any
	_ = json.Unmarshal(data, &tree)
	var walk func(path string, node map[string]any)
	walk = func(path string, node map[string]any) {
		for key, value := range node {
			at := path + "/" + strings.ReplaceAll(key, "/", "~1")
			if below, ok := value.(map[string]any); ok {
				walk(at, below)
				continue
			}
			paths = append(paths, at)
		}
	}
	walk("", tree)
	slices.Sort(paths)
	return paths
}
