package bench

import (
	"fmt"
	"strings"
)

// targetLine is one line of the table of targets.
type targetLine struct {
	what, figure, target string
	reached              bool
}

// targets compares the measurements with the targets. A measurement that was skipped
// has no line.
func (r *Report) targets() (all []targetLine) {
	add := func(what, figure, target string, reached bool) {
		all = append(all, targetLine{what, figure, target, reached})
	}
	n := 0
	for _, waits := range r.Waits {
		if _, ok := r.summary(Kontinue, waits); ok {
			n = max(n, waits)
		}
	}
	for _, waits := range r.Waits {
		if k, ok := r.summary(Kontinue, waits); ok {
			add(fmt.Sprintf("1. watch streams and requests while %d wait", waits), fmt.Sprintf("%.0f, %.2f/s", k.streams, k.idle), "2, 0", k.streams == 2 && k.idle == 0)
		}
	}
	if writes, _, ok := r.last("finish-writes"); ok {
		requests, _, _ := r.last("finish-requests")
		add("1. requests of a resumed step (its create was the other write)", fmt.Sprintf("%.2f writes, %.2f reads", writes, requests-writes), "≤ 1, ≤ 1", writes <= 1.001 && requests-writes <= 1)
	}
	k, ok := r.summary(Kontinue, n)
	if !ok {
		return all
	}
	if t, ok := r.summary(KontinueProgress, n); ok {
		add(fmt.Sprintf("2. wake at p99 after the raw watch, %d waits", n), seconds(t.wake99), "≤ 1 ms", t.wake99 <= 0.001)
	}
	r.wakeTargets(add)
	floor, hasFloor := r.summary(Floor, n)
	add(fmt.Sprintf("3. bytes of a waiting step, %d waits", n), fmt.Sprintf("%.0f", k.memory), "≤ 10,000", k.memory <= 10000)
	if i, ok := r.summary(Informer, n); ok {
		add("3. … of those of the hand-written informers", fmt.Sprintf("%.2f", k.memory/i.memory), "≤ 0.33", k.memory*3 <= i.memory)
	}
	if w, ok := r.summary(WatchPerWait, n); ok {
		add("3. … of those of a watch per wait", fmt.Sprintf("%.3f", k.memory/w.memory), "≤ 0.1", k.memory*10 <= w.memory)
	}
	if bytes, steps, ok := r.last("finished"); ok {
		client, _, _ := r.last("empty")
		bytes -= client / float64(steps)
		add(fmt.Sprintf("3. bytes of a finished step whose Job exists, %d steps, minus those of a client without Jobs", steps), fmt.Sprintf("%.0f", bytes), "≤ 1,024", bytes <= 1024)
	}
	if with, steps, ok := r.last("foreign-memory"); ok {
		without, _, _ := r.last("alone-memory")
		startWith, _, _ := r.last("foreign-start")
		start, _, _ := r.last("alone-start")
		add(fmt.Sprintf("3. with unrelated pods in the namespace, %d waits: memory, time to attach", steps), fmt.Sprintf("%.2f×, %.2f×", with/without, startWith/start), "1×, 1×",
			with <= 1.1*without && startWith <= 1.2*start)
	}
	if list, ok := r.of("list", n); ok {
		add(fmt.Sprintf("5. resume of %d running steps against a paged LIST of the same objects", n), fmt.Sprintf("%.2f× (%s, %s)", k.attach/list, seconds(k.attach), seconds(list)), "≤ 1.2×", k.attach <= 1.2*list)
	}
	if kontinue, steps, ok := r.last(launchKontinue); ok {
		if raw, ok := r.of(launchRaw, steps); ok {
			add(fmt.Sprintf("6. launch of %d steps against a plain loop of creates", steps), fmt.Sprintf("%.2f× (%.0f/s, %.0f/s)", kontinue/raw, kontinue, raw), "≥ 0.9×", kontinue >= 0.9*raw)
		}
		if watched, ok := r.of(launchWatched, steps); ok {
			add("6. … against such a loop in a process that watches the Jobs", fmt.Sprintf("%.2f× (%.0f/s)", kontinue/watched, watched), "≥ 0.9×", kontinue >= 0.9*watched)
		}
	}
	for _, other := range []Style{Informer, Recorder} {
		if i, ok := r.summary(other, n); ok && hasFloor {
			ratio := (k.cpu - floor.cpu) / (i.cpu - floor.cpu)
			add("7. CPU time of a completion against: "+descriptions[other], fmt.Sprintf("%.2f×", ratio), "≤ 1.2×", ratio <= 1.2)
		}
	}
	if adds, waits, ok := r.last(telemetryAdds); ok {
		values := r.values(telemetryAdds, waits)
		add(fmt.Sprintf("8. CPU time that metrics and traces add to a completion, %d waits; median and quartiles of %d runs", waits, len(values)),
			fmt.Sprintf("%+.1f %% (%+.1f to %+.1f %%)", 100*adds, 100*quantile(values, 0.25), 100*quantile(values, 0.75)), "≤ 3 %", adds <= 0.03)
	}
	return all
}

// wakeTargets compares the wakes at each N.
func (r *Report) wakeTargets(add func(what, figure, target string, reached bool)) {
	for _, n := range r.Waits {
		k, ok := r.summary(KontinueProgress, n)
		if !ok {
			continue
		}
		if i, ok := r.summary(Informer, n); ok {
			add(fmt.Sprintf("2. wake, %d waits, minus that of: %s; median, p99", n, descriptions[Informer]), seconds(k.wake50-i.wake50)+", "+seconds(k.wake99-i.wake99), "≤ 0", k.wake50 <= i.wake50 && k.wake99 <= i.wake99)
		}
		sent, ok := r.summary(Kontinue, n)
		if i, other := r.summary(Recorder, n); ok && other {
			add(fmt.Sprintf("2. time until the record is sent, %d waits, minus that of: %s; median, p99", n, descriptions[Recorder]), seconds(sent.wake50-i.wake50)+", "+seconds(sent.wake99-i.wake99), "≤ 0", sent.wake50 <= i.wake50 && sent.wake99 <= i.wake99)
		}
		if p, ok := r.summary(Poll, n); ok {
			median := p.wake50 / max(k.wake50, resolution)
			add(fmt.Sprintf("2. median wake of polling, %d waits, against kontinue's, taken as at least %s", n, seconds(resolution)), fmt.Sprintf("%.0f×", median), "> 500×", median > 500)
			if k.wake99 > 0 {
				p99 := p.wake99 / k.wake99
				add(fmt.Sprintf("2. p99 of the wake of polling, %d waits, against kontinue's", n), fmt.Sprintf("%.0f×", p99), "> 500×", p99 > 500)
			}
		}
	}
}

// resolution is the precision of a comparison between two streams: either may deliver
// an event up to a millisecond before the other.
const resolution = 0.001

func (r *Report) targetsTable(b *strings.Builder) {
	writeTargets(b, r.targets())
}

func writeTargets(b *strings.Builder, all []targetLine) {
	if len(all) == 0 {
		return
	}
	fmt.Fprint(b, "\n## Targets\n\n| what | measured | target | reached |\n|---|---:|---:|---|\n")
	for _, v := range all {
		reached := "yes"
		if !v.reached {
			reached = "**no**"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", v.what, v.figure, v.target, reached)
	}
}
