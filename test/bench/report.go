package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Report holds the measurements of a [Run].
type Report struct {
	Go, Kubernetes string
	Cores, Runs    int
	Waits          []int
	Styles         []Style
	// Command is the command that made the report.
	Command string

	Cells  []*runsOf
	Values []*valuesOf
}

// runsOf holds all runs of a style at one N.
type runsOf struct {
	Style  Style
	N      int
	Runs   []measurement
	Reason string // why it could not be run
}

// valuesOf holds the figures of an experiment.
type valuesOf struct {
	Name   string
	N      int
	Values []float64
}

func newReport(kubernetes string, o Options) *Report {
	return &Report{
		Go: runtime.Version(), Kubernetes: kubernetes, Cores: runtime.NumCPU(), Runs: o.Runs, Waits: o.Waits, Styles: o.Styles, Command: o.Command,
	}
}

// cell returns the runs of a style at n, and adds an empty cell if there are none.
func (r *Report) cell(s Style, n int) *runsOf {
	for _, c := range r.Cells {
		if c.Style == s && c.N == n {
			return c
		}
	}
	c := &runsOf{Style: s, N: n}
	r.Cells = append(r.Cells, c)
	return c
}

func (r *Report) add(s Style, n int, m measurement) {
	c := r.cell(s, n)
	c.Runs = append(c.Runs, m)
}

func (r *Report) cannot(s Style, n int, why string) { r.cell(s, n).Reason = why }

// value adds a figure of an experiment.
func (r *Report) value(name string, n int, v float64) {
	for _, x := range r.Values {
		if x.Name == name && x.N == n {
			x.Values = append(x.Values, v)
			return
		}
	}
	r.Values = append(r.Values, &valuesOf{name, n, []float64{v}})
}

// of returns the median of an experiment, and false if it was not run.
func (r *Report) of(name string, n int) (float64, bool) {
	values := r.values(name, n)
	return median(values), len(values) > 0
}

// values returns all figures of an experiment.
func (r *Report) values(name string, n int) []float64 {
	for _, x := range r.Values {
		if x.Name == name && x.N == n {
			return x.Values
		}
	}
	return nil
}

// last returns the median of an experiment at its largest N.
func (r *Report) last(name string) (value float64, n int, ok bool) {
	for _, x := range r.Values {
		if x.Name == name && x.N >= n {
			value, n, ok = median(x.Values), x.N, true
		}
	}
	return value, n, ok
}

// summary holds the medians of a cell.
type summary struct {
	attach, memory, idle, cpu         float64
	requests, streams                 float64
	wake50, wake99, wakeMax, result50 float64
	perCompletion, writes             float64
}

// summary returns the medians of a style at n, and false if it was not run.
func (r *Report) summary(s Style, n int) (summary, bool) {
	runs := r.cell(s, n).Runs
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
		return over(func(m measurement) float64 { return quantile(m.Sample.Wake, q) })
	}
	return summary{
		attach:   over(func(m measurement) float64 { return m.Attach.Took }),
		memory:   over(func(m measurement) float64 { return m.perWait(n) }),
		idle:     over(measurement.idleRate),
		cpu:      over(measurement.perThousand),
		requests: over(func(m measurement) float64 { return float64(m.Attach.Requests) }),
		streams:  over(func(m measurement) float64 { return float64(m.Idle.Watches) }),
		wake50:   wake(0.5), wake99: wake(0.99), wakeMax: wake(1),
		result50:      over(func(m measurement) float64 { return quantile(m.Sample.Result, 0.5) }),
		perCompletion: over(func(m measurement) float64 { return float64(m.Sample.Requests) / float64(len(m.Sample.Wake)) }),
		writes:        over(func(m measurement) float64 { return float64(m.Sample.Writes) / float64(len(m.Sample.Wake)) }),
	}, true
}

// machine describes the machine and versions behind the figures.
func (r *Report) machine() string {
	return fmt.Sprintf("%d cores, %s, Kubernetes %s, medians of %d runs", r.Cores, r.Go, r.Kubernetes, r.Runs)
}

// Save writes all measurements to a file as JSON, for [Load].
func (r *Report) Save(file string) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// Load reads a file written by Save.
func Load(file string) (*Report, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := &Report{}
	return r, json.Unmarshal(text, r)
}

// Write writes the tables and the plot to a directory, and also the figures for
// benchstat if record is set. It leaves the files alone whose figures were not measured.
func (r *Report) Write(dir string, record bool) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files := map[string]string{}
	if len(r.Waits) > 0 {
		files["README.md"], files["waits.svg"] = r.Markdown(), r.plot()
		if record {
			files["figures.txt"] = r.figures(false)
		}
	}
	if r.hasChain() {
		files["chain.md"] = r.ChainMarkdown()
		if record {
			files["chain.txt"] = r.figures(true)
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
