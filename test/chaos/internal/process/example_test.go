package process_test

import (
	"context"
	"fmt"

	"github.com/kontinue/kontinue/test/chaos/internal/process"
)

func ExampleCommand() {
	command, err := process.Command(context.Background(), variable, order{Print: "hello from a worker"})
	if err != nil {
		fmt.Println(err)
		return
	}
	output, err := command.Output()
	fmt.Println(string(output), err)
	// Output: hello from a worker <nil>
}
