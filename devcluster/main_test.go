package devcluster_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
)

// programEnv names the program that this binary is to be instead of the tests. It has the
// directories of the arguments.
const programEnv = "KONTINUE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if name := os.Getenv(programEnv); name != "" {
		fmt.Fprintln(os.Stdout, programs[name](os.Stdout, os.Args[1:]))
		return
	}
	// The other handlers rate-limit, which mixes real and virtual time.
	utilruntime.ErrorHandlers = utilruntime.ErrorHandlers[:1]
	goleak.VerifyTestMain(m)
}
