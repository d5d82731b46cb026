package storm_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kontinue/kontinue/test/chaos/internal/report"
	"github.com/kontinue/kontinue/test/chaos/proxy"
	"github.com/kontinue/kontinue/test/chaos/storm"
)

func ExampleReport_Print() {
	r := &storm.Report{
		Version: "v1.37.2", First: 1, Seeds: 2, Steps: 80, Jobs: 80, Pods: 96, Took: time.Minute,
		Injected: map[proxy.Kind]int{proxy.Cut: 12, proxy.LoseResponse: 5}, Findings: &report.Findings{},
		Noticed: []time.Duration{20 * time.Millisecond, 30 * time.Millisecond, 4 * time.Second},
	}
	var b bytes.Buffer
	r.Print(&b)
	// Leave out the faults that did not take effect.
	lines := slices.DeleteFunc(strings.Split(b.String(), "\n"), func(line string) bool {
		return strings.HasPrefix(line, " ") && strings.HasSuffix(line, " 0")
	})
	fmt.Println(strings.Join(lines, "\n"))
	// Output:
	// Kubernetes                                v1.37.2, 1m0s
	// seeds                                     2, from 1
	// faults that took effect                   17
	//   cut                                     12
	//   lost response                           5
	// steps                                     80
	// jobs                                      80
	// pods                                      96
	// lost                                      0
	// duplicates                                0
	// wrong                                     0
	// clients that did not recover or stop      0
	// leaks of env or args                      0
	// from a job's end until its step noticed   30ms median, 30ms 99th percentile, 4s longest
	// from a job's end until its step returned  -
}
