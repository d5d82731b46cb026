package lint

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// The budgets are exclusive: a package with that many exported names exceeds it.
const (
	// RootBudget is the budget of the root package.
	RootBudget = 64
	// PackageBudget is the budget of each other public package.
	PackageBudget = 20
)

// Package is the exported surface of one package.
type Package struct {
	// Dir is the folder of the package relative to the module, with slashes; "."
	// for the root package.
	Dir string
	// Name is the name in the package clause.
	Name string
	// Names are the exported constants, variables, functions and types of the
	// package, in alphabetical order. The budget counts them, less Apart.
	Names []string
	// Apart counts those of Names that the budget does not: the constants of enums and
	// error values.
	Apart int
	// Members counts the exported methods of exported types and the exported
	// fields of exported structs; embedded fields are not counted.
	Members int
	// Undocumented lists the names and members without a doc comment, as
	// Name or Type.Member. A comment over a group counts for each constant and
	// variable in it, and a type's comment for each field that it names.
	Undocumented []string
}

// Budget returns the number of exported names that the package must stay below.
func (p Package) Budget() int {
	if p.Dir == "." {
		return RootBudget
	}
	return PackageBudget
}

// Documented returns the share of names and members that have a doc comment, from 0
// to 1. It returns 1 for a package that exports nothing.
func (p Package) Documented() float64 {
	symbols := len(p.Names) + p.Members
	if symbols == 0 {
		return 1
	}
	return 1 - float64(len(p.Undocumented))/float64(symbols)
}

// Problems returns one sentence for each violated rule: too many exported names, or
// symbols without a doc comment.
func (p Package) Problems() []string {
	var problems []string
	if n := len(p.Names) - p.Apart; n >= p.Budget() {
		problems = append(problems, fmt.Sprintf("%s exports %d names, and fewer than %d are allowed: %s",
			p.Dir, n, p.Budget(), strings.Join(p.Names, ", ")))
	}
	if len(p.Undocumented) > 0 {
		problems = append(problems, fmt.Sprintf("%s has symbols without a doc comment: %s",
			p.Dir, strings.Join(p.Undocumented, ", ")))
	}
	return problems
}

// Table writes one row for each package and a last one with the totals. It returns
// the error of w, if any.
func Table(w io.Writer, packages []Package) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "package\tnames\tbudget\tmembers\tdocumented")
	var sum Package
	for _, p := range packages {
		fmt.Fprintf(tw, "%s\t%d\t< %d\t%d\t%.1f %%\n", p.Dir, len(p.Names)-p.Apart, p.Budget(), p.Members, 100*p.Documented())
		sum.Names = append(sum.Names, p.Names...)
		sum.Apart += p.Apart
		sum.Members += p.Members
		sum.Undocumented = append(sum.Undocumented, p.Undocumented...)
	}
	fmt.Fprintf(tw, "all\t%d\t\t%d\t%.1f %%\n", len(sum.Names)-sum.Apart, sum.Members, 100*sum.Documented())
	return tw.Flush()
}
