package events_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/internal/events"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
)

var note = events.Note{
	Namespace: "ns", Owner: metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "release-42", UID: "u"},
	Job: "release-42-helm", JobUID: "j", Reason: "StepStarted", Action: "Start", Message: "Step helm: created Job release-42-helm",
}

// written returns the Events of a server.
func written(t *testing.T, client kubernetes.Interface) []corev1.Event {
	t.Helper()
	list, err := client.CoreV1().Events("ns").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	return list.Items
}

func newWriter(t *testing.T) (*events.Writer, *apiserver.Server, *strings.Builder) {
	t.Helper()
	server := apiserver.New(apiserver.Options{})
	t.Cleanup(server.Close)
	var log strings.Builder
	return events.NewWriter(server.Clientset(), slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))), server, &log
}

func TestWriter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, server, _ := newWriter(t)
		w.Write(note)
		w.Enable()
		long := note
		long.Warning, long.Message = true, strings.Repeat("é", 1000)
		w.Write(note)
		w.Write(long)
		synctest.Wait()
		got := written(t, server.ClientsetAs("test"))
		require.Len(t, got, 2, "none before Enable")
		for _, e := range got {
			require.Equal(t, corev1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "ns", Name: "release-42", UID: "u"}, e.InvolvedObject)
			require.Equal(t, &corev1.ObjectReference{APIVersion: "batch/v1", Kind: "Job", Namespace: "ns", Name: "release-42-helm", UID: "j"}, e.Related)
			require.Equal(t, []string{"StepStarted", "Start", "kontinue.cloud/worker"}, []string{e.Reason, e.Action, e.ReportingController})
			require.True(t, e.EventTime.Time.Equal(time.Now()))
			if e.Type == corev1.EventTypeWarning {
				require.LessOrEqual(t, len(e.Message), 1024)
			} else {
				require.Equal(t, note.Message, e.Message)
			}
		}
		w.Stop(t.Context())
		w.Write(note)
		require.Len(t, written(t, server.ClientsetAs("test")), 2, "none after Stop")
	})
}

// TestWriterOrder: Events of one moment are listed in the order in which they were written.
func TestWriterOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, server, _ := newWriter(t)
		w.Enable()
		want := []string{"k", "c", "a", "j", "d", "b", "i", "h"}
		for _, message := range want {
			n := note
			n.Message = message
			w.Write(n)
		}
		synctest.Wait()
		var got []string
		for _, e := range written(t, server.ClientsetAs("test")) { // in the order of their names
			got = append(got, e.Message)
		}
		require.Equal(t, want, got)
		w.Stop(t.Context())
	})
}

// TestWriterRates: thousands of steps do not become thousands of Events, and do not drown
// what is wrong.
func TestWriterRates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, server, log := newWriter(t)
		w.Enable()
		warning := note
		warning.Warning = true
		for range 10 {
			for range 1000 {
				w.Write(note)
			}
			for range 10 {
				w.Write(warning)
			}
			<-time.After(time.Second)
		}
		synctest.Wait()
		kinds := map[string]int{}
		for _, e := range written(t, server.ClientsetAs("test")) {
			kinds[e.Type]++
		}
		require.Equal(t, map[string]int{"Normal": 50 + 9*5, "Warning": 100}, kinds)
		w.Stop(t.Context())
		require.Contains(t, log.String(), "events=9905")
	})
}

// TestWriterWithoutTheRight stops at the first refusal, and says so once. Those of a namespace
// that is being deleted are none.
func TestWriterWithoutTheRight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, server, log := newWriter(t)
		w.Enable()
		terminating := apierrors.NewForbidden(corev1.Resource("events"), "", context.Canceled)
		terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
		server.AddFault(apiserver.Fault{Match: apiserver.Match{Resource: "events"}, Times: 1, Before: terminating})
		w.Write(note)
		synctest.Wait()
		require.NotContains(t, log.String(), "level=WARN")
		undo := server.Deny(apiserver.Match{Verb: "create", Resource: "events"})
		for range 3 {
			w.Write(note)
			synctest.Wait()
		}
		require.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log)
		require.Equal(t, 2, server.Stats().Count(apiserver.DefaultUser, "create", "events"))
		undo()
		w.Write(note)
		w.Stop(t.Context())
		require.Empty(t, written(t, server.ClientsetAs("test")))
	})
}

