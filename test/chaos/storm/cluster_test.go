package storm

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/test/chaos/internal/testbed"
	"github.com/kontinue/kontinue/test/chaos/proxy"
	"github.com/kontinue/kontinue/test/cluster"
)

// TestClusterFails breaks one component of a real cluster after another while steps
// run. The tests share the cluster, so they do not run in parallel, and the node is
// killed last.
func TestClusterFails(t *testing.T) {
	shared.use(t)
	t.Run("API server killed", func(t *testing.T) {
		disturb(t, func(s *fixture, c *cluster.Cluster) {
			require.NoError(s, c.Kill(s.ctx, cluster.APIServer))
			s.until(30*time.Second, "the client is unhealthy", func() bool { return s.client.Healthy() != nil })
			require.NoError(s, c.Restart(s.ctx, cluster.APIServer))
		})
	})
	t.Run("API server upgraded", func(t *testing.T) {
		disturb(t, func(s *fixture, c *cluster.Cluster) {
			require.NoError(s, c.Terminate(s.ctx, cluster.APIServer))
			require.NoError(s, c.Restart(s.ctx, cluster.APIServer))
		})
	})
	t.Run("etcd compacted", func(t *testing.T) {
		disturb(t, func(s *fixture, c *cluster.Cluster) {
			require.NoError(s, c.Kill(s.ctx, cluster.APIServer)) // otherwise its watch cache would serve the watches
			require.NoError(s, c.CompactEtcd(s.ctx))
			require.NoError(s, c.Restart(s.ctx, cluster.APIServer))
		})
	})
	t.Run("etcd restarted", func(t *testing.T) {
		disturb(t, func(s *fixture, c *cluster.Cluster) { require.NoError(s, c.Restart(s.ctx, cluster.Etcd)) })
	})
	t.Run("controller-manager down", func(t *testing.T) {
		disturb(t, func(s *fixture, c *cluster.Cluster) {
			require.NoError(s, c.Kill(s.ctx, cluster.ControllerManager))
			late := s.run("late", "exit 5", 0) // its Job gets no pod until the restart
			require.True(s, testbed.Pause(s.ctx, time.Minute))
			require.Empty(s, late)
			require.NoError(s, s.client.Healthy())
			require.NoError(s, c.Restart(s.ctx, cluster.ControllerManager))
			e := <-late
			require.NoError(s, e.err)
			require.Equal(s, int32(5), e.code)
			s.once("late")
		})
	})
	t.Run("kubelet restarted", func(t *testing.T) {
		disturb(t, func(s *fixture, c *cluster.Cluster) { require.NoError(s, c.Restart(s.ctx, cluster.Kubelet)) })
	})
	t.Run("clock is wrong", testClock)
	t.Run("job deleted in an outage", testJobDeleted)
	t.Run("connection half-open", testHalfOpenConnection)
	t.Run("no responses", testStopWithoutResponses)
	t.Run("node killed", testNodeKilled)
}

// disturb runs steps with different durations and exit codes, breaks the cluster
// while they run, and checks their results.
func disturb(t *testing.T, breakIt func(*fixture, *cluster.Cluster)) {
	t.Helper()
	s := shared.fixture(t, shared.cluster.RESTConfig(cluster.Worker))
	ends := map[string]<-chan end{}
	codes := map[string]int32{"short": 0, "middle": 3, "long": 7}
	for name, seconds := range map[string]int{"short": 4, "middle": 8, "long": 20} {
		ends[name] = s.run(name, fmt.Sprintf("sleep %d; exit %d", seconds, codes[name]), 0)
	}
	for name := range ends {
		s.runs(name)
	}
	breakIt(s, shared.cluster)
	for name, ended := range ends {
		e := <-ended
		require.NoError(t, e.err, name)
		require.Equal(t, codes[name], e.code, name)
		require.Equal(t, codes[name] == 0, e.result.Succeeded(), name)
		s.once(name)
	}
	s.until(2*time.Minute, "the client is healthy", func() bool { return s.client.Healthy() == nil })
}

