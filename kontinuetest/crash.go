package kontinuetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/kubeclient"
)

// ErrCrashed is the error of the requests and steps of a process that has crashed, and the
// cause with which the context of its runs ended: see [Cluster.Crash].
var ErrCrashed = errors.New("kontinuetest: the process has crashed")

// Crash ends the process of the program under test, as SIGKILL would: no further request of
// its clients reaches the cluster, and the contexts of its runs are canceled. A step that was
// running returns an [ErrCrashed] in its goroutine. Nothing that the function does after that
// reaches the cluster; a test waits until it has returned. The Jobs keep running.
//
// Afterwards [Cluster.Client], [Cluster.Config], [Cluster.Context] and [Cluster.Run] are those
// of a new process, which resumes the Execution if its Resumptions are incremented:
//
//	crashed := make(chan error)
//	ktx := cluster.Run(execution)
//	go func() { crashed <- deploy(ktx) }()
//	cluster.Running("helm")
//	cluster.Crash()
//	require.ErrorIs(t, <-crashed, kontinuetest.ErrCrashed)
//
//	execution.Resumptions++
//	require.NoError(t, deploy(cluster.Run(execution)))
//	cluster.RequireJobs(execution, "helm")
//
// A request that is on its way takes effect or not: to crash at a certain one, there are
// [Cluster.CrashBefore] and [Cluster.CrashAfter].
//
// A client that the program has made of [Cluster.Config] is cut off as well; it is up to the
// program to stop it.
func (c *Cluster) Crash() {
	c.t.Helper()
	c.crash(c.current())
}

// CrashBefore crashes the process of the program under test at its next request with the
// given verb and resource ("patch", "jobs"), which never reaches the cluster. An empty verb
// or resource means any. The crash is that of [Cluster.Crash]; it comes later, in the
// goroutine that makes the request, so that a test can call the function as usual:
//
//	cluster.CrashBefore("patch", "jobs") // when the step has ended, and before that is recorded
//	require.ErrorIs(t, deploy(cluster.Run(execution)), kontinuetest.ErrCrashed)
//
// If there is no such request, the test fails at its end.
func (c *Cluster) CrashBefore(verb, resource string) {
	c.t.Helper()
	c.crashAt(verb, resource, false)
}

// CrashAfter is as [Cluster.CrashBefore], at a request that the cluster has carried out: the
// process does not receive the response. After ("create", "jobs"), for example, the Job
// exists, and the process that created it never knew.
func (c *Cluster) CrashAfter(verb, resource string) {
	c.t.Helper()
	c.crashAt(verb, resource, true)
}

func (c *Cluster) crashAt(verb, resource string, after bool) {
	c.t.Helper()
	name := "CrashBefore"
	if after {
		name = "CrashAfter"
	}
	_, err := c.cluster.Requests(verb, resource)
	require.NoError(c.t, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.points = append(c.points, &crashPoint{
		verb: verb, resource: resource, after: after, name: fmt.Sprintf("%s(%q, %q)", name, verb, resource),
	})
}

// crashPoint returns the crash that is due at the request.
func (c *Cluster) crashPoint(r kubeclient.Request) *crashPoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.points {
		if p.take(r) {
			return p
		}
	}
	return nil
}

// agony is how long the client of a process that has crashed is left alone, so that its steps
// return for the crash and not for the stop of the client.
const agony = time.Second

// crash ends the process, and its client a little later, or with the test if that is sooner.
func (c *Cluster) crash(p *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.ctx.Err() != nil {
		return
	}
	p.die(ErrCrashed)
	if p.client == nil || c.ended {
		return
	}
	client := p.client
	c.dead.Go(func() {
		timer := time.NewTimer(agony)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.t.Context().Done():
		}
		if err := client.Stop(context.Background()); err != nil {
			c.t.Errorf("stopping the client of a process that has crashed: %v", err)
		}
	})
}

// current returns the process of the program under test: a new one after a crash.
func (c *Cluster) current() *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil || c.process.ctx.Err() != nil {
		c.process = newProcess(c.t.Context())
	}
	return c.process
}
