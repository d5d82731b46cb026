package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
)

// manifest is what a file of deploy/ has.
type manifest struct {
	roles    map[string][]rbacv1.PolicyRule // by kind and name
	accounts map[string]bool                // by namespace and name
	bindings []binding
}

type binding struct {
	kind, namespace string
	role            rbacv1.RoleRef
	subjects        []rbacv1.Subject
}

// readManifest decodes a file strictly.
func readManifest(t *testing.T, name string) manifest {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "deploy", name))
	require.NoError(t, err)
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	m := manifest{roles: map[string][]rbacv1.PolicyRule{}, accounts: map[string]bool{}}
	for _, document := range strings.Split(string(text), "\n---\n") {
		object, err := runtime.Decode(decoder, []byte(document))
		require.NoError(t, err, name)
		switch o := object.(type) {
		case *corev1.ServiceAccount:
			m.accounts[o.Namespace+"/"+o.Name] = true
		case *rbacv1.Role:
			m.roles["Role/"+o.Name] = o.Rules
		case *rbacv1.ClusterRole:
			m.roles["ClusterRole/"+o.Name] = o.Rules
		case *rbacv1.RoleBinding:
			m.bindings = append(m.bindings, binding{"RoleBinding", o.Namespace, o.RoleRef, o.Subjects})
		case *rbacv1.ClusterRoleBinding:
			m.bindings = append(m.bindings, binding{"ClusterRoleBinding", "", o.RoleRef, o.Subjects})
		default:
			require.Failf(t, "unexpected object", "%s: %T", name, object)
		}
	}
	return m
}

// TestDeployedRights: each file grants in its scope what deploy/rbac.yaml does, of which the
// scenarios check that each verb is needed and that no other is.
func TestDeployedRights(t *testing.T) {
	t.Parallel()
	needed := readManifest(t, "rbac.yaml").roles["Role/kontinue-worker"]
	require.NotEmpty(t, needed)
	for name, tc := range map[string]struct {
		role     string
		bindings []string // kind and namespace
	}{
		"rbac.yaml":            {"Role/kontinue-worker", []string{"RoleBinding/"}},
		"rbac-namespaces.yaml": {"ClusterRole/kontinue-worker", []string{"RoleBinding/team-a", "RoleBinding/team-b"}},
		"rbac-cluster.yaml":    {"ClusterRole/kontinue-worker", []string{"ClusterRoleBinding/"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := readManifest(t, name)
			require.Equal(t, map[string][]rbacv1.PolicyRule{tc.role: needed}, m.roles)
			require.Len(t, m.accounts, 1)
			var bindings []string
			for _, b := range m.bindings {
				bindings = append(bindings, b.kind+"/"+b.namespace)
				require.Equal(t, tc.role, b.role.Kind+"/"+b.role.Name)
				require.Equal(t, rbacv1.GroupName, b.role.APIGroup)
				require.Len(t, b.subjects, 1)
				require.Equal(t, rbacv1.ServiceAccountKind, b.subjects[0].Kind)
				require.True(t, m.accounts[b.subjects[0].Namespace+"/"+b.subjects[0].Name], "the account is not in the file")
			}
			require.Equal(t, tc.bindings, bindings)
		})
	}
}

// TestEachManifestIsTested: a new file in deploy/ needs a test. Those of the alerts and of the
// dashboard are in test/otel.
func TestEachManifestIsTested(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(filepath.Join(root, "deploy"))
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	require.Equal(t, []string{"alerts.yaml", "dashboard.json", "rbac-cluster.yaml", "rbac-namespaces.yaml", "rbac-optional.yaml", "rbac.yaml"}, names)
	require.NotEmpty(t, readManifest(t, "rbac-optional.yaml").roles)
}
