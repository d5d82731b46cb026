package fakecluster_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// newCustomCluster starts a cluster with the custom resources Execution and, outside
// namespaces, Fleet. Its containers run until they are stopped, which takes a second.
func newCustomCluster(t *testing.T) (c *fakecluster.Cluster, executions, fleets dynamic.NamespaceableResourceInterface) {
	t.Helper()
	c = newCluster(t, fakecluster.Options{APIServer: apiserver.Options{Kinds: []apiserver.Kind{
		{Group: "example.com", Version: "v1", Kind: "Execution", Status: true},
		{Group: "example.com", Version: "v1", Kind: "Fleet", ClusterScoped: true},
	}}})
	c.On(containers.Match{}, containers.Script{Run: containers.Forever, TermDelay: time.Second})
	client, err := dynamic.NewForConfig(c.Config())
	require.NoError(t, err)
	gv := schema.GroupVersion{Group: "example.com", Version: "v1"}
	return c, client.Resource(gv.WithResource("executions")), client.Resource(gv.WithResource("fleets"))
}

// custom creates an object and returns a reference to it.
func custom(t *testing.T, in dynamic.ResourceInterface, kind, name string, owners ...metav1.OwnerReference) metav1.OwnerReference {
	t.Helper()
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: kind})
	u.SetName(name)
	u.SetOwnerReferences(owners)
	made, err := in.Create(t.Context(), u, metav1.CreateOptions{})
	require.NoError(t, err)
	return *metav1.NewControllerRef(made, u.GroupVersionKind())
}

func gone(t *testing.T, in dynamic.ResourceInterface, name string) bool {
	t.Helper()
	_, err := in.Get(t.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return true
	}
	require.NoError(t, err)
	return false
}

func ownedBy(owner metav1.OwnerReference) func(*batchv1.Job) {
	return func(job *batchv1.Job) { job.OwnerReferences = []metav1.OwnerReference{owner} }
}

func TestCustomOwner(t *testing.T) {
	t.Parallel()
	for _, policy := range []metav1.DeletionPropagation{metav1.DeletePropagationBackground, metav1.DeletePropagationForeground, metav1.DeletePropagationOrphan} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, executions, _ := newCustomCluster(t)
				in := executions.Namespace(ns)
				create(t, c, newJob("other", ownedBy(custom(t, in, "Execution", "other"))))
				owner := custom(t, in, "Execution", "execution")
				create(t, c, newJob("child", ownedBy(owner)))
				waitPod(t, c, "child", running)
				after(time.Minute)
				require.NoError(t, in.Delete(t.Context(), "execution", metav1.DeleteOptions{PropagationPolicy: &policy}))
				after(time.Millisecond)
				// In the foreground, it waits for the Job, which waits for its pod.
				require.Equal(t, policy != metav1.DeletePropagationForeground, gone(t, in, "execution"))
				after(time.Minute)
				require.True(t, gone(t, in, "execution"))
				require.Equal(t, policy == metav1.DeletePropagationOrphan, exists(t, c, "child"))
				require.True(t, exists(t, c, "other"))
				if policy == metav1.DeletePropagationOrphan {
					job, err := c.Clientset().BatchV1().Jobs(ns).Get(t.Context(), "child", metav1.GetOptions{})
					require.NoError(t, err)
					require.Empty(t, job.OwnerReferences)
				}
			})
		})
	}
}

// TestCustomDependents: custom resources are dependents, too, and cluster-scoped ones
// owners.
func TestCustomDependents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, executions, fleets := newCustomCluster(t)
		in := executions.Namespace(ns)
		fleet := custom(t, fleets, "Fleet", "fleet")
		execution := custom(t, in, "Execution", "execution", fleet)
		create(t, c, newJob("child", ownedBy(execution)))
		create(t, c, newJob("of-the-fleet", ownedBy(fleet)))
		waitPod(t, c, "child", running)
		after(time.Minute)
		require.True(t, exists(t, c, "of-the-fleet"))
		policy := metav1.DeletePropagationForeground
		require.NoError(t, fleets.Delete(t.Context(), "fleet", metav1.DeleteOptions{PropagationPolicy: &policy}))
		after(2 * time.Minute)
		require.True(t, gone(t, fleets, "fleet"))
		require.True(t, gone(t, in, "execution"))
		require.False(t, exists(t, c, "child"))
		require.False(t, exists(t, c, "of-the-fleet"))
	})
}

