package livelogs_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestLinesComeAsTheyAreWritten, from the first one. No request is sent before the
// container has started or by a step that has no writer, and the result does not come later.
func TestLinesComeAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for name, delays := range map[string]fakecluster.Delays{"no delays": {}, "real delays": fakecluster.RealDelays()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.RunWith(t, fakecluster.Options{Delays: delays}, func(w *simtest.World) {
				slow := prints(20, 10*time.Second)
				slow.PullTime = 30 * time.Second
				w.Cluster.On(containers.Match{}, slow)
				p, began := w.Worker(), time.Now()
				r, err := kontinue.RunScript(p.ExecutionContext(), simtest.Script("silent", "true"))
				require.NoError(t, err)
				require.Nil(t, r.LogReport)
				require.Zero(t, logRequests(p))
				alone := time.Since(began)

				out := newOutput(w)
				early := make(chan int, 1)
				time.AfterFunc(25*time.Second, func() { early <- logRequests(p) })
				report := run(p.ExecutionContext(), w, script("logged", out))
				require.InDelta(t, alone, time.Since(out.began), float64(100*time.Millisecond))
				requireComplete(w, 20, report)
				require.Zero(t, <-early, "requests before the container has started")
				require.Equal(t, numbered(20), out.lines)
				for i, at := range out.at {
					require.InDelta(t, (30*time.Second + time.Duration(i)*10*time.Second).Seconds(), at.Seconds(), 3, "line %d", i)
				}
				// The stream, a few after its end until the status is known, and the last read.
				require.LessOrEqual(t, logRequests(p), 6)
				require.Equal(t, p.Lists, p.Requests("list"), "nothing else is read")
				require.Equal(t, logRequests(p), p.Requests("get"))
				require.Equal(t, []int{logRequests(p), 4}, []int{report.Reopened + 1, p.Requests("") - logRequests(p)})
			})
		})
	}
}

// TestInterruptedStreams: whatever cuts a stream, each line is written once.
func TestInterruptedStreams(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]apiserver.Fault{
		"cut":               {Times: 20, Body: &apiserver.BodyFault{Bytes: 2000, Break: syscall.ECONNRESET}},
		"ended like a log":  {Times: 20, Body: &apiserver.BodyFault{Bytes: 2000}},
		"cut within a line": {Times: 20, Body: &apiserver.BodyFault{Bytes: 1777, Break: syscall.ECONNRESET}},
		"half-open":         {Times: 1, Body: &apiserver.BodyFault{Bytes: 3000, Stall: true}},
		"refused":           {Times: 5, Before: simtest.ErrRefused},
		"token has expired": {Times: 3, Before: simtest.ErrExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, prints(400, 100*time.Millisecond))
				p := w.Worker()
				fault.Match = logOf(p)
				w.Cluster.APIServer().AddFault(fault)
				out := newOutput(w)
				began := time.Now()
				requireComplete(w, 400, run(p.ExecutionContext(), w, script("a", out)))
				require.Equal(t, numbered(400), out.lines)
				require.Less(t, time.Since(began), 45*time.Second, "the container runs for 40 s")
			})
		})
	}
}

// TestRestartOfTheAPIServer: for half a minute no request gets through, and every stream
// is cut.
func TestRestartOfTheAPIServer(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, prints(1200, 100*time.Millisecond))
		p, server := w.Worker(), w.Cluster.APIServer()
		server.AddFault(apiserver.Fault{Match: logOf(p), Times: 1, Body: &apiserver.BodyFault{Bytes: 10_000, Break: syscall.ECONNRESET}})
		time.AfterFunc(10*time.Second, func() {
			undo := server.AddFault(apiserver.Fault{Match: apiserver.Match{User: p.User}, Before: simtest.ErrRefused})
			server.CutWatches(apiserver.WatchMatch{User: p.User})
			time.AfterFunc(30*time.Second, undo)
		})
		out := newOutput(w)
		requireComplete(w, 1200, run(p.ExecutionContext(), w, script("a", out)))
		require.Equal(t, numbered(1200), out.lines)
	})
}

// TestRotation: while no log can be read, the kubelet drops lines. The report says where.
func TestRotation(t *testing.T) {
	t.Parallel()
	simtest.RunWith(t, fakecluster.Options{Kubelet: kubelet.Options{LogLimit: 2000}}, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, prints(1000, 100*time.Millisecond))
		p, server := w.Worker(), w.Cluster.APIServer()
		server.AddFault(apiserver.Fault{Match: logOf(p), Times: 1, Body: &apiserver.BodyFault{Bytes: 10_000, Break: syscall.ECONNRESET}})
		time.AfterFunc(10*time.Second, func() {
			time.AfterFunc(50*time.Second, server.AddFault(apiserver.Fault{Match: logOf(p), Before: simtest.ErrRefused}))
		})
		out := newOutput(w)
		report := run(p.ExecutionContext(), w, script("a", out))
		require.False(t, report.Complete)
		require.NoError(t, report.Err)
		require.Len(t, report.Gaps, 1)
		gap := report.Gaps[0]
		require.Equal(t, "script", gap.Container)
		missing := int(gap.Before.Sub(gap.After)/(100*time.Millisecond)) - 1
		require.Len(t, out.lines, 1000-missing)
		all, at := numbered(1000), 0
		for at < len(out.lines) && out.lines[at] == all[at] {
			at++
		}
		require.Greater(t, at, 50)
		require.Equal(t, all[at+missing:], out.lines[at:])
	})
}
