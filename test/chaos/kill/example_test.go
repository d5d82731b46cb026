package kill_test

import (
	"os"
	"time"

	"github.com/kontinue/kontinue/test/chaos/internal/report"
	"github.com/kontinue/kontinue/test/chaos/kill"
)

func ExampleReport_Print() {
	r := &kill.Report{
		Seed: 1, Version: "v1.37.2", Took: 90 * time.Second, Executions: 10, Steps: 50, Processes: 32, Kills: 20,
		ByPlan: map[string]int{"random": 12, "after create": 8, "SIGTERM": 2}, Jobs: 50, Pods: 70, Overlapping: 4, OverlappingKills: 9, Deleted: 1,
		Findings: &report.Findings{},
	}
	r.Findings.Addf(report.Lost, "execution 3: run 0 of step lint has no job")
	r.Print(os.Stdout)
	// Output:
	// Kubernetes                                    v1.37.2, seed 1, 1m30s
	// executions                                    10
	// steps                                         50
	// worker processes                              32
	// kills                                         20
	//   random                                      12
	//   before create                               0
	//   after create                                8
	//   before record                               0
	//   after record                                0
	//   created                                     0
	//   pending                                     0
	//   running                                     0
	//   ended                                       0
	//   recorded                                    0
	//   SIGTERM                                     2
	// attempts beside an earlier one                4
	// kills with several attempts at once           9
	// jobs                                          50
	//   deleted by a later attempt                  1
	// pods                                          70
	// lost                                          1
	// duplicates                                    0
	// wrong                                         0
	// requests of an undisturbed step               none
	// requests of a step, workers killed            none
	// requests of a step, two workers killed        none
	// requests of a step, several attempts at once  none
	// FINDING: lost: execution 3: run 0 of step lint has no job
}
