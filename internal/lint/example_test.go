package lint_test

import (
	"fmt"
	"os"

	"github.com/kontinue/kontinue/internal/lint"
)

func Example() {
	packages := []lint.Package{
		{Dir: ".", Name: "kontinue", Names: []string{"New", "RunJob"}, Members: 2},
		{Dir: "jobs", Name: "jobs", Names: []string{"Build"}, Undocumented: []string{"Build"}},
	}
	if err := lint.Table(os.Stdout, packages); err != nil {
		fmt.Println(err)
	}
	for _, p := range packages {
		for _, problem := range p.Problems() {
			fmt.Println(problem)
		}
	}
	// Output:
	// package  names  budget  members  documented
	// .        2      < 64    2        100.0 %
	// jobs     1      < 20    0        0.0 %
	// all      3              2        80.0 %
	// jobs has symbols without a doc comment: Build
}
