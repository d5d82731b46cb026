package kill

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/kontinue/kontinue/test/chaos/internal/history"
)

// plan says how to end a worker process.
type plan struct {
	// name is the plan's name in the report.
	name string
	// One of these is set, or none for a process that is not killed.
	request    *requestPoint      // the process kills itself around a request
	transition history.Transition // it is killed when the history shows this
	delay      time.Duration      // it is killed this long after its start
	// nth counts requests or transitions, from 1.
	nth int
	// terminate sends SIGTERM instead of SIGKILL.
	terminate bool
}

// plans are the names of all plans, in the order of the report.
var plans = []string{
	"random", "before create", "after create", "before record", "after record",
	string(history.Created), string(history.Pending), string(history.Running), string(history.Ended), string(history.Recorded),
	"SIGTERM",
}

// drawPlan draws a random plan with a delay below maxDelay.
func drawPlan(rnd *rand.Rand, maxDelay time.Duration) plan {
	delay := time.Duration(rnd.Int64N(int64(maxDelay)))
	p := plan{name: plans[rnd.IntN(len(plans))], nth: 1 + rnd.IntN(2)}
	switch p.name {
	case "random":
		p.delay = delay
	case "SIGTERM":
		p.delay, p.terminate = delay, true
	case "before create":
		p.request = &requestPoint{Method: http.MethodPost, N: p.nth}
	case "after create":
		p.request = &requestPoint{Method: http.MethodPost, N: p.nth, After: true}
	case "before record":
		p.request = &requestPoint{Method: http.MethodPatch, N: p.nth}
	case "after record":
		p.request = &requestPoint{Method: http.MethodPatch, N: p.nth, After: true}
	default:
		p.transition = history.Transition(p.name)
	}
	return p
}

// String describes the plan.
func (p plan) String() string {
	switch {
	case p.name == "":
		return "none"
	case p.delay > 0:
		return fmt.Sprintf("%s after %s", p.name, p.delay.Round(time.Millisecond))
	}
	return fmt.Sprintf("%s (%d)", p.name, p.nth)
}
