package bench

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// floor is a raw watch of the Jobs with nothing around it. It records when the
// terminal event of each Job reached the process.
type floor struct {
	mu       sync.Mutex
	terminal map[types.UID]time.Time
	news     func(types.UID) // called for each terminal event, if set
	ended    sync.WaitGroup
	cancel   context.CancelFunc
}

// ownConnection returns a client with a connection of its own: client-go shares
// connections between clients with equal settings, and two streams on one connection
// arrive together.
func ownConnection(config *rest.Config) (kubernetes.Interface, error) {
	config = rest.CopyConfig(config)
	config.Dial = (&net.Dialer{}).DialContext
	return kubernetes.NewForConfig(config)
}

func newFloor(ctx context.Context, config *rest.Config, namespace string, n int) (*floor, error) {
	client, err := ownConnection(config)
	if err != nil {
		return nil, err
	}
	first, err := client.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("raw watch: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	w, err := client.BatchV1().Jobs(namespace).Watch(ctx, metav1.ListOptions{ResourceVersion: first.ResourceVersion, AllowWatchBookmarks: true})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("raw watch: %w", err)
	}
	f := &floor{terminal: make(map[types.UID]time.Time, n), cancel: cancel}
	f.ended.Go(func() { f.read(w) })
	return f, nil
}

func (f *floor) read(w watch.Interface) {
	defer w.Stop()
	for event := range w.ResultChan() {
		now := time.Now()
		job, ok := event.Object.(*batchv1.Job)
		if !ok || event.Type != watch.Modified || !terminal(job) {
			continue
		}
		f.mu.Lock()
		if _, known := f.terminal[job.UID]; !known {
			f.terminal[job.UID] = now
		}
		news := f.news
		f.mu.Unlock()
		if news != nil {
			news(job.UID)
		}
	}
}

// at returns when the terminal event of a Job arrived, and false if it has not.
func (f *floor) at(uid types.UID) (time.Time, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t, ok := f.terminal[uid]
	return t, ok
}

// notify calls news for each terminal event from now on.
func (f *floor) notify(news func(types.UID)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.news = news
}

func (f *floor) stop() {
	f.cancel()
	f.ended.Wait()
}
