package bench

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	"github.com/kontinue/kontinue/internal/identity"
)

func TestMain(m *testing.M) {
	if Worker() {
		return
	}
	// The handlers after the first limit error reporting to one a millisecond.
	utilruntime.ErrorHandlers = utilruntime.ErrorHandlers[:1]
	goleak.VerifyTestMain(m)
}

// TestSmoke runs every style and experiment once, at a small scale, and checks the
// figures that do not depend on the machine.
func TestSmoke(t *testing.T) {
	t.Parallel()
	const n = 20
	var progress bytes.Buffer
	report, err := Run(t.Context(), Options{Runs: 1, Waits: []int{n}, Launch: 50, Finish: 20, Foreign: 20, Telemetry: n, Progress: &progress})
	require.NoError(t, err, progress.String())
	for _, style := range AllStyles {
		require.Empty(t, report.cell(style, n).Reason, style)
		s, ok := report.summary(style, n)
		require.True(t, ok, style)
		m := report.cell(style, n).Runs[0]
		require.Len(t, m.Sample.Wake, sampleOf(n), style)
		switch style {
		case Floor:
			require.Zero(t, m.Attach.Requests+m.Idle.Requests+m.Sample.Requests)
		case Poll:
			require.InDelta(t, n/pollEvery.Seconds(), s.idle, n/4)
		case WatchPerWait:
			require.EqualValues(t, n, s.streams)
		default:
			require.Zero(t, s.idle, style)
			require.LessOrEqual(t, s.streams, 2.0, style)
		}
	}
	k, _ := report.summary(Kontinue, n)
	require.EqualValues(t, 4, k.requests, "a LIST and a watch of Jobs, and of Pods")
	require.EqualValues(t, 1, k.writes, "the record")
	require.EqualValues(t, 1, k.perCompletion)
	writes, steps, ok := report.last("finish-writes")
	require.True(t, ok)
	require.EqualValues(t, 1, writes)
	require.Equal(t, 20, steps)
	plain, ok := report.of(telemetryPlain, n)
	require.True(t, ok)
	require.Positive(t, plain)
	for _, name := range launches {
		rate, ok := report.of(name, 50)
		require.True(t, ok)
		require.Positive(t, rate)
	}
}

// TestNodeSmoke runs every style of the chain once, with two scripts, and measures the
// latency of a few results. It is not parallel: TestSmoke starts another cluster.
func TestNodeSmoke(t *testing.T) {
	const scripts, at = 2, 4
	var progress bytes.Buffer
	report, err := Run(t.Context(), Options{Runs: 1, Waits: []int{}, Chain: scripts, Latency: at, Progress: &progress})
	require.NoError(t, err, progress.String())
	for _, style := range chainStyles {
		total, ok := report.of(style, scripts)
		require.True(t, ok, style)
		require.Greater(t, total, scripts*0.3, "%s: the scripts run one after another", style)
	}
	for _, l := range situations(at) {
		for _, what := range []string{latencySuccess, latencyFailure} {
			require.Len(t, report.values(l.name+what, l.at), at/2, l.name)
		}
		for _, record := range report.values(l.name+latencyRecord, l.at) {
			require.Positive(t, record, l.name)
		}
	}
	require.Empty(t, report.Cells, "the comparison was skipped")
	require.Empty(t, report.Markdown())
	require.Contains(t, report.ChainMarkdown(), "## A chain of 2 scripts")
}

