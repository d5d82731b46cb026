package simulate

import (
	"math/rand/v2"
	"time"

	"github.com/kontinue/kontinue"
)

// Theme is what a plan has most of. A fault that needs a rare combination is found
// sooner if not every plan has everything.
type Theme string

// The themes.
const (
	Undisturbed Theme = "undisturbed"
	Load        Theme = "load"
	Away        Theme = "away"
	Network     Theme = "network"
	Others      Theme = "others"
	Mixed       Theme = "mixed"
)

// Plan is what a seed stands for.
type Plan struct {
	Seed       uint64
	Theme      Theme
	Executions []Execution
	Processes  []Process
	Events     []Event
	// Calm is when the faults end.
	Calm time.Duration
	// Inject puts a proxy first in the containers of every pod that is created, as a
	// mesh does. TTL is what an admission policy sets on Jobs, in seconds; 0 is none.
	Inject bool
	TTL    int32
}

// Execution is one Execution and its function.
type Execution struct {
	Name   string
	Policy kontinue.ChildPolicy
	TTL    time.Duration // 0 is none
	// Parallel functions call their steps at the same time; others one after the other,
	// which may be unnamed.
	Parallel, Unnamed bool
	Steps             []Step
	// Finish is called in the end.
	Finish bool
}

// Kind is the verb that runs a step.
type Kind string

// The kinds of steps.
const (
	Job    Kind = "RunJob"
	Pod    Kind = "RunPod"
	Script Kind = "RunScript"
)

// Step is one step of a function and what its containers do.
type Step struct {
	Name string // also of an unnamed one: step-1, step-2 and so on
	Kind Kind
	// Pause comes before the call.
	Pause time.Duration
	// Timeout is that of the options. Grace is the termination grace period of the pods.
	Timeout, Grace time.Duration
	// Pods, Indexed, Retries and OnFailure are for Jobs: completions, which run at the
	// same time, and backoffLimit.
	Pods      int32
	Indexed   bool
	Retries   int32
	OnFailure bool
	// TTL is that of the Job's own spec, in seconds; 0 is none.
	TTL int32
	// Init and Sidecar are further containers.
	Init, Sidecar bool
	// Logs are read after the result.
	Logs bool
	// Again is the Retry of the options.
	Again kontinue.Retry
	// Runs says what the main container does: in each run of the step, at each try. The
	// last run and the last try repeat.
	Runs [][]Try
}

// Try is one instance of a main container.
type Try struct {
	Run  time.Duration
	Code int32
	OOM  bool
	// TermDelay is how long it cleans up after SIGTERM, TermCode its exit code then.
	TermDelay time.Duration
	TermCode  int32
}

// Process is a worker process, which runs functions of Executions.
type Process struct {
	Name  string
	Start time.Duration
	// MaxInFlight is that of its Config; 0 is the default.
	MaxInFlight int
	// Foreign processes have a clientset that the library did not make.
	Foreign bool
	// Stop is when it stops its client in order, and CrashAt when it dies; 0 is never.
	// CrashOn is the request at which it dies, before or after it takes effect.
	Stop, CrashAt time.Duration
	CrashOn       int
	CrashBefore   bool
	// Detach lets writes take effect whose caller has gone.
	Detach    bool
	Functions []Function
}

// Function is one run of an Execution's function.
type Function struct {
	Execution            int
	Attempt, Resumptions int
	Begin                time.Duration // since the start of the plan
	// Again is how often it calls a step again that returned an error.
	Again int
}

// NewPlan returns the plan of a seed.
func NewPlan(seed uint64) *Plan {
	d := dice{rand.New(rand.NewPCG(seed, 0x6b6f6e74696e7565))}
	p := &Plan{Seed: seed, Theme: pick(d, Undisturbed, Load, Load, Away, Network, Network, Network, Network, Others, Others, Others,
		Mixed, Mixed, Mixed, Mixed, Mixed, Mixed, Mixed, Mixed)}
	p.Calm = time.Duration(1+d.IntN(10)) * time.Minute
	switch p.Theme {
	case Load:
		p.planLoad(d)
		return p
	case Away:
		p.planAway(d)
		return p
	}
	disturbed := p.Theme != Undisturbed
	p.Inject = disturbed && d.chance(0.1)
	if disturbed && d.chance(0.1) {
		p.TTL = int32(d.IntN(90))
	}
	for i := range 1 + d.IntN(3) {
		p.Executions = append(p.Executions, newExecution(d, i, disturbed))
	}
	p.planProcesses(d)
	p.planEvents(d)
	if disturbed {
		p.planAgain(dice{rand.New(rand.NewPCG(seed, 0x616761696e))})
	}
	return p
}

// Steps returns how many steps the plan has.
func (p *Plan) Steps() (n int) {
	for i := range p.Executions {
		n += len(p.Executions[i].Steps)
	}
	return n
}

// dice is the source of a plan's choices.
type dice struct{ *rand.Rand }

func (d dice) chance(p float64) bool { return d.Float64() < p }

// upTo returns a whole number of seconds, at most limit.
func (d dice) upTo(limit time.Duration) time.Duration {
	return time.Duration(d.Int64N(int64(limit/time.Second)+1)) * time.Second
}

func pick[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }
