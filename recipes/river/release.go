package main

import (
	"time"

	"github.com/kontinue/kontinue"
)

// steps is the worker function. Its last step fails on the first attempt.
func steps(ktx *kontinue.ExecutionContext) error {
	publish := "sleep 1; echo published"
	if ktx.Attempts() == 0 {
		publish = "sleep 1; echo 'the registry answers 503' >&2; exit 75"
	}
	for _, step := range []struct{ name, command string }{
		{"build", "sleep 1; echo built"},
		{"test", "sleep 1; echo passed"},
		{"publish", publish},
	} {
		result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
			StepOptions: kontinue.StepOptions{Name: step.name, Timeout: time.Hour},
			Image:       "busybox",
			Command:     step.command,
		})
		if err != nil {
			return err // there is no result
		}
		if err := result.Err(); err != nil {
			return err // an *ExitError: river tries again
		}
	}
	return nil
}
