package simulate

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/fakecluster/controller"
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

const (
	namespace = "ns"
	// others is who acts on objects that are not theirs, and foreign owns a Job that has
	// nothing to do with any Execution.
	others  = "others"
	foreign = "foreign"
)

// Names of the library's metadata, as users see them.
const (
	stepLabel      = "kontinue.cloud/step"
	groupLabel     = "kontinue.cloud/worker-group"
	recordedLabel  = "kontinue.cloud/recorded"
	runAnnotation  = "kontinue.cloud/run"
	attempt        = "kontinue.cloud/attempt"
	outcome        = "kontinue.cloud/outcome"
	canceledMark   = "kontinue.cloud/canceled"
	libraryPrefix  = "kontinue.cloud/"
	managedByLabel = "app.kubernetes.io/managed-by"
)

// world carries a plan out.
type world struct {
	plan    *Plan
	history *History
	cluster *fakecluster.Cluster
	scripts *scripts
	admin   kubernetes.Interface // of the others
	// ctx ends with the world. calm is closed when the faults end.
	ctx       context.Context
	calm      chan struct{}
	processes []*process
	owners    []*execution
	hook      hooks

	mu    sync.Mutex
	nodes []string // that live
	dead  []string // nodes that are not removed yet
	added int      // nodes

	actors    sync.WaitGroup // but functions
	functions sync.WaitGroup
}

// execution is the object of an Execution in the cluster.
type execution struct {
	*Execution
	owner metav1.OwnerReference
	gone  bool // deleted by a plan's event
}

// Run carries a plan out in a bubble of virtual time and checks the invariants.
func Run(t *testing.T, p *Plan) (h *History, violations []Violation) {
	t.Helper()
	defer func() {
		// A goroutine that is left, or a deadlock, ends the bubble with a panic.
		if leak := recover(); leak != nil {
			violations = append(violations, Violation{Invariant: "I4", Text: fmt.Sprint("the bubble ended with: ", leak)})
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		w, err := newWorld(t.Context(), p)
		if err != nil {
			violations = append(violations, Violation{Invariant: "driver", Text: err.Error()})
			return
		}
		h = w.history
		violations = append(violations, w.run()...)
	})
	if h != nil {
		violations = append(violations, Check(h)...)
	}
	return h, violations
}

func newWorld(ctx context.Context, p *Plan) (*world, error) {
	w := &world{plan: p, ctx: ctx, calm: make(chan struct{}), nodes: []string{"node-1", "node-2", "node-3"}}
	w.scripts = &scripts{jobs: map[string]scripted{}, tries: map[string]int{}}
	runtime := containers.NewScripts()
	runtime.Default = w.scripts.script
	var nodes []kubelet.Node
	for _, name := range w.nodes {
		nodes = append(nodes, kubelet.Node{Name: name})
	}
	w.cluster = fakecluster.New(fakecluster.Options{
		APIServer:  apiserver.Options{Seed: p.Seed},
		Controller: controller.Options{SyncBatch: time.Second},
		Kubelet:    kubelet.Options{Nodes: nodes},
		Runtime:    runtime,
	})
	server := w.cluster.APIServer()
	w.admin = server.ClientsetAs(others)
	server.AddObserver(w.learn)
	w.history = newHistory(p, server)
	if err := w.cluster.Start(ctx); err != nil {
		return nil, err
	}
	for i := range p.Executions {
		owner, err := w.cluster.CreateOwner(ctx, namespace, p.Executions[i].Name)
		if err != nil {
			return nil, err
		}
		w.owners = append(w.owners, &execution{Execution: &p.Executions[i], owner: owner})
	}
	w.history.executions = w.owners
	w.admit()
	server.SetWatchHook(w.hook.delay)
	return w, nil
}

// learn tells the scripts which step a new Job is of.
func (w *world) learn(write apiserver.Write) {
	job, ok := write.New.(*batchv1.Job)
	if !ok || write.Type != watch.Added {
		return
	}
	owner := metav1.GetControllerOf(job)
	if owner == nil {
		return
	}
	for _, e := range w.owners {
		if e.owner.UID != owner.UID {
			continue
		}
		for i := range e.Steps {
			if s := &e.Steps[i]; s.Name == job.Labels[stepLabel] {
				run, _ := strconv.Atoi(job.Annotations[runAnnotation])
				w.scripts.know(job.Name, s, run)
			}
		}
	}
}

// admit registers the cluster's own admission.
func (w *world) admit() {
	w.cluster.APIServer().AddAdmission(func(_ context.Context, a *apiserver.Attributes) error {
		switch o := a.Object.(type) {
		case *batchv1.Job:
			if w.plan.TTL > 0 && a.Verb == "create" && o.Spec.TTLSecondsAfterFinished == nil {
				o.Spec.TTLSecondsAfterFinished = new(w.plan.TTL)
			}
		case *corev1.Pod:
			if w.plan.Inject && a.Verb == "create" {
				o.Spec.Containers = append([]corev1.Container{{Name: proxy, Image: "example.org/proxy:1"}}, o.Spec.Containers...)
			}
		}
		return nil
	})
}

// execution returns the Execution for a run of its function.
func (w *world) execution(i, attempts, resumptions int) kontinue.Execution {
	e := w.owners[i]
	x := kontinue.Execution{Owner: e.owner, Attempts: attempts, Resumptions: resumptions, ChildPolicy: e.Policy}
	if e.TTL > 0 {
		x.TTL = &metav1.Duration{Duration: e.TTL}
	}
	return x
}

// sleep waits until the time of the plan, or the end of ctx. It reports whether ctx lives.
func (w *world) sleep(ctx context.Context, at time.Duration) bool {
	timer := time.NewTimer(time.Until(w.history.Begin.Add(at)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
