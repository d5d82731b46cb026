package apiserver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
)

// TestOtherTypes: types without rules of their own are stored with the same semantics.
func TestOtherTypes(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	deployments := c.AppsV1().Deployments(testNamespace)
	w, err := deployments.Watch(t.Context(), metav1.ListOptions{LabelSelector: "a=b"})
	require.NoError(t, err)
	defer w.Stop()
	d, err := deployments.Create(t.Context(), &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "d"}, Status: appsv1.DeploymentStatus{Replicas: 1}}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.NotEmpty(t, d.UID)
	d.Labels = map[string]string{"a": "b"}
	d.Spec.Replicas = ptr.To[int32](2)
	d.Status.Replicas = 7
	d, err = deployments.Update(t.Context(), d, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.Equal(t, int64(2), d.Generation)
	require.Equal(t, int32(1), d.Status.Replicas)
	requireObject(t, nextEvent(t, w), watch.Added, "d")
	d.Status.Replicas, d.Spec.Replicas = 2, ptr.To[int32](9)
	d, err = deployments.UpdateStatus(t.Context(), d, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.Equal(t, int32(2), d.Status.Replicas)
	require.Equal(t, int32(2), *d.Spec.Replicas)
	list, err := deployments.List(t.Context(), metav1.ListOptions{LabelSelector: "a=b"})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	require.Equal(t, s.ResourceVersion(), list.ResourceVersion)
	_, err = deployments.Patch(t.Context(), "d", types.MergePatchType, []byte(`{"metadata":{"labels":null}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.NoError(t, deployments.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))
	_, err = deployments.Get(t.Context(), "d", metav1.GetOptions{})
	requireReason(t, err, metav1.StatusReasonNotFound)
	require.Equal(t, 1, s.Stats().Count("", "deletecollection", "deployments"))

	_, err = c.PolicyV1().PodDisruptionBudgets(testNamespace).Create(t.Context(), &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: "p"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	version, err := c.Discovery().ServerVersion()
	require.NoError(t, err)
	require.Equal(t, "v1.37.2", version.GitVersion)
}

func TestLeaseNeedsAResourceVersion(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	leases := c.CoordinationV1().Leases(testNamespace)
	lease, err := leases.Create(t.Context(), &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "l"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	lease.Spec.HolderIdentity = ptr.To("me")
	lease, err = leases.Update(t.Context(), lease, metav1.UpdateOptions{})
	require.NoError(t, err)
	lease.ResourceVersion = ""
	_, err = leases.Update(t.Context(), lease, metav1.UpdateOptions{})
	requireReason(t, err, metav1.StatusReasonInvalid, "must be specified for an update")
}

func TestEvents(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	sink := c.CoreV1().Events("")
	ev := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: "job.1", Namespace: testNamespace},
		InvolvedObject: corev1.ObjectReference{Kind: "Job", Name: "job", UID: "u"},
		Reason:         "FailedCreate", Type: corev1.EventTypeWarning, Count: 1,
		FirstTimestamp: metav1.NewTime(time.Now()),
	}
	ev, err := sink.CreateWithEventNamespaceWithContext(t.Context(), ev)
	require.NoError(t, err)
	ev.Count = 2
	_, err = sink.UpdateWithEventNamespaceWithContext(t.Context(), ev)
	require.NoError(t, err)
	_, err = sink.PatchWithEventNamespaceWithContext(t.Context(), ev, []byte(`{"count":3}`))
	require.NoError(t, err)
	list, err := c.CoreV1().Events(testNamespace).List(t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.uid=u,reason=FailedCreate,type=Warning"})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	require.Equal(t, int32(3), list.Items[0].Count)
	require.NoError(t, c.CoreV1().Events(testNamespace).Delete(t.Context(), "job.1", metav1.DeleteOptions{}))
}
