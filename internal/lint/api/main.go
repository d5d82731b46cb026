// Command api prints the exported surface of a module and checks it against its
// budget. Its only argument is the folder of the module (default: the current one).
// It exits with code 1 if a package violates a rule, and with 2 on any other error.
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
