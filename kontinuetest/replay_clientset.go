package kontinuetest

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/internal/flight"
)

// The types below have the methods that the library calls; the others are those of nil
// interfaces, and panic.

func (p *player) BatchV1() batchclient.BatchV1Interface { return replayedBatch{p: p} }
func (p *player) CoreV1() coreclient.CoreV1Interface    { return replayedCore{p: p} }

type replayedBatch struct {
	batchclient.BatchV1Interface
	p *player
}

// RESTClient reports by its type whether the recorded clientset reached a server.
func (c replayedBatch) RESTClient() rest.Interface {
	if c.p.client.HTTP {
		return &rest.RESTClient{}
	}
	return nil
}

func (c replayedBatch) Jobs(namespace string) batchclient.JobInterface {
	return replayedJobs{replayed: replayed{c.p, jobsResource, namespace}}
}

type replayedCore struct {
	coreclient.CoreV1Interface
	p *player
}

// RESTClient returns nil: the Workloads of a queue are not recorded.
func (c replayedCore) RESTClient() rest.Interface { return nil }

func (c replayedCore) Pods(namespace string) coreclient.PodInterface {
	return replayedPods{replayed: replayed{c.p, podsResource, namespace}}
}

func (c replayedCore) Secrets(namespace string) coreclient.SecretInterface {
	return replayedSecrets{replayed: replayed{c.p, "secrets", namespace}}
}

func (c replayedCore) Events(namespace string) coreclient.EventInterface {
	return replayedEvents{replayed: replayed{c.p, "events", namespace}}
}

// replayed is one resource in one namespace.
type replayed struct {
	p                   *player
	resource, namespace string
}

func (c replayed) request(verb, name string) flight.Request {
	return flight.Request{Verb: verb, Resource: c.resource, Namespace: c.namespace, Name: name}
}

func (c replayed) list(verb string, o metav1.ListOptions) flight.Request {
	q := c.request(verb, "")
	q.Selector = flight.Selector(o)
	return q
}

// answer returns the recorded answer to a request, or what otherwise returns if there is
// none.
func answer[T any](ctx context.Context, p *player, q flight.Request, otherwise func() (*T, error)) (*T, error) {
	a, err := p.ask(ctx, q)
	switch {
	case err != nil:
		return nil, err
	case a != nil:
		return decode[T](a.line)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return otherwise()
}

// unknown is the answer to a request whose effect the recording does not show.
func unknown[T any](q flight.Request) func() (*T, error) {
	return func() (*T, error) {
		return nil, apierrors.NewServiceUnavailable(fmt.Sprintf("the recording has no answer to %s", q))
	}
}

type replayedJobs struct {
	batchclient.JobInterface
	replayed
}

func (c replayedJobs) Create(ctx context.Context, job *batchv1.Job, _ metav1.CreateOptions) (*batchv1.Job, error) {
	q := c.request("create", job.Name)
	return answer(ctx, c.p, q, unknown[batchv1.Job](q))
}

func (c replayedJobs) Get(ctx context.Context, name string, _ metav1.GetOptions) (*batchv1.Job, error) {
	q := c.request("get", name)
	return answer(ctx, c.p, q, func() (*batchv1.Job, error) { return get[*batchv1.Job](c.p.known, q) })
}

func (c replayedJobs) List(ctx context.Context, o metav1.ListOptions) (*batchv1.JobList, error) {
	q := c.list("list", o)
	return answer(ctx, c.p, q, func() (*batchv1.JobList, error) {
		all, err := list[*batchv1.Job](c.p.known, q)
		found := &batchv1.JobList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
		for _, job := range all {
			found.Items = append(found.Items, *job)
		}
		return found, err
	})
}

// Patch without a recorded answer changes the object that the recording has shown.
func (c replayedJobs) Patch(ctx context.Context, name string, kind types.PatchType, data []byte, _ metav1.PatchOptions, _ ...string) (*batchv1.Job, error) {
	q := c.request("patch", name)
	q.Changes = flight.Changes(data)
	return answer(ctx, c.p, q, func() (*batchv1.Job, error) { return c.p.known.patch(q, kind, data) })
}

func (c replayedJobs) Delete(ctx context.Context, name string, _ metav1.DeleteOptions) error {
	_, err := c.p.ask(ctx, c.request("delete", name))
	return err
}

func (c replayedJobs) Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	return c.p.watch(ctx, c.list("watch", o))
}

type replayedPods struct {
	coreclient.PodInterface
	replayed
}

func (c replayedPods) Get(ctx context.Context, name string, _ metav1.GetOptions) (*corev1.Pod, error) {
	q := c.request("get", name)
	return answer(ctx, c.p, q, func() (*corev1.Pod, error) { return get[*corev1.Pod](c.p.known, q) })
}

func (c replayedPods) List(ctx context.Context, o metav1.ListOptions) (*corev1.PodList, error) {
	q := c.list("list", o)
	return answer(ctx, c.p, q, func() (*corev1.PodList, error) {
		all, err := list[*corev1.Pod](c.p.known, q)
		found := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
		for _, pod := range all {
			found.Items = append(found.Items, *pod)
		}
		return found, err
	})
}

func (c replayedPods) Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	return c.p.watch(ctx, c.list("watch", o))
}

type replayedSecrets struct {
	coreclient.SecretInterface
	replayed
}

func (c replayedSecrets) Create(ctx context.Context, secret *corev1.Secret, _ metav1.CreateOptions) (*corev1.Secret, error) {
	q := c.request("create", secret.Name)
	return answer(ctx, c.p, q, unknown[corev1.Secret](q))
}

func (c replayedSecrets) Get(ctx context.Context, name string, _ metav1.GetOptions) (*corev1.Secret, error) {
	q := c.request("get", name)
	return answer(ctx, c.p, q, unknown[corev1.Secret](q))
}

type replayedEvents struct {
	coreclient.EventInterface
	replayed
}

func (c replayedEvents) List(ctx context.Context, o metav1.ListOptions) (*corev1.EventList, error) {
	return answer(ctx, c.p, c.list("list", o), func() (*corev1.EventList, error) { return &corev1.EventList{}, nil })
}
