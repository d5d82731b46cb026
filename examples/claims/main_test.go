package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/devcluster"
)

func TestMain(m *testing.M) {
	utilruntime.ErrorHandlers = utilruntime.ErrorHandlers[:1] // the others wait for real time
	goleak.VerifyTestMain(m)
}

const (
	leaseTime = 10 * time.Second
	turnTime  = leaseTime / 5
	stepTime  = time.Minute
)

// process stands for a process. Its network can be cut, and ends with its life.
type process struct {
	next   http.RoundTripper
	cut    atomic.Bool // no request passes
	cancel context.CancelFunc
	done   chan error
}

var errCut = errors.New("the network is cut")

func (p *process) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.cut.Load() {
		return nil, errCut
	}
	return p.next.RoundTrip(r)
}

// crash ends the process as SIGKILL does: nothing that it does later reaches the cluster.
func (p *process) crash() {
	p.cut.Store(true)
	p.cancel()
	<-p.done
}

type fixture struct {
	*testing.T
	cluster *devcluster.Cluster
	store   store
}

// inMemory runs the test in virtual time, with Executions whose steps take a minute each.
func inMemory(t *testing.T, executions int, f func(t fixture)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster, err := devcluster.Start(t.Context(), devcluster.Options{Containers: devcluster.Scripts})
		require.NoError(t, err)
		defer cluster.Stop()
		require.NoError(t, cluster.Play(devcluster.Job("").Run(stepTime)))
		s := store{cluster.Clientset().CoreV1().ConfigMaps("default")}
		for range executions {
			require.NoError(t, s.add(t.Context()))
		}
		f(fixture{t, cluster, s})
	})
}

// start starts a process that runs at most capacity functions at a time, and ends when no
// Execution is open, if that is asked for.
func (t fixture) start(capacity int, drain bool) *process {
	t.Helper()
	p := &process{done: make(chan error, 1)}
	config := t.cluster.RESTConfig()
	config.QPS = -1
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { p.next = next; return p })
	clientset, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	client, err := kontinue.New(kontinue.Config{RESTConfig: config, Namespace: "default"})
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context()))
	var ctx context.Context
	ctx, p.cancel = context.WithCancel(t.Context())
	t.Cleanup(func() {
		p.cancel()
		require.NoError(t, client.Stop(context.WithoutCancel(ctx)))
	})
	go func() {
		p.done <- work(ctx, client, clientset, settings{namespace: "default", duration: leaseTime, capacity: capacity, drain: drain}, slog.New(slog.DiscardHandler))
		close(p.done)
	}()
	synctest.Wait()
	return p
}

// executions returns all of them, also those that have ended.
func (t fixture) executions() []*execution {
	t.Helper()
	list, err := t.store.maps.List(t.Context(), metav1.ListOptions{LabelSelector: appLabel})
	require.NoError(t, err)
	var all []*execution
	for i := range list.Items {
		all = append(all, read(&list.Items[i]))
	}
	return all
}

// byWorker counts the Executions of each process.
func (t fixture) byWorker() map[string]int {
	t.Helper()
	count := map[string]int{}
	for _, e := range t.executions() {
		count[e.worker]++
	}
	return count
}

func (t fixture) leases() int {
	t.Helper()
	list, err := t.cluster.Clientset().CoordinationV1().Leases("default").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	return len(list.Items)
}

// waitForOthers waits until other processes have all Executions.
func (t fixture) waitForOthers(workers map[string]int) {
	t.Helper()
	require.NoError(t, t.cluster.WaitFor(t.Context(), func(context.Context) (bool, error) {
		for worker := range t.byWorker() {
			if workers[worker] > 0 {
				return false, nil
			}
		}
		return true, nil
	}))
}

// waitForTheEnd waits until all Executions have ended, and requires that each has succeeded
// with one Job for each step.
func (t fixture) waitForTheEnd() []*execution {
	t.Helper()
	require.NoError(t, t.cluster.WaitFor(t.Context(), func(ctx context.Context) (bool, error) {
		open, err := t.store.open(ctx)
		return len(open) == 0, err
	}))
	all := t.executions()
	for _, e := range all {
		require.Equal(t, "Succeeded", e.state)
		var steps []string
		for _, job := range t.cluster.Jobs(e.kontinue()) {
			steps = append(steps, job.Labels["kontinue.cloud/step"])
		}
		require.Equal(t, []string{"build", "test", "publish"}, steps, "no Job ran twice")
	}
	return all
}

