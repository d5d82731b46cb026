package main

import (
	"time"

	"github.com/kontinue/kontinue"
)

// release is the worker function. Whatever process runs it finds the Jobs of the ones before.
func release(ktx *kontinue.ExecutionContext) error {
	for _, name := range []string{"build", "test", "publish"} {
		result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
			StepOptions: kontinue.StepOptions{Name: name, Timeout: time.Hour},
			Image:       "busybox",
			Command:     "sleep 2; echo " + name,
		})
		if err != nil {
			return err // there is no result
		}
		if err := result.Err(); err != nil {
			return err // the script ran and failed
		}
	}
	return nil
}
