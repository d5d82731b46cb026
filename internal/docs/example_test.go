package docs_test

import (
	"context"
	"fmt"

	"github.com/kontinue/kontinue/internal/docs"
)

// A fragment is checked together with the variables that it assumes.
func Example() {
	blocks := docs.Markdown("README.md", "The time:\n\n```go\nd, err := time.ParseDuration(\"1h\")\nif err != nil {\n\treturn err\n}\nfmt.Println(d.Hour())\n```\n")
	fmt.Println(docs.Check(context.Background(), ".", blocks))
	// Output: README.md:8:15: d.Hour undefined (type time.Duration has no field or method Hour)
}
