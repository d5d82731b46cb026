package durability

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/scenarios"
	"github.com/kontinue/kontinue/test/cluster"
)

// Options configure [Run]. The zero value of each field is its default.
type Options struct {
	// Seed makes the plan of the kills. Default: 1.
	Seed uint64
	// Kills is how many workers are killed with SIGKILL. Default: 300.
	Kills int
	// Parallel is how many Executions are under way at a time. Default: 6.
	Parallel int
	// Undisturbed is how many Executions run in a worker that nobody kills, for
	// the count of their requests. Default: 4.
	Undisturbed int
	// Pace is how long a pod is pending, and then runs, at most. Default: 1 s.
	Pace time.Duration
	// Reattach, if not 0, is how many finished steps another worker attaches to in
	// one function, for the time that takes.
	Reattach int
	// LogDir is where the log files of the control plane stay. Default: they go.
	LogDir string
	// Progress is where a line is written now and then. Default: nowhere.
	Progress io.Writer
}

const (
	namespace = "durability"
	// roleFile is seen from this module's directory, in which its programs run.
	roleFile = "../../deploy/rbac.yaml"
	// startLimit and stopLimit are generous enough for a busy machine.
	startLimit = 5 * time.Minute
	stopLimit  = time.Minute
	// executionLimit is when an Execution that has not come to its end is lost.
	executionLimit = 10 * time.Minute
)

func (o Options) complete() Options {
	o.Seed = cmp.Or(o.Seed, 1)
	o.Kills = cmp.Or(o.Kills, 300)
	o.Parallel = cmp.Or(o.Parallel, 6)
	o.Undisturbed = cmp.Or(o.Undisturbed, 4)
	o.Pace = cmp.Or(o.Pace, time.Second)
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	return o
}

// runner is one Run.
type runner struct {
	Options
	client     kubernetes.Interface
	kubeconfig string
	history    *history
	kubelet    *kubelet

	mu         sync.Mutex
	report     *Report
	rnd        *rand.Rand
	executions int
	byUID      map[types.UID]*execution
}

// Run does what the package comment says. The error is of Run itself; what went
// wrong with the steps is in the report.
func Run(ctx context.Context, options Options) (_ *Report, err error) {
	o := options.complete()
	start, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	c, err := cluster.Start(start, cluster.Options{
		ControlPlaneOnly: true, Audit: true, LogDir: o.LogDir,
		Logger: slog.New(slog.NewTextHandler(o.Progress, nil)),
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		err = errors.Join(err, c.Stop(stop))
	}()
	client, err := kubernetes.NewForConfig(c.RESTConfig(cluster.Admin))
	if err != nil {
		return nil, err
	}
	if err := prepare(start, c); err != nil {
		return nil, err
	}
	playing, stopPlaying := context.WithCancel(context.WithoutCancel(ctx))
	k := newKubelet(playing, client, o.Seed, o.Pace)
	defer k.wait.Wait()
	defer stopPlaying()
	h, err := watchHistory(ctx, client, namespace, k.pod)
	if err != nil {
		return nil, err
	}
	defer h.close()
	r := &runner{
		Options: o, client: client, kubeconfig: c.Kubeconfig(cluster.Worker), history: h, kubelet: k,
		report: &Report{Seed: o.Seed, Version: c.Version(), ByKind: map[string]int{}},
		rnd:    rand.New(rand.NewPCG(o.Seed, 4)),
		byUID:  map[types.UID]*execution{},
	}
	if err := r.all(ctx); err != nil {
		return nil, err
	}
	if r.report.Requests, err = countRequests(filepath.Join(c.LogDir(), "audit.log"), h, r.class); err != nil {
		return nil, err
	}
	if o.Reattach > 0 {
		if r.report.Reattach, err = r.reattach(ctx); err != nil {
			return nil, err
		}
	}
	return r.report, h.failure
}

// prepare makes the namespace and gives the workers the rights of
// deploy/rbac.yaml.
func prepare(ctx context.Context, c *cluster.Cluster) error {
	if err := c.CreateNamespace(ctx, namespace); err != nil {
		return err
	}
	role, err := scenarios.LoadRole(roleFile)
	if err != nil {
		return err
	}
	return c.Grant(ctx, cluster.Worker, role.Rules)
}

// all runs Executions, several at a time, until the kills are used up.
func (r *runner) all(ctx context.Context) error {
	began := time.Now()
	errs := make(chan error, r.Parallel)
	for range r.Parallel {
		go func() {
			for {
				e, more, err := r.next(ctx)
				if err == nil && more {
					err = r.toItsEnd(ctx, e)
				}
				if err != nil || !more {
					errs <- err
					return
				}
			}
		}()
	}
	var err error
	for range r.Parallel {
		err = errors.Join(err, <-errs)
	}
	r.report.Took = time.Since(began)
	select {
	case played := <-r.kubelet.errs:
		err = errors.Join(err, fmt.Errorf("playing the kubelet: %w", played))
	default:
	}
	return err
}

// next makes another Execution, unless all kills are used up.
func (r *runner) next(ctx context.Context) (*execution, bool, error) {
	r.mu.Lock()
	n := r.executions
	undisturbed := n < r.Undisturbed
	if !undisturbed && r.report.Kills >= r.Kills {
		r.mu.Unlock()
		return nil, false, nil
	}
	r.executions++
	e := &execution{number: n, undisturbed: undisturbed, workers: 1, attempts: 1, rnd: rand.New(rand.NewPCG(r.Seed, uint64(1000+n)))}
	r.mu.Unlock()
	if !undisturbed {
		// Every third has a retry, every fourth two workers at once.
		if n%3 == 0 {
			e.attempts = 2
		}
		if n%4 == 0 {
			e.workers = 2
		}
		e.policy = []kontinue.ChildPolicy{kontinue.ChildPolicyNone, kontinue.ChildPolicyRetryFailed, kontinue.ChildPolicyRetryAll}[n/3%3]
	}
	owner, err := r.client.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("execution-%d", n)},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, false, fmt.Errorf("create execution: %w", err)
	}
	e.owner = metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byUID[owner.UID] = e
	return e, true, nil
}

// class is the sum to which the requests of an Execution belong.
func (r *runner) class(requests *Requests, uid types.UID) *PerJob {
	switch e := r.byUID[uid]; {
	case e.undisturbed:
		return &requests.Undisturbed
	case e.workers > 1:
		return &requests.Raced
	default:
		return &requests.Killed
	}
}
