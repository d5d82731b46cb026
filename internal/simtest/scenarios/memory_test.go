package scenarios_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
	"github.com/kontinue/kontinue/internal/scenarios"
)

// TestScenarios runs the scenarios on the cluster in memory.
func TestScenarios(t *testing.T) {
	t.Parallel()
	backend := memory{role: workerRole(t)}
	record := scenarios.RunAll(t, backend)
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		// In a cleanup FailNow would suppress the message.
		if err := scenarios.CheckRecord(backend.Name(), record()); err != nil {
			t.Error(err)
		}
	})
}

// TestScenariosWithDelays runs the scenarios on a cluster with the delays of a real node
// and Job controller. They must not change what is recorded.
func TestScenariosWithDelays(t *testing.T) {
	t.Parallel()
	backend := memory{role: workerRole(t), delays: fakecluster.RealDelays()}
	record := scenarios.RunAll(t, backend)
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		want, err := scenarios.ReadRecord(backend.Name())
		if err == nil {
			err = scenarios.Compare(backend.Name(), want, record())
		}
		if err != nil {
			t.Error(err) // in a cleanup FailNow would suppress the message
		}
	})
}

// TestLeastPrivilege removes each right of deploy/rbac.yaml in turn.
func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	role, err := scenarios.LoadRole("../../../deploy/rbac.yaml")
	require.NoError(t, err)
	scenarios.LeastPrivilege(t, memory{role: role}, role)
}

// TestSeveralNamespaces runs workers of more than one namespace.
func TestSeveralNamespaces(t *testing.T) {
	t.Parallel()
	scenarios.SeveralNamespaces(t, memory{role: workerRole(t)})
}

// workerRole has all rights that a worker uses.
func workerRole(t *testing.T) *rbacv1.Role {
	t.Helper()
	role, err := scenarios.LoadRole("../../../deploy/rbac.yaml", "../../../deploy/rbac-optional.yaml")
	require.NoError(t, err)
	return role
}

// memory is the cluster in memory as a backend of the scenarios.
type memory struct {
	role   *rbacv1.Role
	delays fakecluster.Delays
}

func (memory) Name() string { return "memory" }

func (memory) Version() string { return "v1.37.2" }

func (memory) Lacks(c scenarios.Capability) string {
	return map[scenarios.Capability]string{
		scenarios.SecurityContexts: "containers are local processes, which run as the test's user",
		scenarios.Images:           "image names are ignored, so there is no entry point",
	}[c]
}

func (m memory) Run(t *testing.T, needs []scenarios.Capability, played bool, play func(t *testing.T, c scenarios.Cluster)) {
	t.Helper()
	var node kubelet.Options
	if slices.Contains(needs, scenarios.NodeCapacity) {
		node.Nodes = []kubelet.Node{{Name: nodeName, CPU: resource.MustParse("2")}}
	}
	if played {
		synctest.Test(t, func(t *testing.T) {
			scripts := containers.NewScripts()
			play(t, m.start(t, scripts, fakecluster.Options{Runtime: scripts, Delays: m.delays, Kubelet: node}))
		})
		return
	}
	scripts := containers.NewScripts()
	play(t, m.start(t, scripts, fakecluster.Options{
		Delays:  tenth(m.delays),
		Kubelet: node,
		Runtime: &mixed{Scripts: scripts, processes: containers.NewProcesses(), played: map[playedKey]bool{}},
	}))
}

// tenth returns shorter delays with the same order of events, for scenarios whose
// containers are processes, which run in real time.
func tenth(d fakecluster.Delays) fakecluster.Delays {
	return fakecluster.Delays{
		ContainerStatus: d.ContainerStatus / 10,
		PodPhase:        d.PodPhase / 10,
		PodRemoval:      d.PodRemoval / 10,
		JobSync:         d.JobSync / 10,
	}
}

