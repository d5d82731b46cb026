package kontinuetest

import (
	"context"
	"io"
	"time"

	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

// Play says what the containers of a step do. Its methods change it and return
// it, so that they can be chained.
type Play struct {
	step  string
	parts []*part
}

// part is the play of one container, with a script for each of its starts.
type part struct {
	container string // empty: the main containers
	scripts   []kubelet.Script
}

// Job begins the play of the step of that name ("step-1" for an unnamed first
// one); an empty name is every step. What follows is for the pod's main
// containers until Container names another one.
func Job(step string) *Play {
	return &Play{step: step, parts: []*part{{scripts: []kubelet.Script{{}}}}}
}

// Play gives the cluster plays to follow. Where two match, the later one counts.
// A container that starts again, or the same container in the next pod of its
// Job, goes on to what follows [Play.Then].
func (c *Cluster) Play(plays ...*Play) {
	c.t.Helper()
	for _, p := range plays {
		for _, part := range p.parts {
			c.cluster.On(kubelet.Match{Step: p.step, Container: part.container}, part.scripts...)
		}
	}
}

func (p *Play) script() *kubelet.Script {
	scripts := p.parts[len(p.parts)-1].scripts
	return &scripts[len(scripts)-1]
}

// Container makes what follows the play of the pod's container, init container
// or sidecar of that name.
func (p *Play) Container(name string) *Play {
	p.parts = append(p.parts, &part{container: name, scripts: []kubelet.Script{{}}})
	return p
}

// Then makes what follows the play of the container's next start: its restart,
// or the same container in the next pod of its Job. The last one repeats.
func (p *Play) Then() *Play {
	current := p.parts[len(p.parts)-1]
	current.scripts = append(current.scripts, kubelet.Script{})
	return p
}

// Pending keeps the pod from being scheduled for that long, as on a full
// cluster.
func (p *Play) Pending(d time.Duration) *Play {
	p.script().Unschedulable = d
	return p
}

// Pull makes pulling the image take that long.
func (p *Play) Pull(d time.Duration) *Play {
	p.script().PullTime = d
	return p
}

// PullError makes the container wait with that reason and message for that
// long, 0 for ever. The reason ErrImagePull alternates with ImagePullBackOff as
// in a real cluster; others are InvalidImageName, ErrImageNeverPull and
// CreateContainerConfigError.
func (p *Play) PullError(reason, message string, d time.Duration) *Play {
	s := p.script()
	s.PullError, s.PullMessage, s.PullErrorFor = reason, message, d
	return p
}

// StartError makes the container fail to start (StartError, exit code 128) with
// that message.
func (p *Play) StartError(message string) *Play {
	p.script().StartError = message
	return p
}

// Log writes lines to the container's log when it starts.
func (p *Play) Log(lines ...string) *Play { return p.LogAfter(0, lines...) }

// LogAfter writes lines to the container's log that long after it started, or
// when it ends if that is sooner.
func (p *Play) LogAfter(d time.Duration, lines ...string) *Play {
	s := p.script()
	for _, line := range lines {
		s.Log = append(s.Log, kubelet.LogLine{After: d, Text: line})
	}
	return p
}

// Run makes the container run for that long. Default: it ends at once.
func (p *Play) Run(d time.Duration) *Play {
	p.script().Run = d
	return p
}

// Hang makes the container run until it is stopped.
func (p *Play) Hang() *Play { return p.Run(kubelet.Forever) }

// IgnoreTERM makes the container ignore SIGTERM: when it is stopped it is killed
// at the end of its grace period. Otherwise it ends at once with code 143.
func (p *Play) IgnoreTERM() *Play {
	p.script().IgnoreTERM = true
	return p
}

// Exit sets the exit code. Default: 0.
func (p *Play) Exit(code int32) *Play {
	p.script().Exit.Code = code
	return p
}

// OOM makes the container end as one that needed more memory than its limit:
// reason OOMKilled, exit code 137.
func (p *Play) OOM() *Play {
	s := p.script()
	s.Exit.Code, s.Exit.Reason = kubelet.OOMKilled.Code, kubelet.OOMKilled.Reason
	return p
}

// Message makes the container leave that termination message.
func (p *Play) Message(text string) *Play {
	p.script().Exit.TerminationMessage = text
	return p
}

// Do runs a function as the container, in a goroutine of its own. It gets a
// context that ends when the container is stopped, its environment and its log,
// and returns the exit code.
func (p *Play) Do(run func(ctx context.Context, env map[string]string, log io.Writer) int32) *Play {
	s := p.script()
	s.Do = func(ctx context.Context, spec kubelet.ContainerSpec) kubelet.Exit {
		env := make(map[string]string, len(spec.Env))
		for _, v := range spec.Env {
			env[v.Name] = v.Value
		}
		return kubelet.Exit{Code: run(ctx, env, spec.Log)}
	}
	return p
}
