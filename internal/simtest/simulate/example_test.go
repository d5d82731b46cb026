package simulate_test

import (
	"fmt"
	"reflect"

	"github.com/kontinue/kontinue/internal/simtest/simulate"
)

// A seed always stands for the same plan. A test carries it out with Run.
func Example() {
	plan := simulate.NewPlan(7)
	fmt.Println(plan.Theme, "steps:", plan.Steps(), "processes:", len(plan.Processes))
	fmt.Println("the same again:", reflect.DeepEqual(plan, simulate.NewPlan(7)))
	fmt.Println(simulate.Invariants[0].Name, simulate.Invariants[0].Holds)
	// Output:
	// mixed steps: 2 processes: 4
	// the same again: true
	// I1 a step never has two runs whose pods run at the same time
}
