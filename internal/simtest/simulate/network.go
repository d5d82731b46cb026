package simulate

import (
	"errors"
	"slices"
	"sync"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
)

// network carries out an event of the network, until undo is called. It returns nil for
// what cannot be undone.
func (w *world) network(e *Event) (undo func()) {
	server := w.cluster.APIServer()
	for _, user := range w.users(e.Worker) {
		match := apiserver.WatchMatch{User: user, Resource: e.Resource}
		switch e.Kind {
		case Cut:
			server.CutWatches(match)
		case Stall: // a half-open connection never recovers
			server.StallWatches(match)
		case Expire:
			server.ExpireWatches(match)
		case Reorder:
			server.ReorderWatches(match)
		}
	}
	switch e.Kind {
	case Compact:
		server.CompactHistory()
	case Lag, Align:
		return w.hook.add(e)
	case Refuse, Lost, Late, Slow, Busy, Fail, Truncate, Silence, Expired:
		var all []func()
		for _, user := range w.users(e.Worker) {
			all = append(all, server.AddFault(fault(e, user)))
		}
		return func() {
			for _, f := range all {
				f()
			}
		}
	}
	return nil
}

// users returns the names of the processes that an event affects.
func (w *world) users(worker string) (names []string) {
	for i := range w.plan.Processes {
		if name := w.plan.Processes[i].Name; worker == "*" || worker == name {
			names = append(names, name)
		}
	}
	return names
}

func fault(e *Event, user string) apiserver.Fault {
	f := apiserver.Fault{Match: apiserver.Match{User: user, Verb: e.Verb, Resource: e.Resource}, Times: e.Times}
	switch e.Kind {
	case Refuse:
		f.Before = syscall.ECONNREFUSED
	case Lost:
		f.After = syscall.ECONNRESET
	case Late:
		f.ResponseDelay = e.Delay
	case Slow:
		f.Delay = e.Delay
	case Busy:
		f.Before = apierrors.NewTooManyRequests("too many requests", e.RetryAfter)
	case Fail:
		f.Before = apierrors.NewInternalError(errors.New("etcdserver: leader changed"))
		if e.Delay > 0 { // it had taken effect
			f.Before, f.After = nil, apierrors.NewTimeoutError("timed out", 0)
		}
	case Truncate:
		f.Body = &apiserver.BodyFault{Bytes: 20, Break: syscall.ECONNRESET}
	case Silence:
		f.Verb, f.Resource, f.Body = "get", "pods/log", &apiserver.BodyFault{Bytes: 6, Stall: true}
	case Expired:
		f.Before = apierrors.NewUnauthorized("Unauthorized")
	}
	return f
}

// hooks delay the events of watches.
type hooks struct {
	mu     sync.Mutex
	active []*Event
}

func (h *hooks) add(e *Event) (undo func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.active = append(h.active, e)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.active = slices.DeleteFunc(h.active, func(x *Event) bool { return x == e })
	}
}

// delay is the apiserver.WatchHook.
func (h *hooks) delay(w apiserver.WatchInfo, ev watch.Event) (deliver bool, delay time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.active {
		switch {
		case e.Worker != "*" && e.Worker != w.User, e.Resource != "" && e.Resource != w.Resource, w.User == others:
		case len(w.User) > 2 && e.Worker == "*": // the cluster's own
		case e.Kind == Lag:
			delay = max(delay, e.Delay)
		case ev.Type == watch.Deleted:
			// Timers of ten seconds fire at the same instant.
			const beat = 10 * time.Second
			delay = max(delay, (beat-time.Duration(time.Now().UnixNano())%beat)%beat)
		}
	}
	return true, delay
}
