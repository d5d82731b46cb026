package bench

import (
	"fmt"
	"strings"
	"time"
)

// situation is one in which the latency of results is measured.
type situation struct {
	name, description string
	steps, at         int // steps of a run, and steps at a time
	sleep             time.Duration
}

const (
	latencyPrefix = "latency-"
	latencyAlone  = latencyPrefix + "alone"
	latencySpread = latencyPrefix + "spread"
	latencyBurst  = latencyPrefix + "burst"
)

// The figures of each situation.
const (
	latencySuccess = "-success"
	latencyFailure = "-failure"
	latencyRecord  = "-record"
	latencyRest    = "-rest"
)

// latencyRows are the rows of each situation.
var latencyRows = []struct{ what, description string }{
	{latencySuccess, "from the container's `terminated` (success)"},
	{latencyFailure, "from the final phase (failure)"},
	{latencyRecord, "of both, the request of the record"},
	{latencyRest, "of both, the rest"},
}

const (
	// aloneSteps is the number of steps of a run, one at a time.
	aloneSteps = 10
	shortSleep = 300 * time.Millisecond
	// spreadSleep is how long each script sleeps for each of the steps at a time, so that
	// all have started when the first one ends. Two cores start a container a second.
	spreadSleep = 1200 * time.Millisecond
)

// situations returns all of them for that many steps at a time.
func situations(at int) []situation {
	return []situation{
		{latencyAlone, "one at a time", min(aloneSteps, at), 1, shortSleep},
		{latencySpread, fmt.Sprintf("%d at a time that have all started", at), at, at, time.Duration(at) * spreadSleep},
		{latencyBurst, fmt.Sprintf("%d at a time while the node starts the others", at), at, at, shortSleep},
	}
}

func (r *Report) latencyTable(b *strings.Builder) {
	at := r.latencyAt()
	if at == 0 {
		return
	}
	fmt.Fprint(b, "\n## From the end of a script to its result\n\n", latencyMethod, "\n| steps | time | results | median | p99 | slowest |\n|---|---|---:|---:|---:|---:|\n")
	for _, l := range situations(at) {
		for _, row := range latencyRows {
			values := r.values(l.name+row.what, l.at)
			fmt.Fprintf(b, "| %s | %s | %d | %s | %s | %s |\n", l.description, row.description, len(values),
				seconds(median(values)), seconds(quantile(values, 0.99)), seconds(quantile(values, 1)))
		}
	}
}

// latencyAt returns the number of steps at a time, or 0 if no latencies were measured.
func (r *Report) latencyAt() int {
	_, at, _ := r.last(latencyBurst + latencySuccess)
	return at
}

// The limits of a latency.
const (
	maxLatencyMedian = 0.030
	maxLatencyP99    = 0.100
)

func (r *Report) latencyTargets() (all []targetLine) {
	at := r.latencyAt()
	if at == 0 {
		return nil
	}
	for _, l := range situations(at) {
		for _, row := range latencyRows[:2] {
			values := r.values(l.name+row.what, l.at)
			p50, p99 := median(values), quantile(values, 0.99)
			all = append(all, targetLine{
				fmt.Sprintf("%s to the result, %s; median, p99", row.description, l.description),
				seconds(p50) + ", " + seconds(p99), "≤ 30 ms, ≤ 100 ms", p50 <= maxLatencyMedian && p99 <= maxLatencyP99,
			})
		}
	}
	return all
}

const latencyMethod = `The time from the arrival of the event in a raw watch of the pods in the same process
until RunScript returns, which is after the result has been recorded on the Job. Every
second script fails, with exit code 3. A success ends when its container has terminated,
a failure when the phase of its pod is final. With fewer than 100 results the p99 is the
slowest. *The rest* is what kontinue adds to its one request: the lag of its watch against
the raw one, which may be negative, the decision, and the wake-up of the caller.

One step at a time and many: many scripts that all run before the first one ends, and many
short ones, where the node is busy with the start of containers, and the API server with
it, on the same cores.
`
