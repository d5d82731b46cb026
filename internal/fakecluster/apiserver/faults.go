package apiserver

import (
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
)

// WatchMatch selects open watches. An empty field matches anything, except User:
// empty is the server's default user; "*" is everybody.
type WatchMatch struct {
	User      string
	Resource  string
	Namespace string
}

// WatchHook is asked before an event is sent, on the goroutine of its watch: false
// drops the event, a delay holds it and all later events of that watch back.
type WatchHook func(w WatchInfo, ev watch.Event) (deliver bool, delay time.Duration)

// SetWatchHook installs the hook for all watches; nil removes it.
func (s *Server) SetWatchHook(hook WatchHook) {
	if hook == nil {
		s.watchHook.Store(nil)
		return
	}
	s.watchHook.Store(&hook)
}

// CutWatches closes the matching watches, as a lost connection or a server restart
// does: what was not read yet is lost to that watch. It returns their number.
func (s *Server) CutWatches(m WatchMatch) int {
	return s.eachWatch(m, (*watcher).end)
}

// StallWatches makes the matching open watches half-open: they stay open and
// deliver nothing, no bookmark and no timeout either, until ResumeWatches or until
// the client gives up. Watches opened later are not stalled. It returns their number.
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

// ResumeWatches ends the stall; no event was lost. It returns the number
// of matching watches.
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

// ExpireWatches ends the matching watches with an ERROR event that carries a 410
// Gone status, reason Expired. It returns their number.
func (s *Server) ExpireWatches(m WatchMatch) int {
	return s.eachWatch(m, func(w *watcher) {
		w.expire(apierrors.NewResourceExpired("The resourceVersion for the provided watch is too old."))
	})
}

// CompactHistory forgets all past changes, as an etcd compaction does: a watch
// from an older resource version is answered with 410, unread pages of lists too.
func (s *Server) CompactHistory() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tables {
		t.history = nil
		t.compacted = s.rv
	}
	clear(s.pages)
}

// SetExpiredAtStart chooses how a watch from a compacted resource version fails:
// with a 410 answer to the request, or (default, as the real server) with an answer
// 200 and a 410 ERROR event in the stream.
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
