package logs

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestFollowAfterRestartAllContainers: the pod goes from Running to Pending, its
// containers are removed, and later they run again under the same UID.
func TestFollowAfterRestartAllContainers(t *testing.T) {
	t.Parallel()
	again := State{Restarts: 1, Started: later, Running: true}
	first := numbered(5, 1, time.Millisecond)
	second := []logLine{{later, "again"}, {later.Add(time.Second), "and done"}}
	for name, tc := range map[string]struct {
		ended    bool // the status shows the end of the first run, before its removal
		complete bool
	}{
		"the end of the first run was seen": {true, true},
		"the first run was removed at once": {false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &serve{source: sourceOf(running)}
			s.onLog = func(n int, w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Has("previous") {
					t.Error("the kubelet has removed the previous run")
				}
				state, _ := s.source.get()
				switch {
				case n == 1:
					writeLines(w, first)
					if s.source.Set(State{Restarts: 1}); tc.ended {
						s.source.Set(State{Started: epoch})
					}
				case state == State{Started: epoch}:
					writeLines(w, since(t, first, r.URL.Query()))
					time.AfterFunc(5*time.Millisecond, func() { s.source.Set(again) })
				case state.Started.IsZero():
					refuse(w, 400, metav1.StatusReasonBadRequest, `container "main" in pod "step-abcde" is terminated`)
					time.AfterFunc(5*time.Millisecond, func() { s.source.Set(again) })
				default:
					over := again
					over.Running, over.Over = false, true
					s.source.Set(over)
					writeLines(w, since(t, second, r.URL.Query()))
				}
			}
			var out bytes.Buffer
			report, err := s.reader(t).Follow(testContext(t), ref, s.source, &out)
			require.NoError(t, err)
			require.Equal(t, texts(first)+texts(second), out.String())
			require.Equal(t, tc.complete, report.Complete)
			if !tc.complete {
				require.Equal(t, []Gap{{After: first[4].at, Before: later}}, report.Gaps)
			}
		})
	}
}

// TestFollowOfARestartedContainer: one that had been restarted before. The kubelet has the
// logs of the last two runs.
func TestFollowOfARestartedContainer(t *testing.T) {
	t.Parallel()
	old, now := []logLine{{epoch, "old"}}, []logLine{{later, "new"}}
	for restarts, gaps := range map[int32][]Gap{
		1: nil,
		2: {{Before: epoch}},
	} {
		s := &serve{source: sourceOf(State{Restarts: restarts, Started: later, Previous: true, Over: true})}
		s.onLog = func(_ int, w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("previous") == "true" {
				writeLines(w, old)
				return
			}
			writeLines(w, now)
		}
		var out bytes.Buffer
		report, err := s.reader(t).Follow(testContext(t), ref, s.source, &out)
		require.NoError(t, err)
		require.Equal(t, "old\nnew\n", out.String())
		require.Equal(t, gaps, report.Gaps)
		require.Equal(t, gaps == nil, report.Complete)
	}
}

// TestFollowWhenThePreviousRunIsGone: the kubelet has removed its log although its status
// names it.
func TestFollowWhenThePreviousRunIsGone(t *testing.T) {
	t.Parallel()
	s := &serve{source: sourceOf(State{Restarts: 1, Started: later, Previous: true, Over: true})}
	s.onLog = func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("previous") == "true" {
			refuse(w, 400, metav1.StatusReasonBadRequest, `previous terminated container "main" in pod "step-abcde" not found`)
			return
		}
		writeLines(w, []logLine{{later, "new"}})
	}
	var out bytes.Buffer
	report, err := s.reader(t).Follow(testContext(t), ref, s.source, &out)
	require.NoError(t, err)
	require.Equal(t, "new\n", out.String())
	require.Equal(t, []Gap{{Before: later}}, report.Gaps)
}
