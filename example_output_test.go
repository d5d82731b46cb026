package kontinue_test

import (
	"fmt"

	"github.com/kontinue/kontinue"
)

// A step returns a value by writing it to its termination message. On a real cluster that is
// the file /dev/termination-log; the cluster in memory, whose containers are local
// processes, has its path in TERMINATION_MESSAGE_PATH.
func ExampleDecodeOutput() {
	ktx, stop := startExecution()
	defer stop()

	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		Image:   "alpine:3",
		Command: `echo '{"tables":12,"rows":3400}' > "${TERMINATION_MESSAGE_PATH:-/dev/termination-log}"`,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var migrated struct{ Tables, Rows int }
	if err := kontinue.DecodeOutput(result, &migrated); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(migrated.Tables, "tables,", migrated.Rows, "rows")
	fmt.Print(result.Output(""))
	// Output:
	// 12 tables, 3400 rows
	// {"tables":12,"rows":3400}
}
