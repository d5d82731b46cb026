package durability

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// plan is how one life of a worker is to end.
type plan struct {
	// kind names it in the report.
	kind string
	// One of these is set, or none for a life without an end.
	boundary *boundary     // the worker kills itself around a request
	moment   moment        // it is killed when the cluster shows that
	nth      int           // how often, before it is killed
	delay    time.Duration // it is killed that long after its start
	// term is whether SIGTERM is sent in place of SIGKILL.
	term bool
}

// kinds are the ends that a worker may meet, in the order of the report.
var kinds = []string{
	"random", "before create", "after create", "before record", "after record",
	string(created), string(pending), string(running), string(ended), string(recorded), "SIGTERM",
}

// draw draws a plan by lot. longest is the most that a random delay may be.
func draw(rnd *rand.Rand, longest time.Duration) plan {
	random := time.Duration(rnd.Int64N(int64(longest)))
	p := plan{kind: kinds[rnd.IntN(len(kinds))], nth: 1 + rnd.IntN(2)}
	switch p.kind {
	case "random":
		p.delay = random
	case "SIGTERM":
		p.delay, p.term = random, true
	case "before create":
		p.boundary = &boundary{Method: "POST", N: p.nth}
	case "after create":
		p.boundary = &boundary{Method: "POST", N: p.nth, After: true}
	case "before record":
		p.boundary = &boundary{Method: "PATCH", N: p.nth}
	case "after record":
		p.boundary = &boundary{Method: "PATCH", N: p.nth, After: true}
	default:
		p.moment = moment(p.kind)
	}
	return p
}

func (p plan) String() string {
	if p.delay > 0 {
		return fmt.Sprintf("%s after %s", p.kind, p.delay.Round(time.Millisecond))
	}
	return fmt.Sprintf("%s (%d)", p.kind, p.nth)
}