// TestWriterLogs: the lines of client-go are the logger's, and not on standard error.
func TestWriterLogs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, server, _ := newWriter(t)
		config := server.Config("slow")
		config.QPS, config.Burst = 0.5, 1
		client, err := kubernetes.NewForConfig(config)
		require.NoError(t, err)
		var log strings.Builder
		w := events.NewWriter(client, slog.New(slog.NewTextHandler(&log, nil)))
		w.Enable()
		w.Write(note)
		w.Write(note)
		w.Stop(t.Context())
		require.Contains(t, log.String(), "Waited before sending request")
	})
}

// TestWriterRefusals: what refuses one Event, such as a quota of count/events, is not the lack
// of the right, and the right may be missing in one namespace of several.
func TestWriterRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, server, log := newWriter(t)
		w.Enable()
		quota := apierrors.NewForbidden(corev1.Resource("events"), "", errors.New("exceeded quota: small, requested: count/events=1, used: count/events=5, limited: count/events=5"))
		server.AddFault(apiserver.Fault{Match: apiserver.Match{Resource: "events"}, Times: 1, Before: quota})
		server.Deny(apiserver.Match{Verb: "create", Resource: "events", Namespace: "other"})
		other := note
		other.Namespace = "other"
		for _, n := range []events.Note{note, note, other, other, note} {
			w.Write(n)
			synctest.Wait()
		}
		w.Refuse("")
		w.Write(note)
		w.Stop(t.Context())
		require.Len(t, written(t, server.ClientsetAs("test")), 2)
		require.Equal(t, 4, server.Stats().Count(apiserver.DefaultUser, "create", "events"))
		require.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log)
		require.Contains(t, log.String(), "namespace=other")
	})
}

// TestWriterPending: an API server that does not answer for an hour does not fill the memory.
func TestWriterPending(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, server, log := newWriter(t)
		w.Enable()
		server.AddFault(apiserver.Fault{Match: apiserver.Match{Resource: "events", Verb: "create"}, Delay: 2 * time.Hour})
		for range 3600 {
			w.Write(note)
			<-time.After(time.Second)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		w.Stop(ended)
		// One is open, and a full queue is behind what is being sent. 360 were sent.
		require.Regexp(t, `events=(2[6-9]|3[0-9])\d\d`, log.String())
	})
}

// TestWriterStops: what is pending is written before Stop returns. An API server that does not
// answer does not hold up Stop for longer than its context, and an Event not the others.
func TestWriterStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, server, _ := newWriter(t)
		w.Enable()
		server.AddFault(apiserver.Fault{Match: apiserver.Match{Resource: "events", Verb: "create"}, Times: 1, Delay: time.Hour})
		w.Write(note)
		w.Write(note)
		<-time.After(11 * time.Second)
		require.Len(t, written(t, server.ClientsetAs("test")), 1)
		for range 5 {
			w.Write(note)
		}
		w.Stop(t.Context())
		require.Len(t, written(t, server.ClientsetAs("test")), 6)

		w, server, _ = newWriter(t)
		w.Enable()
		server.AddFault(apiserver.Fault{Match: apiserver.Match{Resource: "events", Verb: "create"}, Delay: time.Hour})
		w.Write(note)
		w.Write(note)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		w.Stop(ctx)
		require.Equal(t, time.Second, time.Since(began))
		require.Empty(t, written(t, server.ClientsetAs("test")))
	})
}
