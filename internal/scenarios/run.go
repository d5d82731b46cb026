package scenarios

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue"
)

// limit is the timeout of a scenario. The longest one waits for the Job controller's
// back-off of 10 and 20 seconds.
const limit = 5 * time.Minute

// duringLimit is how long During may run after the step has ended: the response to its
// last request may still be pending.
const duringLimit = 10 * time.Second

// Run is a running scenario, and the argument of its functions.
type Run struct {
	*Scenario
	// Admin has all permissions. Only this scenario uses Namespace.
	Admin     kubernetes.Interface
	Namespace string
	// Client is the worker's client, and Context the argument of the verb.
	Client  *kontinue.Client
	Context *kontinue.ExecutionContext
	// Job or Pod is the result of the verb, and Err its error.
	Job *kontinue.JobResult
	Pod *kontinue.PodResult
	Err error

	cluster Cluster
	test    *testing.T

	mu        sync.Mutex
	reported  []kontinue.Progress
	newReport chan struct{} // of capacity 1

	config   kontinue.Config
	noResume bool // the Job of the first run was replaced or deleted, so a resume would differ
}

// RunAll runs every scenario that the backend has the capabilities for, each as a parallel
// subtest. It returns a function that returns the record of the run, with the others and
// what they need, to be called after the test has ended.
func RunAll(t *testing.T, backend Backend) func() Record {
	var mu sync.Mutex
	record := Record{}
	for _, s := range All() {
		lacks, err := s.Lacks(backend)
		if err != nil {
			t.Fatal(err)
		}
		if lacks != "" {
			record[s.Name] = Facts{Shows: s.Shows, Lacks: lacks} // no parallel subtest runs yet
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			entry := Facts{Shows: s.Shows}
			// Also after FailNow, which ends the goroutine.
			defer func() {
				entry.failed = t.Failed()
				mu.Lock()
				record[s.Name] = entry
				mu.Unlock()
			}()
			backend.Run(t, s.Needs, s.Played(), func(t *testing.T, c Cluster) { s.play(t, c, &entry) })
		})
	}
	return func() Record {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(record)
	}
}

// prepare creates the namespace and the Execution, and starts the client.
func (r *Run) prepare(ctx context.Context) (stop func(), err error) {
	if err := r.cluster.CreateNamespace(ctx, r.test, r.Namespace, r.Labels); err != nil {
		return nil, err
	}
	r.cluster.Play(r.Namespace, r.Play)
	if r.Before != nil {
		if err := r.Before(ctx, r); err != nil {
			return nil, fmt.Errorf("before the step: %w", err)
		}
	}
	config, err := r.cluster.Worker(ctx, r.Namespace, r.Without)
	if err != nil {
		return nil, err
	}
	if r.Configure != nil {
		r.Configure(&config)
	}
	config.OnProgress = r.report
	r.config = config
	if r.Client, err = kontinue.New(config); err != nil {
		return nil, err
	}
	if err := r.Client.Start(ctx); err != nil {
		return nil, err
	}
	stop = func() {
		if err := r.Client.Stop(context.Background()); err != nil {
			r.test.Error(err)
		}
	}
	execution, err := newExecution(ctx, r.Admin, r.Namespace)
	if err != nil {
		stop()
		return nil, err
	}
	r.Context, err = r.Client.NewExecutionContext(ctx, execution)
	if err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// newExecution creates a ConfigMap that owns the Jobs and returns its Execution.
func newExecution(ctx context.Context, admin kubernetes.Interface, namespace string) (kontinue.Execution, error) {
	owner, err := admin.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "execution"},
	}, metav1.CreateOptions{})
	if err != nil {
		return kontinue.Execution{}, err
	}
	return kontinue.Execution{Owner: metav1.OwnerReference{
		APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID,
	}}, nil
}

// step calls the verb while During acts on the cluster.
func (r *Run) step(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	acted := make(chan error, 1)
	go func() {
		var err error
		if r.During != nil {
			err = r.During(ctx, r)
		}
		acted <- err
	}()
	var err error
	if r.Interrupt {
		err = r.interrupt(ctx)
	}
	if err == nil {
		r.Job, r.Pod, r.Err = r.call(r.Context)
	}
	if err != nil {
		cancel()
		return errors.Join(err, <-acted)
	}
	timer := time.AfterFunc(duringLimit, cancel)
	defer timer.Stop()
	err = <-acted
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("the step ended before During had finished: %w", err)
	}
	return err
}

// interrupt calls the verb and cancels its context once the container is running.
func (r *Run) interrupt(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ktx, err := r.Client.NewExecutionContext(ctx, r.Context.Execution())
	if err != nil {
		return err
	}
	waiting := make(chan error, 1)
	go func() { waiting <- r.reportedState(ctx, kontinue.StepRunning); cancel() }()
	_, _, err = r.call(ktx)
	if running := <-waiting; running != nil || !errors.Is(err, context.Canceled) {
		return fmt.Errorf("the wait must end with its context while the container is running: %w", errors.Join(running, err))
	}
	return nil
}

// call calls the verb with the options of the scenario.
func (r *Run) call(ktx *kontinue.ExecutionContext) (job *kontinue.JobResult, pod *kontinue.PodResult, err error) {
	image := func(spec *corev1.PodSpec) {
		for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
			for i := range list {
				if list[i].Image == Image {
					list[i].Image = r.cluster.Image()
				}
			}
		}
	}
	switch {
	case r.Scenario.Job != nil:
		o := *r.Scenario.Job
		o.Spec = *o.Spec.DeepCopy()
		image(&o.Spec.Template.Spec)
		job, err = kontinue.RunJob(ktx, &o)
	case r.Scenario.Pod != nil:
		o := *r.Scenario.Pod
		o.Spec = *o.Spec.DeepCopy()
		image(&o.Spec)
		pod, err = kontinue.RunPod(ktx, &o)
	default:
		o := *r.Script
		if o.Image == Image {
			o.Image = r.cluster.Image()
		}
		pod, err = kontinue.RunScript(ktx, &o)
	}
	return job, pod, err
}

// report is the client's OnProgress.
func (r *Run) report(p kontinue.Progress) {
	r.mu.Lock()
	r.reported = append(r.reported, p)
	r.mu.Unlock()
	select {
	case r.newReport <- struct{}{}:
	default:
	}
}

// progress returns the reports so far.
func (r *Run) progress() []kontinue.Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]kontinue.Progress(nil), r.reported...)
}
