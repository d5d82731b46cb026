package cluster_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/test/cluster"
)

// ownerEnv makes the test binary the owner of a cluster with a node, in the given
// state directory, until it is killed.
const ownerEnv = "CLUSTER_TEST_OWNER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerEnv); dir != "" {
		c, err := cluster.Start(context.Background(), cluster.Options{Name: ownedName, StateDir: dir})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(c.Kubeconfig(cluster.Admin))
		select {}
	}
	goleak.VerifyTestMain(m)
}

const ownedName = "owned"

// startOwner runs this program as the owner of a cluster, and returns the kubeconfig.
func startOwner(t *testing.T, stateDir string) (owner *exec.Cmd, kubeconfig string) {
	t.Helper()
	owner = exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), ownerEnv+"="+stateDir)
	stdout, err := owner.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, owner.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		rest, _ := io.ReadAll(stdout)
		require.NoError(t, err, line+string(rest))
	}
	return owner, line[:len(line)-1]
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// start returns a cluster. When the test ends, it is stopped, and must leave nothing
// behind.
func start(t *testing.T, options cluster.Options) (*cluster.Cluster, kubernetes.Interface) {
	t.Helper()
	if options.StateDir == "" {
		options.StateDir = stateDir(t)
	}
	began := time.Now()
	c, err := cluster.Start(testContext(t), options)
	require.NoError(t, err)
	t.Logf("%s: ready after %s", c.Name(), time.Since(began).Round(100*time.Millisecond))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, c.Stop(ctx))
		requireGone(t, options.StateDir, c.Name())
	})
	return c, client(t, c, cluster.Admin)
}

// stateDir returns a directory. The paths of t.TempDir are too long for sockets.
func stateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kct-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func client(t *testing.T, c *cluster.Cluster, user cluster.User) kubernetes.Interface {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(c.RESTConfig(user))
	require.NoError(t, err)
	return clientset
}

// job returns a Job with one pod that runs a shell script and is not retried.
func job(name, script string) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: batchv1.JobSpec{
			BackoffLimit: new(int32(0)),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever,
				Containers: []corev1.Container{{
					Name: "main", Image: cluster.BusyboxImage, Command: []string{"/bin/sh", "-c", script},
				}},
				TerminationGracePeriodSeconds: new(int64(1)),
			}},
		},
	}
}

// eventually polls until check returns nil.
func eventually(t *testing.T, check func(ctx context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextCancel(testContext(t), 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == nil, nil
	})
	require.NoError(t, err, "%v", last)
}

// finished waits for a Job's terminal condition and returns it.
func finished(t *testing.T, c kubernetes.Interface, namespace, name string) batchv1.JobCondition {
	t.Helper()
	var terminal batchv1.JobCondition
	eventually(t, func(ctx context.Context) error {
		found, err := c.BatchV1().Jobs(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range found.Status.Conditions {
			if (condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed) && condition.Status == corev1.ConditionTrue {
				terminal = condition
				return nil
			}
		}
		return fmt.Errorf("job %s: %+v", name, found.Status)
	})
	return terminal
}

// podOf waits until a Job has one pod, for which is(pod) is true.
func podOf(t *testing.T, c kubernetes.Interface, namespace, jobName string, is func(*corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	var pod *corev1.Pod
	eventually(t, func(ctx context.Context) error {
		pods, err := c.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + jobName})
		if err != nil {
			return err
		}
		if len(pods.Items) != 1 || !is(&pods.Items[0]) {
			return fmt.Errorf("pods of job %s: %v", jobName, pods.Items)
		}
		pod = &pods.Items[0]
		return nil
	})
	return pod
}

func podRunning(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodRunning }

func podTerminated(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func waitingReason(reasons ...string) func(*corev1.Pod) bool {
	return func(pod *corev1.Pod) bool {
		for _, status := range pod.Status.ContainerStatuses {
			for _, reason := range reasons {
				if status.State.Waiting != nil && status.State.Waiting.Reason == reason {
					return true
				}
			}
		}
		return false
	}
}

func logs(t *testing.T, c kubernetes.Interface, pod *corev1.Pod, container string) string {
	t.Helper()
	out, err := c.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: container}).DoRaw(testContext(t))
	require.NoError(t, err)
	return string(out)
}