// TestCollectorBehind: the garbage collector sees changes late, as its watches are
// independent, and deletes nothing whose owner is alive.
func TestCollectorBehind(t *testing.T) {
	t.Parallel()
	stall := func(c *fakecluster.Cluster, resource string) (resume func()) {
		match := apiserver.WatchMatch{User: fakecluster.ControllerUser, Resource: resource}
		c.APIServer().StallWatches(match)
		return func() { c.APIServer().ResumeWatches(match); synctest.Wait() }
	}
	t.Run("owner unseen", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c, executions, fleets := newCustomCluster(t)
			for _, resource := range []string{"executions", "fleets", "configmaps"} {
				defer stall(c, resource)()
			}
			owner, err := c.CreateOwner(t.Context(), ns, "config")
			require.NoError(t, err)
			create(t, c, newJob("of-config", ownedBy(owner)))
			create(t, c, newJob("of-execution", ownedBy(custom(t, executions.Namespace(ns), "Execution", "execution"))))
			create(t, c, newJob("of-fleet", ownedBy(custom(t, fleets, "Fleet", "fleet"))))
			after(time.Minute)
			for _, name := range []string{"of-config", "of-execution", "of-fleet"} {
				require.True(t, exists(t, c, name))
			}
		})
	})
	t.Run("dependent unseen by orphaning", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c, executions, _ := newCustomCluster(t)
			in := executions.Namespace(ns)
			owner := custom(t, in, "Execution", "execution")
			create(t, c, newJob("seen", ownedBy(owner)))
			after(time.Second)
			resume := stall(c, "jobs")
			create(t, c, newJob("unseen", ownedBy(owner)))
			policy := metav1.DeletePropagationOrphan
			require.NoError(t, in.Delete(t.Context(), "execution", metav1.DeleteOptions{PropagationPolicy: &policy}))
			after(time.Second)
			require.True(t, gone(t, in, "execution"))
			resume()
			after(time.Minute)
			require.True(t, exists(t, c, "seen"))
			require.True(t, exists(t, c, "unseen"))
		})
	})
	t.Run("released by hand", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c, executions, _ := newCustomCluster(t)
			in := executions.Namespace(ns)
			owner := custom(t, in, "Execution", "execution")
			create(t, c, newJob("child", ownedBy(owner)))
			after(time.Second)
			resume := stall(c, "jobs")
			_, err := c.Clientset().BatchV1().Jobs(ns).Patch(t.Context(), "child", types.MergePatchType, []byte(`{"metadata":{"ownerReferences":null}}`), metav1.PatchOptions{})
			require.NoError(t, err)
			require.NoError(t, in.Delete(t.Context(), "execution", metav1.DeleteOptions{}))
			after(time.Second)
			resume()
			after(time.Minute)
			require.True(t, exists(t, c, "child"))
		})
	})
}

// TestLivingOwner creates and orphans Jobs at once, in real time: run it with -race
// -count=200.
func TestLivingOwner(t *testing.T) {
	t.Parallel()
	c, executions, _ := newCustomCluster(t)
	in := executions.Namespace(ns)
	owner := custom(t, in, "Execution", "execution")
	create(t, c, newJob("child", ownedBy(owner)))
	policy := metav1.DeletePropagationOrphan
	require.NoError(t, in.Delete(t.Context(), "execution", metav1.DeleteOptions{PropagationPolicy: &policy}))
	require.Eventually(t, func() bool { return gone(t, in, "execution") }, 30*time.Second, time.Millisecond)
	// A pod of the Job is running once the Job controller and the collector have seen it.
	waitPod(t, c, "child", running)
	require.True(t, exists(t, c, "child"))
	job, err := c.Clientset().BatchV1().Jobs(ns).Get(t.Context(), "child", metav1.GetOptions{})
	require.NoError(t, err)
	require.Empty(t, job.OwnerReferences)
	require.Nil(t, job.DeletionTimestamp)
}

// TestNamespaceDeletionOfAllKinds: nothing is left, be it watched by the controllers or
// not.
func TestNamespaceDeletionOfAllKinds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, executions, _ := newCustomCluster(t)
		require.NoError(t, c.CreateNamespace(t.Context(), ns, nil))
		custom(t, executions.Namespace(ns), "Execution", "execution")
		elsewhere := executions.Namespace("elsewhere")
		custom(t, elsewhere, "Execution", "execution")
		_, err := c.Clientset().CoreV1().Services(ns).Create(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "s"}}, metav1.CreateOptions{})
		require.NoError(t, err)
		ingresses := c.Clientset().NetworkingV1().Ingresses(ns)
		held, err := ingresses.Create(t.Context(), &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "held", Finalizers: []string{"example.com/hold"}}}, metav1.CreateOptions{})
		require.NoError(t, err)
		require.NoError(t, c.DeleteNamespace(t.Context(), ns))
		after(10 * time.Second)
		require.True(t, gone(t, executions.Namespace(ns), "execution"))
		_, err = c.Clientset().CoreV1().Services(ns).Get(t.Context(), "s", metav1.GetOptions{})
		require.True(t, apierrors.IsNotFound(err), "%v", err)
		_, err = c.Clientset().CoreV1().Namespaces().Get(t.Context(), ns, metav1.GetOptions{})
		require.NoError(t, err, "a finalizer holds the Ingress")

		held, err = ingresses.Get(t.Context(), held.Name, metav1.GetOptions{})
		require.NoError(t, err)
		held.Finalizers = nil
		_, err = ingresses.Update(t.Context(), held, metav1.UpdateOptions{})
		require.NoError(t, err)
		after(10 * time.Second)
		_, err = c.Clientset().CoreV1().Namespaces().Get(t.Context(), ns, metav1.GetOptions{})
		require.True(t, apierrors.IsNotFound(err), "%v", err)
		require.False(t, gone(t, elsewhere, "execution"))
	})
}
