package scenarios_test

import (
	"fmt"

	"github.com/kontinue/kontinue/internal/scenarios"
)

func Example() {
	for _, s := range scenarios.All() {
		if s.Name == "exit-code" {
			fmt.Println(s.Shows)
			fmt.Println(s.Want.Succeeded, s.Want.Exit.Container, s.Want.Exit.Code)
		}
	}
	// Output:
	// the container exits with code 3
	// false main 3
}
