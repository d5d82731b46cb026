package sandbox_test

import (
	"fmt"

	"github.com/kontinue/kontinue/test/cluster/internal/sandbox"
)

// A sandbox has its own /run, so files of the host below it cannot be seen from inside.
func ExampleCheckDir() {
	fmt.Println(sandbox.CheckDir("/tmp/cluster"))
	fmt.Println(sandbox.CheckDir("/run/cluster"))
	// Output:
	// <nil>
	// /run/cluster is below /run, which is hidden inside the cluster: choose another directory
}