// TestPodFloorNotesFirstEvents feeds the events by which a pod ends.
func TestPodFloorNotesFirstEvents(t *testing.T) {
	t.Parallel()
	f := &podFloor{ends: map[string]podEnds{}}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{identity.LabelStep: "a"}}, Status: running(wholeSeconds())}
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	f.note(pod, at(1))
	require.Zero(t, f.ends["a"])
	pod.Status = succeeded(wholeSeconds())
	pod.Status.Phase = corev1.PodRunning // the kubelet reports the phase later
	f.note(pod, at(2))
	require.Equal(t, podEnds{terminated: at(2)}, f.ends["a"])
	pod.Status.Phase = corev1.PodFailed
	f.note(pod, at(3))
	f.note(pod, at(4))
	require.Equal(t, podEnds{terminated: at(2), final: at(3)}, f.ends["a"])
	terminated, err := f.wait(t.Context(), "a", false)
	require.NoError(t, err)
	require.Equal(t, at(2), terminated)
	final, err := f.wait(t.Context(), "a", true)
	require.NoError(t, err)
	require.Equal(t, at(3), final)
}

// TestChainReport renders the figures of a cluster with a node, without one.
func TestChainReport(t *testing.T) {
	t.Parallel()
	r := newReport("v1.0.0", Options{Runs: 3, Waits: []int{}, Command: "go run ./driver"})
	for run, style := range chainStyles {
		for i := range 3 {
			r.value(style, 16, float64(24+12*run+i))
		}
	}
	for i := range 200 {
		r.value(latencyBurst+latencySuccess, 50, 0.019+float64(i)*0.0001)
		r.value(latencyBurst+latencyFailure, 50, 0.020+float64(i)*0.001)
	}
	text := r.ChainMarkdown()
	require.Contains(t, text, "| **kontinue** (`RunScript`), result recorded | 25.0 s | 24.0 to 26.0 s | 1.56 s | 0.51 |")
	require.Contains(t, text, "| a watch on the Job, until its condition Complete or Failed | 49.0 s | 48.0 to 50.0 s | 3.06 s | 1.00 |")
	const burst = "50 at a time while the node starts the others"
	require.Contains(t, text, "| "+burst+" | from the container's `terminated` (success) | 200 | 29.00 ms | 38.80 ms | 38.90 ms |")
	require.Contains(t, text, "| a chain of 16 scripts against a wait for the Job's condition | 0.510 | ≤ 0.55 | yes |")
	require.Contains(t, text, "| from the container's `terminated` (success) to the result, "+burst+"; median, p99 | 29.00 ms, 38.80 ms | ≤ 30 ms, ≤ 100 ms | yes |")
	require.Contains(t, text, "| from the final phase (failure) to the result, "+burst+"; median, p99 | 120.00 ms, 218.00 ms | ≤ 30 ms, ≤ 100 ms | **no** |")

	dir := t.TempDir()
	require.NoError(t, r.Write(dir, true))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 2, "the tables of the comparison stay as they are")
	lines, err := os.ReadFile(filepath.Join(dir, "chain.txt"))
	require.NoError(t, err)
	require.Equal(t, 5*3+2*200, strings.Count(string(lines), "\nBenchmarkExperiment/"))

	both := example()
	both.Values = append(both.Values, r.Values...)
	require.Equal(t, string(lines), both.figures(true))
	require.Equal(t, example().figures(false), both.figures(false))
	require.Empty(t, example().ChainMarkdown())
}

// example is a report made without a cluster.
func example() *Report {
	r := newReport("v1.0.0", Options{Runs: 3, Waits: []int{10, 100}, Styles: []Style{Floor, Poll, Informer, Kontinue, KontinueProgress}, Command: "go run ./driver"})
	for _, n := range r.Waits {
		for run := range 3 {
			add := func(s Style, memory uint64, requests int64, wake, cpu float64) {
				r.add(s, n, measurement{
					Attach: figures{Took: 1, Requests: 4, Memory: memorize(memory * uint64(n))},
					Idle:   figures{Took: 2, Requests: requests, Watches: 2},
					Sample: figures{CPU: cpu + float64(run), Requests: 2, Writes: 2, Wake: []float64{wake, wake}, Result: []float64{wake, wake}},
				})
			}
			add(Floor, 0, 0, 0, 1)
			add(Poll, 5000, int64(n), 1, 9)
			add(Informer, 30000, 0, 0.0005, 2)
			add(Kontinue, 9000, 0, 0.0004, 2)
			add(KontinueProgress, 9100, 0, 0.0003, 2)
		}
	}
	for _, adds := range []float64{0.03, 0.01, 0.02} {
		r.value(telemetryAdds, 100, adds)
	}
	r.value("list", 100, 0.9)
	r.value(launchRaw, 50, 100)
	r.value(launchWatched, 50, 90)
	r.value(launchKontinue, 50, 80)
	return r
}

