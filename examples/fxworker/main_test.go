package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"
	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/devcluster"
)

// asProgram is the environment variable that makes the test binary run main, for the
// tests of signals.
const asProgram = "FXWORKER_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// testCluster is a cluster in memory that outlives the apps of a test.
type testCluster struct {
	*devcluster.Cluster
	at place

	mu       sync.Mutex
	requests map[string]int // of kontinue's clients, such as "create jobs"
}

func newCluster(t *testing.T) *testCluster {
	t.Helper()
	cluster, err := devcluster.Start(t.Context(), devcluster.Options{})
	require.NoError(t, err)
	t.Cleanup(cluster.Stop)
	return &testCluster{Cluster: cluster, at: place{cluster.RESTConfig(), "default"}, requests: map[string]int{}}
}

// observe counts the requests of a client.
func (c *testCluster) observe(config kontinue.Config) kontinue.Config {
	config.Observer = &kontinue.Observer{RequestDone: func(r kontinue.RequestInfo) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.requests[r.Verb+" "+r.Resource]++
	}}
	return config
}

// count returns the number of requests of clients that have stopped.
func (c *testCluster) count(request string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests[request]
}

// newApp returns the program on the given cluster, and its log.
func newApp(t *testing.T, cluster *testCluster, args ...string) (*fxtest.App, *logbook) {
	t.Helper()
	opts, err := parse(args, io.Discard)
	require.NoError(t, err)
	log := &logbook{written: make(chan struct{}, 1)}
	return fxtest.New(t, app(opts, slog.New(slog.NewTextHandler(log, nil))), fx.Supply(cluster.at), fx.Decorate(cluster.observe)), log
}

func TestExecutionsRunToTheirEnd(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	app, log := newApp(t, cluster, "-executions", "4", "-workers", "3", "-step", "0s", "-ttl", "1h")
	app.RequireStart()
	select {
	case <-app.Done(): // the worker asks for the shutdown when the queue is empty
	case <-time.After(time.Minute):
		require.FailNow(t, "the queue did not become empty", log)
	}
	app.RequireStop()

	require.Equal(t, 4, log.count(`msg="execution ended"`, "state=Succeeded"), log)
	require.Equal(t, 1, log.count(`msg="execution ended"`, "attempts=1"), "one is flaky: %s", log)
	require.Zero(t, log.count("interrupted"), log)
	states(t, cluster, map[state]int{succeeded: 4})

	// Four Executions of three steps. The flaky one publishes twice; its succeeded
	// steps do not run again.
	require.Equal(t, 4*3+1, cluster.count("create jobs"))
	require.Equal(t, 1, cluster.count("watch jobs"))
	require.Equal(t, 1, cluster.count("watch pods"))

	// Finish has given every Job its TTL.
	jobs, err := cluster.Clientset().BatchV1().Jobs(cluster.at.namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, jobs.Items, 4*3+1)
	for _, job := range jobs.Items {
		require.NotNil(t, job.Spec.TTLSecondsAfterFinished, job.Name)
		require.Equal(t, int32(3600), *job.Spec.TTLSecondsAfterFinished)
	}
}

func TestRestartResumesInterruptedExecutions(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	first, log := newApp(t, cluster, "-executions", "2", "-workers", "1", "-step", "3s")
	first.RequireStart()
	log.wait(t, "step=build", "state=Running")
	first.RequireStop()
	require.Equal(t, 1, log.count("execution interrupted: its Jobs are still running, a restart resumes it"), log)
	require.Equal(t, 1, log.count("execution stays in the queue for the next start"), log)
	states(t, cluster, map[state]int{running: 1, queued: 1})

	require.Equal(t, 1, cluster.count("create jobs"))
	second, log := newApp(t, cluster, "-executions", "0", "-workers", "2", "-step", "0s")
	second.RequireStart()
	select {
	case <-second.Done():
	case <-time.After(time.Minute):
		require.FailNow(t, "the queue did not become empty", log)
	}
	second.RequireStop()
	require.Equal(t, 1, log.count("execution resumed", "resumptions=1"), log)
	require.NotZero(t, log.count("step=build", "resumed=true"), log)
	require.Equal(t, 2, log.count("execution ended", "state=Succeeded"), log)
	states(t, cluster, map[state]int{succeeded: 2})
	// The interrupted build was not created again; one of the two is flaky.
	require.Equal(t, 2*3+1, cluster.count("create jobs"))
}

