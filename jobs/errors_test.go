package jobs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue/jobs"
)

func TestAPIErrorClasses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		verb             string
		err              error
		transient, quota bool
		advice           string
	}{
		"no answer":     {"create", errEOF, true, false, ""},
		"429":           {"create", errTooMany, true, false, ""},
		"504":           {"create", errTimeout, true, false, ""},
		"webhook down":  {"create", errWebhook, true, false, ""},
		"503":           {"get", apierrors.NewServiceUnavailable("x"), true, false, ""},
		"quota raced":   {"create", errQuotaRow, true, false, ""},
		"list expired":  {"list", apierrors.NewResourceExpired("x"), true, false, ""},
		"exists":        {"create", errExists, false, false, ""},
		"rbac":          {"create", errRBAC, false, false, "grant verb create on jobs.batch in namespace ns"},
		"rbac get":      {"get", errRBACGet, false, false, "grant verb get on jobs.batch in namespace ns"},
		"denied":        {"create", errDenied, false, false, "admission rule"},
		"quota":         {"create", errQuota, false, true, "ResourceQuota of namespace ns is used up"},
		"terminating":   {"create", errTerminating(), false, false, "namespace ns is being deleted"},
		"no namespace":  {"create", errNoNS, false, false, "create namespace ns first"},
		"not found":     {"get", errNotFound, false, false, ""},
		"unauthorized":  {"create", errUnauth, true, false, "credentials"},
		"too large":     {"create", errTooLarge, false, false, "ConfigMap"},
		"invalid":       {"create", errInvalid, false, false, "correct the fields"},
		"invalid patch": {"patch", errInvalid, false, false, ""},
		"bad request":   {"create", apierrors.NewBadRequest("x"), false, false, "correct the fields"},
		"not supported": {"create", apierrors.NewMethodNotSupported(resource, "create"), false, false, ""},
	} {
		e := &jobs.APIError{Verb: tc.verb, Resource: "jobs.batch", Namespace: "ns", Name: "j", Err: tc.err}
		require.Equal(t, tc.transient, e.Transient(), name)
		require.Equal(t, tc.quota, e.OverQuota(), name)
		require.ErrorIs(t, e, tc.err, name)
		require.True(t, strings.HasPrefix(e.Error(), tc.verb+" jobs.batch ns/j: "+tc.err.Error()), e.Error())
		if tc.advice == "" {
			require.Empty(t, e.Advice(), name)
		} else {
			require.Contains(t, e.Advice(), tc.advice, name)
			require.Contains(t, e.Error(), tc.advice, name)
		}
		require.Equal(t, apierrors.ReasonForError(tc.err), apierrors.ReasonForError(e), "it works with apierrors: %s", name)
	}
	require.Equal(t, "list jobs.batch ns: x", (&jobs.APIError{Verb: "list", Resource: "jobs.batch", Namespace: "ns", Err: errors.New("x")}).Error())
}

// TestErrorIsPlainText: an admission webhook may answer with anything.
func TestErrorIsPlainText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"\u202e", "\u2028", "\x1b]8;;http://x\x1b\\", "\x1b[2J"} {
		e := &jobs.APIError{Verb: "create", Resource: "jobs.batch", Namespace: "ns", Name: "j", Err: errors.New("no" + text + "\n- a list")}
		require.NotContains(t, e.Error(), text)
		require.Contains(t, e.Error(), "\n- a list")
	}
}

// TestCreateErrorHidesSecrets: a webhook may quote the object that it denies.
func TestCreateErrorHidesSecrets(t *testing.T) {
	t.Parallel()
	c := newCluster()
	answer := status(400, "BadRequest", `denied: args [--token=hunter2-x hunter2-x] env P="line 1\nhunter2" of alpine:3.19`)
	c.fail("create", answer)
	request := changed(func(r *jobs.Request) {
		m := &r.Spec.Template.Spec.Containers[0]
		m.Args = []string{"hunter2-x", "--token=hunter2-x", "x"}
		m.Env = []corev1.EnvVar{{Name: "P", Value: "line 1\nhunter2"}}
	})
	_, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request)
	require.ErrorIs(t, err, answer)
	require.NotContains(t, err.Error(), "hunter2")
	require.ErrorContains(t, err, `denied: args [[redacted] [redacted]] env P="[redacted]" of alpine:3.19`)
}
