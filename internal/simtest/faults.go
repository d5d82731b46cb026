package simtest

import (
	"errors"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
)

// What requests fail with while the API server does not accept connections,
// after a token has expired, and without a rule that allows them.
var (
	ErrRefused   error = syscall.ECONNREFUSED
	ErrExpired         = apierrors.NewUnauthorized("Unauthorized")
	ErrForbidden       = apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("no rule allows it"))
)

// Trouble is a failure of the API server for one worker, and the expected behavior of a
// client.
type Trouble struct {
	// Faults are the requests that fail; Begin fills in the user.
	Faults []apiserver.Fault
	// Cut ends the open watches: a client with open watches makes no requests, and
	// would notice no fault.
	Cut bool
	// Stall makes the open watches half-open: they stay open and deliver nothing.
	Stall bool
	// Says is what the errors and the log must contain; "" if the trouble is harmless.
	Says string
	// NoStart means that Start must fail.
	NoStart bool
	// Bound is how long such a Start may take. Default: StartTimeout.
	Bound time.Duration
	// Heals is how long a client may take to recover afterwards. Default: the longest
	// backoff of client-go with its jitter.
	Heals time.Duration
}

// Troubles are the states in which Start, a running client and Stop are tested.
var Troubles = map[string]Trouble{
	"unreachable": {Faults: []apiserver.Fault{{Before: ErrRefused}}, Cut: true, NoStart: true, Says: "connection refused"},
	"401":         {Faults: []apiserver.Fault{{Before: ErrExpired}}, Cut: true, NoStart: true, Bound: time.Second, Says: "does not accept these credentials"},
	"403 on list": {Faults: []apiserver.Fault{
		{Match: apiserver.Match{Verb: "list", Resource: "pods"}, Before: ErrForbidden},
		// After a cut the client lists again only if its resourceVersion is too old.
		{Match: apiserver.Match{Verb: "watch", Resource: "pods"}, Times: 1, Before: apierrors.NewResourceExpired("too old")},
	}, Cut: true, NoStart: true, Bound: time.Second, Says: `grant verb "list" on resource "pods"`},
	"403 on watch": {Faults: []apiserver.Fault{
		{Match: apiserver.Match{Verb: "watch", Resource: "jobs"}, Before: ErrForbidden},
	}, Cut: true, NoStart: true, Bound: time.Second, Says: `grant verb "watch" on resource "jobs"`},
	"no answer to lists": {Faults: []apiserver.Fault{
		{Match: apiserver.Match{Verb: "list"}, Delay: time.Hour},
		{Match: apiserver.Match{Verb: "watch"}, Times: 2, Before: apierrors.NewResourceExpired("too old")},
	}, Cut: true, NoStart: true, Says: "no answer", Heals: 90 * time.Second}, // the last of those lists times out after 75 s
	"watches are half-open": {Stall: true},
	"nothing":               {},
}

// Begin inflicts the trouble on the user until end is called.
func (x Trouble) Begin(w *World, user string) (end func()) {
	server := w.Cluster.APIServer()
	var undo []func()
	for _, f := range x.Faults {
		f.User = user
		undo = append(undo, server.AddFault(f))
	}
	if x.Cut {
		server.CutWatches(apiserver.WatchMatch{User: user})
	}
	if x.Stall {
		server.StallWatches(apiserver.WatchMatch{User: user})
	}
	return func() {
		for _, u := range undo {
			u()
		}
		if x.Stall { // the connection does not recover: the client receives an error
			server.CutWatches(apiserver.WatchMatch{User: user})
		}
	}
}
