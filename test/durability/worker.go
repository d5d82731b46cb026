package durability

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kontinue/kontinue"
)

// workerEnv holds the order of a worker process, in JSON. A program that calls
// Run calls Worker first.
const workerEnv = "KONTINUE_DURABILITY_WORKER"

// order is what a worker process has to do.
type order struct {
	Kubeconfig, Namespace string
	Execution             kontinue.Execution
	// DieAt, if set, is the write at which the worker kills itself.
	DieAt *boundary `json:",omitempty"`
	// Steps, if not 0, are so many steps at once in place of the function.
	Steps int `json:",omitempty"`
}

// boundary is the n-th request of a method that a process sends for a Job.
type boundary struct {
	Method string
	N      int
	// After is whether the API server has carried it out and answered.
	After bool
}

// terminated is the exit code of a worker that was told to stop.
const terminated = 99

// Worker is the main function of a worker process. It returns the code to exit
// with, and false in a process that is no worker.
func Worker() (code int, is bool) {
	text := os.Getenv(workerEnv)
	if text == "" {
		return 0, false
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var o order
	err := json.Unmarshal([]byte(text), &o)
	if err == nil {
		err = o.run(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return terminated, true
	case err != nil:
		fmt.Fprintln(os.Stderr, "worker:", err)
		return 1, true
	}
	return 0, true
}

func (o *order) run(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return err
	}
	if o.DieAt != nil {
		config.Wrap(o.DieAt.wrap)
	}
	client, err := kontinue.New(kontinue.Config{RESTConfig: config, Namespace: o.Namespace})
	if err != nil {
		return err
	}
	began := time.Now()
	if err := client.Start(ctx); err != nil {
		return err
	}
	started := time.Since(began)
	ktx, err := client.NewExecutionContext(ctx, o.Execution)
	if err != nil {
		return err
	}
	if o.Steps > 0 {
		err = o.reattach(ctx, ktx, config, started)
	} else {
		function(ktx, tell)
	}
	if err != nil {
		return err
	}
	return client.Stop(context.WithoutCancel(ctx))
}

var stdout sync.Mutex

// tell writes one line of JSON, at once: what a worker was told counts also when
// it dies right after.
func tell(line Seen) {
	stdout.Lock()
	defer stdout.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(line)
}

// pod adds what is known of one pod.
func (s *Seen) pod(p *kontinue.PodResult) {
	code := int32(-1)
	for _, c := range p.Pod.Status.ContainerStatuses {
		if c.State.Terminated != nil {
			code = c.State.Terminated.ExitCode
		}
	}
	s.Codes = append(s.Codes, code)
	s.Phases = append(s.Phases, p.Phase)
	s.Pods = append(s.Pods, string(p.Pod.UID))
	s.Message = strings.ReplaceAll(s.Message, p.Pod.Name, "POD")
}

func byIndex(pods []*kontinue.PodResult) []*kontinue.PodResult {
	index := func(p *corev1.Pod) string { return p.Annotations[batchv1.JobCompletionIndexAnnotation] }
	return slices.SortedFunc(slices.Values(pods), func(a, b *kontinue.PodResult) int {
		return strings.Compare(index(a.Pod), index(b.Pod))
	})
}

// wrap makes the process kill itself around the request.
func (b *boundary) wrap(next http.RoundTripper) http.RoundTripper {
	var mu sync.Mutex
	sent := 0
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method != b.Method || !strings.Contains(r.URL.Path, "/jobs") {
			return next.RoundTrip(r)
		}
		mu.Lock()
		sent++
		deadly := sent == b.N
		mu.Unlock()
		if deadly && !b.After {
			killSelf()
		}
		response, err := next.RoundTrip(r)
		if deadly {
			killSelf()
		}
		return response, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// killSelf does not return: the signal cannot be caught.
func killSelf() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
