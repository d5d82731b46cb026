package apiserver

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const acceptTable = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

func getTable(t *testing.T, s *Server, path string) *metav1.Table {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	req.Header.Set("Accept", acceptTable)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, req)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	table := &metav1.Table{}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), table))
	require.Equal(t, "Table", table.Kind)
	require.Equal(t, "meta.k8s.io/v1", table.APIVersion)
	return table
}

func rowCells(table *metav1.Table) (rows [][]any) {
	for _, row := range table.Rows {
		rows = append(rows, row.Cells)
	}
	return rows
}

func TestTables(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Kinds: []Kind{executions}})
		defer s.Close()
		c := s.Clientset()
		createPod(t, c, testPod("b"))
		createJob(t, c, testJob("a"))
		_, err := c.CoreV1().ConfigMaps(testNamespace).Create(t.Context(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "conf"}, Data: map[string]string{"a": "b"}, BinaryData: map[string][]byte{"c": nil},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
		_, err = dynamicClient(t, s).Resource(executionsGVR).Namespace(testNamespace).Create(t.Context(), execution("e"), metav1.CreateOptions{})
		require.NoError(t, err)
		timer := time.NewTimer(3 * time.Minute)
		<-timer.C

		list := getTable(t, s, "/api/v1/namespaces/work/pods")
		require.Equal(t, s.ResourceVersion(), list.ResourceVersion)
		require.Len(t, list.ColumnDefinitions, 9)
		require.Equal(t, metav1.TableColumnDefinition{Name: "IP", Type: "string", Priority: 1, Description: corev1.PodStatus{}.SwaggerDoc()["podIP"]}, list.ColumnDefinitions[5])
		require.Equal(t, [][]any{{"b", "0/1", "Pending", "0", "3m", "<none>", "<none>", "<none>", "<none>"}}, rowCells(list))
		one := getTable(t, s, "/api/v1/namespaces/work/pods/b")
		require.Equal(t, rowCells(list), rowCells(one))
		require.Equal(t, "101", one.ResourceVersion)
		require.Equal(t, [][]any{{"conf", 2.0, "3m"}}, rowCells(getTable(t, s, "/api/v1/configmaps")))
		custom := getTable(t, s, "/apis/example.com/v1/executions")
		require.Equal(t, [][]any{{"e", "3m"}}, rowCells(custom))
		require.Equal(t, "date", custom.ColumnDefinitions[1].Type)
		require.Equal(t, "a", getTable(t, s, "/apis/batch/v1/jobs").Rows[0].Cells[0])

		for policy, says := range map[string]string{
			"":         `"kind":"PartialObjectMetadata"`,
			"Metadata": `"kind":"PartialObjectMetadata"`,
			"Object":   `"kind":"Pod"`,
		} {
			raw := getTable(t, s, "/api/v1/namespaces/work/pods/b?includeObject="+policy).Rows[0].Object.Raw
			require.Contains(t, string(raw), says)
			require.Equal(t, policy == "Object", json.Valid(raw) && len(raw) > 400, "%s", raw)
		}
		require.Empty(t, getTable(t, s, "/api/v1/namespaces/work/pods/b?includeObject=None").Rows[0].Object)
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/pods?includeObject=Some", nil)
		req.Header.Set("Accept", acceptTable)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		require.Equal(t, http.StatusBadRequest, w.Code)
		require.Contains(t, w.Body.String(), `Unable to convert to Table as requested: includeObject: Invalid value: \"Some\": must be 'Metadata', 'Object', 'None', or empty`)
		req.Header.Set("Accept", "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io")
		w = httptest.NewRecorder()
		s.ServeHTTP(w, req)
		require.Equal(t, http.StatusNotAcceptable, w.Code)
	})
}

// TestTableWatch: only the first event has headers, and an event has one row.
func TestTableWatch(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	createPod(t, c, testPod("a"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/pods?watch=1&includeObject=None", nil)
	req.Header.Set("Accept", acceptTable)
	resp, err := transport{s}.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	next := func() (kind string, table metav1.Table) {
		require.True(t, lines.Scan())
		var ev struct {
			Type   string
			Object runtime.RawExtension
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &ev))
		require.NoError(t, json.Unmarshal(ev.Object.Raw, &table))
		return ev.Type, table
	}
	kind, first := next()
	require.Equal(t, "ADDED", kind)
	require.Len(t, first.ColumnDefinitions, 9)
	require.Equal(t, "a", first.Rows[0].Cells[0])
	label(t, c, "a", "x")
	kind, second := next()
	require.Equal(t, "MODIFIED", kind)
	require.Empty(t, second.ColumnDefinitions)
	require.Len(t, second.Rows, 1)
}