func memorize(bytes uint64) memory { return memory{Heap: bytes} }

func TestReport(t *testing.T) {
	t.Parallel()
	r := example()
	file := filepath.Join(t.TempDir(), "report.json")
	require.NoError(t, r.Save(file))
	loaded, err := Load(file)
	require.NoError(t, err)
	require.Equal(t, r, loaded)

	dir := filepath.Join(t.TempDir(), "out")
	require.NoError(t, loaded.Write(dir, true))
	text, err := os.ReadFile(filepath.Join(dir, "README.md"))
	require.NoError(t, err)
	require.Contains(t, string(text), "| hand-written informers (Jobs, Pods), map of channels | 4 | 2 | 0.0 | 30000 (3.33×) | 500 µs | 500 µs | 500 µs | 500 µs | 500.00 (1×) | 1.00 s (1×) |")
	require.Contains(t, string(text), "| 3. … of those of the hand-written informers | 0.30 | ≤ 0.33 | yes |")
	require.Contains(t, string(text), "| 2. wake, 100 waits, minus that of: hand-written informers (Jobs, Pods), map of channels; median, p99 | -200 µs, -200 µs | ≤ 0 | yes |")
	require.Contains(t, string(text), "| 6. launch of 50 steps against a plain loop of creates | 0.80× (80/s, 100/s) | ≥ 0.9× | **no** |\n| 6. … against such a loop in a process that watches the Jobs | 0.89× (90/s) | ≥ 0.9× | **no** |")
	require.Contains(t, string(text), "| 8. CPU time that metrics and traces add to a completion, 100 waits; median and quartiles of 3 runs | +2.0 % (+1.0 to +3.0 %) | ≤ 3 % | yes |")
	lines, err := os.ReadFile(filepath.Join(dir, "figures.txt"))
	require.NoError(t, err)
	require.Contains(t, string(lines), "\nBenchmarkWait/style=kontinue/n=100 1 1000000000 ns/attach 9000 B/wait ")
	require.Equal(t, 2*5*3+7, strings.Count(string(lines), "\nBenchmark"))
	svg, err := os.Open(filepath.Join(dir, "waits.svg"))
	require.NoError(t, err)
	defer func() { require.NoError(t, svg.Close()) }()
	polylines := 0
	for d := xml.NewDecoder(svg); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
			polylines++
		}
	}
	require.Equal(t, 2*4, polylines, "one line for each style in each of the two panels, none for the floor")
}

func TestTableShowsStyleThatCannotRun(t *testing.T) {
	t.Parallel()
	r := newReport("v1.0.0", Options{Runs: 1, Waits: []int{10}, Styles: []Style{Poll, Kontinue}})
	r.cannot(Poll, 10, "too many open files")
	require.Contains(t, r.Markdown(), "failed: too many open files")
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	values := []float64{5, 1, 4, 2, 3}
	require.Equal(t, 3.0, median(values))
	require.Equal(t, 5.0, quantile(values, 1))
	require.Equal(t, 1.0, quantile(values, 0))
	require.Equal(t, []float64{5, 1, 4, 2, 3}, values)
	require.Zero(t, median(nil))
	require.False(t, math.IsNaN(median(nil)))
}

func TestSeconds(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]float64{"1.50 s": 1.5, "2.00 ms": 0.002, "-2.00 ms": -0.002, "12 µs": 0.000012} {
		require.Equal(t, want, seconds(s))
	}
}
