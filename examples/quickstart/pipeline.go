package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kontinue/kontinue"
)

// limit is the timeout of each step. It is far longer than a step takes, and only
// matters if the cluster cannot pull the image. The cluster enforces it, even if no
// worker is running.
const limit = 2 * time.Minute

// pipeline is the worker function: plain Go that runs Jobs and waits for them. It may
// run again at any time, after a crash or as a retry, and then continues with the
// Jobs that it has already created.
func pipeline(ktx *kontinue.ExecutionContext, image string, say func(string, ...any)) error {
	say("\n1. A script.\n")
	hello, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "hello", Timeout: limit},
		Image:       image,
		Command:     `echo "hello from $(uname -s)"`,
	})
	if err != nil {
		return err // the script could not be run, or its outcome is unknown
	}
	if err := hello.Err(); err != nil {
		return err // the script ran and failed
	}
	text, err := hello.Logs(ktx, nil)
	if err != nil {
		return err
	}
	say("    => it says %q", strings.TrimSpace(text))

	say("\n2. Three scripts at once. Steps that overlap need names.\n")
	began := time.Now()
	if err := checks(ktx, image, "lint", "unit", "docs"); err != nil {
		return err
	}
	say("    => three sleeps of one second took %s", time.Since(began).Round(10*time.Millisecond))

	say("\n3. Another shell: -e stops at the first error, -u rejects unset variables.\n")
	strict, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "strict", Timeout: limit},
		Image:       image,
		Shell:       []string{"/bin/sh", "-euc"},
		Command:     "target=${TARGET:-staging}\necho \"deployed to $target\"",
	})
	if err != nil {
		return err
	}
	if err := strict.Err(); err != nil {
		return err
	}
	say("    => exit code 0")

	say("\n4. A script that fails. That is a result, not an error of the call.\n")
	broken, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "broken", Timeout: limit},
		Image:       image,
		Command:     "echo migrating; echo 'relation \"users\" does not exist' >&2; exit 3",
	})
	if err != nil {
		return err
	}
	return showFailure(ktx, broken, say)
}

// showFailure prints the details of the expected failure.
func showFailure(ktx *kontinue.ExecutionContext, result *kontinue.PodResult, say func(string, ...any)) error {
	var failure *kontinue.ExitError
	if !errors.As(result.Err(), &failure) {
		return errors.New("step broken succeeded, want a failure")
	}
	if failure.ExitCode != 3 {
		return fmt.Errorf("step broken: want exit code 3: %w", failure)
	}
	summary, err := result.LogErrorSummary(ktx)
	if err != nil {
		return err
	}
	say("    => exit code %d of container %q (%s)", failure.ExitCode, failure.Container, failure.Reason)
	say("       last log line: %s", summary)
	say("       Err(): %s", failure)
	return nil
}

// checks starts a script for each name and waits for all of them.
func checks(ktx *kontinue.ExecutionContext, image string, names ...string) error {
	var steps []*kontinue.Step[*kontinue.PodResult]
	for _, name := range names {
		step, err := kontinue.StartScript(ktx, &kontinue.ScriptOptions{
			StepOptions: kontinue.StepOptions{Name: name, DisplayName: "Check: " + name, Timeout: limit},
			Image:       image,
			Command:     "sleep 1; echo " + name + " ok",
		})
		if err != nil {
			return err
		}
		steps = append(steps, step)
	}
	for _, step := range steps {
		result, err := step.Wait(ktx.Context())
		if err != nil {
			return err
		}
		if err := result.Err(); err != nil {
			return err
		}
	}
	return nil
}
