package proxy

import (
	"net/http"
	"strings"
	"time"
)

// Kind is a kind of fault.
type Kind string

// Faults of connections. They apply to all connections that are open when the fault
// is injected.
const (
	// Cut closes the connections.
	Cut Kind = "cut"
	// Reset closes them with a TCP reset.
	Reset Kind = "reset"
	// Stall makes them half-open: they stay open and accept data, but never respond.
	// New connections work.
	Stall Kind = "stall"
	// Refuse resets them and, for Fault.For, each new one during its TLS handshake.
	Refuse Kind = "refuse"
	// Blackhole is a Stall that, for Fault.For, also applies to new connections.
	Blackhole Kind = "black hole"
	// Freeze holds back everything that the server sends for Fault.For.
	Freeze Kind = "freeze"
	// Delay adds 20 ms to each write of the server for Fault.For.
	Delay Kind = "delay"
	// Drip limits the server to 512 bytes in 5 ms for Fault.For.
	Drip Kind = "drip"
)

// Faults of requests. They apply to the next Fault.Times requests that match
// Fault.Verb and Fault.Resource.
const (
	// TooMany rejects with 429 and no Retry-After, TooManyLater with a Retry-After of 1.
	TooMany      Kind = "429"
	TooManyLater Kind = "429, Retry-After"
	// Internal rejects with a Status of code 500.
	Internal Kind = "500"
	// BadGateway and Unavailable reject like a load balancer, without a Status.
	BadGateway  Kind = "502"
	Unavailable Kind = "503"
	// Unauthorized rejects with 401, like an expired token, and Forbidden with 403.
	Unauthorized Kind = "401"
	Forbidden    Kind = "403"
	// LoseResponse forwards the request and drops the response.
	LoseResponse Kind = "lost response"
	// Swallow drops the request and never responds.
	Swallow Kind = "no response"
)

// Faults of watches. All but NoBookmarks apply to the next Fault.Times events.
const (
	// Truncate ends the stream in the middle of an event.
	Truncate Kind = "truncated event"
	// Duplicate sends an event twice.
	Duplicate Kind = "duplicated event"
	// EndBefore ends the stream right before an event.
	EndBefore Kind = "ended before an event"
	// GoneEvent sends an ERROR event with code 410 instead of an event.
	GoneEvent Kind = "410 event"
	// Gone ends all open watches and responds to the next Fault.Times with status 410.
	Gone Kind = "410 status"
	// NoBookmarks drops bookmarks for Fault.For, including the one that ends the
	// initial events.
	NoBookmarks Kind = "no bookmarks"
)

// Kinds are the faults that a storm draws from. The others (401, 403, no response, no
// bookmarks) are for tests of a single fault.
var Kinds = []Kind{
	Cut, Reset, Stall, Refuse, Blackhole, Freeze, Delay, Drip,
	TooMany, TooManyLater, Internal, BadGateway, Unavailable, LoseResponse,
	Truncate, Duplicate, EndBefore, GoneEvent, Gone,
}

// Fault is one fault.
type Fault struct {
	Kind Kind
	// Verb ("list", "watch", "get", "create", "patch", "delete") and Resource
	// select requests and watches. Default: any.
	Verb, Resource string
	// Times is the number of requests or events that are hit, or negative for all.
	// Default: 1.
	Times int
	// For is the duration of a fault that has one. Default: until Clear is called.
	For time.Duration
}

// request holds what a fault matches on.
type request struct{ verb, resource string }

func (f *Fault) matches(r request) bool {
	return (f.Verb == "" || f.Verb == r.verb) && (f.Resource == "" || f.Resource == r.resource)
}

// parse reads verb and resource from a path such as
// /apis/batch/v1/namespaces/NAMESPACE/jobs/NAME.
func parse(r *http.Request) request {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	named := false
	var q request
	for i, part := range parts {
		if part == "namespaces" && i+2 < len(parts) {
			q.resource, named = parts[i+2], i+3 < len(parts)
			break
		}
	}
	watching := r.URL.Query().Get("watch")
	switch {
	case watching == "true" || watching == "1":
		q.verb = "watch"
	case r.Method == http.MethodGet && named:
		q.verb = "get"
	case r.Method == http.MethodGet:
		q.verb = "list"
	case r.Method == http.MethodPost:
		q.verb = "create"
	default:
		q.verb = strings.ToLower(r.Method)
	}
	return q
}

// class groups the kinds by what they apply to.
type class int

const (
	ofConnections class = iota
	ofRequests
	ofEvents
)

func (k Kind) class() class {
	switch k {
	case Cut, Reset, Stall, Refuse, Blackhole, Freeze, Delay, Drip:
		return ofConnections
	case Truncate, Duplicate, EndBefore, GoneEvent, NoBookmarks:
		return ofEvents
	default:
		return ofRequests
	}
}