func (m memory) start(t *testing.T, scripts *containers.Scripts, o fakecluster.Options) *memoryCluster {
	t.Helper()
	o.Controller.NormalEvents, o.Kubelet.NormalEvents = true, true
	o.APIServer.Kinds = []apiserver.Kind{{Group: "kueue.x-k8s.io", Version: "v1beta2", Kind: "Workload", Status: true}}
	c := fakecluster.New(o)
	require.NoError(t, c.Start(context.Background()))
	t.Cleanup(c.Stop)
	mixed, _ := o.Runtime.(*mixed)
	return &memoryCluster{Cluster: c, role: m.role, scripts: scripts, mixed: mixed}
}

type memoryCluster struct {
	*fakecluster.Cluster
	role    *rbacv1.Role
	scripts *containers.Scripts
	mixed   *mixed // nil if all containers follow scripts
}

func (c *memoryCluster) Admin() kubernetes.Interface { return c.APIServer().ClientsetAs("admin") }

func (c *memoryCluster) Image() string { return "memory.test/shell:1" }

func (c *memoryCluster) CreateNamespace(ctx context.Context, _ *testing.T, name string, labels map[string]string) error {
	return c.Cluster.CreateNamespace(ctx, name, labels)
}

func (c *memoryCluster) Play(namespace string, scripts map[string]containers.Script) {
	for name, script := range scripts {
		c.scripts.On(containers.Match{Namespace: namespace, Container: name}, script)
		if c.mixed != nil {
			c.mixed.played[playedKey{namespace, name}] = true
		}
	}
}

func (c *memoryCluster) Intercept(_ context.Context, _ *testing.T, namespace string, answer func() scenarios.Answer) error {
	c.APIServer().AddAdmission(func(_ context.Context, a *apiserver.Attributes) error {
		if a.Resource != "jobs" || a.Verb != "create" || a.Namespace != namespace {
			return nil
		}
		switch answer := answer(); {
		case answer.Broken:
			return apierrors.NewInternalError(errBroken)
		case answer.Deny != "":
			status := apierrors.NewForbidden(schema.GroupResource{}, "", nil)
			status.ErrStatus.Message = `admission webhook "` + scenarios.WebhookName + `" denied the request: ` + answer.Deny
			return status
		}
		return nil
	})
	return nil
}

func (c *memoryCluster) Inject(_ context.Context, _ *testing.T, namespace string, container corev1.Container) error {
	c.APIServer().AddAdmission(func(_ context.Context, a *apiserver.Attributes) error {
		pod, ok := a.Object.(*corev1.Pod)
		if !ok || a.Verb != "create" || a.Namespace != namespace {
			return nil
		}
		list := &pod.Spec.Containers
		if container.RestartPolicy != nil {
			list = &pod.Spec.InitContainers
		}
		*list = append([]corev1.Container{container}, *list...)
		return nil
	})
	return nil
}

var errBroken = apierrors.NewGenericServerResponse(500, "", schema.GroupResource{}, "",
	`failed calling webhook "`+scenarios.WebhookName+`": failed to call webhook: the server reported an error`, 0, true)

// mixed runs the containers that have a script by it, and the others as local
// processes.
type mixed struct {
	*containers.Scripts
	processes *containers.Processes
	played    map[playedKey]bool // written before any pod exists
}

type playedKey struct{ namespace, container string }

func (m *mixed) runtime(spec containers.Spec) containers.Runtime {
	if m.played[playedKey{spec.Pod.Namespace, spec.Container.Name}] {
		return m.Scripts
	}
	return m.processes
}

func (m *mixed) Pull(spec containers.Spec, age time.Duration) containers.Pull {
	return m.runtime(spec).Pull(spec, age)
}

func (m *mixed) Start(spec containers.Spec, exited func(containers.Exit)) (containers.Process, error) {
	return m.runtime(spec).Start(spec, exited)
}

func (m *mixed) Mount(pod *corev1.Pod, volumes []containers.Volume) error {
	return m.processes.Mount(pod, volumes)
}

func (m *mixed) Forget(pod types.UID) {
	m.Scripts.Forget(pod)
	m.processes.Forget(pod)
}

func (m *mixed) Close() {
	m.Scripts.Close()
	m.processes.Close()
}
