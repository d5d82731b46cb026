package follow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/test/chaos/internal/process"
)

// workerEnv holds the order of a worker process, as JSON.
const workerEnv = "KONTINUE_CHAOS_FOLLOW"

// order says where the cluster of a worker is, and where to write the log.
type order struct {
	Host, File string
	Execution  kontinue.Execution
}

// result is what a worker prints when its step has ended.
type result struct {
	Succeeded bool
	Report    *kontinue.LogReport
	// Idle is the most memory that the process had used before its step began, and Peak
	// what it had used when it ended, in bytes.
	Idle, Peak int64
}

// Worker is the main function of a worker process. It returns the exit code, and
// whether this process is a worker. A program that calls Run must call Worker first.
func Worker() (code int, is bool) {
	var o order
	return process.Main(workerEnv, &o, o.run)
}

func (o *order) run(ctx context.Context) error {
	file, err := os.Create(o.File)
	if err != nil {
		return err
	}
	client, err := kontinue.New(kontinue.Config{
		RESTConfig: &rest.Config{Host: o.Host, BearerToken: "worker"}, Namespace: namespace,
	})
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	ktx, err := client.NewExecutionContext(ctx, o.Execution)
	if err != nil {
		return err
	}
	var r result
	if r.Idle, err = peakMemory(); err != nil {
		return err
	}
	step, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "lines", Logs: file}, Image: "alpine:3", Command: "write lines",
	})
	if err != nil {
		return err
	}
	if r.Peak, err = peakMemory(); err != nil {
		return err
	}
	r.Succeeded, r.Report = step.Succeeded(), step.LogReport
	if err := errors.Join(file.Close(), client.Stop(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// peakMemory returns the most memory that this process has used so far, in bytes. The
// kernel's getrusage also counts that of the process which started this one.
func peakMemory() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read the peak memory: %w", err)
	}
	for l := range strings.Lines(string(status)) {
		var kib int64
		if n, _ := fmt.Sscanf(l, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10, nil
		}
	}
	return 0, errors.New("/proc/self/status has no VmHWM")
}

// worker runs a worker process to its end. It returns no result if it was killed by a
// break.
func (r *runner) worker(ctx context.Context, o order) (*result, error) {
	command, err := process.Command(ctx, workerEnv, o)
	if err != nil {
		return nil, err
	}
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Start(); err != nil {
		return nil, err
	}
	killed := make(chan struct{})
	r.breaks.begin(o.File, func() {
		_ = command.Process.Signal(syscall.SIGKILL) // it may have exited already
		close(killed)
	})
	err = command.Wait()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("did not exit in time (%w): %s", context.Cause(ctx), strings.TrimSpace(stderr.String()))
	case err != nil && process.Signal(command.ProcessState) == syscall.SIGKILL:
		select {
		case <-killed:
			return nil, nil
		default:
			return nil, errors.New("it was killed by another program")
		}
	case err != nil:
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	printed := new(result)
	if err := json.Unmarshal(stdout.Bytes(), printed); err != nil {
		return nil, fmt.Errorf("printed %q: %w", stdout.String(), err)
	}
	return printed, nil
}
