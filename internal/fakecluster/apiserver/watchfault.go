package apiserver

import (
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
)

// WatchMatch selects open watches. An empty field matches anything, except for User:
// empty means the server's default user, and "*" all users.
type WatchMatch struct {
	User      string
	Resource  string
	Namespace string
}

// WatchHook is called before an event is sent, on the goroutine of its watch. False
// drops the event, and a delay holds back it and all later events of that watch.
type WatchHook func(w WatchInfo, ev watch.Event) (deliver bool, delay time.Duration)

// SetWatchHook installs the hook for all watches. Nil removes it.
func (s *Server) SetWatchHook(hook WatchHook) {
	if hook == nil {
		s.watchHook.Store(nil)
		return
	}
	s.watchHook.Store(&hook)
}

// CutWatches closes the matching watches, like a lost connection or a server restart:
// the watches lose the events that were not read yet. It returns their number.
func (s *Server) CutWatches(m WatchMatch) int {
	return s.eachWatch(m, (*watcher).cut)
}

// StallWatches makes the matching open watches half-open: they stay open but deliver
// nothing, not even a bookmark or a timeout, until ResumeWatches is called or the
// client gives up. Watches opened later are not stalled. It returns their number.
func (s *Server) StallWatches(m WatchMatch) int {
	return s.eachWatch(m, func(w *watcher) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.gate == nil {
			w.gate = make(chan struct{})
			select {
			case w.wake <- struct{}{}:
			default:
			}
		}
	})
}

// ResumeWatches resumes stalled watches, which lose no event. It returns the number of
// matching watches.
func (s *Server) ResumeWatches(m WatchMatch) int {
	return s.eachWatch(m, func(w *watcher) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.gate != nil {
			close(w.gate)
			w.gate = nil
		}
	})
}

// ReorderWatches swaps the next two events of each matching watch, which a real API
// server never does. It returns the number of watches.
func (s *Server) ReorderWatches(m WatchMatch) int {
	return s.eachWatch(m, func(w *watcher) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.swap = true
	})
}

// ExpireWatches ends the matching watches with an ERROR event that carries a 410
// Gone status, reason Expired. It returns their number.
func (s *Server) ExpireWatches(m WatchMatch) int {
	return s.eachWatch(m, func(w *watcher) {
		w.expire(apierrors.NewResourceExpired("The resourceVersion for the provided watch is too old."))
	})
}

// CompactHistory forgets all past changes, like an etcd compaction: a watch from an
// older resource version, or a request for the next page of a list, fails with 410.
func (s *Server) CompactHistory() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tables {
		t.history = nil
		t.compacted = s.rv
	}
	clear(s.pages)
}

// SetExpiredAtStart chooses how a watch from a compacted resource version fails: with
// status 410, or (the default, as the real server does) with status 200 and a 410
// ERROR event in the stream.
func (s *Server) SetExpiredAtStart(on bool) { s.expireAtStart.Store(on) }

func (s *Server) eachWatch(m WatchMatch, f func(*watcher)) int {
	user := m.User
	if user == "" {
		user = s.opts.User
	}
	s.mu.RLock()
	var found []*watcher
	for _, t := range s.tables {
		for _, w := range t.watchers {
			if (user == "*" || user == w.info.User) &&
				(m.Resource == "" || m.Resource == w.info.Resource) &&
				(m.Namespace == "" || m.Namespace == w.info.Namespace) {
				found = append(found, w)
			}
		}
	}
	s.mu.RUnlock()
	for _, w := range found {
		f(w)
	}
	return len(found)
}
