package flight_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kontinue/kontinue/internal/flight"
)

// writer is a writer that fails as the test wants.
type writer struct {
	mu    sync.Mutex
	out   bytes.Buffer
	write func(p []byte) (int, error) // nil: it works
}

func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	write := w.write
	w.mu.Unlock()
	if write != nil {
		return write(p)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}

func (w *writer) set(write func(p []byte) (int, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.write = write
}

// lines returns those that can be read, and how many can not.
func (w *writer) lines(t *testing.T) (all []flight.Line, damaged int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	in := bufio.NewScanner(bytes.NewReader(w.out.Bytes()))
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var line flight.Line
		switch err := json.Unmarshal(in.Bytes(), &line); {
		case len(in.Bytes()) == 0:
		case err != nil:
			damaged++
		default:
			all = append(all, line)
		}
	}
	require.NoError(t, in.Err())
	return all, damaged
}

func kinds(lines []flight.Line) (all []flight.Kind) {
	for _, l := range lines {
		all = append(all, l.Kind)
	}
	return all
}

func newRecorder(t *testing.T, w *writer) (*flight.Recorder, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	return flight.NewRecorder(w, slog.New(slog.NewTextHandler(&log, nil)), flight.Client{Namespace: "ns", Group: "g"}), &log
}

// TestWriterFails: a line that is not written is counted, and the next one is not
// appended to a part of it.
func TestWriterFails(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]func(w *writer) func([]byte) (int, error){
		"error": func(*writer) func([]byte) (int, error) {
			return func([]byte) (int, error) { return 0, errors.New("no space left on device") }
		},
		"part of a line": func(w *writer) func([]byte) (int, error) {
			return func(p []byte) (int, error) {
				n, _ := w.out.Write(p[:len(p)/2])
				return n, nil
			}
		},
		"panic": func(*writer) func([]byte) (int, error) {
			return func([]byte) (int, error) { panic("closed") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &writer{}
				r, log := newRecorder(t, w)
				r.Start()
				synctest.Wait()
				w.set(fails(w))
				for range 3 {
					r.Call("Cancel", execution)
					synctest.Wait()
				}
				w.set(nil)
				r.Stop()
				require.NoError(t, r.Flush(t.Context()))
				lines, _ := w.lines(t)
				require.Equal(t, []flight.Kind{flight.KindClient, flight.KindStart, flight.KindStop, flight.KindLost}, kinds(lines))
				require.Equal(t, 3, lines[3].Lost)
				require.Equal(t, 1, strings.Count(log.String(), "\n"), "one line: %s", log)
				require.Contains(t, log.String(), "level=WARN")
			})
		})
	}
}

// TestWriterBlocks: nothing waits for it but Flush, which its context bounds.
func TestWriterBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, release := &writer{}, make(chan struct{})
		w.set(func(p []byte) (int, error) {
			<-release
			return len(p), nil
		})
		r, _ := newRecorder(t, w)
		began := time.Now()
		const calls = 10_000
		for range calls {
			r.Call("Cancel", execution)
		}
		require.Zero(t, time.Since(began))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, r.Flush(ctx), context.DeadlineExceeded)
		w.set(nil)
		close(release)
		require.NoError(t, r.Flush(t.Context()))
		r.Stop()
		require.NoError(t, r.Flush(t.Context()))
		lines, damaged := w.lines(t)
		require.Zero(t, damaged)
		lost, written := 0, 0
		for _, l := range lines {
			lost += l.Lost
			if l.Kind == flight.KindCall {
				written++
			}
		}
		require.Positive(t, lost)
		require.InDelta(t, calls, lost+written, 2, "all lines are there or counted, but for those of the Write that blocked")
	})
}

// TestRequests: what the clientset is asked and answers, and nothing without a writer.
func TestRequests(t *testing.T) {
	t.Parallel()
	clientset := fake.NewClientset()
	var none *flight.Recorder
	require.Same(t, clientset, none.Wrap(clientset))
	require.Nil(t, flight.NewRecorder(nil, nil, flight.Client{}))

	w := &writer{}
	r, _ := newRecorder(t, w)
	jobs := r.Wrap(clientset).BatchV1().Jobs("ns")
	watch, err := jobs.Watch(t.Context(), metav1.ListOptions{LabelSelector: "a=b"})
	require.NoError(t, err)
	job, err := jobs.Create(t.Context(), &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "j", Namespace: "ns", Annotations: map[string]string{"a": "confidential"}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Equal(t, "confidential", job.Annotations["a"], "the caller has the object as it is")
	require.Equal(t, "confidential", (<-watch.ResultChan()).Object.(*batchv1.Job).Annotations["a"])
	_, err = jobs.Patch(t.Context(), "j", "application/merge-patch+json", []byte(`{"metadata":{"annotations":{"x/y":"confidential"}}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	_, err = jobs.Get(t.Context(), "k", metav1.GetOptions{})
	require.Error(t, err)
	require.NoError(t, jobs.Delete(t.Context(), "j", metav1.DeleteOptions{}))
	watch.Stop()
	for range watch.ResultChan() { // until it is closed
	}
	require.NoError(t, r.Flush(t.Context()))

	lines, _ := w.lines(t)
	var requests []string
	for _, l := range lines {
		if l.Request != nil {
			requests = append(requests, l.Request.Key())
		}
	}
	require.Equal(t, []string{
		"watch jobs ns (a=b) ", "create jobs ns/j ", "patch jobs ns/j /metadata/annotations/x~1y", "get jobs ns/k ", "delete jobs ns/j ",
	}, requests)
	require.NotContains(t, w.out.String(), "confidential")
	require.Contains(t, w.out.String(), `"reason":"NotFound"`)
	require.False(t, lines[0].Client.HTTP)
	require.Contains(t, kinds(lines), flight.KindEvent)
}
