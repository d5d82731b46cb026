package kubelet

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/fakecluster/engine"
)

// DefaultLogLimit is how many bytes of one container instance's log are kept.
const DefaultLogLimit = 16 << 20

// Options configure a Kubelet.
type Options struct {
	// Nodes are the nodes to start with; default one, "node-1", on which only
	// each pod's own requests are checked against the capacity. Nodes named here
	// have their capacity shared out among their pods.
	Nodes []Node
	// Workers is how many pods are worked on concurrently; default 2.
	Workers int
	// MaxPods limits how many pods run at a time; the others stay in
	// ContainerCreating. Default 0: no limit.
	MaxPods int
	// LogLimit is how many bytes of a container instance's log are kept, the
	// newest ones; default DefaultLogLimit.
	LogLimit int
	// LogDir is a directory in which the logs are kept too, so that a Kubelet that is
	// started with the same one later still has those of pods that exist. Default: none.
	LogDir string
	// BackoffScale multiplies the delays before a crashed container is started
	// again (10 s doubling to 5 min); default 1.
	BackoffScale float64
	// NormalEvents also records events of type Normal (Scheduled, Pulled, Created, Started
	// and Killing); Warnings are always recorded.
	NormalEvents bool
	// StatusDelay is the time from the end of a container until the pod's status
	// shows it. It does not apply to containers that the kubelet stops. Default 0.
	StatusDelay time.Duration
	// PhaseDelay is the time from the status that shows the last container as
	// terminated until the pod's phase is Succeeded or Failed. Default 0: both are
	// in one status.
	PhaseDelay time.Duration
	// RemovalDelay is the time from the final phase of a deleted pod until it is
	// removed from the API server. Default 0.
	RemovalDelay time.Duration
}

// Kubelet is the scheduler and the kubelets of all nodes.
type Kubelet struct {
	client  kubernetes.Interface
	cache   *engine.Cache
	runtime containers.Runtime
	opts    Options
	queue   *engine.Queue[types.UID]

	mu        sync.Mutex
	workers   map[types.UID]*podWorker
	nodes     map[string]*node
	order     []*node
	share     bool // capacity is shared out among the pods
	unplaced  map[types.UID]struct{}
	evictions map[types.UID]string
	slots     int
	waitSlots []types.UID
	addresses int

	wg sync.WaitGroup
}

// New returns a Kubelet over cache. Start cache after New and before Start.
func New(client kubernetes.Interface, cache *engine.Cache, runtime containers.Runtime, opts Options) *Kubelet {
	if opts.Workers <= 0 {
		opts.Workers = 2
	}
	if opts.LogLimit <= 0 {
		opts.LogLimit = DefaultLogLimit
	}
	if opts.BackoffScale <= 0 {
		opts.BackoffScale = 1
	}
	k := &Kubelet{
		client:    client,
		cache:     cache,
		runtime:   runtime,
		opts:      opts,
		queue:     engine.NewQueue[types.UID](10*time.Millisecond, time.Second),
		workers:   map[types.UID]*podWorker{},
		nodes:     map[string]*node{},
		share:     len(opts.Nodes) > 0,
		unplaced:  map[types.UID]struct{}{},
		evictions: map[types.UID]string{},
		slots:     opts.MaxPods,
	}
	cache.Pods.Subscribe(func(old, pod *corev1.Pod) {
		if pod == nil {
			pod = old
		}
		k.queue.Add(pod.UID)
	})
	cache.Secrets.Subscribe(func(_, s *corev1.Secret) {
		if s != nil {
			k.retryWaiting(s.Namespace)
		}
	})
	cache.ConfigMaps.Subscribe(func(_, c *corev1.ConfigMap) {
		if c != nil {
			k.retryWaiting(c.Namespace)
		}
	})
	return k
}

// Start registers the nodes and runs until ctx ends; Wait waits for it.
func (k *Kubelet) Start(ctx context.Context) error {
	nodes := k.opts.Nodes
	if len(nodes) == 0 {
		nodes = []Node{{Name: "node-1", Labels: map[string]string{corev1.LabelOSStable: "linux"}}}
	}
	for _, n := range nodes {
		if err := k.AddNode(ctx, n); err != nil {
			return err
		}
	}
	if err := k.removeLostLogs(); err != nil {
		return err
	}
	for range k.opts.Workers {
		k.wg.Go(func() { engine.Work(ctx, k.queue, k.sync) })
	}
	context.AfterFunc(ctx, k.queue.ShutDown)
	return nil
}

