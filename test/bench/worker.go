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

// workerEnv holds the order of a worker process, as JSON. A program that calls
// [Run] must call [Worker] first.
const workerEnv = "KONTINUE_BENCH_WORKER"

// order says what a worker process is to do.
type order struct {
	Kubeconfig, Namespace string
	// Style is the name of the style or experiment.
	Style string
	Owner metav1.OwnerReference
	// Targets is the file of the Jobs to wait for.
	Targets string
	// N is the number of Jobs that an experiment creates.
	N int `json:",omitempty"`
	// Concurrency is the number of requests that it has open.
	Concurrency int `json:",omitempty"`
	// Sleep is how long each script of an experiment sleeps.
	Sleep time.Duration `json:",omitempty"`
	// Kubectl is the path of kubectl, and Dir that of a directory for its files.
	Kubectl string `json:",omitempty"`
	Dir     string `json:",omitempty"`
	// Profile is the path, without extension, of the worker's CPU and heap profiles.
	Profile string `json:",omitempty"`
}

// figures is one reply of a worker. Times are in seconds.
type figures struct {
	Error string `json:",omitempty"`
	// Took is the duration of the command.
	Took float64
	// Requests and Writes were sent during the command. Watches are open at its end.
	Requests, Writes, Watches int64
	Memory                    memory
	CPU                       float64
	// Wake is the time from the arrival of the terminal event until each waiter ran,
	// and Result that until it had its result.
	Wake, Result []float64 `json:",omitempty"`
	// Success and Failure are the times from the arrival of the end of a script until
	// its result was returned. Record is the part of them that the request of the record
	// took, Rest the other one.
	Success, Failure, Record, Rest []float64 `json:",omitempty"`
}

// Worker is the main function of a worker process. It returns false in any other
// process.
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
		reply(figures{Error: err.Error()})
	}
	return true
}

func reply(f figures) { _ = json.NewEncoder(os.Stdout).Encode(f) }

// waiter is what a style gets: the Jobs to wait for, and where to report that a wait
// has ended.
type waiter struct {
	config    *rest.Config // of the style, with its counter
	count     *counter
	namespace string
	owner     metav1.OwnerReference
	targets   []target
	index     map[string]int // by the Job's name

	floor *floor
	mu    sync.Mutex
	woken map[int]time.Time
	ended map[int]time.Time
	news  chan struct{} // of capacity 1
}

// woke is called by a style as soon as the waiter of the i-th Job runs.
func (w *waiter) woke(i int) { w.note(w.woken, i) }

// returned is called by a style when the waiter has its result, if that is later.
func (w *waiter) returned(i int) { w.note(w.ended, i) }

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
	config.QPS = -1 // no client-side rate limit, in any style
	if experiment := experiments[o.Style]; experiment != nil {
		return experiment(ctx, o, config)
	}
	style := styles[o.Style]
	if style == nil {
		return fmt.Errorf("no style %q", o.Style)
	}
	w := &waiter{
		count: &counter{}, namespace: o.Namespace, owner: o.Owner,
		index: map[string]int{}, woken: map[int]time.Time{}, ended: map[int]time.Time{}, news: make(chan struct{}, 1),
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
	return w.serve(ctx, style, o.Profile)
}

// serve runs the style until its waits have begun, and then answers each line of
// command with one line.
func (w *waiter) serve(ctx context.Context, style func(context.Context, *waiter) error, profile string) error {
	before := readMemory()
	cpu, began := cpuTime(), time.Now()
	if err := style(ctx, w); err != nil {
		return err
	}
	took := time.Since(began)
	f := figures{Took: took.Seconds(), CPU: (cpuTime() - cpu).Seconds()}
	f.Memory = readMemory().since(before)
	f.Requests, f.Writes, f.Watches = w.count.requests.Load(), w.count.writes.Load(), w.count.streams.Load()
	reply(f)
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
		reply(f)
	}
	return commands.Err()
}

// idleFor is how long the requests of idle waits are counted.
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

// sample replies at once, so that the driver starts to end Jobs, and again when k
// waits have ended.
func (w *waiter) sample(ctx context.Context, k int, profile string) (figures, error) {
	stop, err := startProfile(profile)
	if err != nil {
		return figures{}, err
	}
	requests, writes, cpu, began := w.count.requests.Load(), w.count.writes.Load(), cpuTime(), time.Now()
	reply(figures{})
	limit := time.NewTimer(sampleLimit)
	defer limit.Stop()
	for !w.all(k) {
		select {
		case <-w.news:
		case <-limit.C:
			return figures{}, fmt.Errorf("only %d of %d waits ended within %s", len(w.woken), k, sampleLimit)
		}
	}
	f := figures{
		Took: time.Since(began).Seconds(), CPU: (cpuTime() - cpu).Seconds(),
		Requests: w.count.requests.Load() - requests, Writes: w.count.writes.Load() - writes, Watches: w.count.streams.Load(),
	}
	stop()
	// The raw watch may lag behind the style's own stream.
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

// all reports whether k waits have ended and have their results.
func (w *waiter) all(k int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.woken) >= k && (len(w.ended) == 0 || len(w.ended) >= k)
}

var errUnseen = errors.New("the raw watch has not delivered the terminal event of every job")

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
		ended, ok := w.ended[i]
		if !ok {
			ended = woken
		}
		f.Result = append(f.Result, ended.Sub(seen).Seconds())
	}
	return nil
}

// pause waits for d or until ctx is done.
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
