package follow

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/test/chaos/internal/report"
)

func TestMain(m *testing.M) {
	if code, is := Worker(); is {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}

// TestFollow is a short run of what the driver does.
func TestFollow(t *testing.T) {
	t.Parallel()
	var progress, printed bytes.Buffer
	r, err := Run(t.Context(), Options{Lines: 20_000, Cuts: 12, Progress: &progress})
	require.NoError(t, err, progress.String())
	r.Print(&printed)
	require.False(t, r.Failed(), printed.String())
	require.Equal(t, 12, r.Cuts)
	require.Len(t, r.Workers, 4)
	for i, least := range []int64{5000, 10_000, 15_000, 20_000} {
		require.GreaterOrEqual(t, r.Workers[i].Lines, least, "worker %d is killed when it has written its line", i+1)
	}
	require.Less(t, r.Workers[0].Lines, int64(20_000))
	require.GreaterOrEqual(t, r.Reopened, 3)
	require.Greater(t, r.Idle, int64(1<<20))
	require.Greater(t, r.Peak, r.Idle)
}

// TestOptions: what cannot be run is refused, and the defaults are those of the driver.
func TestOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{Lines: -1}, {Rate: -1}, {Cuts: -1}, {Kills: -1}, {Lines: 10, Cuts: 7, Kills: 3}} {
		_, err := Run(t.Context(), o)
		require.ErrorContains(t, err, "follow: ")
	}
	o, err := Options{}.complete()
	require.NoError(t, err)
	require.Equal(t, []int{1_000_000, 5000, 200, 3}, []int{o.Lines, o.Rate, o.Cuts, o.Kills})
}

// TestPlan: all breaks are planned in their order, and lines follow the last one.
func TestPlan(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]int{{1_000_000, 200, 3}, {100, 0, 3}, {100, 1, 1}, {100, 5, 20}, {11, 5, 5}, {100, 7, 0}} {
		lines, cuts, kills := c[0], c[1], c[2]
		count := map[kind]int{}
		before := 0
		for _, p := range plan(lines, cuts, kills) {
			count[p.kind]++
			require.Greater(t, p.line, before)
			before = p.line
		}
		require.Equal(t, []int{cuts, kills}, []int{count[cut], count[kill]}, c)
		require.Less(t, before, lines)
	}
}

// TestBreaks: each break hits the running worker once, when its line is sent.
func TestBreaks(t *testing.T) {
	t.Parallel()
	write, wrote := make(chan string), make(chan error)
	b := &breaks{planned: []planned{{2, cut}, {3, kill}, {3, cut}}, next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for text := range write {
			_, err := w.Write([]byte(text))
			wrote <- err
		}
	})}
	send := func(text string) {
		write <- text
		require.NoError(t, <-wrote)
	}
	open := func() (ended chan any, w *httptest.ResponseRecorder) {
		ended, w = make(chan any, 1), httptest.NewRecorder()
		go func() {
			defer func() { ended <- recover() }()
			b.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/pods/p/log", http.NoBody))
		}()
		return ended, w
	}
	kills, file := 0, filepath.Join(t.TempDir(), "written")
	b.begin(file, func() { kills++ })
	ended, w := open()
	send("T line 1\n")
	write <- "T line 2\n"
	require.Equal(t, http.ErrAbortHandler, <-ended)
	require.Equal(t, "T line 1\nT ", w.Body.String())

	_, killed := open()
	send("T line 2\n")
	send("T line 3\n")
	require.Zero(t, kills, "the worker has not written line 3")
	require.NoError(t, os.WriteFile(file, []byte("line 1\nline 2\nline 3\n"), 0o600))
	send("T line 4\n")
	require.Equal(t, 1, kills)
	send("T line 5\n")
	b.begin(file, func() { kills++ })
	send("T line 6\n")
	require.Equal(t, "T line 2\nT line 3\nT line 4\nT line 5\nT line 6\n", killed.Body.String(), "a stream of the worker that was killed")
	close(write)

	write = make(chan string)
	ended, w = open()
	write <- "T line 3\n"
	require.Equal(t, http.ErrAbortHandler, <-ended)
	require.Equal(t, "T l", w.Body.String())
	require.Equal(t, []int{2, 1}, []int{b.cuts(), kills})
}

// TestLines: the size and the number of a line are those of its text.
func TestLines(t *testing.T) {
	t.Parallel()
	total := int64(0)
	for n := 1; n < 12_000; n++ {
		total += int64(len(line(n)))
		require.Equal(t, total, size(n))
		require.Equal(t, n, lineNumber([]byte("2026-03-01T12:00:00.000000000Z "+line(n))))
	}
	require.Zero(t, size(0))
	require.Zero(t, lineNumber([]byte("no number")))
}

