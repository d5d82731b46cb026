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

// limit bounds a scenario: the longest one waits for the Job controller's
// back-off of 10 and 20 seconds.
const limit = 5 * time.Minute

// leisure is how long During may go on when the step has ended: its last
// request may not have been answered yet.
const leisure = 10 * time.Second

// Run is a scenario on its way: what its functions may use.
type Run struct {
	*Scenario
	// Admin may do everything in the cluster, and Namespace is the scenario's own.
	Admin     kubernetes.Interface
	Namespace string
	// Client is the worker's, and Context the one that its step was called with.
	Client  *kontinue.Client
	Context *kontinue.ExecutionContext
	// Job and Pod are the result: the one that the verb returns. Err is its error.
	Job *kontinue.JobResult
	Pod *kontinue.PodResult
	Err error

	cluster Cluster
	test    *testing.T

	mu       sync.Mutex
	reported []kontinue.Progress
	news     chan struct{}

	config kontinue.Config
	over   bool // the first run's Job is not the step's any more: a resume would differ
}

// RunAll plays every scenario as a parallel subtest and returns a function that
// gives what was seen of them, for use when the test has ended.
func RunAll(t *testing.T, backend Backend) func() Record {
	var mu sync.Mutex
	record := Record{}
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			entry := Facts{Shows: s.Shows}
			for _, need := range s.Needs {
				if reason := backend.Lacks(need); reason != "" {
					entry.Lacks = string(need) + ": " + reason
				}
			}
			if entry.Lacks == "" {
				backend.Run(t, s.Played(), func(t *testing.T, c Cluster) { s.play(t, c, &entry) })
			}
			mu.Lock()
			record[s.Name] = entry
			mu.Unlock()
			if entry.Lacks != "" {
				t.Skip(entry.Lacks) //nolint:forbidigo // The backend says what it cannot do, and the table of docs/fake-vs-real.md holds it.
			}
		})
	}
	return func() Record {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(record)
	}
}

// play runs the scenario on a cluster and checks what came out.
func (s *Scenario) play(t *testing.T, c Cluster, entry *Facts) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(context.Background(), limit, fmt.Errorf("the scenario took longer than %s", limit))
	defer cancel()
	r := &Run{Scenario: s, Admin: c.Admin(), Namespace: "s-" + s.Name, cluster: c, test: t, news: make(chan struct{}, 1)}
	stop, err := r.prepare(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	began := time.Now()
	if err := r.step(ctx); err != nil {
		t.Error(err)
	}
	entry.Seconds = time.Since(began).Seconds()
	if r.Err == nil && !t.Failed() {
		// The function has failed and is retried at once: what this client knows of
		// the Job may be older than the result that it gave.
		if err := r.again(ctx, r.Client); err != nil {
			t.Errorf("at once, by the same client: %v", err)
		}
	}
	for _, err := range r.check() {
		t.Error(err)
	}
	if err := r.observe(ctx, entry); err != nil {
		t.Error(err)
	}
	if s.After != nil && !t.Failed() {
		if err := s.After(ctx, r); err != nil {
			t.Error(err)
		}
	}
	if r.Err == nil && !r.over && !t.Failed() {
		if err := r.resume(ctx); err != nil {
			t.Error(err)
		}
	}
	if t.Failed() {
		t.Log(r.explain(ctx))
	}
}

// prepare makes the namespace, the Execution and the started client.
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
	config, err := r.cluster.Worker(ctx, r.Namespace, nil)
	if err != nil {
		return nil, err
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

// newExecution makes the object that stands for the Execution.
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
	timer := time.AfterFunc(leisure, cancel)
	defer timer.Stop()
	err = <-acted
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("the step ended before all was done to the cluster: %w", err)
	}
	return err
}

// interrupt calls the verb and ends its context once the container runs.
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
		return fmt.Errorf("the wait was to end with its context while the container runs: %w", errors.Join(running, err))
	}
	return nil
}

// call runs the step in an ExecutionContext.
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
	case r.news <- struct{}{}:
	default:
	}
}

// progress returns what was reported so far.
func (r *Run) progress() []kontinue.Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]kontinue.Progress(nil), r.reported...)
}
