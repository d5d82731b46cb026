package kill

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/test/chaos/internal/process"
)

// workerEnv holds the order of a worker process, as JSON.
const workerEnv = "KONTINUE_CHAOS_WORKER"

// order says what a worker process is to do.
type order struct {
	Kubeconfig, Namespace string
	Execution             kontinue.Execution
	// Again makes the worker call a step again whose Job was deleted, as a later attempt
	// does under RetryAll.
	Again bool `json:",omitempty"`
	// DieAt, if set, is the request at which the worker kills itself.
	DieAt *requestPoint `json:",omitempty"`
	// Steps, if not 0, is the number of steps to run at once instead of the function.
	Steps int `json:",omitempty"`
}

// requestPoint is the N-th request of a method that a process sends for a Job.
type requestPoint struct {
	Method string
	N      int
	// After means after the response. Otherwise it is before the request.
	After bool
}

// Worker is the main function of a worker process. It returns the exit code, and
// whether this process is a worker. A program that calls Run must call Worker first.
func Worker() (code int, is bool) {
	var o order
	return process.Main(workerEnv, &o, o.run)
}

func (o *order) run(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return err
	}
	if o.DieAt != nil {
		config.Wrap(o.DieAt.wrap)
	}
	client, err := kontinue.New(kontinue.Config{RESTConfig: config, Namespace: o.Namespace, SkipPreflight: true})
	if err != nil {
		return err
	}
	start := time.Now()
	if err := client.Start(ctx); err != nil {
		return err
	}
	started := time.Since(start)
	ktx, err := client.NewExecutionContext(ctx, o.Execution)
	if err != nil {
		return err
	}
	if o.Steps > 0 {
		err = o.reattach(ctx, ktx, config, started)
	} else {
		o.function(ktx)
	}
	if err != nil {
		return err
	}
	return client.Stop(context.WithoutCancel(ctx))
}

var stdout sync.Mutex

// printResult writes one line of JSON without buffering, so that a result counts even
// if the process dies right after it.
func printResult(r Result) {
	stdout.Lock()
	defer stdout.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(r)
}

// wrap returns a transport that kills the process at the request.
func (p *requestPoint) wrap(next http.RoundTripper) http.RoundTripper {
	var mu sync.Mutex
	sent := 0
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method != p.Method || !strings.Contains(r.URL.Path, "/jobs") {
			return next.RoundTrip(r)
		}
		mu.Lock()
		sent++
		fatal := sent == p.N
		mu.Unlock()
		if fatal && !p.After {
			killSelf()
		}
		response, err := next.RoundTrip(r)
		if fatal {
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
