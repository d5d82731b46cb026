package cluster_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/test/cluster"
)

const namespace = metav1.NamespaceDefault

// create creates a Job in the default namespace.
func create(t *testing.T, client kubernetes.Interface, job *batchv1.Job) {
	t.Helper()
	_, err := client.BatchV1().Jobs(namespace).Create(testContext(t), job, metav1.CreateOptions{})
	require.NoError(t, err)
}

// testWorkloads concurrently runs the tests that need containers, on one cluster.
func testWorkloads(t *testing.T, c *cluster.Cluster, client kubernetes.Interface) {
	tests := map[string]func(*testing.T, *cluster.Cluster, kubernetes.Interface){
		"exit codes and logs":          exitCodes,
		"out of memory":                outOfMemory,
		"native sidecar":               nativeSidecar,
		"image cannot be pulled":       missingImage,
		"image is not in the registry": imageNotInRegistry,
		"deadline":                     deadline,
		"time to live":                 timeToLive,
		"eviction":                     eviction,
		"unschedulable":                unschedulable,
		"service account":              serviceAccount,
		"unknown service account":      unknownServiceAccount,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, c, client)
		})
	}
}

func exitCodes(t *testing.T, _ *cluster.Cluster, client kubernetes.Interface) {
	for code, want := range map[int]batchv1.JobConditionType{0: batchv1.JobComplete, 3: batchv1.JobFailed} {
		name := fmt.Sprintf("exit-%d", code)
		create(t, client, job(name, fmt.Sprintf("echo out; echo err >&2; exit %d", code)))
		require.Equal(t, want, finished(t, client, namespace, name).Type)
		pod := podOf(t, client, namespace, name, podTerminated)
		require.EqualValues(t, code, pod.Status.ContainerStatuses[0].State.Terminated.ExitCode)
		require.ElementsMatch(t, []string{"out", "err"}, strings.Fields(logs(t, client, pod, "main")))
	}
}

func outOfMemory(t *testing.T, _ *cluster.Cluster, client kubernetes.Interface) {
	j := job("oom", "x=x; while true; do x=$x$x; done")
	j.Spec.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("16Mi")}
	create(t, client, j)
	require.Equal(t, batchv1.JobFailed, finished(t, client, namespace, "oom").Type)
	state := podOf(t, client, namespace, "oom", podTerminated).Status.ContainerStatuses[0].State.Terminated
	require.Equal(t, "OOMKilled", state.Reason)
	require.EqualValues(t, 137, state.ExitCode)
}

func nativeSidecar(t *testing.T, _ *cluster.Cluster, client kubernetes.Interface) {
	j := job("sidecar", "echo main")
	j.Spec.Template.Spec.InitContainers = []corev1.Container{{
		Name: "sidecar", Image: cluster.BusyboxImage, Command: []string{"/bin/sh", "-c", "echo sidecar; sleep 1000"},
		RestartPolicy: new(corev1.ContainerRestartPolicyAlways),
	}}
	create(t, client, j)
	require.Equal(t, batchv1.JobComplete, finished(t, client, namespace, "sidecar").Type)
	pod := podOf(t, client, namespace, "sidecar", podTerminated)
	require.Equal(t, corev1.PodSucceeded, pod.Status.Phase)
	require.EqualValues(t, 137, pod.Status.InitContainerStatuses[0].State.Terminated.ExitCode)
	require.Equal(t, "sidecar\n", logs(t, client, pod, "sidecar"))
}

func missingImage(t *testing.T, _ *cluster.Cluster, client kubernetes.Interface) {
	j := job("no-image", "true")
	j.Spec.Template.Spec.Containers[0].Image = "kontinue.test/missing:1"
	create(t, client, j)
	podOf(t, client, namespace, "no-image", waitingReason("ErrImagePull", "ImagePullBackOff"))

	j = job("never-image", "true")
	j.Spec.Template.Spec.Containers[0].Image = "kontinue.test/missing:1"
	j.Spec.Template.Spec.Containers[0].ImagePullPolicy = corev1.PullNever
	create(t, client, j)
	podOf(t, client, namespace, "never-image", waitingReason("ErrImageNeverPull"))
}

// imageNotInRegistry serves a registry without the image: the error differs from that
// of an unreachable registry.
func imageNotInRegistry(t *testing.T, c *cluster.Cluster, client kubernetes.Interface) {
	listener, err := c.ListenInside(testContext(t))
	require.NoError(t, err)
	certificate, err := c.ServingCertificate()
	require.NoError(t, err)
	server := &http.Server{
		Handler:   http.NotFoundHandler(),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
	}
	served := make(chan error)
	go func() { served <- server.ServeTLS(listener, "", "") }()
	defer func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	}()
	j := job("no-tag", "true")
	j.Spec.Template.Spec.Containers[0].Image = listener.Addr().String() + "/library/missing:1"
	create(t, client, j)
	pod := podOf(t, client, namespace, "no-tag", waitingReason("ErrImagePull"))
	require.Contains(t, pod.Status.ContainerStatuses[0].State.Waiting.Message, "not found")
}

