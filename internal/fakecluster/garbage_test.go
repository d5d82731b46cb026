package fakecluster_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// after lets d pass in the bubble, and everything that is due then happen.
func after(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
	synctest.Wait()
}

func exists(t *testing.T, c *fakecluster.Cluster, name string) bool {
	t.Helper()
	_, err := c.Clientset().BatchV1().Jobs(ns).Get(t.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false
	}
	require.NoError(t, err)
	return true
}

func deleteJob(t *testing.T, c *fakecluster.Cluster, name string, policy metav1.DeletionPropagation) {
	t.Helper()
	require.NoError(t, c.Clientset().BatchV1().Jobs(ns).Delete(t.Context(), name, metav1.DeleteOptions{PropagationPolicy: &policy}))
}

func TestOwnerGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Run: containers.Forever})
		owner, err := c.CreateOwner(t.Context(), ns, "execution")
		require.NoError(t, err)
		create(t, c, newJob("child", func(job *batchv1.Job) { job.OwnerReferences = []metav1.OwnerReference{owner} }))
		waitPod(t, c, "child", running)
		require.NoError(t, c.Clientset().CoreV1().ConfigMaps(ns).Delete(t.Context(), "execution", metav1.DeleteOptions{}))
		after(time.Minute)
		require.False(t, exists(t, c, "child"))
		require.Empty(t, podsOf(t, c, "child"))
	})
}

// TestOwnerReferences: a Job is collected unless its reference describes an object that
// exists. One of a kind that the API server does not have says nothing.
func TestOwnerReferences(t *testing.T) {
	t.Parallel()
	type ref = metav1.OwnerReference
	for name, tc := range map[string]struct {
		edit func(*ref)
		kept bool
	}{
		"as it is":                {func(*ref) {}, true},
		"other UID":               {func(r *ref) { r.UID = "stale" }, false},
		"other name":              {func(r *ref) { r.Name = "y" }, false},
		"other kind":              {func(r *ref) { r.Kind = "Secret" }, false},
		"other version":           {func(r *ref) { r.APIVersion = "v2" }, true},
		"unknown kind":            {func(r *ref) { r.APIVersion, r.Kind = "example.org/v1", "Execution" }, true},
		"unknown kind, other UID": {func(r *ref) { r.APIVersion, r.Kind, r.UID = "example.org/v1", "Execution", "u" }, true},
		"a node":                  {func(r *ref) { r.Kind, r.Name = "Node", "node-1" }, false}, // of another UID
		"an account":              {func(r *ref) { r.Kind, r.Name = "ServiceAccount", "absent" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, fakecluster.Options{})
				owner, err := c.CreateOwner(t.Context(), ns, "x")
				require.NoError(t, err)
				tc.edit(&owner)
				create(t, c, newJob("child", ownedBy(owner)))
				after(time.Minute)
				require.Equal(t, tc.kept, exists(t, c, "child"))
				c.DeleteOwner(owner.UID)
				after(time.Minute)
				require.False(t, exists(t, c, "child"))
			})
		})
	}
}

// TestOwnerOfForeignKind: the collector notices the end of owners of a kind that it does not
// collect, also of one in no namespace.
func TestOwnerOfForeignKind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		core := c.Clientset().CoreV1()
		node, err := core.Nodes().Get(t.Context(), "node-1", metav1.GetOptions{})
		require.NoError(t, err)
		create(t, c, newJob("of-node", ownedBy(metav1.OwnerReference{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID})))
		for _, name := range []string{"first", "second"} {
			account, err := core.ServiceAccounts(ns).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
			require.NoError(t, err)
			create(t, c, newJob("of-"+name, ownedBy(metav1.OwnerReference{APIVersion: "v1", Kind: "ServiceAccount", Name: name, UID: account.UID})))
		}
		after(time.Minute)
		require.True(t, exists(t, c, "of-node"))
		for _, name := range []string{"first", "second"} {
			require.True(t, exists(t, c, "of-"+name))
			require.NoError(t, core.ServiceAccounts(ns).Delete(t.Context(), name, metav1.DeleteOptions{}))
			after(time.Minute)
			require.False(t, exists(t, c, "of-"+name))
		}
		require.NoError(t, core.Nodes().Delete(t.Context(), node.Name, metav1.DeleteOptions{}))
		after(time.Minute)
		require.False(t, exists(t, c, "of-node"))
	})
}

func TestOneOfTwoOwnersGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		stays, err := c.CreateOwner(t.Context(), ns, "stays")
		require.NoError(t, err)
		goes, err := c.CreateOwner(t.Context(), ns, "goes")
		require.NoError(t, err)
		goes.Controller = nil
		create(t, c, newJob("child", func(job *batchv1.Job) { job.OwnerReferences = []metav1.OwnerReference{stays, goes} }))
		require.NoError(t, c.Clientset().CoreV1().ConfigMaps(ns).Delete(t.Context(), "goes", metav1.DeleteOptions{}))
		after(time.Minute)
		job, err := c.Clientset().BatchV1().Jobs(ns).Get(t.Context(), "child", metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, []metav1.OwnerReference{stays}, job.OwnerReferences)
	})
}

func TestOwnerInAnotherNamespace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		owner, err := c.CreateOwner(t.Context(), "elsewhere", "execution")
		require.NoError(t, err)
		create(t, c, newJob("child", func(job *batchv1.Job) { job.OwnerReferences = []metav1.OwnerReference{owner} }))
		after(time.Minute)
		require.False(t, exists(t, c, "child"), "an owner must be in the namespace of its dependent")
		require.Contains(t, messages(t, c, "OwnerRefInvalidNamespace"),
			`ownerRef [v1/ConfigMap, namespace: work, name: execution, uid: `+string(owner.UID)+`] does not exist in namespace "work"`)
	})
}

func TestDeletionPolicies(t *testing.T) {
	t.Parallel()
	t.Run("foreground", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, fakecluster.Options{})
			c.On(containers.Match{}, containers.Script{Run: containers.Forever, TermDelay: 10 * time.Second})
			create(t, c, newJob("job"))
			waitPod(t, c, "job", running)
			deleteJob(t, c, "job", metav1.DeletePropagationForeground)
			after(5 * time.Second)
			require.True(t, exists(t, c, "job"), "it goes after its pod")
			after(10 * time.Second)
			require.False(t, exists(t, c, "job"))
			require.Empty(t, podsOf(t, c, "job"))
		})
	})
	t.Run("background", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, fakecluster.Options{})
			c.On(containers.Match{}, containers.Script{Run: containers.Forever, TermDelay: 10 * time.Second})
			create(t, c, newJob("job"))
			waitPod(t, c, "job", running)
			deleteJob(t, c, "job", metav1.DeletePropagationBackground)
			after(5 * time.Second)
			require.False(t, exists(t, c, "job"))
			require.NotNil(t, podsOf(t, c, "job")[0].DeletionTimestamp)
			after(10 * time.Second)
			require.Empty(t, podsOf(t, c, "job"))
		})
	})
	t.Run("orphan", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, fakecluster.Options{})
			c.On(containers.Match{}, containers.Script{Run: time.Hour})
			create(t, c, newJob("job"))
			waitPod(t, c, "job", running)
			deleteJob(t, c, "job", metav1.DeletePropagationOrphan)
			after(time.Minute)
			require.False(t, exists(t, c, "job"))
			pod := podsOf(t, c, "job")[0]
			require.Nil(t, pod.DeletionTimestamp)
			require.Empty(t, pod.OwnerReferences)
			require.Empty(t, pod.Finalizers)
		})
	})
}

func TestTTL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		create(t, c, newJob("brief", func(job *batchv1.Job) { job.Spec.TTLSecondsAfterFinished = ptr.To[int32](60) }))
		create(t, c, newJob("kept"))
		after(59 * time.Second)
		require.True(t, exists(t, c, "brief"))
		after(2 * time.Second)
		require.False(t, exists(t, c, "brief"))
		require.Empty(t, podsOf(t, c, "brief"))
		require.True(t, exists(t, c, "kept"))

		_, err := c.Clientset().BatchV1().Jobs(ns).Patch(t.Context(), "kept", "application/merge-patch+json",
			[]byte(`{"spec":{"ttlSecondsAfterFinished":1}}`), metav1.PatchOptions{})
		require.NoError(t, err)
		after(time.Second)
		require.False(t, exists(t, c, "kept"), "a TTL may be set on a finished Job")
	})
}

