package fakecluster_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// owner returns the UID of a pod's controller, or "".
func owner(pod *corev1.Pod) types.UID {
	if ref := metav1.GetControllerOf(pod); ref != nil {
		return ref.UID
	}
	return ""
}

// patchPod applies a merge patch to the pod and waits until the controllers are idle.
func patchPod(t *testing.T, c *fakecluster.Cluster, name, patch string) {
	t.Helper()
	_, err := c.Clientset().CoreV1().Pods(ns).Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	require.NoError(t, err)
	synctest.Wait()
}

// allPods returns every pod in the namespace, by name.
func allPods(t *testing.T, c *fakecluster.Cluster) map[string]*corev1.Pod {
	t.Helper()
	list, err := c.Clientset().CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	byName := map[string]*corev1.Pod{}
	for i := range list.Items {
		byName[list.Items[i].Name] = &list.Items[i]
	}
	return byName
}

// runningJob returns a Job that has a pod which runs forever, and the name of the pod.
func runningJob(t *testing.T, c *fakecluster.Cluster, edit ...func(*batchv1.Job)) (*batchv1.Job, string) {
	t.Helper()
	c.On(containers.Match{}, containers.Script{Run: containers.Forever})
	job := create(t, c, newJob("claims", edit...))
	synctest.Wait()
	pods := podsOf(t, c, "claims")
	require.Len(t, pods, 1)
	return job, pods[0].Name
}

func TestAdoption(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		job, name := runningJob(t, c)
		patchPod(t, c, name, `{"metadata":{"ownerReferences":null,"finalizers":null}}`)

		pods := allPods(t, c)
		require.Len(t, pods, 1, "the Job must not create another pod")
		require.Equal(t, job.UID, owner(pods[name]))
		require.Equal(t, []string{batchv1.JobTrackingFinalizer}, pods[name].Finalizers)
	})
}

func TestRelease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		job, name := runningJob(t, c)
		patchPod(t, c, name, `{"metadata":{"labels":null}}`)

		pods := allPods(t, c)
		require.Len(t, pods, 2, "the Job must replace the pod")
		require.Empty(t, pods[name].OwnerReferences)
		require.Empty(t, pods[name].Finalizers)
		require.Equal(t, corev1.PodRunning, pods[name].Status.Phase)
		delete(pods, name)
		for _, pod := range pods {
			require.Equal(t, job.UID, owner(pod))
		}
	})
}

// TestAdoptionByANewJob: a Job with a selector of its own adopts pods that were there
// before, and no more than it wants.
func TestAdoptionByANewJob(t *testing.T) {
	t.Parallel()
	manual := func(job *batchv1.Job) {
		job.Spec.ManualSelector = ptr.To(true)
		job.Spec.Selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"a", "b"}},
		}}
		job.Spec.Template.Labels = map[string]string{"app": "a"}
	}
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Run: containers.Forever})
		for name, app := range map[string]string{"fits": "b", "other": "c"} {
			_, err := c.Clientset().CoreV1().Pods(ns).Create(t.Context(), &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": app}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "busybox:1"}}},
			}, metav1.CreateOptions{})
			require.NoError(t, err)
		}
		synctest.Wait()
		job := create(t, c, newJob("claims", manual))
		synctest.Wait()

		pods := allPods(t, c)
		require.Len(t, pods, 2)
		require.Equal(t, job.UID, owner(pods["fits"]))
		require.Empty(t, owner(pods["other"]))
	})
}

// TestNoAdoptionInDeletion: the pods of a Job that is deleted with orphan propagation stay
// orphans.
func TestNoAdoptionInDeletion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		_, name := runningJob(t, c, func(job *batchv1.Job) { job.Finalizers = []string{"example.com/hold"} })
		policy := metav1.DeletePropagationOrphan
		err := c.Clientset().BatchV1().Jobs(ns).Delete(t.Context(), "claims", metav1.DeleteOptions{PropagationPolicy: &policy})
		require.NoError(t, err)
		orphan := waitPod(t, c, "claims", func(pod *corev1.Pod) bool { return len(pod.OwnerReferences) == 0 && len(pod.Finalizers) == 0 })
		synctest.Wait()

		pods := allPods(t, c)
		require.Len(t, pods, 1)
		require.Equal(t, orphan.ResourceVersion, pods[name].ResourceVersion)
	})
}
