package simtest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
)

// ErrKilled is the cause with which the context of a worker that was killed ends, and
// the error of the request at which it was killed.
var ErrKilled = errors.New("the worker was killed")

// Worker simulates one process: a client with its own user at the API server, and the
// context of its functions.
type Worker struct {
	*World
	// User is the worker's name at the API server: worker-1, worker-2 and so on.
	User   string
	Client *kontinue.Client
	// Ctx is the context of the worker's functions, and Cancel ends it without
	// touching the client.
	Ctx    context.Context
	Cancel context.CancelCauseFunc
	// Lists is how many requests (pages) the lists of the two informers took at
	// the start.
	Lists int

	number int // from 1
}

// Worker starts a worker, which is stopped with the test.
func (w *World) Worker() *Worker {
	w.Helper()
	w.workers++
	p := &Worker{World: w, User: fmt.Sprintf("worker-%d", w.workers), number: w.workers}
	var err error
	p.Client, err = kontinue.New(kontinue.Config{RESTConfig: w.Cluster.APIServer().Config(p.User), Namespace: "ns", SkipPreflight: true})
	require.NoError(w, err)
	require.NoError(w, p.Client.Start(w.Context()))
	p.Lists = p.Requests("list")
	w.Cleanup(func() { require.NoError(w, p.Client.Stop(context.Background())) })
	p.Ctx, p.Cancel = context.WithCancelCause(w.Context())
	w.Cleanup(func() { p.Cancel(nil) })
	return p
}

// Kill ends the worker as SIGKILL would: no further request of its reaches the
// cluster, and none is answered.
func (p *Worker) Kill() {
	p.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: p.User}, Delay: apiserver.Forever})
	p.Cancel(ErrKilled)
	// What is left of it waits for answers, and would ask again for days. Its functions
	// have returned by then.
	time.AfterFunc(time.Second, func() { _ = p.Client.Stop(context.Background()) })
}

// KillAt kills the worker at its n-th request from now, counted from 1: before
// the API server receives the request, or after it was carried out and before
// it is answered.
func (p *Worker) KillAt(n int, before bool) {
	server, match := p.Cluster.APIServer(), apiserver.Match{User: p.User}
	if n > 1 {
		server.AddFault(apiserver.Fault{Match: match, Times: n - 1}) // lets that many pass
	}
	deadly := apiserver.Fault{Match: match, Times: 1, After: ErrKilled}
	if before {
		deadly = apiserver.Fault{Match: match, Times: 1, Before: ErrKilled}
	}
	server.AddFault(deadly)
	var count atomic.Int64
	server.AddAudit(func(r apiserver.Request, err error) {
		if r.User != p.User {
			return
		}
		// A request that was rejected has no response to lose.
		if n := int64(n); count.Add(1) == n && !before || errors.Is(err, ErrKilled) {
			p.Kill()
		}
	})
}

// ExecutionContext returns the context of a new run of the Execution's function
// in this worker. All but the first worker resume.
func (p *Worker) ExecutionContext() *kontinue.ExecutionContext {
	p.Helper()
	execution := p.Execution
	execution.Resumptions = max(execution.Resumptions, p.number-1)
	ktx, err := p.Client.NewExecutionContext(p.Ctx, execution)
	require.NoError(p, err)
	return ktx
}

// Requests returns how many requests with that verb the worker has made. With
// verb "" it returns the number of all its requests without its informers' own:
// the lists at the start, and the watches.
func (p *Worker) Requests(verb string) int {
	stats := p.Cluster.APIServer().Stats()
	if verb == "" {
		return stats.Count(p.User, "", "") - stats.Count(p.User, "watch", "") - p.Lists
	}
	return stats.Count(p.User, verb, "")
}
