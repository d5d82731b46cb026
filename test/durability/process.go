package durability

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
)

// life is what became of a worker process.
type life struct {
	plan   plan
	killed bool // by SIGKILL
	termed bool // it stopped because it was told to
	seen   []Seen
	took   time.Duration
	// err is of a process that ended in a way nobody asked for.
	err error
}

// live runs a worker process to its end, by the plan or by itself.
func live(ctx context.Context, h *history, o order, p plan) life {
	o.DieAt = p.boundary
	text, err := json.Marshal(o)
	if err != nil {
		return life{err: err}
	}
	self, err := os.Executable()
	if err != nil {
		return life{err: err}
	}
	command := exec.CommandContext(ctx, self)
	command.Env = append(os.Environ(), workerEnv+"="+string(text))
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	command.WaitDelay = time.Second
	began := time.Now()
	// The trigger is set before the process can cause its moment.
	started := make(chan struct{})
	end := func(signal syscall.Signal) {
		go func() {
			<-started
			_ = command.Process.Signal(signal) // it may have ended already
		}()
	}
	undo := func() {}
	if p.moment != "" {
		undo = h.on(&trigger{execution: o.Execution.Owner.UID, moment: p.moment, left: p.nth, fire: func() { end(syscall.SIGKILL) }})
	}
	defer undo()
	if err := command.Start(); err != nil {
		undo()
		return life{err: err}
	}
	close(started)
	if p.delay > 0 {
		signal := syscall.SIGKILL
		if p.term {
			signal = syscall.SIGTERM
		}
		timer := time.AfterFunc(p.delay, func() { end(signal) })
		defer timer.Stop()
	}
	err = command.Wait()
	l := life{plan: p, took: time.Since(began)}
	l.seen, l.err = lines(stdout.Bytes())
	signal := signalOf(command.ProcessState)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		l.err = fmt.Errorf("the worker did not come to its end in time (%w): %s", context.Cause(ctx), strings.TrimSpace(stderr.String()))
	case signal == syscall.SIGKILL:
		l.killed = true
	case p.term && (signal == syscall.SIGTERM || command.ProcessState.ExitCode() == terminated):
		l.termed = true
	default:
		l.err = fmt.Errorf("the worker failed (%w): %s", err, strings.TrimSpace(stderr.String()))
	}
	return l
}

// signalOf is the signal that ended a process, or 0.
func signalOf(state *os.ProcessState) syscall.Signal {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal()
	}
	return 0
}

// lines reads what a worker told. The last line of a killed one may be cut.
func lines(text []byte) (seen []Seen, err error) {
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var s Seen
		if err := json.Unmarshal(line, &s); err != nil {
			return nil, fmt.Errorf("a worker printed %q: %w", line, err)
		}
		seen = append(seen, s)
	}
	return seen, nil
}
