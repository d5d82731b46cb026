package bench

import (
	"fmt"
	"runtime"
	"strings"
)

// figures renders all runs in the format of Go's benchmarks, so that benchstat can
// compare them with later ones:
//
//	benchstat docs/benchmarks/figures.txt new/figures.txt
//
// They are those of a cluster with a node, or the others.
func (r *Report) figures(node bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "goos: %s\ngoarch: %s\npkg: github.com/kontinue/kontinue/test/bench\nkubernetes: %s\n", runtime.GOOS, runtime.GOARCH, r.Kubernetes)
	for _, c := range r.Cells {
		if node {
			break
		}
		for _, m := range c.Runs {
			fmt.Fprintf(&b, "BenchmarkWait/style=%s/n=%d 1 %.0f ns/attach %.0f B/wait %.0f ns/wake-p50 %.0f ns/wake-p99 %.3f idle-req/s %.0f cpu-ns/op\n",
				c.Style, c.N, m.Attach.Took*1e9, m.perWait(c.N), quantile(m.Sample.Wake, 0.5)*1e9, quantile(m.Sample.Wake, 0.99)*1e9,
				m.idleRate(), m.perThousand()*1e6)
		}
	}
	for _, v := range r.Values {
		if ofNode(v.Name) != node {
			continue
		}
		for _, value := range v.Values {
			fmt.Fprintf(&b, "BenchmarkExperiment/%s/n=%d 1 %.6f value\n", v.Name, v.N, value)
		}
	}
	return b.String()
}
