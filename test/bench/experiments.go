package bench

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/identity"
)

// The experiments besides the styles. Each answers with one line.
const (
	rawList        = "raw-list"
	launchRaw      = "launch-raw"
	launchWatched  = "launch-watched"
	launchKontinue = "launch-kontinue"
)

var experiments = map[string]func(context.Context, *order, *rest.Config) error{
	rawList:        listInPages,
	launchRaw:      createRaw,
	launchWatched:  createWatched,
	launchKontinue: createKontinue,
	chainKontinue:  chainOf(byKontinue),
	chainCondition: chainOf(byHand(untilCondition)),
	chainPhase:     chainOf(byHand(untilPhase)),
	chainKubectl:   chainOf(byKubectl),
	chainPoll:      chainOf(byHand(byPolling)),
	endLatency:     endLatencies,
}

// pageSize is client-go's default page size.
const pageSize = 500

// listInPages reads all Jobs and then all Pods in pages, and discards them.
func listInPages(ctx context.Context, o *order, config *rest.Config) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	began := time.Now()
	for _, list := range []func(metav1.ListOptions) (metav1.ListInterface, error){
		func(p metav1.ListOptions) (metav1.ListInterface, error) {
			return client.BatchV1().Jobs(o.Namespace).List(ctx, p)
		},
		func(p metav1.ListOptions) (metav1.ListInterface, error) {
			return client.CoreV1().Pods(o.Namespace).List(ctx, p)
		},
	} {
		options := metav1.ListOptions{LabelSelector: identity.Selector(group), Limit: pageSize}
		for {
			page, err := list(options)
			if err != nil {
				return err
			}
			if options.Continue = page.GetContinue(); options.Continue == "" {
				break
			}
		}
	}
	reply(figures{Took: time.Since(began).Seconds()})
	return nil
}

// createRaw creates the Jobs of N steps in a plain loop. The Jobs are built before
// the clock starts.
func createRaw(ctx context.Context, o *order, config *rest.Config) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	made := make([]*batchv1.Job, o.N)
	for i := range made {
		if made[i], err = newJob(o.Namespace, o.Owner, stepName(i)); err != nil {
			return err
		}
	}
	stop, err := startProfile(o.Profile)
	if err != nil {
		return err
	}
	cpu, began := cpuTime(), time.Now()
	err = inParallel(ctx, o.Concurrency, o.N, func(ctx context.Context, i int) error {
		_, err := client.BatchV1().Jobs(o.Namespace).Create(ctx, made[i], metav1.CreateOptions{})
		return err
	})
	f := figures{Took: time.Since(began).Seconds(), CPU: (cpuTime() - cpu).Seconds()}
	stop()
	if err != nil {
		return err
	}
	reply(f)
	return nil
}

// createWatched is createRaw in a process that also watches the Jobs, as any process
// that waits for them must.
func createWatched(ctx context.Context, o *order, config *rest.Config) error {
	seen, err := newFloor(ctx, config, o.Namespace, o.N)
	if err != nil {
		return err
	}
	defer seen.stop()
	return createRaw(ctx, o, config)
}

// createKontinue calls RunPod for N steps at once and returns when the last Job has
// been created. No controller runs the Jobs.
func createKontinue(ctx context.Context, o *order, config *rest.Config) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var creates, most, open atomic.Int64
	all := make(chan struct{})
	count := &counter{}
	config.Wrap(count.wrap)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/jobs") {
				return next.RoundTrip(r)
			}
			now := open.Add(1)
			for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
			}
			response, err := next.RoundTrip(r)
			open.Add(-1)
			if err == nil && response.StatusCode == http.StatusCreated && creates.Add(1) == int64(o.N) {
				close(all)
			}
			return response, err
		})
	})
	client, err := kontinue.New(kontinue.Config{RESTConfig: config, Namespace: o.Namespace, Group: group, SkipPreflight: true, MaxInFlight: o.Concurrency})
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	ktx, err := client.NewExecutionContext(ctx, execution(o.Owner))
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	spec := new(podSpec())
	stop, err := startProfile(o.Profile)
	if err != nil {
		return err
	}
	cpu, began := cpuTime(), time.Now()
	for i := range o.N {
		go func() {
			_, err := kontinue.RunPod(ktx, podOptions(i, spec))
			if ctx.Err() == nil {
				fail(failed, err)
			}
		}()
	}
	select {
	case <-all:
	case err := <-failed:
		return err
	}
	f := figures{Took: time.Since(began).Seconds(), CPU: (cpuTime() - cpu).Seconds(), Requests: count.requests.Load(), Writes: count.writes.Load(), Watches: count.streams.Load()}
	stop()
	if most.Load() > int64(o.Concurrency) {
		return fmt.Errorf("%d creates were open at a time, more than %d", most.Load(), o.Concurrency)
	}
	reply(f)
	return nil
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
