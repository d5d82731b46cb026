package kill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/kontinue/kontinue/test/chaos/internal/history"
)

// process says how a worker process ended.
type process struct {
	plan       plan
	killed     bool // by SIGKILL
	terminated bool // it stopped after SIGTERM
	results    []Result
	took       time.Duration
	// err is set if the process ended otherwise than planned.
	err error
}

// run runs a worker process until it exits or is ended according to its plan.
func run(ctx context.Context, h *history.History, o order, p plan) process {
	o.DieAt = p.request
	text, err := json.Marshal(o)
	if err != nil {
		return process{err: err}
	}
	self, err := os.Executable()
	if err != nil {
		return process{err: err}
	}
	command := exec.CommandContext(ctx, self)
	command.Env = append(os.Environ(), workerEnv+"="+string(text))
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	command.WaitDelay = time.Second
	start := time.Now()
	started := make(chan struct{})
	send := func(signal syscall.Signal) {
		go func() {
			<-started
			_ = command.Process.Signal(signal) // it may have exited already
		}()
	}
	cancel := func() {}
	if p.transition != "" {
		// The trigger is set before the process can cause the transition.
		cancel = h.On(history.Trigger{
			Execution: o.Execution.Owner.UID, Transition: p.transition, N: p.nth, Fire: func() { send(syscall.SIGKILL) },
		})
	}
	if err := command.Start(); err != nil {
		cancel()
		return process{err: err}
	}
	defer cancel()
	close(started)
	if p.delay > 0 {
		signal := syscall.SIGKILL
		if p.terminate {
			signal = syscall.SIGTERM
		}
		timer := time.AfterFunc(p.delay, func() { send(signal) })
		defer timer.Stop()
	}
	err = command.Wait()
	ended := process{plan: p, took: time.Since(start)}
	ended.results, ended.err = parse(stdout.Bytes())
	signal := signalOf(command.ProcessState)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		ended.err = fmt.Errorf("worker did not exit in time (%w): %s", context.Cause(ctx), strings.TrimSpace(stderr.String()))
	case signal == syscall.SIGKILL:
		ended.killed = true
	case p.terminate && (signal == syscall.SIGTERM || command.ProcessState.ExitCode() == exitTerminated):
		ended.terminated = true
	default:
		ended.err = fmt.Errorf("worker failed (%w): %s", err, strings.TrimSpace(stderr.String()))
	}
	return ended
}

// signalOf returns the signal that ended a process, or 0.
func signalOf(state *os.ProcessState) syscall.Signal {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal()
	}
	return 0
}

// parse reads the lines that a worker printed. A kill may have cut the last one.
func parse(stdout []byte) (results []Result, err error) {
	for line := range bytes.Lines(stdout) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var r Result
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("worker printed %q: %w", line, err)
		}
		results = append(results, r)
	}
	return results, nil
}
