package apiserver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

func TestDeny(t *testing.T) {
	t.Parallel()
	s, c := newServer(t, Options{User: "u"})
	allowed := func(verb, resource, sub string) bool {
		out, err := c.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: testNamespace, Verb: verb, Group: "batch", Resource: resource, Subresource: sub}}}, metav1.CreateOptions{})
		require.NoError(t, err)
		return out.Status.Allowed
	}
	undo := s.Deny(Match{Verb: "create", Resource: "jobs"})
	_, err := c.BatchV1().Jobs(testNamespace).Create(t.Context(), testJob("a"), metav1.CreateOptions{})
	requireReason(t, err, metav1.StatusReasonForbidden)
	require.EqualError(t, err, `jobs.batch is forbidden: User "u" cannot create resource "jobs" in API group "batch" in the namespace "work"`)
	require.False(t, allowed("create", "jobs", ""))
	require.True(t, allowed("get", "jobs", ""))
	_, err = s.ClientsetAs("system:controller").BatchV1().Jobs(testNamespace).Create(t.Context(), testJob("a"), metav1.CreateOptions{})
	require.NoError(t, err, "rules are for the program under test")
	undo()
	createJob(t, c, testJob("b"))

	undo = s.Deny(Match{Verb: "list", Resource: "jobs", AllNamespaces: true})
	_, err = c.BatchV1().Jobs("").List(t.Context(), metav1.ListOptions{})
	require.EqualError(t, err, `jobs.batch is forbidden: User "u" cannot list resource "jobs" in API group "batch" at the cluster scope`)
	_, err = c.BatchV1().Jobs(testNamespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	undo()

	defer s.Deny(Match{Resource: "pods/*"})()
	require.False(t, allowed("get", "pods", "log"))
	_, err = c.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	require.EqualError(t, err, `pods is forbidden: User "u" cannot list resource "pods" in API group "" at the cluster scope`)
	_, err = c.CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{})
	requireReason(t, err, metav1.StatusReasonForbidden, "cannot watch")
	_, err = c.CoreV1().Pods(testNamespace).GetLogs("p", &corev1.PodLogOptions{}).Stream(t.Context())
	requireReason(t, err, metav1.StatusReasonForbidden, `pods "p" is forbidden: User "u" cannot get resource "pods/log"`)
}

func TestAdmission(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	undo := s.AddAdmission(func(_ context.Context, a *Attributes) error {
		if job, ok := a.Object.(*batchv1.Job); ok && a.Verb == "create" {
			job.Spec.Template.Spec.Containers = append(job.Spec.Template.Spec.Containers, corev1.Container{Name: "injected", Image: "sidecar:1"})
		}
		if a.Resource == "pods" && a.Verb == "delete" {
			require.NotNil(t, a.OldObject)
			return apierrors.NewInternalError(errors.New(`failed calling webhook "x"`))
		}
		if a.Resource == "pods/eviction" {
			return apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 0)
		}
		if a.Resource == "configmaps" {
			return errors.New("no config here")
		}
		return nil
	})
	in := testJob("a")
	job := createJob(t, c, in)
	require.Len(t, job.Spec.Template.Spec.Containers, 2)
	require.Equal(t, corev1.TerminationMessageReadFile, job.Spec.Template.Spec.Containers[1].TerminationMessagePolicy, "defaults come after admission")
	require.Len(t, in.Spec.Template.Spec.Containers, 1)
	createPod(t, c, testPod("p"))
	requireReason(t, c.CoreV1().Pods(testNamespace).Delete(t.Context(), "p", metav1.DeleteOptions{}), metav1.StatusReasonInternalError, "failed calling webhook")
	_, err := c.CoreV1().ConfigMaps(testNamespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "c"}}, metav1.CreateOptions{})
	requireReason(t, err, metav1.StatusReasonForbidden, `configmaps "c" is forbidden: no config here`)
	undo()
	require.NoError(t, c.CoreV1().Pods(testNamespace).Delete(t.Context(), "p", metav1.DeleteOptions{}))
}

// TestForbiddenHidesAlreadyExists: quota and webhooks come before the name clash.
func TestQuota(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	_, err := c.CoreV1().ResourceQuotas(testNamespace).Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "q"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{
			"count/jobs.batch": apiresource.MustParse("1"), "pods": apiresource.MustParse("1"), "count/configmaps": apiresource.MustParse("0")}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	jobs := c.BatchV1().Jobs(testNamespace)
	createJob(t, c, testJob("a"))
	_, err = jobs.Create(t.Context(), testJob("b"), metav1.CreateOptions{})
	requireReason(t, err, metav1.StatusReasonForbidden, `jobs.batch "b" is forbidden: exceeded quota: q, requested: count/jobs.batch=1, used: count/jobs.batch=1, limited: count/jobs.batch=1`)
	_, err = jobs.Create(t.Context(), testJob("a"), metav1.CreateOptions{})
	requireReason(t, err, metav1.StatusReasonForbidden, "exceeded quota")
	_, err = c.BatchV1().Jobs("other").Create(t.Context(), testJob("a"), metav1.CreateOptions{})
	require.NoError(t, err)
	require.NoError(t, jobs.Delete(t.Context(), "a", metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)}))
	createJob(t, c, testJob("b"))

	createPod(t, c, testPod("a"))
	_, err = c.CoreV1().Pods(testNamespace).Create(t.Context(), testPod("b"), metav1.CreateOptions{})
	requireReason(t, err, metav1.StatusReasonForbidden, "used: pods=1")
	_, err = c.CoreV1().Pods(testNamespace).Patch(t.Context(), "a", types.MergePatchType, []byte(`{"status":{"phase":"Succeeded"}}`), metav1.PatchOptions{}, "status")
	require.NoError(t, err)
	createPod(t, c, testPod("b"))
	_, err = c.CoreV1().ConfigMaps(testNamespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "c"}}, metav1.CreateOptions{})
	requireReason(t, err, metav1.StatusReasonForbidden, "requested: count/configmaps=1")
}