// TestCrash kills one of three processes. The others take over its Executions when its Lease
// has expired, in the middle of a step.
func TestCrash(t *testing.T) {
	inMemory(t, 6, func(t fixture) {
		first := t.start(2, false)
		claimed := t.byWorker()
		require.Len(t, claimed, 2, "one process, and none")
		t.start(4, false)
		t.start(4, false)
		require.NotContains(t, t.byWorker(), "")
		time.AfterFunc(stepTime/2, first.crash)

		began := time.Now()
		resumed := 0
		for _, e := range t.waitForTheEnd() {
			require.NotContains(t, claimed, e.worker, "another process has taken it over")
			resumed += e.resumptions
		}
		require.Equal(t, 2, resumed, "each Execution of the first process, once")
		require.Less(t, time.Since(began), 3*stepTime+3*turnTime, "the Job of the step ran on meanwhile")
		require.Equal(t, 2, t.leases(), "the Lease of the first process is gone")
	})
}

// TestSlow cuts a process off for longer than its Lease. It ends when it is back, although its
// functions were running.
func TestSlow(t *testing.T) {
	inMemory(t, 2, func(t fixture) {
		slow := t.start(2, false)
		t.start(2, false)
		before := t.byWorker()
		slow.cut.Store(true)
		// The other one has seen the last renewal at most a turn later.
		t.waitForOthers(before)
		slow.cut.Store(false) // the network is back
		err := <-slow.done
		require.True(t, apierrors.IsNotFound(err), "%v", err)
		for _, e := range t.waitForTheEnd() {
			require.Equal(t, 1, e.resumptions)
		}
	})
}

// TestOutage cuts all processes off for longer than a Lease, as an API server that is down
// does. None is given up: while no process can renew its Lease, none looks at the others.
func TestOutage(t *testing.T) {
	inMemory(t, 4, func(t fixture) {
		first := t.start(2, true)
		<-time.After(turnTime / 2)
		second := t.start(2, true)
		before := t.byWorker()
		<-time.After(7 * turnTime / 4) // the first one has seen the newest renewal of the second one
		first.cut.Store(true)
		second.cut.Store(true)
		<-time.After(3*leaseTime + turnTime/2) // the first one is back first
		first.cut.Store(false)
		second.cut.Store(false)
		t.waitForTheEnd()
		require.NoError(t, <-first.done)
		require.NoError(t, <-second.done)
		require.Equal(t, before, t.byWorker())
	})
}

// TestStop ends a process as SIGTERM does: the next turn of another one takes over, and that
// one ends when nothing is left.
func TestStop(t *testing.T) {
	inMemory(t, 2, func(t fixture) {
		first := t.start(2, false)
		second := t.start(2, true)
		before := t.byWorker()
		first.cancel()
		require.NoError(t, <-first.done)
		stopped := time.Now()
		t.waitForOthers(before)
		require.LessOrEqual(t, time.Since(stopped), turnTime)
		t.waitForTheEnd()
		require.NoError(t, <-second.done, "nothing is open")
		require.Zero(t, t.leases())
	})
}

func leaseOf(name string) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// TestConflict lets two processes that think of each other as dead write the same Execution.
func TestConflict(t *testing.T) {
	inMemory(t, 1, func(t fixture) {
		early, late := t.executions()[0], t.executions()[0]
		a := &worker{store: t.store, lease: &lease{object: leaseOf("a")}}
		b := &worker{store: t.store, lease: &lease{object: leaseOf("b")}}
		require.NoError(t, a.claim(t.Context(), early))
		require.True(t, apierrors.IsConflict(b.claim(t.Context(), late)), "of two that try, one succeeds")

		late = t.executions()[0]
		require.NoError(t, b.claim(t.Context(), late))
		require.Equal(t, 1, late.resumptions)
		early.attempts = 1
		require.True(t, apierrors.IsConflict(t.store.save(t.Context(), early)), "the earlier process writes no more")
	})
}
