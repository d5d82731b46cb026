package handles_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestEverythingAtOnce: steps that run again, wait for room, are canceled, whose contexts end
// and whose Jobs are deleted, in an order that differs by seed, until the client stops. Each
// that began ends once, the limit holds, and no place is lost.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) { everything(w, seed) })
		})
	}
}

func everything(w *simtest.World, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test
	const steps, limit = 25, 2
	for i := range steps {
		s := containers.Script{Run: time.Duration(1+rnd.IntN(30)) * time.Second}
		if rnd.IntN(2) == 0 {
			s.Exit.Code = 1
		}
		w.Cluster.On(containers.Match{Step: fmt.Sprintf("s%d", i)}, s)
	}
	began, over := map[uint64]int{}, map[uint64]int{}
	client, ktx := limited(w, "one", limit, &kontinue.Observer{
		StepBegan: func(_ context.Context, i kontinue.StepInfo) { began[i.ID]++ },
		StepEnded: func(_ context.Context, e kontinue.StepEnd) { over[e.ID]++ },
	})
	server := w.Cluster.APIServer()
	for _, verb := range []string{"create", "patch"} {
		server.AddFault(apiserver.Fault{Match: apiserver.Match{User: "one", Verb: verb, Resource: "jobs"}, Times: 2, After: errors.New("lost")})
		server.AddFault(apiserver.Fault{Match: apiserver.Match{User: "one", Verb: verb, Resource: "jobs"}, Times: 3, Delay: 3 * time.Second})
	}
	var calls sync.WaitGroup
	for i := range steps {
		o := flaky(fmt.Sprintf("s%d", i), time.Duration(1+rnd.IntN(20))*time.Second)
		o.Retry.Limit = rnd.IntN(3)
		if o.Retry.Limit == 0 {
			o.Retry = kontinue.Retry{}
		}
		if rnd.IntN(2) == 0 {
			o.OnContextDone = kontinue.Cancel
		}
		run := ktx
		if rnd.IntN(3) == 0 {
			run, _ = client.NewExecutionContext(w.Context(), w.Execution)
		}
		ctx, cancel := context.WithCancel(w.Context())
		w.Cleanup(cancel)
		if rnd.IntN(3) == 0 {
			time.AfterFunc(time.Duration(rnd.IntN(200))*time.Second, cancel)
		}
		what, at := rnd.IntN(4), time.Duration(rnd.IntN(60))*time.Second
		calls.Go(func() {
			s, err := kontinue.StartScript(run.WithContext(ctx), o)
			if err != nil {
				return
			}
			w.Sleep(at)
			s.Progress()
			switch what {
			case 0:
				_ = s.Cancel(w.Context())
			case 1:
				_ = w.Admin().BatchV1().Jobs("ns").Delete(w.Context(), s.JobName(), metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)})
			case 2:
				var text lines
				_ = s.Logs(w.Context(), &text, nil)
			}
			_, _ = s.Wait(w.Context())
		})
	}
	done := make(chan struct{})
	go func() { calls.Wait(); close(done) }()
	stopAt := 100 + 2800*int(seed%2)
	for i := range 3000 {
		w.Sleep(time.Second)
		require.LessOrEqual(w, running(w), limit)
		if i == stopAt {
			break
		}
		select {
		case <-done:
		default:
			continue
		}
		break
	}
	select {
	case <-done:
		w.Sleep(5 * time.Minute)
		at := time.Now()
		start(w, ktx, "last")
		require.Less(w, time.Since(at), time.Second)
	default:
		require.Equal(w, 100, stopAt, "hangs")
	}
	require.LessOrEqual(w, w.StopClient(client), 15*time.Second)
	<-done
	synctest.Wait()
	require.Equal(w, began, over)
	for _, n := range over {
		require.Equal(w, 1, n)
	}
}
