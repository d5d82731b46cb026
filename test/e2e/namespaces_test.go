package e2e

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/scenarios"
)

// TestSeveralNamespaces runs workers of more than one namespace on the real cluster, whose
// rights are bound as in deploy/rbac-namespaces.yaml and deploy/rbac-cluster.yaml. The rules
// are those of deploy/rbac.yaml, from which the files do not differ.
func TestSeveralNamespaces(t *testing.T) {
	summary.check(t)
	role, err := scenarios.LoadRole("../../deploy/rbac.yaml")
	require.NoError(t, err)
	scenarios.SeveralNamespaces(t, realBackend{role: role})
}

// WorkerOf creates the ServiceAccount in the first namespace, and binds a ClusterRole in
// each namespace or in the cluster. Where a right is missing, the binding is to another one
// without it.
func (c *realCluster) WorkerOf(ctx context.Context, t *testing.T, namespaces []string, everywhere bool, missing *scenarios.Right) (config kontinue.Config, err error) {
	t.Helper()
	home := namespaces[0]
	if _, err := c.admin.CoreV1().ServiceAccounts(home).Create(ctx, &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Name: account},
	}, metav1.CreateOptions{}); err != nil {
		return config, err
	}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account, Namespace: home}}
	for i, namespace := range namespaces {
		var without *scenarios.Right
		if i == len(namespaces)-1 {
			without = missing
		}
		ref, err := c.clusterRole(ctx, t, account+"-"+namespace, without)
		if err != nil {
			return config, err
		}
		if everywhere {
			err = c.bindEverywhere(ctx, t, ref, subjects)
		} else {
			_, err = c.admin.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: account}, RoleRef: ref, Subjects: subjects,
			}, metav1.CreateOptions{})
		}
		if err != nil {
			return config, err
		}
	}
	if config.RESTConfig, err = c.login(ctx, home); err != nil {
		return config, err
	}
	if everywhere {
		namespaces = []string{metav1.NamespaceAll}
	}
	return config, c.bound(ctx, config.RESTConfig, namespaces...)
}

// clusterRole creates one that is deleted when the test ends.
func (c *realCluster) clusterRole(ctx context.Context, t *testing.T, name string, without *scenarios.Right) (rbacv1.RoleRef, error) {
	t.Helper()
	_, err := c.admin.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: scenarios.Without(c.role, without),
	}, metav1.CreateOptions{})
	t.Cleanup(func() {
		if err := c.admin.RbacV1().ClusterRoles().Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}, err
}

// bindEverywhere creates a ClusterRoleBinding that is deleted when the test ends.
func (c *realCluster) bindEverywhere(ctx context.Context, t *testing.T, ref rbacv1.RoleRef, subjects []rbacv1.Subject) error {
	t.Helper()
	_, err := c.admin.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: ref.Name}, RoleRef: ref, Subjects: subjects,
	}, metav1.CreateOptions{})
	t.Cleanup(func() {
		if err := c.admin.RbacV1().ClusterRoleBindings().Delete(context.Background(), ref.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return err
}
