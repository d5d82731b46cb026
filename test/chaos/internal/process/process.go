package process

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// ExitTerminated is the exit code of a worker that stopped after SIGTERM.
const ExitTerminated = 99

// Command returns the command of a worker, which gets its order as JSON in an environment
// variable. The worker is killed when ctx is done.
func Command(ctx context.Context, variable string, order any) (*exec.Cmd, error) {
	text, err := json.Marshal(order)
	if err != nil {
		return nil, fmt.Errorf("encode the order of a worker: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	command := exec.CommandContext(ctx, self)
	command.Env = append(os.Environ(), variable+"="+string(text))
	command.WaitDelay = time.Second
	return command, nil
}

// Main is the main function of a worker. It decodes the order, calls run with a context
// that SIGTERM cancels, and returns the exit code. It reports false if this process has
// no order in the variable.
func Main(variable string, order any, run func(context.Context) error) (code int, is bool) {
	text := os.Getenv(variable)
	if text == "" {
		return 0, false
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := json.Unmarshal([]byte(text), order)
	if err == nil {
		err = run(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return ExitTerminated, true
	case err != nil:
		fmt.Fprintln(os.Stderr, "worker:", err)
		return 1, true
	}
	return 0, true
}

// Signal returns the signal that ended a process, or 0.
func Signal(state *os.ProcessState) syscall.Signal {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal()
	}
	return 0
}