// TestRead: what differs from the numbered lines is counted.
func TestRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text                 string
		killed               bool
		lost, doubled, wrong int64
		first                string
	}{
		"all":                 {text: "1 2 3 4 5"},
		"killed":              {text: "1 2 3", killed: true},
		"killed at once":      {killed: true},
		"killed in a line":    {text: "1 2 3|line", killed: true},
		"killed at its end":   {text: "1 2 3|line 4", killed: true},
		"cut and not killed":  {text: "1 2 3|line 4", lost: 2, wrong: 1, first: `"line 4" at the end, after line 3`},
		"killed, another cut": {text: "1 2 3|line 5", killed: true, wrong: 1, first: `"line 5" at the end, after line 3`},
		"end is missing":      {text: "1 2 3", lost: 2, first: "no line after 3"},
		"nothing":             {lost: 5, first: "no line after 0"},
		"a gap":               {text: "1 4 5", lost: 2, first: "line 4 after line 1"},
		"first is missing":    {text: "2", killed: true, lost: 1, first: "line 2 after line 0"},
		"one again":           {text: "1 2 2 3 4 5", doubled: 1, first: "line 2 after line 2"},
		"from the start":      {text: "1 2 3 1 2 3 4 5", doubled: 3, first: "line 1 after line 3"},
		"exchanged":           {text: "1 3 2 4 5", lost: 1, doubled: 1, first: "line 3 after line 1"},
		"beyond the end":      {text: "1 2 3 4 5 6", wrong: 1, first: `"line 6\n" after line 5`},
		"another text":        {text: "1 2 x 3 4 5", wrong: 1, first: `"line x\n" after line 2`},
		"another number":      {text: "1 02 2 3 4 5", wrong: 1, first: `"line 02\n" after line 1`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole, rest, _ := strings.Cut(c.text, "|")
			text := ""
			for _, n := range strings.Fields(whole) {
				text += "line " + n + "\n"
			}
			w, err := read(strings.NewReader(text+rest), 5, c.killed)
			require.NoError(t, err)
			require.Equal(t, []any{c.lost, c.doubled, c.wrong, c.first}, []any{w.Lost, w.Doubled, w.Wrong, w.First})
			require.Equal(t, []int64{int64(len(strings.Fields(whole))), int64(len(text + rest))}, []int64{w.Lines, w.Bytes})
		})
	}
}

// TestFindings: what a worker has written or reported wrongly fails the run.
func TestFindings(t *testing.T) {
	t.Parallel()
	good := func() *result {
		return &result{Succeeded: true, Report: &kontinue.LogReport{Complete: true, Lines: 5, Bytes: 35, Reopened: 2}}
	}
	all := Written{Lines: 5, Bytes: 35}
	for name, c := range map[string]struct {
		written Written
		change  func(*result)
		found   string
	}{
		"good":       {written: all},
		"lost":       {Written{Lines: 5, Bytes: 35, Lost: 3, First: "x"}, nil, "lost: worker 4: 3 lines, the first one: x"},
		"doubled":    {Written{Lines: 5, Bytes: 35, Doubled: 2}, nil, "duplicates: worker 4: 2 lines"},
		"wrong":      {Written{Lines: 5, Bytes: 35, Wrong: 1}, nil, "wrong: worker 4: 1 lines"},
		"failed":     {all, func(r *result) { r.Succeeded = false }, "the step has failed"},
		"no report":  {all, func(r *result) { r.Report = nil }, "no LogReport"},
		"incomplete": {all, func(r *result) { r.Report.Complete = false }, "Complete:false"},
		"a gap":      {all, func(r *result) { r.Report.Gaps = make([]kontinue.LogGap, 1) }, "Gaps:[{"},
		"an error":   {all, func(r *result) { r.Report.Err = errors.New("no way") }, "no way"},
		"truncated":  {all, func(r *result) { r.Report.Truncated = 1 }, "Truncated:1"},
		"lines":      {all, func(r *result) { r.Report.Lines = 6 }, "Lines:6"},
		"bytes":      {all, func(r *result) { r.Report.Bytes = 6 }, "Bytes:6"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := good()
			if c.change != nil {
				c.change(got)
			}
			r := &Report{Findings: &report.Findings{}}
			r.add(4, c.written, got)
			require.Equal(t, c.found != "", r.Failed())
			require.Contains(t, strings.Join(r.Findings.Cases(), "\n"), c.found)
		})
	}
}
