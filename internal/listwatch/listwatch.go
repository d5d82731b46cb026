package listwatch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// Config has the requests of one resource. All fields but Namespace, Trial, Bookmarks,
// Wanted, Keep, Progress and Changed are required.
type Config struct {
	// Resource and Namespace are for errors and log lines. An empty Namespace stands for
	// all namespaces.
	Resource, Namespace string
	// List and Watch send one request each. They add the selectors.
	List  func(context.Context, metav1.ListOptions) (runtime.Object, error)
	Watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
	// Trial says that a right may be missing, for which its owner has an alternative: until a
	// watch is open, a 403 is no warning.
	Trial bool
	// Bookmarks says that the server is known to send bookmarks, so that a watch which
	// brings nothing for three minutes is broken. Otherwise the first one shows it.
	Bookmarks bool
	// Wanted reports whether an object is one of those that the ListerWatcher is for. The
	// others are dropped on arrival, in a list before Keep sees them. Default: all are.
	Wanted func(runtime.Object) bool
	// Keep begins a list. The function that it returns is called for each object of
	// each page, and returns what the reflector gets instead; nil leaves the object
	// out. Default: objects are kept as they are.
	Keep func() func(runtime.Object) runtime.Object
	// Progress, if set, is called when a list gets further than any has before it, and
	// when the first watch is open.
	Progress func()
	// Changed receives a value when the state may have changed, unless it is full.
	Changed chan<- struct{}
	// Logger receives a line when requests begin to fail, and when they succeed again.
	Logger *slog.Logger
}

// ListerWatcher lists and watches one resource for one reflector. Create it with [New].
// [ListerWatcher.State] is safe for concurrent use.
type ListerWatcher struct {
	cfg Config
	// bookmarks reports whether the server is known to send bookmarks.
	bookmarks atomic.Bool

	mu     sync.Mutex
	opened bool    // a watch was open at some time
	opens  int     // so many watches were opened
	most   int     // objects that a list has read
	err    *Error  // the last request failed, or the watch broke off; nil once one is open
	stream *stream // of the watch that was opened last
}

var _ cache.ListerWatcherWithContext = (*ListerWatcher)(nil)

// New returns a ListerWatcher that has sent nothing yet.
func New(cfg Config) *ListerWatcher {
	if cfg.Keep == nil {
		cfg.Keep = func() func(runtime.Object) runtime.Object {
			return func(obj runtime.Object) runtime.Object { return obj }
		}
	}
	if cfg.Progress == nil {
		cfg.Progress = func() {}
	}
	l := &ListerWatcher{cfg: cfg}
	l.bookmarks.Store(cfg.Bookmarks)
	return l
}

// State reports whether a watch was ever open, and returns what is wrong with the last
// request or with the open watch, or nil.
func (l *ListerWatcher) State() (opened bool, err *Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil && l.stream != nil {
		if err := l.stream.check(); err != nil {
			return l.opened, l.failure("watch", err)
		}
	}
	return l.opened, l.err
}

// ListWithContext implements [cache.ListerWithContext]. It ignores the options: the
// newest state satisfies every request of a reflector.
func (l *ListerWatcher) ListWithContext(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
	return l.listPages(ctx)
}

// WatchWithContext implements [cache.WatcherWithContext].
func (l *ListerWatcher) WatchWithContext(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	return retryTransient(ctx, func() (watch.Interface, error) {
		w, err := l.open(ctx, opts)
		l.record("watch", err)
		if err == nil && l.cfg.Wanted != nil {
			w = newWanted(w, l.cfg.Wanted)
		}
		return w, err
	})
}

// List implements [cache.Lister], which an informer requires but does not call.
func (l *ListerWatcher) List(opts metav1.ListOptions) (runtime.Object, error) {
	return l.ListWithContext(context.Background(), opts)
}

// Watch implements [cache.Watcher], which an informer requires but does not call.
func (l *ListerWatcher) Watch(opts metav1.ListOptions) (watch.Interface, error) {
	return l.WatchWithContext(context.Background(), opts)
}

// IsWatchListSemanticsUnSupported makes a reflector use LIST and WATCH: see the package
// comment.
func (l *ListerWatcher) IsWatchListSemanticsUnSupported() bool { return true }

func (l *ListerWatcher) failure(verb string, err error) *Error {
	return &Error{Verb: verb, Resource: l.cfg.Resource, Namespace: l.cfg.Namespace, Err: err}
}

// record stores how a request went, or that a watch broke off, and logs a change: a
// reflector logs nothing about a connection that is refused.
func (l *ListerWatcher) record(verb string, err error) {
	l.mu.Lock()
	before, first := l.err, false
	switch {
	case err == nil && verb == "watch":
		first = !l.opened
		l.opened, l.err = true, nil
	case err == nil:
		// A list alone does not end the failure: without the right to watch, the
		// reflector lists repeatedly.
	case errors.Is(err, context.Canceled):
	default:
		l.err = l.failure(verb, err)
	}
	now, trial := l.err, l.cfg.Trial && !l.opened
	l.mu.Unlock()
	if first {
		l.cfg.Progress()
	}
	switch {
	case now == before:
	case now == nil:
		l.cfg.Logger.Info("watch is open again")
	case trial && apierrors.IsForbidden(now):
		l.cfg.Logger.Debug("forbidden", "error", now)
	case before == nil || before.cause() != now.cause():
		l.cfg.Logger.Warn("informer will list and watch again", "error", now)
	}
	select {
	case l.cfg.Changed <- struct{}{}:
	default:
	}
}

// read notes that a list has read so many objects.
func (l *ListerWatcher) read(objects int) {
	l.mu.Lock()
	further := objects > l.most
	l.most = max(l.most, objects)
	l.mu.Unlock()
	if further {
		l.cfg.Progress()
	}
}

// markBroken records that a watch broke off, unless another one was opened since.
func (l *ListerWatcher) markBroken(s *stream, err error) {
	l.mu.Lock()
	current := l.stream == s
	l.mu.Unlock()
	if current {
		l.record("watch", err)
	}
}

func (l *ListerWatcher) setStream(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stream = s
	l.opens++
}
