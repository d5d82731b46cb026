package e2e

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/internal/fakecluster/endings"
	"github.com/kontinue/kontinue/internal/scenarios"
)

const (
	// endingLimit is the timeout of one case.
	endingLimit = 2 * time.Minute
	// endingsAtOnce is how many cases run at a time. With more, a pod may start so late
	// that the deadline of its Job comes first.
	endingsAtOnce = 4
)

// TestEndings records in which order the states of Jobs and pods are seen when a Job
// ends, and compares it with the record, of which a busy kubelet may leave out states.
// Another minor version than that of the record may have another order, which is noted. For
// a record with usual times, run it alone with -parallel 1.
func TestEndings(t *testing.T) {
	summary.check(t)
	admin, err := kubernetes.NewForConfig(shared.admin)
	require.NoError(t, err)
	want, err := endings.Read(endings.Real)
	require.NoError(t, err)
	minor := version.MustParseGeneric(shared.version).Minor()
	slots := make(chan struct{}, endingsAtOnce)
	var mu sync.Mutex
	have := map[string]endings.History{}
	for _, c := range endings.All() {
		if minor < c.Since {
			continue // the scenarios with the same need are listed as not applicable
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(context.Background(), endingLimit)
			defer cancel()
			namespace := "ending-" + c.Name
			require.NoError(t, (&realCluster{admin: admin}).CreateNamespace(ctx, t, namespace, nil))
			h, err := endings.Record(ctx, admin, namespace, shared.image, c)
			t.Logf("\n%s", endings.Format(h))
			require.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			have[c.Name] = h
			if os.Getenv(endings.UpdateEnv) != "" {
				return
			}
			err = c.Covers(want[c.Name], h)
			if err != nil && !scenarios.RecordedVersion(shared.version) {
				t.Log(err)
				summary.orders = append(summary.orders, c.Name)
				return
			}
			require.NoError(t, err)
		})
	}
	t.Cleanup(func() {
		if os.Getenv(endings.UpdateEnv) != "" && !t.Failed() {
			require.NoError(t, endings.Write(endings.Real, have))
		}
	})
}
