package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// cell is all runs of a style at one N.
type cell struct {
	Style Style
	N     int
}

// Report is what a [Run] has measured.
type Report struct {
	Go, Kubernetes string
	Cores, Runs    int
	Waits          []int
	Styles         []Style

	cells  map[cell][]measurement
	reason map[cell]string // why a style could not be run
	values map[string]map[int][]float64
}

func newReport(kubernetes string, o Options) *Report {
	return &Report{
		Go: runtime.Version(), Kubernetes: kubernetes, Cores: runtime.NumCPU(), Runs: o.Runs, Waits: o.Waits, Styles: o.Styles,
		cells: map[cell][]measurement{}, reason: map[cell]string{}, values: map[string]map[int][]float64{},
	}
}

func (r *Report) add(s Style, n int, m measurement) {
	r.cells[cell{s, n}] = append(r.cells[cell{s, n}], m)
}

func (r *Report) cannot(s Style, n int, why string) { r.reason[cell{s, n}] = why }

// value adds a figure of an experiment.
func (r *Report) value(name string, n int, v float64) {
	if r.values[name] == nil {
		r.values[name] = map[int][]float64{}
	}
	r.values[name][n] = append(r.values[name][n], v)
}

// of is the median of an experiment, over all its N if there is but one.
func (r *Report) of(name string, n int) (float64, bool) {
	v := r.values[name][n]
	return median(v), len(v) > 0
}

// summary is the medians of a cell.
type summary struct {
	attach, memory, idle, cpu         float64
	requests, streams                 float64
	wake50, wake99, wakeMax, result50 float64
	perCompletion, writes             float64
}

// summary returns false for a style that was not run at n.
func (r *Report) summary(s Style, n int) (summary, bool) {
	runs := r.cells[cell{s, n}]
	if len(runs) == 0 {
		return summary{}, false
	}
	over := func(f func(measurement) float64) float64 {
		values := make([]float64, len(runs))
		for i, m := range runs {
			values[i] = f(m)
		}
		return median(values)
	}
	wake := func(q float64) float64 {
		return over(func(m measurement) float64 { return quantile(m.sample.Wake, q) })
	}
	return summary{
		attach:   over(func(m measurement) float64 { return m.attach.Took }),
		memory:   over(func(m measurement) float64 { return m.perWait(n) }),
		idle:     over(measurement.idleRate),
		cpu:      over(measurement.perThousand),
		requests: over(func(m measurement) float64 { return float64(m.attach.Requests) }),
		streams:  over(func(m measurement) float64 { return float64(m.idle.Watches) }),
		wake50:   wake(0.5), wake99: wake(0.99), wakeMax: wake(1),
		result50:      over(func(m measurement) float64 { return quantile(m.sample.Result, 0.5) }),
		perCompletion: over(func(m measurement) float64 { return float64(m.sample.Requests) / float64(len(m.sample.Wake)) }),
		writes:        over(func(m measurement) float64 { return float64(m.sample.Writes) / float64(len(m.sample.Wake)) }),
	}, true
}

// machine describes where the figures come from.
func (r *Report) machine() string {
	return fmt.Sprintf("%d cores, %s, Kubernetes %s, medians of %d runs", r.Cores, r.Go, r.Kubernetes, r.Runs)
}

// Write leaves the tables and the plot in a directory, and with record the
// figures for benchstat.
func (r *Report) Write(dir, command string, record bool) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files := map[string]string{"README.md": r.Markdown(command)}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
