package events_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/internal/events"
)

// serve returns a Reader of an API server that answers a list of Workloads, of the versions
// that it serves, and the paths of the requests.
func serve(t *testing.T, versions string, status int, body string) (r *events.Reader, log *bytes.Buffer, requests func() []string) {
	t.Helper()
	var mu sync.Mutex
	var all []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		all = append(all, r.URL.String())
		mu.Unlock()
		version := strings.Split(r.URL.Path, "/")[3]
		switch {
		case r.Header.Get("Accept") != "application/json":
			http.Error(w, "not acceptable", http.StatusNotAcceptable)
		case !strings.Contains(versions, version):
			http.Error(w, "404 page not found", http.StatusNotFound)
		default:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}))
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL, QPS: -1}
	config.ContentType = "application/vnd.kubernetes.protobuf" // as that of a worker
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	log = new(bytes.Buffer)
	return events.NewReader(client, slog.New(slog.NewTextHandler(log, nil))), log, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

const pending = `{"metadata":{"name":"b","creationTimestamp":"2026-01-02T00:00:00Z"},"status":{"conditions":[
	{"type":"QuotaReserved","status":"False","reason":"Pending","message":"no quota"}]}}`

// TestHeld: the queue's own words, whatever keeps the Workload from being admitted.
func TestHeld(t *testing.T) {
	t.Parallel()
	condition := func(kind, status, reason, message string) string {
		return fmt.Sprintf(`{"type":%q,"status":%q,"reason":%q,"message":%q}`, kind, status, reason, message)
	}
	workload := func(active bool, checks string, conditions ...string) string {
		return fmt.Sprintf(`{"metadata":{"name":"a","creationTimestamp":"2026-01-01T00:00:00Z"},"spec":{"active":%t},"status":{"conditions":[%s],"admissionChecks":[%s]}}`,
			active, strings.Join(conditions, ","), checks)
	}
	reserved, evicted := condition("QuotaReserved", "True", "QuotaReserved", "Quota reserved"), condition("Evicted", "True", "Deactivated", "by an administrator")
	for name, tc := range map[string]struct{ items, reason, message string }{
		"no Workload":           {"", "", ""},
		"not considered yet":    {workload(true, ""), "", ""},
		"no quota":              {workload(true, "", condition("QuotaReserved", "False", "Pending", "1 more needed")), "Pending", "1 more needed"},
		"no such queue":         {workload(true, "", condition("QuotaReserved", "False", "Inadmissible", "LocalQueue x doesn't exist")), "Inadmissible", "LocalQueue x doesn't exist"},
		"deactivated":           {workload(false, "", evicted, condition("QuotaReserved", "False", "Pending", "x")), "Deactivated", "by an administrator"},
		"created deactivated":   {workload(false, ""), "Deactivated", "the workload is deactivated (spec.active is false)"},
		"evicted and queued":    {workload(true, "", evicted, condition("QuotaReserved", "False", "Pending", "x")), "Pending", "x"},
		"admitted":              {workload(true, "", reserved, condition("Admitted", "True", "Admitted", "x")), "", ""},
		"checks":                {workload(true, `{"name":"prov","state":"Pending","message":"no nodes yet"},{"name":"ok","state":"Ready"},{"name":"ask","state":"Retry"}`, reserved), "AdmissionChecks", "quota is reserved, and not all admission checks are ready: prov is Pending: no nodes yet; ask is Retry"},
		"not admitted":          {workload(true, "", reserved, condition("Admitted", "False", "NoReservation", "x")), "NoReservation", "x"},
		"the newest counts":     {workload(true, "", condition("QuotaReserved", "False", "Old", "x")) + "," + pending, "Pending", "no quota"},
		"not one that is going": {strings.Replace(pending, `"name"`, `"deletionTimestamp":"2026-01-02T00:00:00Z","name"`, 1), "", ""},
	} {
		r, _, requests := serve(t, "v1beta2", http.StatusOK, `{"items":[`+tc.items+`]}`)
		reason, message, err := r.Held(t.Context(), "ns", "u1")
		require.NoError(t, err, name)
		require.Equal(t, tc.reason, reason, name)
		require.Equal(t, tc.message, message, name)
		require.Equal(t, []string{"/apis/kueue.x-k8s.io/v1beta2/namespaces/ns/workloads?labelSelector=kueue.x-k8s.io%2Fjob-uid%3Du1&resourceVersion=0"}, requests(), name)
	}
}

// TestHeldByAnOlderKueue: the version that is served is found, and remembered.
func TestHeldByAnOlderKueue(t *testing.T) {
	t.Parallel()
	r, _, requests := serve(t, "v1beta1", http.StatusOK, `{"items":[`+pending+`]}`)
	for range 2 {
		reason, _, err := r.Held(t.Context(), "ns", "u1")
		require.NoError(t, err)
		require.Equal(t, "Pending", reason)
	}
	require.Len(t, requests(), 3)
	require.Contains(t, requests()[2], "v1beta1")
}

// TestHeldWithoutKueue: no Kueue, no right to read, no REST client.
func TestHeldWithoutKueue(t *testing.T) {
	t.Parallel()
	none, log, _ := serve(t, "", http.StatusOK, "")
	refused, warnings, requests := serve(t, "v1beta2", http.StatusForbidden, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`)
	for range 3 {
		for _, r := range []*events.Reader{none, refused, events.NewReader(fake.NewClientset(), slog.New(slog.DiscardHandler))} {
			reason, message, err := r.Held(t.Context(), "ns", "u1")
			require.NoError(t, err)
			require.Empty(t, reason+message)
		}
	}
	require.Empty(t, log.String())
	require.Len(t, requests(), 1)
	require.Equal(t, 1, strings.Count(warnings.String(), "grant the verb list on workloads.kueue.x-k8s.io"))
	broken, _, _ := serve(t, "v1beta2", http.StatusOK, `{"items":3}`)
	_, _, err := broken.Held(t.Context(), "ns", "u1")
	require.ErrorContains(t, err, "workloads of Kueue")
	failing, _, _ := serve(t, "v1beta2", http.StatusInternalServerError, `{}`)
	_, _, err = failing.Held(t.Context(), "ns", "u1")
	require.Error(t, err)
}
