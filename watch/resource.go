package watch

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/kontinue/kontinue/internal/listwatch"
)

// resource is one kind of objects that is listed and watched, in one namespace or in all.
type resource struct {
	name, namespace string // an empty namespace stands for all
	object          runtime.Object
	listerWatcher   *listwatch.ListerWatcher
	events          cache.ResourceEventHandler
	pair            *pair
	log             *slog.Logger
	begun           atomic.Bool
	synced          []cache.DoneChecker // set by begin
}

// begin starts the informer, unless its factory is shut down.
func (res *resource) begin() {
	res.inform(res.pair.factory)
	res.begun.Store(true)
	res.pair.factory.StartWithContext(res.pair.informers)
}

// problem returns why a resource is not healthy, or nil; silent is what to say when its
// watch was never open and no request has failed.
func (res *resource) problem(silent string) error {
	opened, err := res.listerWatcher.State()
	switch {
	case err != nil:
		return (*Error)(err)
	case opened:
		return nil
	case !res.begun.Load():
		return fmt.Errorf("list and watch of %s %s have not begun: they follow the jobs", res.name, listwatch.In(res.namespace))
	default:
		return fmt.Errorf("%s of %s %s", silent, res.name, listwatch.In(res.namespace))
	}
}

// pair are the two resources of one namespace, or of all, with their informers.
type pair struct {
	factory    informers.SharedInformerFactory
	informers  context.Context // ends with the pair
	cancel     context.CancelFunc
	jobs, pods *resource
}

// pair returns the two resources, which have not begun. wanted says of which namespaces
// objects are kept; nil stands for all.
func (w *Watcher) pair(r *run, namespace string, wanted []string) *pair {
	p := &pair{factory: informers.NewSharedInformerFactoryWithOptions(w.cfg.Clientset, 0, informers.WithNamespace(namespace))}
	p.informers, p.cancel = context.WithCancel(r.informers)
	jobs, jobSelector := w.cfg.Clientset.BatchV1().Jobs(namespace), w.cfg.JobSelector
	p.jobs = w.resource(r, p, &batchv1.Job{}, jobEvents(r.store), listwatch.Config{
		Resource: "jobs", Namespace: namespace, Wanted: inOneOf(wanted), Trial: wanted != nil, Keep: r.store.keepJobs,
		List: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector = jobSelector
			return jobs.List(ctx, o)
		},
		Watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector = jobSelector
			return jobs.Watch(ctx, o)
		},
	})
	pods, podSelector := w.cfg.Clientset.CoreV1().Pods(namespace), w.cfg.PodSelector
	p.pods = w.resource(r, p, &corev1.Pod{}, podEvents(r.store), listwatch.Config{
		Resource: "pods", Namespace: namespace, Wanted: inOneOf(wanted), Trial: wanted != nil, Keep: r.store.keepPods,
		List: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector = podSelector
			return pods.List(ctx, o)
		},
		Watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector = podSelector
			return pods.Watch(ctx, o)
		},
	})
	return p
}

// inOneOf reports whether an object is in one of the namespaces; nil stands for all.
func inOneOf(namespaces []string) func(runtime.Object) bool {
	if namespaces == nil {
		return nil
	}
	set := make(map[string]bool, len(namespaces))
	for _, namespace := range namespaces {
		set[namespace] = true
	}
	return func(obj runtime.Object) bool {
		m, ok := obj.(metav1.Object)
		return ok && set[m.GetNamespace()]
	}
}

func (w *Watcher) resource(r *run, p *pair, object runtime.Object, events cache.ResourceEventHandler, cfg listwatch.Config) *resource {
	cfg.Changed, cfg.Progress = r.changed, r.gotFurther
	cfg.Bookmarks = overHTTP(w.cfg.Clientset)
	cfg.Logger = w.cfg.Logger.With("resource", cfg.Resource, "namespace", cfg.Namespace)
	return &resource{
		name: cfg.Resource, namespace: cfg.Namespace, object: object, events: events, pair: p,
		listerWatcher: listwatch.New(cfg), log: cfg.Logger,
	}
}

// overHTTP reports whether a clientset sends its requests to a server: a fake one has no
// REST client.
func overHTTP(clientset kubernetes.Interface) bool {
	client, ok := clientset.BatchV1().RESTClient().(*rest.RESTClient)
	return ok && client != nil
}
