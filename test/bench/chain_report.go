package bench

import (
	"fmt"
	"strings"
)

// ofNode reports whether a figure was measured on a cluster with a node.
func ofNode(name string) bool {
	return strings.HasPrefix(name, latencyPrefix) || chainDescriptions[name] != ""
}

// hasChain reports whether there are figures of a cluster with a node.
func (r *Report) hasChain() bool {
	for _, v := range r.Values {
		if ofNode(v.Name) {
			return true
		}
	}
	return false
}

// ChainMarkdown renders the tables of what was measured on a cluster with a node, and
// nothing if that was skipped.
func (r *Report) ChainMarkdown() string {
	if !r.hasChain() {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# What a user feels\n\nMade by `%s` in `test/bench` (%s). Do not edit.\n", r.Command, r.machine())
	r.chainTable(&b)
	r.latencyTable(&b)
	writeTargets(&b, r.chainTargets())
	return b.String()
}

func (r *Report) chainTable(b *strings.Builder) {
	base, n, ok := r.last(chainCondition)
	if !ok {
		return
	}
	fmt.Fprintf(b, "\n## A chain of %d scripts\n\n%s\n", n, chainMethod)
	fmt.Fprintf(b, "| each script is waited for by | %d scripts: median | of all runs | a script | ratio to the Job's condition |\n", n)
	fmt.Fprintln(b, "|---|---:|---:|---:|---:|")
	for _, style := range chainStyles {
		values := r.values(style, n)
		total := median(values)
		fmt.Fprintf(b, "| %s | %.1f s | %.1f to %.1f s | %.2f s | %.2f |\n", chainDescriptions[style],
			total, quantile(values, 0), quantile(values, 1), total/float64(n), total/base)
	}
}

// chainRatio is the limit of the chain's time against a wait for the condition.
const chainRatio = 0.55

func (r *Report) chainTargets() (all []targetLine) {
	if base, n, ok := r.last(chainCondition); ok {
		total, _ := r.of(chainKontinue, n)
		all = append(all, targetLine{
			fmt.Sprintf("a chain of %d scripts against a wait for the Job's condition", n),
			fmt.Sprintf("%.3f", total/base), fmt.Sprintf("≤ %.2f", chainRatio), total <= chainRatio*base,
		})
	}
	return append(all, r.latencyTargets()...)
}

const chainMethod = `Each script is ` + "`" + script + "`" + ` in a container of its own on a real node (kubelet, containerd,
runc), and starts when the end of the one before is known. All styles create the same
Jobs. They run by turns, each in a process of its own, in an order that rotates from run
to run; the pods of one are gone before the next begins. The clients are connected, and
kubectl's cache of API groups is filled, before the clock starts. kubectl is built from
the module of the same release. Only kontinue writes something besides the Jobs: a
record of each result.
`
