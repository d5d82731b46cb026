package cluster_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/test/cluster"
)

// testAdmission checks that the API server rejects what a production one rejects.
func testAdmission(t *testing.T, c *cluster.Cluster, client kubernetes.Interface) {
	tests := map[string]func(t *testing.T, c *cluster.Cluster, client kubernetes.Interface, namespace string){
		"rbac":            roleBinding,
		"resource-quota":  resourceQuota,
		"limit-range":     limitRange,
		"pod-security":    podSecurity,
		"webhook":         webhook,
		"service-account": missingServiceAccount,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, c.CreateNamespace(testContext(t), name))
			test(t, c, client, name)
		})
	}
}

// pod returns a pod that every policy accepts.
func pod(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers:    []corev1.Container{{Name: "main", Image: cluster.BusyboxImage}},
		},
	}
}

func roleBinding(t *testing.T, c *cluster.Cluster, admin kubernetes.Interface, namespace string) {
	ctx := testContext(t)
	worker := client(t, c, cluster.Worker)
	list := func() error {
		_, err := worker.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{})
		return err
	}
	require.True(t, apierrors.IsForbidden(list()))
	_, err := admin.RbacV1().Roles(namespace).Create(ctx, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "jobs"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"batch"}, Resources: []string{"jobs"}, Verbs: []string{"list"}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = admin.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "jobs"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "jobs"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: string(cluster.Worker)}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	eventually(t, func(context.Context) error { return list() })
	_, err = client(t, c, cluster.Guest).BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{})
	require.True(t, apierrors.IsForbidden(err))
}

func resourceQuota(t *testing.T, _ *cluster.Cluster, client kubernetes.Interface, namespace string) {
	_, err := client.CoreV1().ResourceQuotas(namespace).Create(testContext(t), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "jobs"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/jobs.batch": resource.MustParse("1")}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	eventually(t, func(ctx context.Context) error { // the controller sets status.hard first
		quota, err := client.CoreV1().ResourceQuotas(namespace).Get(ctx, "jobs", metav1.GetOptions{})
		if err == nil && len(quota.Status.Hard) == 0 {
			err = fmt.Errorf("quota has no status")
		}
		return err
	})
	_, err = client.BatchV1().Jobs(namespace).Create(testContext(t), job("first", "true"), metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = client.BatchV1().Jobs(namespace).Create(testContext(t), job("second", "true"), metav1.CreateOptions{})
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	require.ErrorContains(t, err, "exceeded quota: jobs")
}

func limitRange(t *testing.T, _ *cluster.Cluster, client kubernetes.Interface, namespace string) {
	_, err := client.CoreV1().LimitRanges(namespace).Create(testContext(t), &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Name: "limits"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type:    corev1.LimitTypeContainer,
			Default: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")},
		}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	eventually(t, func(ctx context.Context) error { // the plugin reads from a cache
		created, err := client.CoreV1().Pods(namespace).Create(ctx, pod("defaulted"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil && created.Spec.Containers[0].Resources.Limits.Memory().String() != "64Mi" {
			err = fmt.Errorf("limits: %v", created.Spec.Containers[0].Resources)
		}
		return err
	})
}

func podSecurity(t *testing.T, _ *cluster.Cluster, client kubernetes.Interface, namespace string) {
	patch := []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`)
	_, err := client.CoreV1().Namespaces().Patch(testContext(t), namespace, "application/merge-patch+json", patch, metav1.PatchOptions{})
	require.NoError(t, err)
	_, err = client.CoreV1().Pods(namespace).Create(testContext(t), pod("lax"), metav1.CreateOptions{})
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	require.ErrorContains(t, err, `violates PodSecurity "restricted`)
}

func missingServiceAccount(t *testing.T, _ *cluster.Cluster, client kubernetes.Interface, namespace string) {
	p := pod("no-account")
	p.Spec.ServiceAccountName = "missing"
	_, err := client.CoreV1().Pods(namespace).Create(testContext(t), p, metav1.CreateOptions{})
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	require.ErrorContains(t, err, `serviceaccount "missing" not found`)
}

// webhook serves a validating webhook from this process that rejects Jobs with a
// certain name.
func webhook(t *testing.T, c *cluster.Cluster, client kubernetes.Interface, namespace string) {
	ctx := testContext(t)
	listener, err := c.ListenInside(ctx)
	require.NoError(t, err)
	certificate, err := c.ServingCertificate()
	require.NoError(t, err)
	server := &http.Server{
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var review admissionv1.AdmissionReview
			if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			review.Response = &admissionv1.AdmissionResponse{
				UID: review.Request.UID, Allowed: review.Request.Name != "refused",
				Result: &metav1.Status{Message: "this name is not allowed"},
			}
			_ = json.NewEncoder(w).Encode(review)
		}),
	}
	served := make(chan error)
	go func() { served <- server.ServeTLS(listener, "", "") }()
	defer func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	}()
	_, err = client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(ctx, &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "jobs.kontinue.test",
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL: new("https://" + listener.Addr().String()), CABundle: c.CA(),
			},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"batch"}, APIVersions: []string{"v1"}, Resources: []string{"jobs"}},
			}},
			SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
		}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	dryRun := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	eventually(t, func(ctx context.Context) error { // the API server notices within a second
		_, err := client.BatchV1().Jobs(namespace).Create(ctx, job("refused", "true"), dryRun)
		if err == nil {
			return fmt.Errorf("the webhook is not in effect yet")
		}
		require.ErrorContains(t, err, "this name is not allowed")
		return nil
	})
	_, err = client.BatchV1().Jobs(namespace).Create(ctx, job("accepted", "true"), dryRun)
	require.NoError(t, err)
}
