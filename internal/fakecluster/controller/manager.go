package controller

import (
	"context"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"

	"github.com/kontinue/kontinue/internal/fakecluster/engine"
)

// The real Job controller's delays.
const (
	defaultPodBackoff    = 10 * time.Second
	defaultPodBackoffMax = 10 * time.Minute
	retryBase            = time.Second
	retryMax             = time.Minute
)

// Options tune the controllers. The zero value behaves like a real cluster,
// only without its batching.
type Options struct {
	// Workers is how many Jobs are synced concurrently; default 2.
	Workers int
	// SyncBatch delays the sync of a Job after one of its pods or its status
	// changed, as the real controller does by one second. Default 0: at once.
	SyncBatch time.Duration
	// PodBackoff is the delay before the first replacement of a failed pod;
	// default 10 s. It doubles with each further failure, at most to
	// PodBackoffMax (default 10 min). Negative: no delay.
	PodBackoff, PodBackoffMax time.Duration
	// RetryBase is the delay after a refused write, doubled each time up to a
	// minute; default 1 s.
	RetryBase time.Duration
	// NormalEvents also records events of type Normal (SuccessfulCreate,
	// Completed and so on); Warnings are always recorded.
	NormalEvents bool
}

// Manager runs the controllers over one API server.
type Manager struct {
	client  kubernetes.Interface
	partial metadata.Interface
	cache   *engine.Cache
	opts    Options
	events  recorder
	kinds   []kind
	owners  *ownerBook
	known   catalog

	jobs       *engine.Queue[types.UID]
	orphans    *engine.Queue[types.UID]
	ttl        *engine.Queue[types.UID]
	garbage    *engine.Queue[subject]
	namespaces *engine.Queue[types.UID]

	mu       sync.Mutex
	backoffs map[types.UID]backoff // of unfinished Jobs
	foreign  map[schema.GroupVersionResource]*engine.Store[*metav1.PartialObjectMetadata]

	wg sync.WaitGroup
}

// New returns a Manager over cache, with two clients of one user. Start cache after New
// and before Start.
func New(client kubernetes.Interface, partial metadata.Interface, cache *engine.Cache, opts Options) *Manager {
	if opts.Workers <= 0 {
		opts.Workers = 2
	}
	if opts.PodBackoff == 0 {
		opts.PodBackoff = defaultPodBackoff
	}
	if opts.PodBackoffMax == 0 {
		opts.PodBackoffMax = defaultPodBackoffMax
	}
	if opts.RetryBase <= 0 {
		opts.RetryBase = retryBase
	}
	m := &Manager{
		client:     client,
		partial:    partial,
		cache:      cache,
		opts:       opts,
		events:     recorder{client: client, normal: opts.NormalEvents},
		jobs:       engine.NewQueue[types.UID](opts.RetryBase, retryMax),
		orphans:    engine.NewQueue[types.UID](opts.RetryBase, retryMax),
		ttl:        engine.NewQueue[types.UID](opts.RetryBase, retryMax),
		garbage:    engine.NewQueue[subject](opts.RetryBase, retryMax),
		namespaces: engine.NewQueue[types.UID](opts.RetryBase, retryMax),
		backoffs:   map[types.UID]backoff{},
		foreign:    map[schema.GroupVersionResource]*engine.Store[*metav1.PartialObjectMetadata]{},
		owners:     newOwnerBook(),
		kinds:      kinds(client, partial, cache),
		known:      catalog{client: client.Discovery()},
	}
	m.subscribe()
	return m
}

// Start runs the controllers until ctx ends; Wait waits for them.
func (m *Manager) Start(ctx context.Context) {
	for range m.opts.Workers {
		m.wg.Go(func() { engine.Work(ctx, m.jobs, m.syncJob) })
	}
	m.wg.Go(func() { engine.Work(ctx, m.orphans, m.syncOrphan) })
	m.wg.Go(func() { engine.Work(ctx, m.ttl, m.syncTTL) })
	m.wg.Go(func() { engine.Work(ctx, m.garbage, m.syncGarbage) })
	m.wg.Go(func() { engine.Work(ctx, m.namespaces, m.syncNamespace) })
	context.AfterFunc(ctx, m.shutDown)
}

// Wait waits for the goroutines of Start to end.
func (m *Manager) Wait() {
	m.wg.Wait()
	m.shutDown() // in case it was never started
}

func (m *Manager) shutDown() {
	m.jobs.ShutDown()
	m.orphans.ShutDown()
	m.ttl.ShutDown()
	m.garbage.ShutDown()
	m.namespaces.ShutDown()
}

func (m *Manager) subscribe() {
	m.cache.Jobs.Subscribe(m.jobChanged)
	m.cache.Pods.Subscribe(m.podChanged)
	m.cache.Namespaces.Subscribe(func(old, ns *corev1.Namespace) {
		if ns != nil && (old == nil || ns.DeletionTimestamp != nil) {
			m.namespaces.Add(ns.UID)
		}
	})
	m.subscribeGarbage()
}

func (m *Manager) jobChanged(old, job *batchv1.Job) {
	if job == nil {
		m.forget(old.UID)
		for _, pod := range m.cache.Pods.Owned(old.UID) {
			m.orphans.Add(pod.UID)
		}
		return
	}
	if finished(job) && job.Spec.TTLSecondsAfterFinished != nil && job.DeletionTimestamp == nil {
		m.ttl.Add(job.UID)
	}
	if old != nil && old.Generation == job.Generation && m.opts.SyncBatch > 0 {
		m.jobs.AddAfter(job.UID, m.opts.SyncBatch)
		return
	}
	m.jobs.Add(job.UID)
}

func (m *Manager) podChanged(old, pod *corev1.Pod) {
	if pod == nil {
		pod = old
	}
	uid, ok := jobOf(pod)
	if !ok {
		m.podOrphaned(old, pod)
		return
	}
	if job, known := m.cache.Jobs.Get(uid); tracked(pod) && (!known || !managed(job)) {
		m.orphans.Add(pod.UID)
	}
	m.jobs.AddAfter(uid, m.opts.SyncBatch)
}

// podOrphaned syncs the Jobs that would adopt the pod, and the one that has lost it.
func (m *Manager) podOrphaned(old, pod *corev1.Pod) {
	if tracked(pod) {
		m.orphans.Add(pod.UID)
	}
	jobs := m.adopters(pod)
	if old != nil {
		if owner, owned := jobOf(old); owned {
			jobs = append(jobs, owner)
		}
	}
	for _, job := range jobs {
		m.jobs.AddAfter(job, m.opts.SyncBatch)
	}
}

func (m *Manager) forget(job types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.backoffs, job)
}

// managed reports whether this Job controller is responsible for the Job, which
// spec.managedBy can give to another one (KEP-4368).
func managed(job *batchv1.Job) bool {
	return job.Spec.ManagedBy == nil || *job.Spec.ManagedBy == batchv1.JobControllerName
}

// jobOf returns the UID of the Job that controls the pod.
func jobOf(pod *corev1.Pod) (types.UID, bool) {
	for _, ref := range pod.OwnerReferences {
		if ref.Controller != nil && *ref.Controller && ref.Kind == "Job" {
			return ref.UID, true
		}
	}
	return "", false
}
