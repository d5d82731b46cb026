package jobs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

// overloaded is an API server that accepts a request from time to time and rejects the
// others with 429.
type overloaded struct {
	every      time.Duration      // one is accepted
	retryAfter func(n int) string // the header of the n-th rejection

	mu         sync.Mutex
	next       time.Time // when the next one is accepted
	open, most int
	refused    int
	tries      map[string]int       // by Job
	refusal    map[string]time.Time // the last one
	pause      time.Duration        // the longest time between a rejection and the next try
	advised    map[string]bool      // a rejection had the header, so client-go itself waited
	notBefore  map[string]time.Time // the time from the last rejection's header
	early      []string             // requests that did not respect it
	created    []string
	reads      int
}

func (s *overloaded) RoundTrip(r *http.Request) (*http.Response, error) {
	name := path.Base(r.URL.Path)
	var job batchv1.Job
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&job); err != nil {
			return nil, err
		}
		name = job.Name
	}
	s.arrive(r.Method, name)
	timer := time.NewTimer(10 * time.Millisecond)
	defer timer.Stop()
	var err error
	select {
	case <-timer.C:
	case <-r.Context().Done():
		err = r.Context().Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if err != nil {
		return nil, err
	}
	return s.answer(r, name, &job)
}

func (s *overloaded) arrive(method, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	s.most = max(s.most, s.open)
	s.tries[name]++
	if refused, ok := s.refusal[name]; ok {
		s.pause = max(s.pause, time.Since(refused))
	}
	if time.Now().Before(s.notBefore[name]) {
		s.early = append(s.early, fmt.Sprintf("try %d, %s %s", s.tries[name], method, name))
	}
}

func (s *overloaded) answer(r *http.Request, name string, job *batchv1.Job) (*http.Response, error) {
	answer := func(code int, body string) *http.Response {
		return &http.Response{
			StatusCode: code, Request: r, Body: io.NopCloser(strings.NewReader(body)),
			Header: http.Header{"Content-Type": {"application/json"}},
		}
	}
	now := time.Now()
	if now.Before(s.next) {
		s.refused++
		a := answer(http.StatusTooManyRequests, "Too many requests, please try again later.\n")
		a.Header.Set("Content-Type", "text/plain; charset=utf-8")
		// Without the header a client waits from 0.2 s up to 2 s, halved by the jitter.
		// After a pause by client-go it starts again at 0.2 s.
		pause := min(time.Second, 100*time.Millisecond<<min(s.tries[name]-1, 4))
		if after := s.retryAfter(s.refused); after != "" {
			a.Header.Set("Retry-After", after)
			pause, _ = time.ParseDuration(after + "s")
			s.advised[name] = true
		} else if s.advised[name] {
			pause = 100 * time.Millisecond
		}
		s.refusal[name], s.notBefore[name] = now, now.Add(pause)
		return a, nil
	}
	s.next = now.Add(s.every)
	if r.Method == http.MethodGet {
		s.reads++
		return answer(http.StatusNotFound, fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","message":"jobs.batch %q not found","code":404}`, name)), nil
	}
	s.created = append(s.created, name)
	job.UID = "u"
	body, err := json.Marshal(job)
	return answer(http.StatusCreated, string(body)), err
}

func (s *overloaded) client(t *testing.T, o jobs.Options) *jobs.Client {
	t.Helper()
	s.tries, s.advised = map[string]int{}, map[string]bool{}
	s.refusal, s.notBefore = map[string]time.Time{}, map[string]time.Time{}
	clientset, err := kubernetes.NewForConfig(&rest.Config{
		Host: "https://api.example.com", Transport: s, QPS: -1,
		ContentConfig: rest.ContentConfig{ContentType: runtime.ContentTypeJSON},
	})
	require.NoError(t, err)
	return jobs.NewClient(clientset, o)
}

// launch makes n steps call Acquire, one after another at the same moment, and returns the
// names of the Jobs in the order of the calls.
func launch(t *testing.T, client *jobs.Client, n int) (asked []string) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		request := changed(func(r *jobs.Request) { r.Step = fmt.Sprintf("step-%d", i) })
		name := identity.JobName(request.Execution, request.Step, 0)
		asked = append(asked, name)
		wg.Go(func() {
			got, err := acquire(t.Context(), client, request)
			errs[i] = err
			if err == nil && (got.Adopted || got.Job.Name != name) {
				errs[i] = fmt.Errorf("%s got %s, adopted=%t", name, got.Job.Name, got.Adopted)
			}
		})
		synctest.Wait() // it is in progress, or in the queue
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	return asked
}

// TestOverload: an overloaded API server gets each Job once, from at most MaxInFlight
// callers at a time, not before its Retry-After, and nearly in the order of the calls.
func TestOverload(t *testing.T) {
	t.Parallel()
	const n = 300
	header := func(values ...string) func(int) string {
		return func(refusal int) string { return values[refusal%len(values)] }
	}
	for name, tc := range map[string]struct {
		retryAfter func(int) string
		// Bounds of the requests for a Job: of each, since no step is starved, and on
		// average. A rejected step waits for at least 1 s from the fifth time on, or for
		// the second in the header, and then competes with all the others for one place.
		// Which one gets it is random, so the bound for each is generous.
		most int
		mean float64
	}{
		"no Retry-After":           {header(""), 60, 8},
		"Retry-After":              {header("1"), 120, 16},
		"Retry-After now and then": {header("", "1"), 60, 12},
	} {
		for limit, creates := range map[int]int{8: 7, 64: 56} {
			synctest.Test(t, func(t *testing.T) {
				s := &overloaded{every: 50 * time.Millisecond, retryAfter: tc.retryAfter}
				client := s.client(t, jobs.Options{MaxInFlight: limit, RetryFor: 10 * time.Minute})
				asked := launch(t, client, n)
				require.Equal(t, creates, s.most, "%s: creates at a time", name)
				require.Empty(t, s.early, "%s: a refusal is respected", name)
				require.LessOrEqual(t, s.pause, 4*time.Second, "%s: no step falls far behind the others", name)
				require.Zero(t, s.reads, "%s: a look takes another's place", name)
				require.Len(t, s.created, n, name)
				require.ElementsMatch(t, asked, s.created, "%s: each once", name)

				total := 0
				for job, tries := range s.tries {
					require.LessOrEqual(t, tries, tc.most, "%s: %s", name, job)
					total += tries
				}
				require.LessOrEqual(t, float64(total)/n, tc.mean, "%s: requests for a Job", name)
				// A step begins when one of those before it has its Job. With MaxInFlight
				// in progress, it can only overtake those.
				for place, job := range s.created {
					require.Less(t, slices.Index(asked, job)-place, limit, "%s: %s was created before too many that came first", name, job)
				}
			})
		}
	}
}

// TestOverloadForLong: more Jobs are requested at once than the server accepts within
// RetryFor. That time begins for a step when it has its first slot.
func TestOverloadForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &overloaded{every: 250 * time.Millisecond, retryAfter: func(int) string { return "" }}
		start := time.Now()
		asked := launch(t, s.client(t, jobs.Options{MaxInFlight: 8}), 600)
		require.Greater(t, time.Since(start), 2*time.Minute, "longer than the default of RetryFor")
		require.ElementsMatch(t, asked, s.created)
	})
}
