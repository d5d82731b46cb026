package apiserver

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// Write is one write to the store, and the request that made it.
type Write struct {
	Request
	// RV is the resource version of the write: its place in the order of all writes.
	RV uint64
	// Time is when it was stored.
	Time time.Time
	// Type is Added, Modified or Deleted.
	Type watch.EventType
	// Old is the state before the write, nil for Added. New is the state after it, nil
	// for Deleted. Both are shared and must not be changed.
	Old, New runtime.Object
}

// AddObserver registers f for every write to the store, until undo is called. It is
// called in the order of the writes and with the store locked: it must be quick, and must
// not send requests.
func (s *Server) AddObserver(f func(Write)) (undo func()) { return add(s, &s.observers, &f) }

// notifyObservers reports a write of the call. The caller holds the lock of the store.
func (s *Server) notifyObservers(c call, w Write) {
	s.policyMu.RLock()
	functions := s.observers
	s.policyMu.RUnlock()
	if len(functions) == 0 {
		return
	}
	w.Request, w.Time = c.request(), time.Now()
	for _, f := range functions {
		(*f)(w)
	}
}