func TestPodSecurity(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	_, err := c.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: testNamespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	createJob(t, c, testJob("a")) // the Job is admitted, its pods are not
	_, err = c.CoreV1().Pods(testNamespace).Create(t.Context(), testPod("p"), metav1.CreateOptions{})
	requireReason(t, err, metav1.StatusReasonForbidden)
	require.EqualError(t, err, `pods "p" is forbidden: violates PodSecurity "restricted:latest": `+
		`allowPrivilegeEscalation != false (container "main" must set securityContext.allowPrivilegeEscalation=false), `+
		`unrestricted capabilities (container "main" must set securityContext.capabilities.drop=["ALL"]), `+
		`runAsNonRoot != true (pod or container "main" must set securityContext.runAsNonRoot=true), `+
		`seccompProfile (pod or container "main" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")`)

	good := testPod("good")
	good.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: ptr.To(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
	good.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
	createPod(t, c, good)

	bad := good.DeepCopy()
	bad.Name, bad.Spec.HostNetwork = "bad", true
	bad.Spec.Containers[0].SecurityContext.Privileged = ptr.To(true)
	bad.Spec.Containers[0].SecurityContext.RunAsUser = ptr.To[int64](0)
	bad.Spec.Volumes = []corev1.Volume{{Name: "h", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}
	_, err = c.CoreV1().Pods(testNamespace).Create(t.Context(), bad, metav1.CreateOptions{})
	requireReason(t, err, metav1.StatusReasonForbidden, "host namespaces (hostNetwork=true)", `restricted volume types (volume "h" uses restricted volume type "hostPath")`, "privileged (container", "runAsUser=0 (container")

	_, err = c.CoreV1().Namespaces().Patch(t.Context(), testNamespace, types.MergePatchType, []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"baseline"}}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	createPod(t, c, testPod("p"))
	_, err = c.CoreV1().Pods(testNamespace).Create(t.Context(), bad, metav1.CreateOptions{})
	requireReason(t, err, metav1.StatusReasonForbidden, `violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true), hostPath volumes (volume "h"), privileged (container "main" must not`)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		defer s.Close()
		c := s.Clientset()
		jobs := c.BatchV1().Jobs(testNamespace)
		var mu sync.Mutex
		audit := map[string]int{}
		defer s.AddAudit(func(r Request, err error) {
			mu.Lock()
			defer mu.Unlock()
			audit[fmt.Sprint(r.Verb, " ", r.Resource, " ", err == nil)]++
		})()

		lost := errors.New("connection reset by peer")
		s.AddFault(Fault{Match: Match{Verb: "create", Resource: "jobs"}, Times: 1, After: lost})
		_, err := jobs.Create(t.Context(), testJob("a"), metav1.CreateOptions{})
		require.ErrorIs(t, err, lost)
		_, err = jobs.Create(t.Context(), testJob("a"), metav1.CreateOptions{})
		requireReason(t, err, metav1.StatusReasonAlreadyExists)
		createJob(t, c, testJob("b")) // Times is used up

		undo := s.AddFault(Fault{Match: Match{Verb: "get", Name: "a"}, Before: apierrors.NewTooManyRequests("slow down", 1)})
		begin := time.Now()
		_, err = jobs.Get(t.Context(), "a", metav1.GetOptions{})
		requireReason(t, err, metav1.StatusReasonTooManyRequests)
		require.Equal(t, 10*time.Second, time.Since(begin), "client-go sends it again up to 10 times, a second apart")
		undo()

		undo = s.AddFault(Fault{Match: Match{Resource: "jobs"}, Delay: time.Minute})
		begin = time.Now()
		_, err = jobs.Get(t.Context(), "a", metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, time.Minute, time.Since(begin))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = jobs.Get(ctx, "a", metav1.GetOptions{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute+time.Second, time.Since(begin))
		undo()
		_, err = jobs.Get(ctx, "a", metav1.GetOptions{})
		require.ErrorIs(t, err, context.DeadlineExceeded, "a request with an ended context is not made")

		s.AddFault(Fault{Match: Match{Verb: "watch"}, After: lost})
		w, err := jobs.Watch(t.Context(), metav1.ListOptions{})
		require.NoError(t, err, "a reset connection is an empty watch to client-go")
		_, open := <-w.ResultChan()
		require.False(t, open)
		synctest.Wait()
		require.Zero(t, s.Stats().Active("", ""))
		require.Equal(t, map[string]int{"create jobs false": 2, "create jobs true": 1, "get jobs false": 12, "get jobs true": 1, "watch jobs false": 11}, audit)
		require.Equal(t, 3, s.Stats().Writes("", "jobs"))
		s.ResetStats()
		require.Zero(t, s.Stats().Count("", "", ""))
	})
}
