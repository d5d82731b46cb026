package handles_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// crowd is more steps than may have something to do at a time.
const crowd = 80

// TestCrowd: many steps wait for something else than their Jobs, and one more is not
// delayed by them.
func TestCrowd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		progress, logs bool // they do not return
		refuse         bool // the records of all but the last one
	}{
		"for a function": {progress: true},
		"for the record": {refuse: true},
		"for the writer": {logs: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				slow := make(chan struct{})
				defer close(slow)
				w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute, Log: []containers.LogLine{{Text: "line"}}})
				client, _ := w.NewClient("worker", func(c *kontinue.Config) {
					c.OnProgress = func(p kontinue.Progress) {
						if tc.progress && p.Step != "last" && p.State == kontinue.StepRunning {
							<-slow
						}
					}
				})
				require.NoError(t, client.Start(w.Context()))
				ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
				require.NoError(t, err)
				var all []*kontinue.Step[*kontinue.PodResult]
				for i := range crowd {
					o := simtest.Script(fmt.Sprintf("s%d", i), "true")
					if tc.logs {
						o.Logs = stuck{slow}
					}
					s, err := kontinue.StartScript(ktx, o)
					require.NoError(t, err)
					all = append(all, s)
					if tc.refuse {
						w.Cluster.APIServer().AddFault(apiserver.Fault{
							Match:  apiserver.Match{User: "worker", Verb: "patch", Name: s.JobName()},
							Before: apierrors.NewInternalError(errors.New("etcd is away")),
						})
					}
				}
				w.Sleep(65 * time.Second)
				began := time.Now()
				r, err := kontinue.RunScript(ktx, simtest.Script("last", "true"))
				require.NoError(t, err)
				require.NoError(t, r.Err())
				require.Less(t, time.Since(began), 63*time.Second)
				for _, s := range all {
					require.Equal(t, tc.logs, ended(s), "a result waits ten seconds for its log")
				}
			})
		})
	}
}

// stuck is a writer that does not return.
type stuck struct{ until chan struct{} }

func (s stuck) Write(p []byte) (int, error) {
	<-s.until
	return len(p), nil
}

// TestStuckRequests: requests that get no answer do not keep another step from ending with
// its context.
func TestStuckRequests(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute})
		w.Cluster.On(containers.Match{Step: "last"}, containers.Script{Run: time.Hour})
		p := w.Worker()
		ktx := p.ExecutionContext()
		w.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: p.User, Verb: "patch"}, Delay: apiserver.Forever})
		for i := range crowd {
			start(w, ktx, fmt.Sprintf("s%d", i))
		}
		last := start(w, p.ExecutionContext(), "last")
		w.Sleep(61 * time.Second)
		require.False(t, ended(last))
		began := time.Now()
		p.Cancel(errShift)
		_, err := last.Wait(w.Context())
		require.ErrorIs(t, err, errShift)
		require.Zero(t, time.Since(began))
	})
}

// lines is a writer that keeps what it gets.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
