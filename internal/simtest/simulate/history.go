package simulate

import (
	"strconv"
	"sync"
	"time"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
)

// History is what happened: every write to the API server, every call of the library,
// and what the driver did.
type History struct {
	Plan  *Plan
	Begin time.Time // of the plan

	server *apiserver.Server

	mu         sync.Mutex
	writes     []apiserver.Write // of Jobs and pods
	calls      []*Call
	notes      []Note
	processes  []*process
	executions []*execution
}

// Note is something that the driver did or saw.
type Note struct {
	Time time.Time
	Text string
}

// Call is one call of the library.
type Call struct {
	Worker, Verb       string
	Execution, Attempt int
	Step               string // "" for Cancel, Finish and so on
	Final              bool   // by the last worker, after all faults
	Begin, End         time.Time
	BeginRV, EndRV     uint64
	Returned, Dead     bool // Dead: its process had crashed or was stopped when it returned
	Err                error
	Result             *Result
}

// Result is what a call of RunJob, RunPod or RunScript returned.
type Result struct {
	Job                 string
	Succeeded, Complete bool
	SucceededPods       int32
	FailedPods          int32
	Pods                []PodEnd
	Err                 string // of the result's Err
	Class               kontinue.Class
	Causes              []error
}

// PodEnd is a pod in a result: the submitted containers that ran, by name and exit code.
// An injected one may end after the result, and some workers see that.
type PodEnd struct {
	Name, UID string
	Codes     map[string]int32
}

func newHistory(p *Plan, server *apiserver.Server) *History {
	h := &History{Plan: p, Begin: time.Now(), server: server}
	server.AddObserver(func(w apiserver.Write) {
		if w.Group == "batch" || isPod(w.Resource) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.writes = append(h.writes, w)
		}
	})
	return h
}

func isPod(resource string) bool {
	switch resource {
	case "pods", "pods/status", "pods/binding", "pods/eviction":
		return true
	}
	return false
}

// rv is the resource version of the last write.
func (h *History) rv() uint64 {
	rv, _ := strconv.ParseUint(h.server.ResourceVersion(), 10, 64)
	return rv
}

// note records what the driver did.
func (h *History) note(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notes = append(h.notes, Note{time.Now(), text})
}

// begin records that a call begins.
func (h *History) begin(c Call) *Call {
	c.Begin, c.BeginRV = time.Now(), h.rv()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, &c)
	return &c
}

// end records that a call has returned.
func (h *History) end(c *Call, dead bool, err error, result *Result) {
	rv := h.rv()
	h.mu.Lock()
	defer h.mu.Unlock()
	c.End, c.EndRV, c.Returned, c.Dead, c.Err, c.Result = time.Now(), rv, true, dead, err, result
}

// overdue returns the calls that are under way for longer than limit, and for longer
// than limit after the faults have ended.
func (h *History) overdue(limit func(*Call) time.Duration) (late []*Call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	calm := h.Begin.Add(h.Plan.Calm)
	for _, c := range h.calls {
		from := c.Begin
		if calm.After(from) {
			from = calm
		}
		if !c.Returned && time.Since(from) > limit(c) {
			late = append(late, c)
		}
	}
	return late
}

// at is a time of the history for people.
func (h *History) at(t time.Time) string { return t.Sub(h.Begin).String() }

// step returns the step that a call ran, or nil.
func (h *History) step(c *Call) *Step {
	steps := h.Plan.Executions[c.Execution].Steps
	for i := range steps {
		if steps[i].Name == c.Step {
			return &steps[i]
		}
	}
	return nil
}

// stepOf names the Execution and the step of a call.
func (h *History) stepOf(c *Call) string {
	return h.Plan.Executions[c.Execution].Name + "/" + c.Step
}
