package endings

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Document returns the section of docs/fake-vs-real.md on the order of events.
func Document() (string, error) {
	memory, err := Read(Memory)
	if err != nil {
		return "", err
	}
	actual, err := Read(Real)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(preamble)
	b.WriteString("| case | what happens | order of states |\n|---|---|---|\n")
	for _, c := range All() {
		order := "the same"
		if c.Race != "" {
			order = "a race: " + c.Race
		}
		if err := c.Compare(actual[c.Name], memory[c.Name]); err != nil {
			order = "differs"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.Name, c.Shows, order)
	}
	b.WriteString("\n| from | to | real, s | in memory, s |\n|---|---|---|---|\n")
	for _, w := range windows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", w.from, w.to, w.span(actual), w.span(memory))
	}
	return b.String(), nil
}

const preamble = `## Order of events

The cases of internal/fakecluster/endings were recorded by raw watches of the pod and the
Job on both clusters, in memory with the delays of a real node and Job controller
(fakecluster.RealDelays). Compared is the order of the states of the pod (phase and
reason, containers, why it is not ready, DisruptionTarget, deletion, tracking finalizer)
and of the Job (counters, uncounted pods, conditions). How many times the Job controller
counts a pod as ready in between, and how the states of the pod and of the Job are mixed,
depend on milliseconds and are not compared.

An eviction by the kubelet, the death of a node, and what falls between the end of a
process and its state in the status follow the sources of the kubelet only.

`

// window is a time between two states in which a client may act.
type window struct {
	from, to         string
	begins, finishes func(line string) bool
}

var windows = []window{
	{"all containers terminated", "final phase", endedRunning, finalPhase},
	{"final phase", "Complete or Failed", finalPhase, func(line string) bool {
		return strings.Contains(line, " Complete/") || strings.Contains(line, " Failed/") && strings.HasPrefix(line, "job ")
	}},
	{"final phase of a deleted pod", "removed from the API", finalPhase, func(line string) bool { return line == "pod removed" }},
}

// endedRunning is inTheWindow for a line.
func endedRunning(line string) bool {
	return strings.HasPrefix(line, "pod Running ") && !strings.Contains(line, "=running") && strings.Contains(line, "not ready: Pod")
}

func finalPhase(line string) bool {
	return strings.HasPrefix(line, "pod Succeeded") || strings.HasPrefix(line, "pod Failed")
}

// span returns the shortest and the longest time in the histories that have the window.
func (w window) span(record map[string]History) string {
	var times []time.Duration
	for _, h := range record {
		from := slices.IndexFunc(h, func(s State) bool { return w.begins(s.Line) })
		to := slices.IndexFunc(h, func(s State) bool { return w.finishes(s.Line) })
		if from >= 0 && to > from {
			times = append(times, h[to].At-h[from].At)
		}
	}
	if len(times) == 0 {
		return "not seen"
	}
	return fmt.Sprintf("%.2f to %.2f", slices.Min(times).Seconds(), slices.Max(times).Seconds())
}
