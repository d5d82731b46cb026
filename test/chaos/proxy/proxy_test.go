package proxy_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/test/chaos/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var codec = protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)

var made = metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))

// server is an API server with one Job. Its watches send the events provided by the
// test.
type server struct {
	events  chan watch.EventType
	created chan string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	job := &batchv1.Job{TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"}, ObjectMeta: metav1.ObjectMeta{Name: "j", ResourceVersion: "7", CreationTimestamp: made}}
	raw, err := runtime.Encode(codec, job)
	if err != nil {
		panic(err)
	}
	if r.Method == http.MethodPost {
		s.created <- r.URL.Path
	}
	w.Header().Set("Content-Type", "application/vnd.kubernetes.protobuf")
	if r.URL.Query().Get("watch") == "" {
		_, _ = w.Write(raw)
		return
	}
	w.Header().Set("Content-Type", "application/vnd.kubernetes.protobuf;stream=watch")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case kind := <-s.events:
			frame, err := (&metav1.WatchEvent{Type: string(kind), Object: runtime.RawExtension{Raw: raw}}).Marshal()
			if err != nil {
				panic(err)
			}
			_, _ = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
			_ = http.NewResponseController(w).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func start(t *testing.T, shift time.Duration) (*server, *proxy.Proxy, kubernetes.Interface) {
	t.Helper()
	s := &server{events: make(chan watch.EventType), created: make(chan string, 10)}
	upstream := httptest.NewUnstartedServer(s)
	upstream.EnableHTTP2 = true
	upstream.StartTLS()
	p, err := proxy.New(proxy.Config{Shift: shift, Upstream: &rest.Config{Host: upstream.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}})
	require.NoError(t, err)
	t.Cleanup(func() {
		p.Close()
		upstream.CloseClientConnections()
		upstream.Close()
	})
	client, err := kubernetes.NewForConfig(p.RESTConfig())
	require.NoError(t, err)
	return s, p, client
}

func bounded(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func get(ctx context.Context, c kubernetes.Interface) error {
	_, err := c.BatchV1().Jobs("ns").Get(ctx, "j", metav1.GetOptions{})
	return err
}

func TestRequests(t *testing.T) {
	t.Parallel()
	for kind, is := range map[proxy.Kind]func(error) bool{
		proxy.TooMany:      apierrors.IsTooManyRequests,
		proxy.Internal:     apierrors.IsInternalError,
		proxy.BadGateway:   func(err error) bool { var s apierrors.APIStatus; return errors.As(err, &s) && s.Status().Code == 502 },
		proxy.Unavailable:  apierrors.IsServiceUnavailable,
		proxy.Unauthorized: apierrors.IsUnauthorized,
		proxy.Forbidden:    apierrors.IsForbidden,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			_, p, c := start(t, 0)
			p.Inject(proxy.Fault{Kind: kind, Verb: "get", Resource: "jobs", Times: 2})
			_, err := c.BatchV1().Jobs("ns").List(t.Context(), metav1.ListOptions{})
			require.NoError(t, err, "a different verb")
			for range 2 {
				err := get(t.Context(), c)
				require.True(t, is(err), "%v", err)
			}
			require.NoError(t, get(t.Context(), c))
			require.Equal(t, map[proxy.Kind]int{kind: 2}, p.Injected())
			require.Equal(t, 3, p.Requests("get", "jobs"))
		})
	}
}

func TestTooManyLater(t *testing.T) {
	t.Parallel()
	_, p, c := start(t, 0)
	p.Inject(proxy.Fault{Kind: proxy.TooManyLater})
	began := time.Now()
	require.NoError(t, get(t.Context(), c), "client-go retries after a second")
	require.GreaterOrEqual(t, time.Since(began), time.Second)
}

func TestLostAnswer(t *testing.T) {
	t.Parallel()
	s, p, c := start(t, 0)
	p.Inject(proxy.Fault{Kind: proxy.LoseResponse, Verb: "create"})
	_, err := c.BatchV1().Jobs("ns").Create(t.Context(), &batchv1.Job{}, metav1.CreateOptions{})
	require.Error(t, err)
	var status apierrors.APIStatus
	require.NotErrorAs(t, err, &status)
	require.Equal(t, "/apis/batch/v1/namespaces/ns/jobs", <-s.created)
}

func TestConnections(t *testing.T) {
	t.Parallel()
	t.Run("cut and reset", func(t *testing.T) {
		t.Parallel()
		for _, kind := range []proxy.Kind{proxy.Cut, proxy.Reset} {
			_, p, c := start(t, 0)
			w, err := c.BatchV1().Jobs("ns").Watch(t.Context(), metav1.ListOptions{})
			require.NoError(t, err)
			require.Equal(t, 1, p.Connections())
			p.Inject(proxy.Fault{Kind: kind})
			for range w.ResultChan() {
			}
			require.NoError(t, get(t.Context(), c), "new connections work")
		}
	})
	t.Run("refuse", func(t *testing.T) {
		t.Parallel()
		_, p, c := start(t, 0)
		p.Inject(proxy.Fault{Kind: proxy.Refuse})
		_, err := c.BatchV1().Jobs("ns").Create(bounded(t, 5*time.Second), &batchv1.Job{}, metav1.CreateOptions{})
		require.ErrorContains(t, err, "reset by peer")
		p.Clear()
		require.NoError(t, get(t.Context(), c))
	})
	t.Run("stall", func(t *testing.T) {
		t.Parallel()
		s, p, c := start(t, 0)
		w, err := c.BatchV1().Jobs("ns").Watch(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		defer w.Stop()
		p.Inject(proxy.Fault{Kind: proxy.Stall})
		s.events <- watch.Added
		require.ErrorIs(t, get(bounded(t, 300*time.Millisecond), c), context.DeadlineExceeded)
		require.Empty(t, w.ResultChan())
		another, err := kubernetes.NewForConfig(p.RESTConfig())
		require.NoError(t, err)
		require.NoError(t, get(t.Context(), another), "new connections work")
	})
	t.Run("black hole", func(t *testing.T) {
		t.Parallel()
		_, p, c := start(t, 0)
		p.Inject(proxy.Fault{Kind: proxy.Blackhole})
		require.ErrorIs(t, get(bounded(t, 300*time.Millisecond), c), context.DeadlineExceeded)
	})
	t.Run("freeze, delay and drip", func(t *testing.T) {
		t.Parallel()
		for kind, least := range map[proxy.Kind]time.Duration{proxy.Freeze: 300 * time.Millisecond, proxy.Delay: 20 * time.Millisecond, proxy.Drip: 5 * time.Millisecond} {
			_, p, c := start(t, 0)
			require.NoError(t, get(t.Context(), c))
			began := time.Now()
			p.Inject(proxy.Fault{Kind: kind, For: 300 * time.Millisecond})
			require.NoError(t, get(t.Context(), c), kind)
			require.GreaterOrEqual(t, time.Since(began), least, kind)
		}
	})
}

func TestEvents(t *testing.T) {
	t.Parallel()
	for kind, want := range map[proxy.Kind][]watch.EventType{
		proxy.Truncate:  {watch.Added},
		proxy.EndBefore: {watch.Added},
		proxy.Duplicate: {watch.Added, watch.Modified, watch.Modified, watch.Bookmark},
		proxy.GoneEvent: {watch.Added, watch.Error},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s, p, c := start(t, 0)
			w, err := c.BatchV1().Jobs("ns").Watch(t.Context(), metav1.ListOptions{})
			require.NoError(t, err)
			defer w.Stop()
			s.events <- watch.Added
			got := []watch.EventType{(<-w.ResultChan()).Type}
			p.Inject(proxy.Fault{Kind: kind})
			s.events <- watch.Modified
			if kind == proxy.Duplicate {
				s.events <- watch.Bookmark
			}
			for event := range w.ResultChan() {
				got = append(got, event.Type)
				if event.Type == watch.Error {
					require.True(t, apierrors.IsResourceExpired(apierrors.FromObject(event.Object)))
				}
				if event.Type == watch.Bookmark { // nothing else ends this watch
					break
				}
			}
			require.Equal(t, want, got)
		})
	}
}

