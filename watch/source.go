package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// Error is a request of an informer that failed. errors.As finds it in what
// [Watcher.Start] and [Watcher.Healthy] return; it unwraps to the API error.
type Error struct {
	Verb     string // "list" or "watch"
	Resource string // "jobs" or "pods"
	// Namespace is where, Err what the API server or the transport answered.
	Namespace string
	// Err is never nil.
	Err error
}

// Error names verb, resource and namespace, and for a missing right what to do.
func (e *Error) Error() string {
	msg := fmt.Sprintf("%s %s in namespace %q: %v", e.Verb, e.Resource, e.Namespace, e.Err)
	switch {
	case apierrors.IsForbidden(e.Err):
		return msg + fmt.Sprintf(" (grant verb %q on resource %q in a Role of that namespace)", e.Verb, e.Resource)
	case apierrors.IsUnauthorized(e.Err):
		return msg + " (the API server does not accept these credentials)"
	default:
		return msg
	}
}

// Unwrap returns the API server's or the transport's error.
func (e *Error) Unwrap() error { return e.Err }

// cause is what happened without where: the URL of a watch is never the same.
func (e *Error) cause() string {
	var at *url.Error
	if errors.As(e.Err, &at) {
		return at.Err.Error()
	}
	return e.Err.Error()
}

// fatal reports whether retrying at start is pointless: nobody grants a right
// or mends a credential in the seconds that a start may take.
func (e *Error) fatal() bool {
	return apierrors.IsForbidden(e.Err) || apierrors.IsUnauthorized(e.Err)
}

// source is the ListerWatcher of one resource. It remembers how its last
// request went: a reflector retries for ever and reports some failures to
// nobody, a refused connection while it re-opens a watch among them.
type source struct {
	resource, namespace string
	list                func(context.Context, metav1.ListOptions) (runtime.Object, error)
	watch               func(context.Context, metav1.ListOptions) (watch.Interface, error)

	log     *slog.Logger
	changed chan struct{} // capacity 1: something below has changed

	mu     sync.Mutex
	opened bool   // a watch was open at some time
	err    *Error // the last request failed, or the watch broke off; nil once one is open
	line   *line  // of the watch that was opened last
}

// listerWatcher hides that the client may be able to stream its initial list
// (see the package comment).
func (s *source) listerWatcher() cache.ListerWatcher {
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
			return s.listAll(ctx)
		},
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			return persist(ctx, func() (watch.Interface, error) {
				l := &line{source: s}
				w, err := s.watch(context.WithValue(ctx, lineKey{}, l), opts)
				if err == nil {
					s.setLine(l)
				}
				s.note("watch", err)
				return w, err
			})
		},
	}, noWatchList{})
}

// answerWithin bounds a list, of which a reflector waits for ever. An API server
// ends every request that is no watch after 60 s (its --request-timeout).
const answerWithin = 75 * time.Second

var errNoAnswer = fmt.Errorf("no answer within %s", answerWithin)

func answered[T any](ctx context.Context, opts metav1.ListOptions, list func(context.Context, metav1.ListOptions) (T, error)) (T, error) {
	bounded, cancel := context.WithTimeoutCause(ctx, answerWithin, errNoAnswer)
	defer cancel()
	obj, err := list(bounded, opts)
	if err != nil && ctx.Err() == nil && bounded.Err() != nil {
		err = errNoAnswer
	}
	return obj, err
}

type noWatchList struct{}

func (noWatchList) IsWatchListSemanticsUnSupported() bool { return true }

// note takes in how a request went, or that a watch broke off. It says so in the
// log when that is news: a reflector tells nobody of a connection that is refused.
func (s *source) note(verb string, err error) {
	s.mu.Lock()
	before := s.err
	switch {
	case err == nil && verb == "watch":
		s.opened, s.err = true, nil
	case err == nil:
		// A list alone does not make the source healthy: with the verb watch
		// missing the reflector would list again and again.
	case errors.Is(err, context.Canceled):
	default:
		s.err = &Error{Verb: verb, Resource: s.resource, Namespace: s.namespace, Err: err}
	}
	now := s.err
	s.mu.Unlock()
	switch {
	case now == before:
	case now == nil:
		s.log.Info("watch is open again")
	case before == nil || before.cause() != now.cause():
		s.log.Warn("informer will list and watch again", "error", now)
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// broke notes that a watch has broken off, if it is the one that counts.
func (s *source) broke(l *line, err error) {
	s.mu.Lock()
	counts := s.line == l
	s.mu.Unlock()
	if counts {
		s.note("watch", err)
	}
}

func (s *source) setLine(l *line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line = l
}

func (s *source) state() (opened bool, err *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && s.line != nil {
		if trouble := s.line.trouble(); trouble != nil {
			return s.opened, &Error{Verb: "watch", Resource: s.resource, Namespace: s.namespace, Err: trouble}
		}
	}
	return s.opened, s.err
}
