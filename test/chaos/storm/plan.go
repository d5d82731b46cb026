package storm

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/kontinue/kontinue/test/chaos/internal/testbed"
	"github.com/kontinue/kontinue/test/chaos/proxy"
)

// planned is one fault of a storm and when it is injected.
type planned struct {
	after time.Duration // since the previous fault
	fault proxy.Fault
}

// duration is the maximum length of a storm, including its last fault.
const duration = 10 * time.Second

// maxStalls bounds the faults of a storm that a client notices only by a timeout.
const maxStalls = 2

// drawPlan draws the faults of a storm.
func drawPlan(rnd *rand.Rand) []planned {
	var plan []planned
	stalls := 0
	for left := duration; ; {
		next := planned{after: time.Duration(rnd.IntN(600)) * time.Millisecond}
		kind := proxy.Kinds[rnd.IntN(len(proxy.Kinds))]
		next.fault = proxy.Fault{Kind: kind, Times: 1 + rnd.IntN(4)}
		switch kind {
		case proxy.Stall, proxy.Blackhole:
			if stalls++; stalls > maxStalls {
				continue
			}
			next.fault.For = time.Duration(500+rnd.IntN(1500)) * time.Millisecond
		case proxy.Refuse, proxy.Freeze, proxy.Delay, proxy.Drip:
			next.fault.For = time.Duration(200+rnd.IntN(1000)) * time.Millisecond
		case proxy.LoseResponse:
			next.fault.Verb = []string{"create", "create", "patch", "get", "list"}[rnd.IntN(5)]
		case proxy.TooMany, proxy.TooManyLater, proxy.Internal, proxy.BadGateway, proxy.Unavailable:
			next.fault.Verb = []string{"", "", "create", "patch", "watch", "list"}[rnd.IntN(6)]
		case proxy.Truncate, proxy.Duplicate, proxy.EndBefore, proxy.GoneEvent:
			next.fault.Resource = []string{"", "jobs", "pods"}[rnd.IntN(3)]
		}
		// The duration of a fault does not delay the next one.
		if left -= next.after; left < next.fault.For {
			return plan
		}
		plan = append(plan, next)
	}
}

// inject injects the faults of a plan, and returns when the storm is over or ctx is
// done.
func inject(ctx context.Context, p *proxy.Proxy, plan []planned) {
	start := time.Now()
	for _, next := range plan {
		if !testbed.Pause(ctx, next.after) {
			return
		}
		p.Inject(next.fault)
	}
	testbed.Pause(ctx, duration-time.Since(start))
}