func TestGoneAndBookmarks(t *testing.T) {
	t.Parallel()
	s, p, c := start(t, 0)
	w, err := c.BatchV1().Jobs("ns").Watch(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	p.Inject(proxy.Fault{Kind: proxy.NoBookmarks})
	s.events <- watch.Bookmark
	s.events <- watch.Added
	require.Equal(t, watch.Added, (<-w.ResultChan()).Type)
	require.Equal(t, 1, p.Injected()[proxy.NoBookmarks])
	p.Inject(proxy.Fault{Kind: proxy.Gone})
	for range w.ResultChan() {
	}
	_, err = c.BatchV1().Jobs("ns").Watch(t.Context(), metav1.ListOptions{})
	require.True(t, apierrors.IsResourceExpired(err), "%v", err)
}

// TestShift checks the times in a plain response and in an event.
func TestShift(t *testing.T) {
	t.Parallel()
	s, _, c := start(t, 15*time.Minute)
	job, err := c.BatchV1().Jobs("ns").Get(t.Context(), "j", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, made.Add(15*time.Minute), job.CreationTimestamp.UTC())
	w, err := c.BatchV1().Jobs("ns").Watch(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	defer w.Stop()
	s.events <- watch.Added
	event := <-w.ResultChan()
	require.Equal(t, made.Add(15*time.Minute), event.Object.(*batchv1.Job).CreationTimestamp.UTC())
}
