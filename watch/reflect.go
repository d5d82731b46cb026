package watch

import (
	"context"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
)

// reflect lists and watches one resource into a store until ctx ends. Between
// tries it pauses as client-go's informers do.
func (s *source) reflect(ctx context.Context, object runtime.Object, into cache.ReflectorStore) {
	// The reflector's own loop would tell of errors through a handler of the whole
	// process.
	r := cache.NewReflectorWithOptions(s.listerWatcher(), object, into, cache.ReflectorOptions{Name: "kontinue/" + s.resource})
	pauses := wait.Backoff{Duration: 800 * time.Millisecond, Cap: 30 * time.Second, Steps: 10, Factor: 2, Jitter: 1}.
		DelayWithReset(clock.RealClock{}, 2*time.Minute)
	_ = pauses.Until(ctx, true, true, func(ctx context.Context) (bool, error) {
		if err := r.ListAndWatchWithContext(ctx); err != nil {
			// What failed is in the log by the source already.
			s.log.Debug("informer backs off", "error", err)
		}
		return false, nil
	})
}

// jobSink and podSink are what the two reflectors write to. They must never fail:
// the reflector would lose the event.
type jobSink struct {
	*store
	trim    *trimmer
	origins origins
	first   sync.Once
	synced  chan struct{} // closed when the first list was told to the handler
}

func (s *jobSink) Add(obj any) error {
	if job, ok := obj.(*batchv1.Job); ok {
		s.putJob(s.trim.job(job), &s.origins)
	}
	return nil
}

func (s *jobSink) Update(obj any) error { return s.Add(obj) }

func (s *jobSink) Delete(obj any) error {
	if job, ok := obj.(*batchv1.Job); ok {
		s.removeJob(job.Name, s.trim.job(job))
	}
	return nil
}

// Replace takes in a list: what is not in it was deleted while nobody watched.
func (s *jobSink) Replace(list []any, _ string) error {
	there := make(map[string]bool, len(list))
	for _, obj := range list {
		if job, ok := obj.(*batchv1.Job); ok {
			there[job.Name] = true
			_ = s.Add(job)
		}
	}
	for _, name := range s.jobNames() {
		if !there[name] {
			s.removeJob(name, nil)
		}
	}
	s.first.Do(func() { close(s.synced) })
	return nil
}

func (s *jobSink) Resync() error { return nil }

type podSink struct {
	*store
	trim   *trimmer
	first  sync.Once
	synced chan struct{} // closed when the first list was told to the handler
}

func (s *podSink) Add(obj any) error {
	if pod, ok := obj.(*corev1.Pod); ok {
		s.putPod(s.trim.pod(pod, false), ownerName(pod))
	}
	return nil
}

func (s *podSink) Update(obj any) error { return s.Add(obj) }

// Delete tells of the last state, as whole as the event brought it.
func (s *podSink) Delete(obj any) error {
	if pod, ok := obj.(*corev1.Pod); ok {
		s.removePod(pod.Name, s.trim.pod(pod, true))
	}
	return nil
}

// Replace takes in a list: what is not in it was deleted while nobody watched.
func (s *podSink) Replace(list []any, _ string) error {
	there := make(map[string]bool, len(list))
	for _, obj := range list {
		if pod, ok := obj.(*corev1.Pod); ok {
			there[pod.Name] = true
			_ = s.Add(pod)
		}
	}
	for _, name := range s.podNames() {
		if !there[name] {
			s.removePod(name, nil)
		}
	}
	s.first.Do(func() { close(s.synced) })
	return nil
}

func (s *podSink) Resync() error { return nil }
