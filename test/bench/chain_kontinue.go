package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/test/cluster"
)

// openKontinue starts a client and returns a function that runs the i-th script.
func openKontinue(ctx context.Context, o *order, config *rest.Config) (func(i int, command string) (*kontinue.PodResult, error), error) {
	client, err := kontinue.New(kontinue.Config{RESTConfig: config, Namespace: o.Namespace, Group: group, SkipPreflight: true})
	if err != nil {
		return nil, err
	}
	if err := client.Start(ctx); err != nil {
		return nil, err
	}
	ktx, err := client.NewExecutionContext(ctx, execution(o.Owner))
	if err != nil {
		return nil, err
	}
	return func(i int, command string) (*kontinue.PodResult, error) {
		return kontinue.RunScript(ktx, &kontinue.ScriptOptions{
			StepOptions: kontinue.StepOptions{Name: stepName(i)}, Image: cluster.BusyboxImage, Command: command,
		})
	}, nil
}

// byKontinue runs each script with RunScript.
func byKontinue(ctx context.Context, o *order, config *rest.Config) (runScript, error) {
	run, err := openKontinue(ctx, o, config)
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, i int) error {
		result, err := run(i, script)
		if err != nil {
			return err
		}
		return result.Err()
	}, nil
}

// endLatency is the experiment that measures the time from the arrival of a script's end
// in the process to the return of RunScript. Every second script fails.
const endLatency = "end-latency"

// endLatencies runs N scripts, Concurrency at a time. The end of a success is the event
// by which its container has terminated, that of a failure the one by which the phase of
// its pod is final.
func endLatencies(ctx context.Context, o *order, config *rest.Config) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(o.N+1)*scriptLimit)
	defer cancel()
	seen, err := newPodFloor(ctx, config, o.Namespace)
	if err != nil {
		return err
	}
	defer seen.stop()
	records := &patchTimes{took: map[string]time.Duration{}}
	config.Wrap(records.wrap)
	run, err := openKontinue(ctx, o, config)
	if err != nil {
		return err
	}
	began := time.Now()
	var mu sync.Mutex
	var f figures
	err = inParallel(ctx, o.Concurrency, o.N, func(ctx context.Context, i int) error {
		command, latencies, fails := fmt.Sprintf("sleep %.1f", o.Sleep.Seconds()), &f.Success, i%2 == 1
		if fails {
			command, latencies = command+"; exit 3", &f.Failure
		}
		result, err := run(i, command)
		returned := time.Now()
		switch {
		case err != nil:
			return err
		case result.Succeeded() == fails:
			return fmt.Errorf("script %d ended as %q", i, result.Message)
		}
		arrived, err := seen.wait(ctx, stepName(i), fails)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		latency, record := returned.Sub(arrived), records.of(result.Pod.Labels[batchv1.JobNameLabel])
		*latencies = append(*latencies, latency.Seconds())
		f.Record, f.Rest = append(f.Record, record.Seconds()), append(f.Rest, (latency-record).Seconds())
		return nil
	})
	if err != nil {
		return err
	}
	f.Took = time.Since(began).Seconds()
	reply(f)
	return nil
}

// patchTimes measures the PATCH requests of a client.
type patchTimes struct {
	mu   sync.Mutex
	took map[string]time.Duration // by the object's name
}

func (p *patchTimes) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodPatch {
			return next.RoundTrip(r)
		}
		sent := time.Now()
		response, err := next.RoundTrip(r)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.took[path.Base(r.URL.Path)] = time.Since(sent)
		return response, err
	})
}

// of returns how long the PATCH of an object took.
func (p *patchTimes) of(name string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.took[name]
}

// podFloor is a raw watch of the pods. It records when the ends of each step's pod
// reached the process.
type podFloor struct {
	mu     sync.Mutex
	ends   map[string]podEnds // by step
	ended  sync.WaitGroup
	cancel context.CancelFunc
}

// podEnds are the arrivals of the first event with terminated containers, and of the
// first one with a final phase.
type podEnds struct{ terminated, final time.Time }

func newPodFloor(ctx context.Context, config *rest.Config, namespace string) (*podFloor, error) {
	client, err := ownConnection(config)
	if err != nil {
		return nil, err
	}
	first, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("raw watch: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	w, err := client.CoreV1().Pods(namespace).Watch(ctx, metav1.ListOptions{ResourceVersion: first.ResourceVersion})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("raw watch: %w", err)
	}
	f := &podFloor{ends: map[string]podEnds{}, cancel: cancel}
	f.ended.Go(func() { f.read(w) })
	return f, nil
}

func (f *podFloor) read(w watch.Interface) {
	defer w.Stop()
	for event := range w.ResultChan() {
		now := time.Now()
		if pod, ok := event.Object.(*corev1.Pod); ok {
			f.note(pod, now)
		}
	}
}

func (f *podFloor) note(pod *corev1.Pod, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	step := pod.Labels[identity.LabelStep]
	ends := f.ends[step]
	status := &pod.Status
	if ends.terminated.IsZero() && len(status.ContainerStatuses) == 1 && status.ContainerStatuses[0].State.Terminated != nil {
		ends.terminated = now
	}
	if ends.final.IsZero() && (status.Phase == corev1.PodSucceeded || status.Phase == corev1.PodFailed) {
		ends.final = now
	}
	f.ends[step] = ends
}

// wait returns when an end of the step's pod arrived. It waits for the raw watch, which
// may lag behind kontinue's own.
func (f *podFloor) wait(ctx context.Context, step string, final bool) (time.Time, error) {
	for range 500 {
		f.mu.Lock()
		arrived := f.ends[step].terminated
		if final {
			arrived = f.ends[step].final
		}
		f.mu.Unlock()
		if !arrived.IsZero() {
			return arrived, nil
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return time.Time{}, err
		}
	}
	return time.Time{}, fmt.Errorf("step %s: %w", step, errEndUnseen)
}

func (f *podFloor) stop() {
	f.cancel()
	f.ended.Wait()
}

var errEndUnseen = errors.New("the raw watch has not delivered the end of its pod")
