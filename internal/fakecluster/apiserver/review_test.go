package apiserver

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestReviews: a user learns who it is and what it may do. TestDeny has the reviews of
// single rights.
func TestReviews(t *testing.T) {
	t.Parallel()
	s, c := newServer(t, Options{User: "u"})
	who, err := c.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Equal(t, "u", who.Status.UserInfo.Username)

	rules := func() authorizationv1.SubjectRulesReviewStatus {
		out, err := c.AuthorizationV1().SelfSubjectRulesReviews().Create(t.Context(), &authorizationv1.SelfSubjectRulesReview{
			Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: testNamespace}}, metav1.CreateOptions{})
		require.NoError(t, err)
		require.Equal(t, testNamespace, out.Spec.Namespace)
		return out.Status
	}
	every := []string{"*"}
	require.Equal(t, []authorizationv1.ResourceRule{{Verbs: every, APIGroups: every, Resources: every}}, rules().ResourceRules)
	require.False(t, rules().Incomplete)
	defer s.Deny(Match{Verb: "create", Resource: "jobs"})()
	require.True(t, rules().Incomplete, "a denial cannot be said as a rule")
}

// TestNoConnections: the paths of connections to containers say that there are none.
func TestNoConnections(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	createPod(t, c, testPod("p"))
	for _, sub := range []string{"exec", "attach", "portforward"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			code, body := send(t, s, method, "/api/v1/namespaces/"+testNamespace+"/pods/p/"+sub, "", "")
			require.Equal(t, http.StatusNotImplemented, code)
			require.Contains(t, body, "this cluster in memory does not serve pods/"+sub)
			code, body = send(t, s, method, "/api/v1/namespaces/"+testNamespace+"/pods/none/"+sub, "", "")
			require.Equal(t, http.StatusNotFound, code)
			require.Contains(t, body, `pods \"none\" not found`)
		}
	}
}

// TestImmortalNamespaces: a real cluster has them from the start, and keeps them.
func TestImmortalNamespaces(t *testing.T) {
	t.Parallel()
	_, c := newServer(t, Options{RequireNamespaces: true})
	list, err := c.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	var names []string
	for _, ns := range list.Items {
		names = append(names, ns.Name)
	}
	require.Equal(t, []string{"default", "kube-node-lease", "kube-public", "kube-system"}, names)
	for _, name := range []string{"default", "kube-public", "kube-system"} {
		err := c.CoreV1().Namespaces().Delete(t.Context(), name, metav1.DeleteOptions{})
		require.EqualError(t, err, `namespaces "`+name+`" is forbidden: this namespace may not be deleted`)
	}
	require.NoError(t, c.CoreV1().Namespaces().Delete(t.Context(), "kube-node-lease", metav1.DeleteOptions{}))
}

// TestOpenAPIv2: client-go reads the document, and finds nothing in it.
func TestOpenAPIv2(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	doc, err := newDiscoveryClient(t, s).OpenAPISchema()
	require.NoError(t, err)
	require.Equal(t, "2.0", doc.Swagger)
	require.Equal(t, "Kubernetes", doc.Info.Title)
	require.Equal(t, "v1.37.2", doc.Info.Version)
	require.NotNil(t, doc.Paths)
	require.Empty(t, doc.Paths.Path)
	code, body := send(t, s, http.MethodGet, "/openapi/v2", "", "")
	require.Equal(t, http.StatusOK, code)
	require.JSONEq(t, `{"swagger":"2.0","info":{"title":"Kubernetes","version":"v1.37.2"},"paths":{}}`, body)
}
