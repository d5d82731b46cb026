package preflight_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/preflight"
)

func right(verb, group, resource string) preflight.Right {
	return preflight.Right{Verb: verb, Group: group, Resource: resource}
}

// TestCheck denies rights in several ways, and expects exactly those that are missing.
func TestCheck(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		namespaces []string
		deny       []apiserver.Match
		want       []preflight.Denial
		questions  int // besides that whether the server authorizes
	}{
		"all granted":       {[]string{"a"}, nil, nil, 10},
		"in all namespaces": {nil, nil, nil, 10},
		"a verb": {
			[]string{"a"}, []apiserver.Match{{Verb: "patch", Resource: "jobs"}},
			[]preflight.Denial{{Right: right("patch", "batch", "jobs"), Namespace: "a"}}, 10,
		},
		"a subresource": {
			nil, []apiserver.Match{{Verb: "get", Resource: "pods/log"}},
			[]preflight.Denial{{Right: right("get", "", "pods/log")}}, 10,
		},
		"an optional one": {
			[]string{"a"}, []apiserver.Match{{Resource: "events"}},
			[]preflight.Denial{{Right: preflight.ListEvents, Namespace: "a"}}, 10,
		},
		"watches of the whole cluster are allowed": {
			[]string{"a", "b"}, []apiserver.Match{{Verb: "create", Resource: "jobs", Namespace: "b"}},
			[]preflight.Denial{{Right: right("create", "batch", "jobs"), Namespace: "b"}}, 4 + 2*6,
		},
		"watches of each namespace": {
			[]string{"a", "b"}, []apiserver.Match{{Verb: "watch", Resource: "pods", Namespace: "b"}, {Verb: "list", Resource: "jobs", AllNamespaces: true}},
			[]preflight.Denial{{Right: right("watch", "", "pods"), Namespace: "b"}}, 4 + 2*10,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := apiserver.New(apiserver.Options{})
			t.Cleanup(s.Close)
			for _, m := range tc.deny {
				s.Deny(m)
			}
			got, err := preflight.Check(t.Context(), s.Clientset(), tc.namespaces, rights())
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
			require.Equal(t, 1+tc.questions, s.Stats().Count(apiserver.DefaultUser, "create", "selfsubjectaccessreviews"))
		})
	}
}

// TestMissing: the Role in the error grants what is missing, and no more.
func TestMissing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		namespaces []string
		kind       string
		says       string
	}{
		"one namespace":   {[]string{"a"}, "Role", "in namespace a: bind this Role"},
		"five namespaces": {[]string{"a", "b", "c", "d", "e"}, "Role", "in namespace a, b, c, d and 1 more: bind this Role"},
		"all of them":     {nil, "ClusterRole", "in all namespaces: bind this ClusterRole"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := apiserver.New(apiserver.Options{})
			t.Cleanup(s.Close)
			s.Deny(apiserver.Match{Resource: "jobs"})
			s.Deny(apiserver.Match{Resource: "pods/log"})
			s.Deny(apiserver.Match{Resource: "events"})
			denied, err := preflight.Check(t.Context(), s.Clientset(), tc.namespaces, rights())
			require.NoError(t, err)
			optional, err := preflight.Split(t.Context(), s.Clientset(), denied)
			require.Len(t, optional, max(1, len(tc.namespaces)))
			require.ErrorIs(t, err, preflight.ErrMissing)
			require.True(t, apierrors.IsForbidden(err))
			require.ErrorContains(t, err, "cannot create jobs.batch, get jobs.batch, ")
			require.ErrorContains(t, err, tc.says)

			_, manifest, _ := strings.Cut(err.Error(), "\n")
			object, err := runtime.Decode(scheme.Codecs.UniversalDeserializer(), []byte(manifest))
			require.NoError(t, err, manifest)
			var rules []rbacv1.PolicyRule
			switch role := object.(type) {
			case *rbacv1.Role:
				rules = role.Rules
			case *rbacv1.ClusterRole:
				rules = role.Rules
			}
			require.Equal(t, tc.kind, object.GetObjectKind().GroupVersionKind().Kind)
			granted := map[string][]string{}
			for _, rule := range rules {
				require.Len(t, rule.Resources, 1)
				granted[rule.APIGroups[0]+"/"+rule.Resources[0]] = rule.Verbs
			}
			require.ElementsMatch(t, []string{"create", "get", "list", "watch", "patch", "delete"}, granted["batch/jobs"])
			require.Equal(t, []string{"get"}, granted["/pods/log"])
			require.Len(t, granted, 2)
		})
	}
}

// TestUnknown: without an answer that can be believed there is no denial.
func TestUnknown(t *testing.T) {
	t.Parallel()
	t.Run("fake clientset", func(t *testing.T) {
		t.Parallel()
		clientset := fake.NewClientset()
		_, err := preflight.Check(t.Context(), clientset, []string{"a"}, rights())
		require.Error(t, err)
		require.Len(t, clientset.Actions(), 1)
	})
	t.Run("one that returns the object as it is", func(t *testing.T) {
		t.Parallel()
		clientset := fake.NewClientset()
		clientset.PrependReactor("create", "selfsubjectaccessreviews", func(a ktesting.Action) (bool, runtime.Object, error) {
			return true, a.(ktesting.CreateAction).GetObject(), nil
		})
		_, err := preflight.Check(t.Context(), clientset, []string{"a"}, rights())
		require.ErrorIs(t, err, preflight.ErrNotAuthorizing)
		require.Len(t, clientset.Actions(), 1)
	})
	t.Run("failing authorizer", func(t *testing.T) {
		t.Parallel()
		clientset := fake.NewClientset()
		clientset.PrependReactor("create", "selfsubjectaccessreviews", func(a ktesting.Action) (bool, runtime.Object, error) {
			review := a.(ktesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview).DeepCopy()
			review.Status.Allowed = review.Spec.ResourceAttributes.Resource != "jobs"
			review.Status.EvaluationError = "webhook: connection refused"
			return true, review, nil
		})
		_, err := preflight.Check(t.Context(), clientset, []string{"a"}, rights())
		require.ErrorContains(t, err, "jobs.batch: webhook: connection refused")
	})
	t.Run("error", func(t *testing.T) {
		t.Parallel()
		s := apiserver.New(apiserver.Options{})
		t.Cleanup(s.Close)
		s.AddFault(apiserver.Fault{Match: apiserver.Match{Resource: "selfsubjectaccessreviews"}, Before: errors.New("connection refused")})
		_, err := preflight.Check(t.Context(), s.Clientset(), nil, rights())
		require.ErrorContains(t, err, "connection refused")
	})
	t.Run("no answer", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := apiserver.New(apiserver.Options{})
			defer s.Close()
			s.AddFault(apiserver.Fault{Match: apiserver.Match{Resource: "selfsubjectaccessreviews"}, Delay: time.Hour})
			began := time.Now()
			_, err := preflight.Check(t.Context(), s.Clientset(), nil, rights())
			require.Error(t, err)
			require.Equal(t, 5*time.Second, time.Since(began))
		})
	})
}

func rights() []preflight.Right { return append(preflight.Worker(), preflight.ListEvents) }
