package apiserver

import (
	"maps"
	"strings"
	"sync"
)

// Stats is a snapshot of what clients did. Counts are exact.
type Stats struct {
	// Requests counts by user, verb and resource (with subresource); a watch counts
	// once, when it is requested. Requests that a rule or a fault answered count.
	Requests map[RequestKey]int
	// WatchesOpened and WatchesActive count watches that were accepted and that are open now.
	WatchesOpened, WatchesActive map[WatchInfo]int
	// Events counts the events read by clients, bookmarks included.
	Events map[WatchInfo]int
}

// RequestKey is what requests are counted by.
type RequestKey struct{ User, Verb, Resource string }

// Count sums the requests of a user, for a verb and resource; "" sums over all values.
func (s Stats) Count(user, verb, resource string) int {
	n := 0
	for k, v := range s.Requests {
		if (user == "" || user == k.User) && (verb == "" || verb == k.Verb) && (resource == "" || resource == k.Resource) {
			n += v
		}
	}
	return n
}

// Writes sums the requests of a user that write to a resource or its subresources.
func (s Stats) Writes(user, resource string) int {
	n := 0
	for k, v := range s.Requests {
		base, _, _ := cutResource(k.Resource)
		switch k.Verb {
		case "create", "update", "patch", "delete", "deletecollection":
			if (user == "" || user == k.User) && base == resource {
				n += v
			}
		}
	}
	return n
}

// Active sums the open watches of a user on a resource; "" sums over all values.
func (s Stats) Active(user, resource string) int { return sumWatches(s.WatchesActive, user, resource) }

// Opened sums the watches a user has opened on a resource; "" sums over all values.
func (s Stats) Opened(user, resource string) int { return sumWatches(s.WatchesOpened, user, resource) }

func sumWatches(m map[WatchInfo]int, user, resource string) int {
	n := 0
	for k, v := range m {
		if (user == "" || user == k.User) && (resource == "" || resource == k.Resource) {
			n += v
		}
	}
	return n
}

// Stats returns the counts since New or ResetStats.
func (s *Server) Stats() Stats {
	q := s.stats
	q.mu.Lock()
	defer q.mu.Unlock()
	return Stats{
		Requests:      maps.Clone(q.requests),
		WatchesOpened: maps.Clone(q.openedTotal),
		WatchesActive: maps.Clone(q.active),
		Events:        maps.Clone(q.events),
	}
}

// ResetStats sets the counts to zero, except that of open watches.
func (s *Server) ResetStats() {
	q := s.stats
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.requests)
	clear(q.openedTotal)
	clear(q.events)
}

type statistics struct {
	mu          sync.Mutex
	requests    map[RequestKey]int
	openedTotal map[WatchInfo]int
	active      map[WatchInfo]int
	events      map[WatchInfo]int
}

func newStatistics() *statistics {
	return &statistics{
		requests:    map[RequestKey]int{},
		openedTotal: map[WatchInfo]int{},
		active:      map[WatchInfo]int{},
		events:      map[WatchInfo]int{},
	}
}

func (q *statistics) request(r Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.requests[RequestKey{r.User, r.Verb, r.Resource}]++
}

func (q *statistics) opened(w WatchInfo) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.openedTotal[w]++
	q.active[w]++
}

func (q *statistics) closed(w WatchInfo) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.active[w]--; q.active[w] == 0 {
		delete(q.active, w)
	}
}

func (q *statistics) sent(w WatchInfo) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.events[w]++
}

// cutResource splits "pods/log" into "pods" and "log".
func cutResource(s string) (resource, subresource string, found bool) { return strings.Cut(s, "/") }
