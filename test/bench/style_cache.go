package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/cli-utils/pkg/kstatus/polling/event"
	"sigs.k8s.io/cli-utils/pkg/kstatus/watcher"
	"sigs.k8s.io/cli-utils/pkg/object"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/kontinue/kontinue/internal/identity"
)

func mapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper([]schema.GroupVersion{batchv1.SchemeGroupVersion, corev1.SchemeGroupVersion})
	m.Add(batchv1.SchemeGroupVersion.WithKind("Job"), meta.RESTScopeNamespace)
	m.Add(corev1.SchemeGroupVersion.WithKind("Pod"), meta.RESTScopeNamespace)
	return m
}

// statusWatcher uses one watcher of cli-utils for all Jobs, and a channel for each
// wait. kstatus reports a Job as Current once it has started, so the conditions are
// checked as well.
func statusWatcher(ctx context.Context, w *waiter) error {
	client, err := dynamic.NewForConfig(w.config)
	if err != nil {
		return err
	}
	ids := make(object.ObjMetadataSet, len(w.targets))
	waits := make(map[string]chan struct{}, len(w.targets))
	for i, t := range w.targets {
		ids[i] = object.ObjMetadata{Namespace: w.namespace, Name: t.Name, GroupKind: schema.GroupKind{Group: "batch", Kind: "Job"}}
		waits[t.Name] = w.channel(i)
	}
	var seen atomic.Int64
	failed := make(chan error, 1)
	events := watcher.NewDefaultStatusWatcher(client, mapper()).Watch(ctx, ids, watcher.Options{})
	go func() {
		known := make(map[string]bool, len(w.targets))
		for e := range events {
			switch {
			case e.Type == event.ErrorEvent:
				fail(failed, e.Error)
			case e.Type == event.ResourceUpdateEvent && e.Resource.Resource != nil:
				name := e.Resource.Identifier.Name
				if !known[name] {
					known[name] = true
					seen.Add(1)
				}
				if ended(e.Resource.Resource) && waits[name] != nil {
					close(waits[name])
					delete(waits, name)
				}
			}
		}
		fail(failed, errors.New("the status watcher has stopped"))
	}()
	return w.attached(ctx, &seen, failed)
}

func ended(u *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["status"] == "True" && (m["type"] == "Complete" || m["type"] == "Failed") {
			return true
		}
	}
	return false
}

// channel starts the i-th waiter, and returns the channel to close to wake it.
func (w *waiter) channel(i int) chan struct{} {
	c := make(chan struct{})
	go func() {
		<-c
		w.woke(i)
	}()
	return c
}

// handlerPerWait keeps the Jobs and Pods in controller-runtime's cache, and adds an
// event handler for each wait.
func handlerPerWait(ctx context.Context, w *waiter) error {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	selector, err := labels.Parse(identity.Selector(group))
	if err != nil {
		return err
	}
	c, err := cache.New(w.config, cache.Options{
		Scheme: scheme, Mapper: mapper(), DefaultLabelSelector: selector,
		DefaultNamespaces: map[string]cache.Config{w.namespace: {}},
	})
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { fail(failed, c.Start(ctx)) }()
	if _, err := c.GetInformer(ctx, &corev1.Pod{}); err != nil {
		return err
	}
	jobs, err := c.GetInformer(ctx, &batchv1.Job{})
	if err != nil {
		return err
	}
	if !c.WaitForCacheSync(ctx) {
		return errors.New("the cache did not sync")
	}
	var begun atomic.Int64
	began := time.Now()
	for i, t := range w.targets {
		if time.Since(began) > attachLimit {
			return fmt.Errorf("only %d of %d handlers were added within %s", i, len(w.targets), attachLimit)
		}
		done := w.channel(i)
		var once sync.Once
		look := func(obj any) {
			if job, ok := obj.(*batchv1.Job); ok && job.UID == t.UID && terminal(job) {
				once.Do(func() { close(done) })
			}
		}
		if _, err := jobs.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: look, UpdateFunc: func(_, obj any) { look(obj) },
		}); err != nil {
			return err
		}
		begun.Add(1)
	}
	return w.attached(ctx, &begun, failed)
}

// informer is what one would write by hand: a shared informer for Jobs and one for
// Pods, with whole objects, one handler and a map of channels. The waiter reads the
// Pod from the cache.
func informer(ctx context.Context, w *waiter) error { return w.inform(ctx, nil) }

// informerRecord also records the result on the Job with one PATCH, which is needed
// for a result to outlive its pod and its process.
func informerRecord(ctx context.Context, w *waiter) error {
	return w.inform(ctx, func(client kubernetes.Interface, job *batchv1.Job, pod *corev1.Pod) error {
		record, err := json.Marshal(map[string]any{"job": job.Status, "pod": pod.Name, "node": pod.Spec.NodeName, "containers": pod.Status.ContainerStatuses})
		if err != nil {
			return err
		}
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
			"resourceVersion": job.ResourceVersion, "annotations": map[string]string{"example.com/outcome": string(record)},
		}})
		if err != nil {
			return err
		}
		_, err = client.BatchV1().Jobs(job.Namespace).Patch(ctx, job.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		return err
	})
}

// inform implements informer and informerRecord. record may be nil.
func (w *waiter) inform(ctx context.Context, record func(kubernetes.Interface, *batchv1.Job, *corev1.Pod) error) error {
	if record != nil {
		w.wakeOnPatch()
	}
	client, err := kubernetes.NewForConfig(w.config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(w.namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = identity.Selector(group) }))
	var mu sync.Mutex
	waits := make(map[types.UID]chan *batchv1.Job, len(w.targets))
	byJob := func(obj any) ([]string, error) {
		if pod, ok := obj.(*corev1.Pod); ok {
			if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
				return []string{string(owner.UID)}, nil
			}
		}
		return nil, nil
	}
	pods := factory.Core().V1().Pods().Informer()
	if err := pods.AddIndexers(toolscache.Indexers{"job": byJob}); err != nil {
		return err
	}
	failed := make(chan error, 1)
	for i, t := range w.targets {
		c := make(chan *batchv1.Job, 1)
		waits[t.UID] = c
		go func() {
			job := <-c
			if record == nil {
				w.woke(i)
			}
			found, err := pods.GetIndexer().ByIndex("job", string(job.UID))
			if err != nil || len(found) != 1 {
				fail(failed, fmt.Errorf("job %s has %d pods: %w", job.Name, len(found), err))
				return
			}
			if pod, ok := found[0].(*corev1.Pod); ok && record != nil {
				if err := record(client, job, pod); err != nil {
					fail(failed, err)
					return
				}
				w.returned(i)
			}
		}()
	}
	look := func(obj any) {
		job, ok := obj.(*batchv1.Job)
		if !ok || !terminal(job) {
			return
		}
		mu.Lock()
		c := waits[job.UID]
		delete(waits, job.UID)
		mu.Unlock()
		if c != nil {
			c <- job
		}
	}
	if _, err := factory.Batch().V1().Jobs().Informer().AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: look, UpdateFunc: func(_, obj any) { look(obj) },
	}); err != nil {
		return err
	}
	factory.StartWithContext(ctx)
	if err := factory.WaitForCacheSyncWithContext(ctx).AsError(); err != nil {
		return err
	}
	var begun atomic.Int64
	begun.Store(int64(len(w.targets)))
	return w.attached(ctx, &begun, failed)
}
