package kill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/kontinue/kontinue/test/chaos/internal/history"
	"github.com/kontinue/kontinue/test/chaos/internal/process"
)

// ended says how a worker process ended.
type ended struct {
	plan       plan
	killed     bool // by SIGKILL
	terminated bool // it stopped after SIGTERM
	results    []Result
	took       time.Duration
	// err is set if the process ended otherwise than planned.
	err error
}

// run runs a worker process until it exits or is ended according to its plan.
func run(ctx context.Context, h *history.History, o order, p plan) ended {
	o.DieAt = p.request
	command, err := process.Command(ctx, workerEnv, o)
	if err != nil {
		return ended{err: err}
	}
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
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
		return ended{err: err}
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
	e := ended{plan: p, took: time.Since(start)}
	e.results, e.err = parse(stdout.Bytes())
	signal := process.Signal(command.ProcessState)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		e.err = fmt.Errorf("worker did not exit in time (%w): %s", context.Cause(ctx), strings.TrimSpace(stderr.String()))
	case signal == syscall.SIGKILL:
		e.killed = true
	case p.terminate && (signal == syscall.SIGTERM || command.ProcessState.ExitCode() == process.ExitTerminated):
		e.terminated = true
	default:
		e.err = fmt.Errorf("worker failed (%w): %s", err, strings.TrimSpace(stderr.String()))
	}
	return e
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
