package proxy

import (
	"net/http"
	"strings"
	"time"
)

// Kind is a kind of fault.
type Kind string

// Faults of connections. They hit all that are open when they are injected.
const (
	// Cut closes the connections.
	Cut Kind = "cut"
	// Reset closes them with a TCP reset.
	Reset Kind = "reset"
	// Stall makes them half-open: they stay open, take everything and never
	// answer. New ones work.
	Stall Kind = "stall"
	// Refuse resets them, and for Fault.For also each new one within its TLS
	// handshake.
	Refuse Kind = "refuse"
	// Blackhole is Stall, for Fault.For also of new connections.
	Blackhole Kind = "black hole"
	// Freeze holds back all that the server sends for Fault.For; then it arrives.
	Freeze Kind = "freeze"
	// Delay lets each write of the server take 20 ms for Fault.For.
	Delay Kind = "delay"
	// Drip lets through 512 bytes in each 5 ms for Fault.For.
	Drip Kind = "drip"
)

// Faults of requests. They hit the next Fault.Times that Fault.Verb and
// Fault.Resource match.
const (
	// TooMany refuses with 429 and no Retry-After, TooManyLater with Retry-After 1.
	TooMany      Kind = "429"
	TooManyLater Kind = "429, Retry-After"
	// Internal refuses with a Status of code 500.
	Internal Kind = "500"
	// BadGateway and Unavailable refuse as a load balancer does, without a Status.
	BadGateway  Kind = "502"
	Unavailable Kind = "503"
	// Unauthorized refuses with 401, as for an expired token, Forbidden with 403.
	Unauthorized Kind = "401"
	Forbidden    Kind = "403"
	// LoseAnswer lets the API server carry the request out and loses the answer.
	LoseAnswer Kind = "lost answer"
	// Swallow takes the request and never answers.
	Swallow Kind = "no answer"
)

// Faults of watches. All but NoBookmarks hit the next Fault.Times events.
const (
	// Truncate ends the stream within an event.
	Truncate Kind = "truncated event"
	// Duplicate sends an event twice.
	Duplicate Kind = "duplicated event"
	// EndBefore ends the stream just before an event.
	EndBefore Kind = "ended before an event"
	// GoneEvent sends an ERROR event of code 410 in place of an event.
	GoneEvent Kind = "410 event"
	// Gone ends all open watches and answers the next Fault.Times with status 410.
	Gone Kind = "410 status"
	// NoBookmarks keeps bookmarks back for Fault.For, also the one that ends the
	// initial events.
	NoBookmarks Kind = "no bookmarks"
)

// Kinds are all that a storm draws from. 401, 403, no answer and no bookmarks are
// for tests that look at one fault alone.
var Kinds = []Kind{
	Cut, Reset, Stall, Refuse, Blackhole, Freeze, Delay, Drip,
	TooMany, TooManyLater, Internal, BadGateway, Unavailable, LoseAnswer,
	Truncate, Duplicate, EndBefore, GoneEvent, Gone,
}

// Fault is one thing that goes wrong.
type Fault struct {
	Kind Kind
	// Verb ("list", "watch", "get", "create", "patch", "delete") and Resource
	// select requests and watches. Default: any.
	Verb, Resource string
	// Times is how many requests or events are hit. Default: 1; below 0 all.
	Times int
	// For is how long a fault with a duration lasts. Default: until Clear.
	For time.Duration
}

// request is what a fault is matched with.
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

// class groups the kinds by what they hit.
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