func deadline(t *testing.T, _ *cluster.Cluster, client kubernetes.Interface) {
	j := job("deadline", "sleep 1000")
	j.Spec.ActiveDeadlineSeconds = new(int64(2))
	create(t, client, j)
	condition := finished(t, client, namespace, "deadline")
	require.Equal(t, batchv1.JobReasonDeadlineExceeded, condition.Reason)
}

func timeToLive(t *testing.T, _ *cluster.Cluster, client kubernetes.Interface) {
	j := job("ttl", "true")
	j.Spec.TTLSecondsAfterFinished = new(int32(0))
	create(t, client, j)
	eventually(t, func(ctx context.Context) error {
		_, err := client.BatchV1().Jobs(namespace).Get(ctx, "ttl", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("job is still there: %w", err)
	})
}

func eviction(t *testing.T, _ *cluster.Cluster, client kubernetes.Interface) {
	create(t, client, job("evict", "sleep 1000"))
	pod := podOf(t, client, namespace, "evict", podRunning)
	err := client.PolicyV1().Evictions(namespace).Evict(testContext(t), &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: namespace},
	})
	require.NoError(t, err)
	require.Equal(t, batchv1.JobFailed, finished(t, client, namespace, "evict").Type)
}

func unschedulable(t *testing.T, _ *cluster.Cluster, client kubernetes.Interface) {
	j := job("huge", "true")
	j.Spec.Template.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1000")}
	create(t, client, j)
	podOf(t, client, namespace, "huge", func(pod *corev1.Pod) bool {
		for _, condition := range pod.Status.Conditions {
			if condition.Reason == corev1.PodReasonUnschedulable && strings.Contains(condition.Message, "Insufficient cpu") {
				return true
			}
		}
		return false
	})
}

// serviceAccount uses the token of a pod, which needs the token controller, the kubelet
// and a projected volume. The pod also reaches the API server at the address of its
// Service.
func serviceAccount(t *testing.T, c *cluster.Cluster, client kubernetes.Interface) {
	create(t, client, job("api-client", `cd /var/run/secrets/kubernetes.io/serviceaccount
cat token; echo; grep -c BEGIN ca.crt
nc -w 5 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT </dev/null && echo connected`))
	finished(t, client, namespace, "api-client")
	lines := strings.Fields(logs(t, client, podOf(t, client, namespace, "api-client", podTerminated), "main"))
	require.Len(t, lines, 3)
	require.Equal(t, []string{"1", "connected"}, lines[1:])

	config := c.RESTConfig(cluster.Guest)
	config.BearerToken = lines[0]
	pod, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	review, err := pod.AuthenticationV1().SelfSubjectReviews().Create(testContext(t), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Equal(t, "system:serviceaccount:default:default", review.Status.UserInfo.Username)
}

func unknownServiceAccount(t *testing.T, _ *cluster.Cluster, client kubernetes.Interface) {
	j := job("no-account", "true")
	j.Spec.Template.Spec.ServiceAccountName = "missing"
	create(t, client, j)
	eventually(t, func(ctx context.Context) error {
		events, err := client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=no-account"})
		if err != nil {
			return err
		}
		for _, event := range events.Items {
			if event.Reason == "FailedCreate" && strings.Contains(event.Message, `serviceaccount "missing" not found`) {
				return nil
			}
		}
		return errors.New("no FailedCreate event yet")
	})
}

// testNodeLoss runs after the other tests, since it would kill their pods.
func testNodeLoss(t *testing.T, c *cluster.Cluster, client kubernetes.Interface) {
	create(t, client, job("lost", "sleep 1000"))
	pod := podOf(t, client, namespace, "lost", podRunning)
	killed := time.Now()
	require.NoError(t, c.KillNode(testContext(t)))
	require.Zero(t, c.Pid(cluster.Kubelet))
	// The node cannot confirm the end of the pod, so it stays in Terminating.
	eventually(t, func(ctx context.Context) error {
		lost, err := client.CoreV1().Pods(namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range lost.Status.Conditions {
			if condition.Type == corev1.DisruptionTarget && lost.DeletionTimestamp != nil {
				return nil
			}
		}
		return fmt.Errorf("pod is not being evicted: %v", lost.Status.Conditions)
	})
	t.Logf("pods of a dead node are deleted after %s", time.Since(killed).Round(time.Second))
	require.NoError(t, c.RestartNode(testContext(t)))
	require.Equal(t, batchv1.JobFailed, finished(t, client, namespace, "lost").Type)
}
