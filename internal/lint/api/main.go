// Command api prints the exported surface of the module and holds it against
// its budget. It takes the module's folder as its only argument (default: the
// current one), and exits with 1 if a package breaks a rule.
package main

import (
	"fmt"
	"os"

	"github.com/kontinue/kontinue/internal/lint"
)

func main() {
	dir := "."
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	packages, err := lint.Survey(dir)
	if err == nil {
		err = lint.Table(os.Stdout, packages)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(2)
	}
	failed := false
	for _, p := range packages {
		for _, problem := range p.Problems() {
			failed = true
			fmt.Fprintln(os.Stderr, "api:", problem)
		}
	}
	if failed {
		os.Exit(1)
	}
}