// If the end of an Execution was recorded before the program died, the next start
// only calls Finish.
func TestRestartFinishesEndedExecutions(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	s, err := newStore(cluster.at)
	require.NoError(t, err)
	require.NoError(t, s.add(t.Context(), false))
	left, err := s.unfinished(t.Context())
	require.NoError(t, err)
	require.Len(t, left, 1)
	left[0].state = succeeded
	require.NoError(t, s.save(t.Context(), left[0]))

	app, log := newApp(t, cluster, "-executions", "0")
	app.RequireStart()
	<-app.Done()
	app.RequireStop()
	require.Equal(t, 1, log.count("execution ended", "state=Succeeded"), log)
	require.Zero(t, cluster.count("create jobs"))
	left, err = s.unfinished(t.Context())
	require.NoError(t, err)
	require.Empty(t, left)
}

// states counts the Executions of the cluster by their state.
func states(t *testing.T, cluster *testCluster, want map[state]int) {
	t.Helper()
	list, err := cluster.Clientset().CoreV1().ConfigMaps(cluster.at.namespace).List(context.Background(), metav1.ListOptions{LabelSelector: appLabel})
	require.NoError(t, err)
	got := map[state]int{}
	for _, item := range list.Items {
		got[state(item.Data["state"])]++
	}
	require.Equal(t, want, got)
}

func TestSIGTERMEndsTheProgramInTime(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	program := exec.CommandContext(ctx, os.Args[0], "-executions", "4", "-workers", "3", "-step", "60s")
	program.Env = append(os.Environ(), asProgram+"=1")
	stderr, err := program.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, program.Start())

	var text bytes.Buffer
	var signaled time.Time
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if signaled.IsZero() && strings.Count(text.String(), "state=Running") == 3 {
			require.NoError(t, program.Process.Signal(syscall.SIGTERM))
			signaled = time.Now()
		}
	}
	require.NoError(t, program.Wait(), "want exit code 0: %s", &text)
	require.False(t, signaled.IsZero(), &text)
	require.Less(t, time.Since(signaled), stopTimeout, &text)
	require.Equal(t, 3, strings.Count(text.String(), "execution interrupted: its Jobs are still running, a restart resumes it"), &text)
	require.Equal(t, 1, strings.Count(text.String(), "execution stays in the queue for the next start"), &text)
	require.Contains(t, text.String(), "stopping the cluster in memory")
}

func TestStartFailsWithTheReason(t *testing.T) {
	t.Parallel()
	opts, err := parse([]string{"-kubeconfig", "testdata/none"}, io.Discard)
	require.NoError(t, err)
	broken := fx.New(app(opts, slog.New(slog.DiscardHandler)), fx.Provide(openCluster))
	require.ErrorContains(t, broken.Err(), "kubeconfig: stat testdata/none")

	// An invalid namespace.
	at := newCluster(t).at
	at.namespace = "Big"
	broken = fx.New(app(opts, slog.New(slog.DiscardHandler)), fx.Supply(at))
	require.ErrorIs(t, broken.Err(), kontinue.ErrInvalid)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"x"}, {"-workers", "0"}, {"-executions", "-1"}, {"-step", "soon"}, {"-ttl", "-1s"}} {
		var stderr bytes.Buffer
		_, err := parse(args, &stderr)
		require.Error(t, err, args)
		require.NotEmpty(t, stderr.String(), args)
	}
}

// logbook is a log whose lines a test can wait for.
type logbook struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{} // of capacity 1
}

// Write implements [io.Writer]; slog writes a line at a time.
func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.written <- struct{}{}:
	default:
	}
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// count returns the number of lines that contain all the words.
func (l *logbook) count(words ...string) int {
	n := 0
next:
	for line := range strings.Lines(l.String()) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue next
			}
		}
		n++
	}
	return n
}

// wait waits for a line that contains all the words.
func (l *logbook) wait(t *testing.T, words ...string) {
	t.Helper()
	timeout := time.After(time.Minute)
	for l.count(words...) == 0 {
		select {
		case <-l.written:
		case <-timeout:
			require.FailNow(t, "no such line", "%q in %s", words, l)
		}
	}
}
