package storm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/pprof"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/test/chaos/internal/report"
	"github.com/kontinue/kontinue/test/chaos/internal/testbed"
	"github.com/kontinue/kontinue/test/chaos/proxy"
	"github.com/kontinue/kontinue/test/cluster"
)

// seed is the state of one seed.
type seed struct {
	*runner
	number    uint64
	namespace string
	steps     []step
	plan      []planned
	proxy     *proxy.Proxy
	log       *buffer

	mu       sync.Mutex
	noticed  map[string]time.Time // by step: when OnProgress reported its end
	returned map[string]time.Time
	output   strings.Builder // every Progress and every error
}

// seed runs one seed, from the start of its client to its stop.
func (r *runner) seed(ctx context.Context, number uint64) (err error) {
	start := time.Now()
	rnd := rand.New(rand.NewPCG(number, 6))
	s := &seed{
		runner: r, number: number, namespace: fmt.Sprintf("seed-%d", number), log: &buffer{},
		noticed: map[string]time.Time{}, returned: map[string]time.Time{},
	}
	s.plan = drawPlan(rnd)
	for n := range r.Steps {
		s.steps = append(s.steps, drawStep(rnd, n))
	}
	beforeStart := rnd.IntN(4) == 0
	if err := r.bed.Cluster.CreateNamespace(ctx, s.namespace); err != nil {
		return err
	}
	owner, err := r.bed.Client.CoreV1().ConfigMaps(s.namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "execution"}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	s.proxy, err = proxy.New(proxy.Config{Upstream: r.bed.Cluster.RESTConfig(cluster.Worker)})
	if err != nil {
		return err
	}
	defer s.proxy.Close()
	client, err := kontinue.New(kontinue.Config{
		RESTConfig: s.proxy.RESTConfig(), Namespace: s.namespace, OnProgress: s.progress, StartTimeout: stepLimit,
		Logger: logger(s.log),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	storm := make(chan struct{})
	release := func() {
		go func() {
			defer close(storm)
			inject(ctx, s.proxy, s.plan)
			s.proxy.Clear()
		}()
	}
	if beforeStart {
		release()
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	if !beforeStart {
		release()
	}
	ktx, err := client.NewExecutionContext(ctx, kontinue.Execution{
		Owner: metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID},
	})
	if err != nil {
		return err
	}
	s.runSteps(ctx, ktx, rnd)
	<-storm
	if err := client.Healthy(); err != nil && !s.recovers(ctx, client) {
		s.addf(report.Unhealthy, "not healthy after the storm: %v", client.Healthy())
		s.dump()
	}
	if err := client.Stop(context.WithoutCancel(ctx)); err != nil {
		s.addf(report.Unhealthy, "%v", err)
	}
	s.check(ctx)
	s.sum(time.Since(start))
	return nil
}

// runSteps starts the steps within six seconds and waits for all of them.
func (s *seed) runSteps(ctx context.Context, ktx *kontinue.ExecutionContext, rnd *rand.Rand) {
	var wg sync.WaitGroup
	for _, st := range s.steps {
		after := time.Duration(rnd.IntN(6000)) * time.Millisecond
		wg.Go(func() {
			testbed.Pause(ctx, after)
			wrong, err := st.run(ktx)
			s.mu.Lock()
			s.returned[st.name()] = time.Now()
			if err != nil {
				fmt.Fprintln(&s.output, err)
			}
			s.mu.Unlock()
			switch {
			case err != nil:
				s.addf(report.Lost, "step %s: %v", st.name(), err)
			case wrong != "":
				s.addf(report.Wrong, "step %s: %s", st.name(), wrong)
			}
		})
	}
	wg.Wait()
}

// recoverLimit is generous: a client is healthy again well before it.
const recoverLimit = 90 * time.Second

// recovers waits until the client is healthy again, and reports whether it is.
func (s *seed) recovers(ctx context.Context, client *kontinue.Client) bool {
	ctx, cancel := context.WithTimeout(ctx, recoverLimit)
	defer cancel()
	for testbed.Pause(ctx, 100*time.Millisecond) {
		if client.Healthy() == nil {
			return true
		}
	}
	return false
}

// dump writes the last log lines of a client that did not recover, and the stacks of
// all goroutines.
func (s *seed) dump() {
	lines := strings.Split(s.log.String(), "\n")
	fmt.Fprintf(s.Progress, "seed %d did not recover:\n%s\n", s.number, strings.Join(lines[max(0, len(lines)-60):], "\n"))
	_ = pprof.Lookup("goroutine").WriteTo(s.Progress, 2)
}

func (s *seed) progress(p kontinue.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(&s.output, "%+v\n", p)
	if p.State == kontinue.StepSucceeded || p.State == kontinue.StepFailed {
		s.noticed[p.Step] = time.Now()
	}
}
