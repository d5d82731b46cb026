package kontinue_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
)

var (
	errRefused   error = syscall.ECONNREFUSED
	errExpired         = apierrors.NewUnauthorized("Unauthorized")
	errForbidden       = apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("no rule allows it"))
)

// trouble is a state of the API server as one worker sees it.
type trouble struct {
	faults []apiserver.Fault // of which the user is filled in
	// cut ends the open watches, without which nothing would be noticed.
	cut bool
	// stall makes the open watches half-open.
	stall bool
	// says is what errors and the log tell of it; "" if it does no harm.
	says string
	// noStart: a start does not succeed.
	noStart bool
	// bound is what a start may take; default StartTimeout.
	bound time.Duration
	// heals is what it may take until all is well again; default: client-go's longest
	// pause, with its jitter.
	heals time.Duration
}

// troubles are what Start, a running client and Stop are held against.
var troubles = map[string]trouble{
	"unreachable": {faults: []apiserver.Fault{{Before: errRefused}}, cut: true, noStart: true, says: "connection refused"},
	"401":         {faults: []apiserver.Fault{{Before: errExpired}}, cut: true, noStart: true, bound: time.Second, says: "does not accept these credentials"},
	"403 on list": {faults: []apiserver.Fault{
		{Match: apiserver.Match{Verb: "list", Resource: "pods"}, Before: errForbidden},
		// After a cut a list is only needed when the history has gone.
		{Match: apiserver.Match{Verb: "watch", Resource: "pods"}, Times: 1, Before: apierrors.NewResourceExpired("too old")},
	}, cut: true, noStart: true, bound: time.Second, says: `grant verb "list" on resource "pods"`},
	"403 on watch": {faults: []apiserver.Fault{
		{Match: apiserver.Match{Verb: "watch", Resource: "jobs"}, Before: errForbidden},
	}, cut: true, noStart: true, bound: time.Second, says: `grant verb "watch" on resource "jobs"`},
	"no answer to lists": {faults: []apiserver.Fault{
		{Match: apiserver.Match{Verb: "list"}, Delay: time.Hour},
		{Match: apiserver.Match{Verb: "watch"}, Times: 2, Before: apierrors.NewResourceExpired("too old")},
	}, cut: true, noStart: true, says: "no answer", heals: 90 * time.Second}, // the last of those lists is given up after 75 s
	"watches are half-open": {stall: true},
	"nothing":               {},
}

func (x trouble) begin(w *world, user string) (end func()) {
	server := w.cluster.APIServer()
	var undo []func()
	for _, f := range x.faults {
		f.User = user
		undo = append(undo, server.AddFault(f))
	}
	if x.cut {
		server.CutWatches(apiserver.WatchMatch{User: user})
	}
	if x.stall {
		server.StallWatches(apiserver.WatchMatch{User: user})
	}
	return func() {
		for _, u := range undo {
			u()
		}
		if x.stall { // its connection is lost for good, and the client finds out
			server.CutWatches(apiserver.WatchMatch{User: user})
		}
	}
}

// buffer is a log that may be read meanwhile.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// warnings are the lines of the level Warn.
func (b *buffer) warnings() string {
	var lines []string
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, "level=WARN") {
			lines = append(lines, line)
		}
	}
	return strings.ReplaceAll(strings.Join(lines, ""), `\"`, `"`)
}

// logged makes a client that is not started and the log of all levels that it has.
func (w *world) logged(user string, change func(*kontinue.Config)) (*kontinue.Client, *buffer) {
	w.Helper()
	log := &buffer{}
	config := kontinue.Config{
		Clientset: w.cluster.APIServer().ClientsetAs(user), Namespace: "ns",
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.Level(-10)})),
	}
	if change != nil {
		change(&config)
	}
	client, err := kontinue.New(config)
	require.NoError(w, err)
	w.Cleanup(func() { _ = client.Stop(context.Background()) })
	return client, log
}

// withoutBookmarks keeps all of them from a user.
func withoutBookmarks(w *world, user string) {
	w.cluster.APIServer().SetWatchHook(func(i apiserver.WatchInfo, e watch.Event) (bool, time.Duration) {
		return i.User != user || e.Type != watch.Bookmark, 0
	})
}

// bounded stops a client and tells how long that took.
func bounded(w *world, client *kontinue.Client) time.Duration {
	w.Helper()
	began := time.Now()
	require.NoError(w, client.Stop(context.Background()))
	return time.Since(began)
}
