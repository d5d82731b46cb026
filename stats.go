package kontinue

import (
	"context"
	"time"
)

// Stats is what a [Client] has open, waits for and holds at a moment, for metrics and
// dashboards. What happens over time an [Observer] has.
type Stats struct {
	// RequestsOpen is how many requests the client's steps have open, of Config.MaxInFlight,
	// and RequestsQueued how many wait for one of these to end.
	RequestsOpen, RequestsQueued int
	// LogsOpen is how many logs the client follows, of Config.MaxLogStreams, and LogsQueued
	// how many wait for one of these to end.
	LogsOpen, LogsQueued int
	// Jobs and Pods are how many the client holds in memory: those that are living.
	Jobs, Pods int
	// JobBytes and PodBytes are about how much they take, for Pods in the API's binary
	// encoding.
	JobBytes, PodBytes int
	// Watches are those of Jobs and, in the same order, those of Pods: one each, or one for
	// each namespace.
	Watches []WatchStats
}

// WatchStats is what the watches of a resource have done, in one namespace or in all.
type WatchStats struct {
	// Resource is jobs or pods. An empty Namespace stands for all.
	Resource, Namespace string
	// Open reports whether a watch is open.
	Open bool
	// Opened is how many watches were opened since Start, the first among them. An API
	// server ends each after five to ten minutes.
	Opened int
	// Heard is when data came last, an event or a bookmark, by the clock of this process. An
	// API server sends a bookmark about once a minute. It is zero if that is not known, as of
	// client-go's fake clientset.
	Heard time.Time
}

// Stats returns what the client has open, waits for and holds. It sends no request, and
// takes a millisecond or two for each ten thousand objects. It is zero before Start.
func (c *Client) Stats() Stats {
	if c.checkCall(context.Background()) != nil {
		return Stats{}
	}
	var s Stats
	s.RequestsOpen, s.RequestsQueued = c.engine.Jobs.Requests()
	s.LogsOpen, s.LogsQueued = c.engine.Logs.Streams()
	w := c.engine.Watcher.Stats()
	s.Jobs, s.JobBytes, s.Pods, s.PodBytes = w.Jobs, w.JobBytes, w.Pods, w.PodBytes
	for _, a := range w.Watches {
		s.Watches = append(s.Watches, WatchStats(a))
	}
	return s
}