// Wait waits for the goroutines of Start to end, and kills the running containers.
func (k *Kubelet) Wait() {
	k.wg.Wait()
	k.queue.ShutDown() // in case it was never started
	k.runtime.Close()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, w := range k.workers {
		w.closeLogs()
	}
}

// sync syncs one pod.
func (k *Kubelet) sync(ctx context.Context, uid types.UID) error {
	pod, ok := k.cache.Pods.Get(uid)
	if !ok {
		k.forget(uid)
		return nil
	}
	w := k.workerFor(pod)
	if w.showsPod && !(maps.Equal(w.pod.Labels, pod.Labels) && maps.Equal(w.pod.Annotations, pod.Annotations)) {
		w.changed.Store(true)
	}
	w.pod = pod
	now := time.Now()
	if wait := w.collect(k, now); wait > 0 {
		k.queue.AddAfter(uid, wait)
	}
	if pod.Spec.NodeName == "" {
		return k.schedule(ctx, w)
	}
	if !k.place(w, pod.Spec.NodeName) {
		return nil // not a node of this cluster
	}
	if k.dead(w) {
		w.killAll()
		return nil
	}
	if k.rebooted(w) { // possibly within one turn of this pod
		w.killAll()
	}
	if terminal(pod) && !w.done.Load() {
		// Another controller ended it, such as the pod garbage collector.
		w.killAll()
		w.done.Store(true)
	}
	if w.done.Load() && terminal(pod) {
		k.release(w)
		if w.alive() == 0 {
			k.runtime.Forget(uid)
		}
		return k.remove(ctx, w)
	}
	if w.startTime.IsZero() {
		if err := k.fetchReferences(ctx, w); err != nil {
			return err
		}
		w.startTime = now
		w.reboot(k, now)
	}
	if message, asked := k.takeEviction(uid); asked && !w.done.Load() {
		w.fail(reasonEvicted, message, disruption(evictionCondition, message))
	}
	if next := w.step(k, now); next > 0 {
		k.queue.AddAfter(uid, next)
	}
	k.warnMounts(ctx, w)
	k.recordNotes(ctx, w)
	return k.writeStatus(ctx, w, now)
}

func (k *Kubelet) writeStatus(ctx context.Context, w *podWorker, now time.Time) error {
	status := w.status(now)
	if !equality.Semantic.DeepEqual(&w.pod.Status, &status) {
		shared := *w.pod // the rest is sent as it is
		fresh := &shared
		fresh.Status = status
		updated, err := k.client.CoreV1().Pods(fresh.Namespace).UpdateStatus(ctx, fresh, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) {
			// The pod has changed: sync it again.
			updated, err = k.client.CoreV1().Pods(fresh.Namespace).Get(ctx, fresh.Name, metav1.GetOptions{})
			k.queue.Add(w.uid)
		}
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("writing the status of pod %s/%s: %w", fresh.Namespace, fresh.Name, err)
		}
		if updated.UID == w.uid {
			k.cache.Pods.Put(updated)
		}
		return nil // putting it leads to the next look
	}
	if w.done.Load() {
		k.release(w)
		return k.remove(ctx, w)
	}
	return nil
}

// remove completes the deletion of a pod that has ended.
func (k *Kubelet) remove(ctx context.Context, w *podWorker) error {
	if w.pod.DeletionTimestamp == nil || w.removed {
		return nil
	}
	if wait := time.Until(w.removeAt); wait > 0 {
		k.queue.AddAfter(w.uid, wait)
		return nil
	}
	opts := zero
	opts.Preconditions = &metav1.Preconditions{UID: &w.uid}
	err := k.client.CoreV1().Pods(w.pod.Namespace).Delete(ctx, w.pod.Name, opts)
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("removing pod %s/%s: %w", w.pod.Namespace, w.pod.Name, err)
	}
	w.removed = true
	return nil
}

func (k *Kubelet) workerFor(pod *corev1.Pod) *podWorker {
	k.mu.Lock()
	defer k.mu.Unlock()
	w := k.workers[pod.UID]
	if w == nil {
		w = newPodWorker(pod)
		k.workers[pod.UID] = w
	}
	return w
}

// forget drops a pod that is gone from the API, and kills its running containers.
func (k *Kubelet) forget(uid types.UID) {
	k.mu.Lock()
	w := k.workers[uid]
	k.mu.Unlock()
	if w == nil {
		return
	}
	w.collect(k, time.Now())
	w.killAll()
	if w.alive() > 0 && !k.dead(w) {
		return // its exits lead back here
	}
	k.release(w)
	k.dropLogs(w)
	k.mu.Lock()
	delete(k.workers, uid)
	delete(k.unplaced, uid)
	k.mu.Unlock()
	k.runtime.Forget(uid)
}