// testClock shifts all times that the client sees by 15 minutes. No wait may end
// early or late because of it.
func testClock(t *testing.T) {
	for _, shift := range []time.Duration{15 * time.Minute, -15 * time.Minute} {
		t.Run(shift.String(), func(t *testing.T) {
			p, err := proxy.New(proxy.Config{Upstream: shared.cluster.RESTConfig(cluster.Worker), Shift: shift})
			require.NoError(t, err)
			t.Cleanup(p.Close)
			s := shared.fixture(t, p.RESTConfig())
			good, bad, slow := s.run("good", "sleep 2", 5*time.Minute), s.run("bad", "sleep 1; exit 9", 0), s.run("slow", "sleep 300", 8*time.Second)
			start := time.Now()
			e := <-good
			require.NoError(t, e.err)
			require.True(t, e.result.Succeeded())
			require.InDelta(t, shift, time.Until(e.result.Pod.CreationTimestamp.Time), float64(2*time.Minute), "the proxy must shift the clock")
			e = <-bad
			require.NoError(t, e.err)
			require.Equal(t, int32(9), e.code)
			e = <-slow
			require.NoError(t, e.err)
			require.False(t, e.result.Succeeded())
			require.ErrorIs(t, e.result.Err(), kontinue.ErrDeadlineExceeded)
			require.Less(t, time.Since(start), 2*time.Minute)
			for _, name := range []string{"good", "bad", "slow"} {
				s.once(name)
			}
			s.execution.TTL = &metav1.Duration{Duration: time.Hour}
			require.NoError(t, s.client.Finish(s.ctx, s.execution))
		})
	}
}

// testJobDeleted deletes a Job while the client is cut off and receives no event of
// the deletion.
func testJobDeleted(t *testing.T) {
	p, err := proxy.New(proxy.Config{Upstream: shared.cluster.RESTConfig(cluster.Worker)})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	s := shared.fixture(t, p.RESTConfig())
	runs := s.run("runs", "sleep 300", 0)
	s.runs("runs")
	// End the watches first, so that the client sees no event of the second Job.
	p.Inject(proxy.Fault{Kind: proxy.Unavailable, Verb: "watch", Times: -1})
	p.Inject(proxy.Fault{Kind: proxy.Unavailable, Verb: "list", Times: -1})
	p.EndWatches()
	unseen := s.run("unseen", "sleep 300", 0)
	jobs := shared.admin.BatchV1().Jobs(s.namespace)
	list := &batchv1.JobList{}
	// A step that has no response to its create yet would rightly create the Job again.
	s.until(time.Minute, "both jobs exist and their steps wait", func() bool {
		_, waits := s.waiting.Load("unseen")
		list, err = jobs.List(s.ctx, metav1.ListOptions{})
		return err == nil && len(list.Items) == 2 && waits
	})
	p.Inject(proxy.Fault{Kind: proxy.Refuse})
	for _, job := range list.Items {
		require.NoError(t, jobs.Delete(s.ctx, job.Name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}))
	}
	require.True(t, testbed.Pause(s.ctx, 5*time.Second))
	require.Empty(t, runs)
	require.Empty(t, unseen)
	p.Clear()
	start := time.Now()
	for _, ended := range []<-chan end{runs, unseen} {
		e := <-ended
		require.ErrorIs(t, e.err, kontinue.ErrJobDeleted, e.name)
	}
	require.Less(t, time.Since(start), 90*time.Second)
}

// testNodeKilled kills the node for good, so its pods never end. A step with a
// Timeout returns an error that says so. A step without one returns when the Node is
// deleted, as a cloud's node controller does once the machine is gone. Force-deleting
// the pod does not suffice: the Job controller waits until the pod is terminal
// (podReplacementPolicy Failed, KEP-3939).
func testNodeKilled(t *testing.T) {
	s := shared.fixture(t, shared.cluster.RESTConfig(cluster.Worker))
	bounded, unbounded := s.run("bounded", "sleep 600", 30*time.Second), s.run("unbounded", "sleep 600", 0)
	s.runs("bounded")
	pod := s.runs("unbounded")
	start := time.Now()
	require.NoError(t, shared.cluster.KillNode(s.ctx))
	s.until(3*time.Minute, "the pod is being evicted", func() bool {
		p, err := shared.admin.CoreV1().Pods(s.namespace).Get(s.ctx, pod.Name, metav1.GetOptions{})
		return err == nil && p.DeletionTimestamp != nil
	})
	require.NoError(t, shared.admin.CoreV1().Pods(s.namespace).Delete(s.ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}))
	e := <-bounded
	require.ErrorIs(t, e.err, kontinue.ErrDeadlineExceeded)
	require.ErrorContains(t, e.err, "is the Job controller running, and its node alive?")
	require.Less(t, e.at.Sub(start), 4*time.Minute)
	require.Empty(t, unbounded)
	require.NoError(t, shared.admin.CoreV1().Nodes().Delete(s.ctx, cluster.NodeName, metav1.DeleteOptions{}))
	e = <-unbounded
	require.NoError(t, e.err)
	require.False(t, e.result.Succeeded())
	require.Error(t, e.result.Err())
	s.once("unbounded")
}