func TestNamespaceDeletion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Run: containers.Forever, TermDelay: 5 * time.Second})
		require.NoError(t, c.CreateNamespace(t.Context(), ns, nil))
		_, err := c.CreateOwner(t.Context(), ns, "execution")
		require.NoError(t, err)
		create(t, c, newJob("job"))
		waitPod(t, c, "job", running)
		require.NoError(t, c.DeleteNamespace(t.Context(), ns))
		_, err = c.Clientset().BatchV1().Jobs(ns).Create(t.Context(), newJob("late"), metav1.CreateOptions{})
		require.True(t, apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), "%v", err)
		after(10 * time.Second)
		_, err = c.Clientset().CoreV1().Namespaces().Get(t.Context(), ns, metav1.GetOptions{})
		require.True(t, apierrors.IsNotFound(err), "%v", err)
		require.False(t, exists(t, c, "job"))
	})
}

// TestDefaultServiceAccount: a namespace gets its account when it is created, and it goes
// with the namespace.
func TestDefaultServiceAccount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		accounts := c.Clientset().CoreV1().ServiceAccounts("team")
		for range 2 {
			require.NoError(t, c.CreateNamespace(t.Context(), "team", nil))
			synctest.Wait()
			_, err := accounts.Get(t.Context(), "default", metav1.GetOptions{})
			require.NoError(t, err)
			require.NoError(t, c.DeleteNamespace(t.Context(), "team"))
			after(time.Minute)
			_, err = accounts.Get(t.Context(), "default", metav1.GetOptions{})
			require.True(t, apierrors.IsNotFound(err), "%v", err)
		}
	})
}

func TestPodDeletedByHand(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(*testing.T, *fakecluster.Cluster, string){
		"with grace": func(t *testing.T, c *fakecluster.Cluster, pod string) {
			require.NoError(t, c.DeletePod(t.Context(), ns, pod))
		},
		"by force": func(t *testing.T, c *fakecluster.Cluster, pod string) {
			require.NoError(t, c.ForceDeletePod(t.Context(), ns, pod))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, fakecluster.Options{})
				c.On(containers.Match{}, containers.Script{Run: time.Minute})
				create(t, c, newJob("job", func(job *batchv1.Job) { job.Spec.BackoffLimit = ptr.To[int32](1) }))
				first := waitPod(t, c, "job", running)
				remove(t, c, first.Name)
				job := ended(t, c, "job")
				require.Equal(t, "Complete/CompletionsReached", outcome(job))
				require.EqualValues(t, 1, job.Status.Failed)
				pods := podsOf(t, c, "job")
				require.Len(t, pods, 1)
				require.NotEqual(t, first.Name, pods[0].Name)
			})
		})
	}
}

func TestPodRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		ctx := t.Context()
		accounts := c.Clientset().CoreV1().ServiceAccounts(ns)
		create(t, c, newJob("job", func(job *batchv1.Job) { job.Spec.Template.Spec.ServiceAccountName = "deployer" }))
		after(10 * time.Second)
		require.Empty(t, podsOf(t, c, "job"))
		events, err := c.Clientset().CoreV1().Events(ns).List(ctx, metav1.ListOptions{})
		require.NoError(t, err)
		require.NotEmpty(t, events.Items)
		event := events.Items[0]
		require.Equal(t, "FailedCreate", event.Reason)
		require.Equal(t, "Job", event.InvolvedObject.Kind)
		require.Regexp(t, `^Error creating: pods "job-.*" is forbidden: error looking up service account work/deployer: serviceaccount "deployer" not found$`, event.Message)

		_, err = accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "deployer"}}, metav1.CreateOptions{})
		require.NoError(t, err)
		require.Equal(t, "Complete/CompletionsReached", outcome(ended(t, c, "job")))
	})
}
