package follow

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/kontinue/kontinue/test/chaos/internal/report"
)

// Written is what a worker has written.
type Written struct {
	// Lines and Bytes count all of it. A line that a kill has cut is not in Lines.
	Lines, Bytes int64
	// Lost counts the lines that are missing before one that was written, Doubled those
	// that came again, and Wrong those that the container has not written.
	Lost, Doubled, Wrong int64
	// First describes the first of them.
	First string

	next int // the line that is expected
}

// read reads what a worker has written. All lines are missing after the last one unless
// the worker was killed, which may also have cut the last one.
func read(from io.Reader, lines int, killed bool) (Written, error) {
	w := Written{next: 1}
	in := bufio.NewReader(from)
	for {
		text, err := in.ReadString('\n')
		w.Bytes += int64(len(text))
		switch {
		case err == nil:
			w.add(text, lines)
		case !errors.Is(err, io.EOF):
			return w, err
		case text != "" && (!killed || !strings.HasPrefix(line(w.next), text)):
			w.Wrong++
			w.foundf("%q at the end, after line %d", text, w.next-1)
		}
		if err != nil {
			break
		}
	}
	if missing := lines + 1 - w.next; missing > 0 && !killed {
		w.Lost += int64(missing)
		w.foundf("no line after %d", w.next-1)
	}
	return w, nil
}

// add adds a whole line.
func (w *Written) add(text string, lines int) {
	w.Lines++
	number := strings.TrimSuffix(strings.TrimPrefix(text, prefix), "\n")
	n, err := strconv.Atoi(number)
	switch {
	case err != nil || n < 1 || n > lines || text != line(n):
		w.Wrong++
		w.foundf("%q after line %d", text, w.next-1)
		return
	case n < w.next:
		w.Doubled++
		w.foundf("line %d after line %d", n, w.next-1)
		return
	case n > w.next:
		w.Lost += int64(n - w.next)
		w.foundf("line %d after line %d", n, w.next-1)
	}
	w.next = n + 1
}

func (w *Written) foundf(format string, args ...any) {
	if w.First == "" {
		w.First = fmt.Sprintf(format, args...)
	}
}

// check checks what a worker has written, and the result of the last one.
func (r *runner) check(number int, path string, got *result) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	w, err := read(file, r.Lines, got == nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(r.Progress, "worker %d: %d lines, %d cuts so far\n", number, w.Lines, r.breaks.cuts())
	r.report.add(number, w, got)
	return nil
}

// add adds what a worker has written, and its result unless it was killed.
func (r *Report) add(number int, w Written, got *result) {
	r.Workers = append(r.Workers, w)
	addf := r.Findings.Addf
	for kind, n := range map[report.Kind]int64{report.Lost: w.Lost, report.Duplicate: w.Doubled, report.Wrong: w.Wrong} {
		if n > 0 {
			addf(kind, "worker %d: %d lines, the first one: %s", number, n, w.First)
		}
	}
	if got == nil {
		return
	}
	r.Idle, r.Peak = got.Idle, got.Peak
	l := got.Report
	switch {
	case !got.Succeeded:
		addf(report.Wrong, "worker %d: the step has failed", number)
	case l == nil:
		addf(report.Wrong, "worker %d: the result has no LogReport", number)
	case !l.Complete || l.Err != nil || len(l.Gaps) > 0 || l.Truncated > 0 || l.Lines != w.Lines || l.Bytes != w.Bytes:
		addf(report.Wrong, "worker %d: %+v, and the file has %d lines and %d bytes", number, *l, w.Lines, w.Bytes)
	default:
		r.Reopened = l.Reopened
	}
}
