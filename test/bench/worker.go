package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// workerEnv holds the order of a worker process, in JSON. A program that calls
// [Run] calls [Worker] first.
const workerEnv = "KONTINUE_BENCH_WORKER"

// order is what a worker process has to do.
type order struct {
	Kubeconfig, Namespace string
	// Style names the style, or the experiment.
	Style string
	Owner metav1.OwnerReference
	// Targets is the file of the Jobs to wait for.
	Targets string
	// N is how many Jobs an experiment makes.
	N int `json:",omitempty"`
	// Concurrency is how many requests it has open.
	Concurrency int `json:",omitempty"`
	// Profile is where the worker leaves a CPU and a heap profile.
	Profile string `json:",omitempty"`
}

// figures is one answer of a worker. Times are in seconds.
type figures struct {
	Error string `json:",omitempty"`
	// Took is how long the step of the protocol took.
	Took float64
	// Requests and Writes were sent in it; Watches is how many are open.
	Requests, Writes, Watches int64
	Memory                    memory
	CPU                       float64
	// Wake is how long after the terminal event had reached the process each
	// waiter went on, and Result how long until it had its result.
	Wake, Result []float64 `json:",omitempty"`
}

// Worker is the main function of a worker process. It returns false in a
// process that is none.
func Worker() (is bool) {
	text := os.Getenv(workerEnv)
	if text == "" {
		return false
	}
	klog.SetOutput(os.Stderr)
	klog.LogToStderr(false)
	var o order
	err := json.Unmarshal([]byte(text), &o)
	if err == nil {
		err = o.run(context.Background())
	}
	if err != nil {
		tell(figures{Error: err.Error()})
	}
	return true
}

func tell(f figures) { _ = json.NewEncoder(os.Stdout).Encode(f) }

// waiter is what a style gets: the Jobs and whom to tell.
type waiter struct {
	config    *rest.Config // of the style, with its counter
	count     *counter
	namespace string
	owner     metav1.OwnerReference
	targets   []target
	index     map[string]int // of a Job's name

	floor *floor
	mu    sync.Mutex
	woken map[int]time.Time
	given map[int]time.Time
	news  chan struct{} // of capacity 1
}

// woke is called by a style as soon as the waiter of the i-th Job runs.
func (w *waiter) woke(i int) { w.note(w.woken, i) }

// gave is called when it has its result, by a style for which that is later.
func (w *waiter) gave(i int) { w.note(w.given, i) }

func (w *waiter) note(in map[int]time.Time, i int) {
	now := time.Now()
	w.mu.Lock()
	if _, known := in[i]; !known {
		in[i] = now
	}
	w.mu.Unlock()
	select {
	case w.news <- struct{}{}:
	default:
	}
}

func (o *order) run(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1 // the client's own limit off, for all styles
	if experiment := experiments[o.Style]; experiment != nil {
		return experiment(ctx, o, config)
	}
	style := styles[o.Style]
	if style == nil {
		return fmt.Errorf("no style %q", o.Style)
	}
	w := &waiter{
		count: &counter{}, namespace: o.Namespace, owner: o.Owner,
		index: map[string]int{}, woken: map[int]time.Time{}, given: map[int]time.Time{}, news: make(chan struct{}, 1),
	}
	text, err := os.ReadFile(o.Targets)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &w.targets); err != nil {
		return err
	}
	for i, t := range w.targets {
		w.index[t.Name] = i
	}
	w.config = rest.CopyConfig(config)
	w.config.Wrap(w.count.wrap)
	if w.floor, err = newFloor(ctx, config, o.Namespace, len(w.targets)); err != nil {
		return err
	}
	defer w.floor.stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	return w.obey(ctx, style, o.Profile)
}

// obey goes through the protocol: attach, then one line of answer for each line
// of command.
func (w *waiter) obey(ctx context.Context, style func(context.Context, *waiter) error, profile string) error {
	before := readMemory()
	cpu, began := cpuTime(), time.Now()
	if err := style(ctx, w); err != nil {
		return err
	}
	took := time.Since(began)
	f := figures{Took: took.Seconds(), CPU: (cpuTime() - cpu).Seconds()}
	f.Memory = readMemory().since(before)
	f.Requests, f.Writes, f.Watches = w.count.requests.Load(), w.count.writes.Load(), w.count.streams.Load()
	tell(f)
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		var err error
		switch c := commands.Text(); c {
		case "idle":
			f, err = w.idle(ctx)
		case "memory":
			f = figures{Memory: readMemory().since(before)}
			err = writeHeap(profile)
		case "quit":
			return nil
		default:
			var k int
			if _, scan := fmt.Sscanf(c, "sample %d", &k); scan != nil {
				return fmt.Errorf("command %q", c)
			}
			f, err = w.sample(ctx, k, profile)
		}
		if err != nil {
			return err
		}
		tell(f)
	}
	return commands.Err()
}

// idleFor is how long the requests of waiting are counted.
const idleFor = 4 * time.Second

func (w *waiter) idle(ctx context.Context) (figures, error) {
	requests, cpu, began := w.count.requests.Load(), cpuTime(), time.Now()
	if err := pause(ctx, idleFor); err != nil {
		return figures{}, err
	}
	return figures{
		Took: time.Since(began).Seconds(), CPU: (cpuTime() - cpu).Seconds(),
		Requests: w.count.requests.Load() - requests, Watches: w.count.streams.Load(),
	}, nil
}

// sample answers at once, so that the driver begins, and again when k waiters
// have gone on.
func (w *waiter) sample(ctx context.Context, k int, profile string) (figures, error) {
	stop, err := startProfile(profile)
	if err != nil {
		return figures{}, err
	}
	requests, writes, cpu, began := w.count.requests.Load(), w.count.writes.Load(), cpuTime(), time.Now()
	tell(figures{})
	limit := time.NewTimer(sampleLimit)
	defer limit.Stop()
	for !w.all(k) {
		select {
		case <-w.news:
		case <-limit.C:
			return figures{}, fmt.Errorf("after %s %d of %d waits have ended", sampleLimit, len(w.woken), k)
		}
	}
	f := figures{
		Took: time.Since(began).Seconds(), CPU: (cpuTime() - cpu).Seconds(),
		Requests: w.count.requests.Load() - requests, Writes: w.count.writes.Load() - writes, Watches: w.count.streams.Load(),
	}
	stop()
	// The raw watch may be the later one.
	for range 100 {
		if err := w.latencies(&f); err == nil {
			return f, nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return f, err
		}
	}
	return f, w.latencies(&f)
}

const sampleLimit = 5 * time.Minute

// all reports that k waits have ended, and given their results.
func (w *waiter) all(k int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.woken) >= k && (len(w.given) == 0 || len(w.given) >= k)
}

var errUnseen = errors.New("the raw watch has not shown the end of every job")

func (w *waiter) latencies(f *figures) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	f.Wake, f.Result = nil, nil
	for i, woken := range w.woken {
		seen, ok := w.floor.at(w.targets[i].UID)
		if !ok {
			return errUnseen
		}
		f.Wake = append(f.Wake, woken.Sub(seen).Seconds())
		given, ok := w.given[i]
		if !ok {
			given = woken
		}
		f.Result = append(f.Result, given.Sub(seen).Seconds())
	}
	return nil
}

// pause waits for d, or until ctx has ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
