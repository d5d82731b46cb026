package containers

import (
	"context"
	"io"
	"sync"
	"time"
)

// actor is one scripted instance. It only uses timers, unless its script has a function
// to run.
type actor struct {
	scripts *Scripts
	script  Script
	log     io.Writer
	exited  func(Exit)
	cancel  context.CancelFunc // of Script.Do

	mu       sync.Mutex
	started  time.Time
	line     int // the next one to write
	timer    *time.Timer
	stopping *time.Timer
	done     bool
}

// begin writes the lines that are due and arms the timer for what comes next.
// It is called when the instance starts and each time the timer fires.
func (a *actor) begin() {
	a.mu.Lock()
	if a.started.IsZero() {
		a.started = time.Now()
	}
	if a.done {
		a.mu.Unlock()
		return
	}
	age := time.Since(a.started)
	end := a.script.Run <= age
	for a.line < len(a.script.Log) && (end || a.script.Log[a.line].After <= age) {
		// Writing to a log never fails.
		_, _ = io.WriteString(a.log, a.script.Log[a.line].Text+"\n")
		a.line++
	}
	if !end {
		next := a.script.Run - age
		if a.line < len(a.script.Log) {
			next = min(next, a.script.Log[a.line].After-age)
		}
		if a.script.Run != Forever || a.line < len(a.script.Log) {
			a.timer = time.AfterFunc(next, a.begin)
		}
	}
	a.mu.Unlock()
	if end {
		a.finish(a.script.Exit)
	}
}

// Stop implements Process.
func (a *actor) Stop(grace time.Duration) {
	if grace <= 0 {
		if a.cancel != nil {
			a.cancel()
		}
		a.finish(Exit{Code: ExitKilled})
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done || a.stopping != nil {
		return
	}
	if a.cancel != nil {
		a.cancel()
	}
	code, delay := a.script.TermCode, a.script.TermDelay
	if code == 0 {
		code = 143
	}
	if a.script.IgnoreTERM || a.script.Do != nil || delay >= grace {
		code, delay = ExitKilled, grace
	}
	a.stopping = time.AfterFunc(delay, func() { a.finish(Exit{Code: code}) })
}

// finish ends the instance, once.
func (a *actor) finish(exit Exit) {
	a.mu.Lock()
	if a.done {
		a.mu.Unlock()
		return
	}
	a.done = true
	for _, t := range []*time.Timer{a.timer, a.stopping} {
		if t != nil {
			t.Stop()
		}
	}
	a.mu.Unlock()
	a.scripts.leave(a)
	a.exited(exit)
}
