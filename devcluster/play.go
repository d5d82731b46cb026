package devcluster

import (
	"context"
	"io"
	"time"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// Play defines what the containers of a step do. It is created by [Job]. Its methods
// modify and return it, so that calls can be chained; pass it to [Cluster.Play] last.
type Play struct {
	step     string
	attempt  *int
	retry    *int
	optional bool
	parts    []*part
}

// part is the play of one container, with one script for each start.
type part struct {
	container string // empty: the main containers
	scripts   []containers.Script
	touched   bool // by a call
}

// Job returns a new play for the step with the given name; the first unnamed step is
// "step-1", and an empty name means every step. Calls apply to the main containers
// of the pod until [Play.Container] selects another one.
func Job(step string) *Play {
	return &Play{step: step, parts: []*part{{scripts: []containers.Script{{}}}}}
}

// current returns the part that calls apply to.
func (p *Play) current() *part {
	current := p.parts[len(p.parts)-1]
	current.touched = true
	return current
}

func (p *Play) script() *containers.Script {
	scripts := p.current().scripts
	return &scripts[len(scripts)-1]
}

// Attempt makes the play apply to Jobs of the n-th attempt only: those that are created in a
// run of the Execution whose Attempts is n, from 0. Default: to all.
func (p *Play) Attempt(n int) *Play {
	p.attempt = &n
	return p
}

// Retry makes the play apply to the n-th retry of the step within an attempt only, as by
// StepOptions.Retry: 0 is the first Job of the step in the attempt. Default: to all.
func (p *Play) Retry(n int) *Play {
	p.retry = &n
	return p
}

// Optional allows that no container ever follows the play; see [Cluster.CheckPlays].
func (p *Play) Optional() *Play {
	p.optional = true
	return p
}

// Container makes the following calls apply to the container, init container or
// sidecar with the given name.
func (p *Play) Container(name string) *Play {
	p.parts = append(p.parts, &part{container: name, scripts: []containers.Script{{}}, touched: true})
	return p
}

// Then makes the following calls apply to the container's next start: its restart,
// or its start in the next pod of the Job. The last script repeats. Each Job begins
// with the first script: for another course of a later one there are [Play.Attempt] and
// [Play.Retry].
func (p *Play) Then() *Play {
	current := p.current()
	current.scripts = append(current.scripts, containers.Script{})
	return p
}

// Pending keeps the pod unschedulable for d, as on a full cluster.
func (p *Play) Pending(d time.Duration) *Play {
	p.script().Unschedulable = d
	return p
}

// Pull makes the image pull take d.
func (p *Play) Pull(d time.Duration) *Play {
	p.script().PullTime = d
	return p
}

// PullError makes the container wait with the given reason and message for d, and
// then start; 0 means forever. The reason ErrImagePull alternates with
// ImagePullBackOff, as in a real cluster. Other reasons are InvalidImageName,
// ErrImageNeverPull and CreateContainerConfigError.
func (p *Play) PullError(reason, message string, d time.Duration) *Play {
	s := p.script()
	s.PullError, s.PullMessage, s.PullErrorFor = reason, message, d
	return p
}

// StartError makes the container fail to start, with reason StartError, exit code
// 128 and the given message.
func (p *Play) StartError(message string) *Play {
	p.script().StartError = message
	return p
}

// Log writes lines to the container's log when it starts.
func (p *Play) Log(lines ...string) *Play { return p.LogAfter(0, lines...) }

// LogAfter writes lines to the container's log d after it started, or when it ends
// if that is sooner.
func (p *Play) LogAfter(d time.Duration, lines ...string) *Play {
	s := p.script()
	for _, line := range lines {
		s.Log = append(s.Log, containers.LogLine{After: d, Text: line})
	}
	return p
}

// Run makes the container run for d. Default: 0.
func (p *Play) Run(d time.Duration) *Play {
	p.script().Run = d
	return p
}

// Hang makes the container run until it is stopped.
func (p *Play) Hang() *Play { return p.Run(containers.Forever) }

// IgnoreTERM makes the container ignore SIGTERM, so that it is killed at the end of
// its grace period. By default it exits immediately with code 143.
func (p *Play) IgnoreTERM() *Play {
	p.script().IgnoreTERM = true
	return p
}

// Exit sets the exit code. Default: 0.
func (p *Play) Exit(code int32) *Play {
	p.script().Exit.Code = code
	return p
}

// OOM makes the container end as if it had exceeded its memory limit: with reason
// OOMKilled and exit code 137.
func (p *Play) OOM() *Play {
	s := p.script()
	s.Exit.Code, s.Exit.Reason = containers.OOMKilled.Code, containers.OOMKilled.Reason
	return p
}

// Message sets the container's termination message.
func (p *Play) Message(text string) *Play {
	p.script().Exit.TerminationMessage = text
	return p
}

// Do runs a function as the container, in its own goroutine. The function receives a
// context that is canceled when the container is stopped, the environment variables
// and the log of the container, and returns the exit code.
func (p *Play) Do(run func(ctx context.Context, env map[string]string, log io.Writer) int32) *Play {
	s := p.script()
	s.Do = func(ctx context.Context, spec containers.Spec) containers.Exit {
		message := s.Exit.TerminationMessage
		env := make(map[string]string, len(spec.Env))
		for _, v := range spec.Env {
			env[v.Name] = v.Value
		}
		return containers.Exit{Code: run(ctx, env, spec.Log), TerminationMessage: message}
	}
	return p
}
