package storm

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/test/chaos/internal/testbed"
	"github.com/kontinue/kontinue/test/chaos/proxy"
	"github.com/kontinue/kontinue/test/cluster"
)

// testHalfOpenConnection makes the watches silent and leaves requests without
// responses. With its defaults, client-go notices within a minute. The step ends
// while the client is cut off.
func testHalfOpenConnection(t *testing.T) {
	p, err := proxy.New(proxy.Config{Upstream: shared.cluster.RESTConfig(cluster.Worker)})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	s := shared.fixture(t, p.RESTConfig())
	ended := s.run("step", "sleep 10; exit 4", 0)
	s.runs("step")
	watches := p.Requests("watch", "pods")
	p.Inject(proxy.Fault{Kind: proxy.Stall})
	require.Positive(t, p.Injected()[proxy.Stall])
	stalled := time.Now()
	s.until(time.Minute, "the watch is open again", func() bool { return p.Requests("watch", "pods") > watches })
	noticed := time.Since(stalled)
	e := <-ended
	require.NoError(t, e.err)
	require.Equal(t, int32(4), e.code)
	require.Less(t, e.at.Sub(stalled), time.Minute)
	t.Logf("noticed after %s, result after %s", noticed.Round(time.Millisecond), e.at.Sub(stalled).Round(time.Millisecond))
	require.Contains(t, s.log.String(), "client connection lost")
	s.until(10*time.Second, "the client is healthy", func() bool { return s.client.Healthy() == nil })
	s.once("step")
}

// testStopWithoutResponses checks that a client that gets no responses stops within
// its timeout.
func testStopWithoutResponses(t *testing.T) {
	p, err := proxy.New(proxy.Config{Upstream: shared.cluster.RESTConfig(cluster.Worker)})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	s := shared.fixture(t, p.RESTConfig())
	waits := s.run("waits", "sleep 300", 0)
	s.runs("waits")
	p.Inject(proxy.Fault{Kind: proxy.Blackhole})
	creates := s.run("creates", "true", 0)
	require.True(t, testbed.Pause(s.ctx, 2*time.Second))
	start := time.Now()
	require.NoError(t, s.client.Stop(s.ctx))
	require.Less(t, time.Since(start), 10*time.Second)
	for _, ended := range []<-chan end{waits, creates} {
		require.Error(t, (<-ended).err)
	}
	p.Clear()
}
