package bench

import (
	"context"
	"fmt"
)

// The figures of the experiment with telemetry: what metrics and traces add to the CPU time
// of a completion, as a part of that without them, and the latter in seconds.
const (
	telemetryAdds  = "telemetry-adds"
	telemetryPlain = "telemetry-plain"
)

// observed are the styles whose CPU time is compared, each in a namespace of its own.
var observed = []Style{Floor, Kontinue, kontinueOTel}

func observedIn(i int) string { return fmt.Sprintf("bench-telemetry-%d", i) }

// overhead measures what telemetry costs. A client with it, one without and the raw watch alone,
// which both hold too, run at the same time in three processes, whose Jobs end by turns: what
// else the machine does counts against all of them alike.
func (r *runner) overhead(ctx context.Context) error {
	if r.Telemetry == 0 {
		return nil
	}
	worlds := make([]*world, len(observed))
	for i := range worlds {
		w, err := newWorld(ctx, r.client, observedIn(i), r.Telemetry)
		if err != nil {
			return err
		}
		worlds[i] = w
	}
	for run := range r.Runs {
		cpu, err := r.together(ctx, worlds, func(i int) Style { return observed[(i+run)%len(observed)] })
		if err != nil {
			return err
		}
		plain := cpu[Kontinue] - cpu[Floor]
		adds := (cpu[kontinueOTel] - cpu[Kontinue]) / plain
		r.report.value(telemetryPlain, r.Telemetry, plain)
		r.report.value(telemetryAdds, r.Telemetry, adds)
		fmt.Fprintf(r.Progress, "run=%d telemetry adds %+.1f %% to %s of CPU\n", run, 100*adds, seconds(plain))
	}
	values := r.report.values(telemetryAdds, r.Telemetry)
	fmt.Fprintf(r.Progress, "telemetry adds %+.1f %% (quartiles %+.1f and %+.1f %%)\n", 100*median(values), 100*quantile(values, 0.25), 100*quantile(values, 0.75))
	return nil
}

// together runs a style in each world at once, and returns the CPU time of a completion of
// each, in seconds.
func (r *runner) together(ctx context.Context, worlds []*world, style func(int) Style) (map[Style]float64, error) {
	var workers []*process
	var ends []func(context.Context) error
	stop := func() {
		for _, p := range workers {
			p.end()
		}
	}
	defer stop()
	samples := make([][]int, len(worlds))
	for i, w := range worlds {
		p, err := r.attach(ctx, w, style(i))
		if err != nil {
			return nil, err
		}
		workers = append(workers, p)
		if _, err := p.ask(""); err != nil {
			return nil, err
		}
		samples[i] = w.sample(sampleOf(r.Telemetry))
	}
	for k := range samples[0] {
		for i, w := range worlds {
			ends = append(ends, func(ctx context.Context) error { return w.end(ctx, samples[i][k]) })
		}
	}
	for i, p := range workers {
		if _, err := p.ask(fmt.Sprintf("sample %d", len(samples[i]))); err != nil {
			return nil, err
		}
	}
	if err := paced(ctx, ends, r.Pace); err != nil {
		return nil, err
	}
	cpu := map[Style]float64{}
	for i, p := range workers {
		f, err := p.ask("")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", style(i), err)
		}
		cpu[style(i)] = f.CPU / float64(len(samples[i]))
	}
	stop() // before the Jobs are replaced: a worker may still act on waits that have ended
	for i, w := range worlds {
		if err := w.restore(ctx, samples[i]); err != nil {
			return nil, err
		}
	}
	return cpu, nil
}
