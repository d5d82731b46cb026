package plain_test

import (
	"fmt"

	"github.com/kontinue/kontinue/internal/plain"
)

// A log ends with a hyperlink, and then with a line that shows backwards.
func Example() {
	fmt.Println(plain.Text("see \x1b]8;;https://example.com\x1b\\the docs\x1b]8;;\x1b\\"))
	fmt.Println(plain.LastLine("starting\n\u202edlrow\u202c\n\n", 80))
	// Output:
	// see the docs
	// dlrow
}
