package watch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/watch"
)

// podServer responds to each LIST of pods after a second, with the pods that match its
// selector at the beginning of the request, or with a failure.
type podServer struct {
	mu         sync.Mutex
	pods       []corev1.Pod
	fail       bool
	lists      int
	open, most int
}

func (s *podServer) RoundTrip(r *http.Request) (*http.Response, error) {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.lists++
	s.open++
	s.most = max(s.most, s.open)
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
	for _, pod := range s.pods {
		if selector.Matches(labels.Set(pod.Labels)) {
			list.Items = append(list.Items, pod)
		}
	}
	fail := s.fail
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
	}()
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
	if fail {
		return nil, errors.New("connection reset")
	}
	body, err := json.Marshal(list)
	return &http.Response{
		StatusCode: http.StatusOK, Request: r, Body: io.NopCloser(strings.NewReader(string(body))),
		Header: http.Header{"Content-Type": {"application/json"}},
	}, err
}

func (s *podServer) add(job types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pods = append(s.pods, corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ns", Name: "pod-of-" + string(job), UID: "pod-of-" + job,
		Labels: map[string]string{batchv1.ControllerUidLabel: string(job)},
		OwnerReferences: []metav1.OwnerReference{
			*metav1.NewControllerRef(&metav1.ObjectMeta{Name: string(job), UID: job}, batchv1.SchemeGroupVersion.WithKind("Job")),
		},
	}})
}

func (s *podServer) watcher(t *testing.T) *watch.Watcher {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(&rest.Config{Host: "https://api.example.com", Transport: s, QPS: -1})
	require.NoError(t, err)
	return watch.New(watch.Config{Clientset: clientset, Namespace: "ns"})
}

// TestListPodsIsShared: many concurrent calls need few requests, and each gets the pods of
// its own Job, including those created after the first request had begun.
func TestListPodsIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &podServer{}
		w := s.watcher(t)
		var all sync.WaitGroup
		for i := range 300 {
			job := types.UID(fmt.Sprintf("job-%d", i))
			s.add(job)
			all.Go(func() {
				pods, err := w.ListPods(t.Context(), "ns", job)
				require.NoError(t, err)
				require.Len(t, pods, 1)
				require.Equal(t, "pod-of-"+string(job), pods[0].Name)
			})
			synctest.Wait()
		}
		all.Wait()
		require.Equal(t, 4, s.most, "at a time")
		require.Equal(t, 4+3, s.lists)
	})
}

// TestListPodsOutlivesItsSender: if the context of the call that sent a shared request
// ends, another call sends its own.
func TestListPodsOutlivesItsSender(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &podServer{}
		w := s.watcher(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		var all sync.WaitGroup
		for i := range 8 {
			job := types.UID(fmt.Sprintf("job-%d", i))
			s.add(job)
			of := t.Context()
			if i == 4 { // the first of those that wait: it sends their request
				of = ctx
			}
			all.Go(func() {
				pods, err := w.ListPods(of, "ns", job)
				if of == ctx {
					require.ErrorContains(t, err, "worker shuts down")
					return
				}
				require.NoError(t, err)
				require.Len(t, pods, 1)
			})
			synctest.Wait()
		}
		time.AfterFunc(1500*time.Millisecond, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			require.Equal(t, 5, s.lists)
			cancel(errors.New("worker shuts down"))
		})
		all.Wait()
		require.LessOrEqual(t, s.lists, 8)
	})
}

// TestListPodsFails: the calls that share a request share its failure, and the next call
// sends a new one.
func TestListPodsFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &podServer{fail: true}
		w := s.watcher(t)
		s.add("job")
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				_, err := w.ListPods(t.Context(), "ns", "job")
				var failure *watch.Error
				require.ErrorAs(t, err, &failure)
				require.Equal(t, "list", failure.Verb)
			})
		}
		all.Wait()
		require.LessOrEqual(t, s.lists, 5)
		s.fail = false
		pods, err := w.ListPods(t.Context(), "ns", "job")
		require.NoError(t, err)
		require.Len(t, pods, 1)
	})
}
