package events_test

import (
	"bytes"
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
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/events"
)

func event(name, uid, kind, reason string, seconds int64) *corev1.Event {
	return &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: "ns", Name: name},
		InvolvedObject: corev1.ObjectReference{UID: types.UID("u" + uid)}, Type: kind, Reason: reason, Message: "about " + reason,
		LastTimestamp: metav1.Unix(seconds, 0),
	}
}

// TestWarning: the newest warning about the object counts, in the form of either API.
func TestWarning(t *testing.T) {
	t.Parallel()
	series := event("e", "1", corev1.EventTypeWarning, "Newest", 0)
	series.LastTimestamp, series.Series = metav1.Time{}, &corev1.EventSeries{LastObservedTime: metav1.NewMicroTime(time.Unix(90, 0))}
	ended := event("f", "1", corev1.EventTypeWarning, "DeadlineExceeded", 99)
	ended.InvolvedObject.Kind = "Job"
	r := events.NewReader(fake.NewClientset(
		ended, event("a", "1", corev1.EventTypeWarning, "Old", 10), event("b", "1", corev1.EventTypeNormal, "Normal", 95),
		event("c", "2", corev1.EventTypeWarning, "Other", 99), event("d", "1", corev1.EventTypeWarning, "New", 80), series,
	), slog.New(slog.DiscardHandler))
	reason, message, err := r.Warning(t.Context(), "ns", "u1")
	require.NoError(t, err)
	require.Equal(t, "Newest", reason)
	require.Equal(t, "about Newest", message)
	reason, _, err = r.Warning(t.Context(), "ns", "u3")
	require.NoError(t, err)
	require.Empty(t, reason)
}

// TestRefused: without the right nothing is read again, not for the calls that were waiting
// for their turn either, and the log says so once.
func TestRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, requests := fake.NewClientset(), 0
		client.PrependReactor("list", "events", func(ktesting.Action) (bool, runtime.Object, error) {
			requests++
			<-time.After(time.Second) // the other calls are waiting
			return true, nil, apierrors.NewForbidden(corev1.Resource("events"), "", errors.New("no rule"))
		})
		var log bytes.Buffer
		r := events.NewReader(client, slog.New(slog.NewTextHandler(&log, nil)))
		answers := make(chan string, 100)
		for range cap(answers) {
			go func() {
				reason, _, err := r.Warning(t.Context(), "ns", "u1")
				if err != nil {
					reason = err.Error()
				}
				answers <- reason
			}()
		}
		for range cap(answers) {
			require.Empty(t, <-answers)
		}
		require.Equal(t, 1, requests)
		require.Equal(t, 1, strings.Count(log.String(), "grant the verb list on events"))
	})
}

// TestTurns: thousands of callers send ten requests a second, one at a time, and one whose
// context ends does not wait for its turn.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		r := events.NewReader(client, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		const callers = 1000
		done := make(chan error, callers)
		for range callers {
			go func() {
				_, _, err := r.Warning(ctx, "ns", "u1")
				done <- err
			}()
		}
		served := 0
		for range callers {
			if err := <-done; err == nil {
				served++
			} else {
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
		}
		require.InDelta(t, 100, served, 2)
		require.Len(t, client.Actions(), served)
	})
}
