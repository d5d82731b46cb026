package storm

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/test/chaos/internal/history"
	"github.com/kontinue/kontinue/test/chaos/internal/testbed"
	"github.com/kontinue/kontinue/test/cluster"
)

func TestMain(m *testing.M) {
	// The second handler limits error reporting to one a millisecond.
	utilruntime.ErrorHandlers = utilruntime.ErrorHandlers[:1]
	flag.Parse()
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop cluster:", err)
		code = 1
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// environment is a cluster with a node. The tests share it and run one at a time.
type environment struct {
	cluster *cluster.Cluster
	admin   kubernetes.Interface
	spaces  int
}

var shared environment

// use starts the cluster if it is not running.
func (e *environment) use(t *testing.T) {
	t.Helper()
	if e.cluster != nil {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), testbed.StartLimit)
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Options{})
	require.NoError(t, err)
	e.cluster = c
	e.admin, err = kubernetes.NewForConfig(c.RESTConfig(cluster.Admin))
	require.NoError(t, err)
	require.NoError(t, testbed.Grant(ctx, e.cluster))
}

func (e *environment) stop() error {
	if e.cluster == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return e.cluster.Stop(ctx)
}

// fixture is a namespace with an Execution, and a client.
type fixture struct {
	*testing.T
	ctx       context.Context
	namespace string
	execution kontinue.Execution
	client    *kontinue.Client
	log       *buffer
	waiting   sync.Map // names of steps that have reported progress
}

// fixture returns one whose client uses the given configuration.
func (e *environment) fixture(t *testing.T, config *rest.Config) *fixture {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(cancel)
	e.spaces++
	s := &fixture{T: t, ctx: ctx, namespace: fmt.Sprintf("storm-%d", e.spaces)}
	require.NoError(t, e.cluster.CreateNamespace(ctx, s.namespace))
	owner, err := e.admin.CoreV1().ConfigMaps(s.namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "execution"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	s.execution = kontinue.Execution{Owner: metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}}
	s.log = &buffer{}
	s.client, err = kontinue.New(kontinue.Config{
		RESTConfig: config, Namespace: s.namespace, Logger: logger(s.log),
		OnProgress: func(p kontinue.Progress) { s.waiting.Store(p.Step, true) },
	})
	require.NoError(t, err)
	require.NoError(t, s.client.Start(ctx))
	t.Cleanup(func() {
		start := time.Now()
		require.NoError(t, s.client.Stop(context.Background()))
		require.Less(t, time.Since(start), 10*time.Second)
		require.NotContains(t, s.log.String(), canary)
	})
	return s
}

// end holds what a step returned.
type end struct {
	name   string
	code   int32
	err    error
	result *kontinue.PodResult
	at     time.Time
}

// run runs a script as a step and sends what the step returns.
func (s *fixture) run(name, command string, timeout time.Duration) <-chan end {
	s.Helper()
	ktx, err := s.client.NewExecutionContext(s.ctx, s.execution)
	require.NoError(s, err)
	ended := make(chan end, 1)
	go func() {
		e := end{name: name, code: -1}
		e.result, e.err = kontinue.RunScript(ktx, &kontinue.ScriptOptions{
			StepOptions: kontinue.StepOptions{Name: name, Timeout: timeout},
			Image:       cluster.BusyboxImage, Command: command,
		})
		e.at = time.Now()
		if e.err == nil && e.result.Pod != nil {
			for _, c := range e.result.Pod.Status.ContainerStatuses {
				if c.State.Terminated != nil {
					e.code = c.State.Terminated.ExitCode
				}
			}
		}
		ended <- e
	}()
	return ended
}

// runs waits until a pod of the step is running, and returns the pod.
func (s *fixture) runs(name string) *corev1.Pod {
	s.Helper()
	var pod *corev1.Pod
	s.until(2*time.Minute, "a pod of step "+name+" is running", func() bool {
		list, err := shared.admin.CoreV1().Pods(s.namespace).List(s.ctx, metav1.ListOptions{LabelSelector: history.LabelStep + "=" + name})
		if err == nil && len(list.Items) == 1 && list.Items[0].Status.Phase == corev1.PodRunning {
			pod = &list.Items[0]
		}
		return pod != nil
	})
	return pod
}

// until waits until a condition holds.
func (s *fixture) until(limit time.Duration, what string, condition func() bool) {
	s.Helper()
	ctx, cancel := context.WithTimeoutCause(s.ctx, limit, errors.New("gave up waiting until "+what))
	defer cancel()
	for !condition() {
		require.True(s, testbed.Pause(ctx, 100*time.Millisecond), "%v", context.Cause(ctx))
	}
}

// once requires that the step had exactly one Job and one pod.
func (s *fixture) once(name string) {
	s.Helper()
	jobs, err := shared.admin.BatchV1().Jobs(s.namespace).List(s.ctx, metav1.ListOptions{LabelSelector: history.LabelStep + "=" + name})
	require.NoError(s, err)
	require.Len(s, jobs.Items, 1)
	require.NotEmpty(s, jobs.Items[0].Annotations[history.AnnotationRecord])
	require.Equal(s, int32(1), jobs.Items[0].Status.Succeeded+jobs.Items[0].Status.Failed)
}
