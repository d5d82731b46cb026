package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/test/cluster/internal/binaries"
)

// A version starts without what it does not know: strict decoding or an unknown flag would
// end the component.
func TestKnown(t *testing.T) {
	t.Parallel()
	of := func(version string) *Cluster { return &Cluster{binaries: &binaries.Binaries{Version: version}} }
	for _, a := range additions {
		older, newer := of("v1.28.0"), of("v1.37.2")
		require.False(t, older.knows(a.component, a.name), a.name)
		require.True(t, newer.knows(a.component, a.name), a.name)
	}
	c := of("v1.30.14")
	config := map[string]any{"failCgroupV1": false, "podLogsDir": "/logs", "maxPods": 250}
	c.knownFields(Kubelet, config)
	require.Equal(t, map[string]any{"podLogsDir": "/logs", "maxPods": 250}, config)
	require.True(t, c.knows(ControllerManager, "failCgroupV1"), "the same name elsewhere")
	names := []string{"job-controller", "taint-eviction-controller=x"}
	require.Equal(t, names, c.known(ControllerManager, names))
	require.Equal(t, names[:1], of("v1.28.15").known(ControllerManager, names))
	require.Len(t, names, 2, "the list of the caller")
}
