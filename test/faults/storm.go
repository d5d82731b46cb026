package faults

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/kontinue/kontinue/test/faults/proxy"
)

// gust is one fault of a storm and when it comes.
type gust struct {
	after time.Duration // the one before
	fault proxy.Fault
}

// stormTakes is how long a storm lasts at most, its last fault included.
const stormTakes = 10 * time.Second

// drawStorm makes the plan of a storm. Faults that a client can only notice by its
// time-outs are few.
func drawStorm(rnd *rand.Rand) []gust {
	var plan []gust
	slow := 0
	for left := stormTakes; ; {
		g := gust{after: time.Duration(rnd.IntN(600)) * time.Millisecond}
		kind := proxy.Kinds[rnd.IntN(len(proxy.Kinds))]
		g.fault = proxy.Fault{Kind: kind, Times: 1 + rnd.IntN(4)}
		switch kind {
		case proxy.Stall, proxy.Blackhole:
			if slow++; slow > 2 {
				continue
			}
			g.fault.For = time.Duration(500+rnd.IntN(1500)) * time.Millisecond
		case proxy.Refuse, proxy.Freeze, proxy.Delay, proxy.Drip:
			g.fault.For = time.Duration(200+rnd.IntN(1000)) * time.Millisecond
		case proxy.LoseAnswer:
			g.fault.Verb = []string{"create", "create", "patch", "get", "list"}[rnd.IntN(5)]
		case proxy.TooMany, proxy.TooManyLater, proxy.Internal, proxy.BadGateway, proxy.Unavailable:
			g.fault.Verb = []string{"", "", "create", "patch", "watch", "list"}[rnd.IntN(6)]
		case proxy.Truncate, proxy.Duplicate, proxy.EndBefore, proxy.GoneEvent:
			g.fault.Resource = []string{"", "jobs", "pods"}[rnd.IntN(3)]
		}
		// The next one comes while this one lasts.
		if left -= g.after; left < g.fault.For {
			return plan
		}
		plan = append(plan, g)
	}
}

// blow injects the faults of a plan, one after the other, until the storm is over
// or ctx has ended.
func blow(ctx context.Context, p *proxy.Proxy, plan []gust) {
	began := time.Now()
	for _, g := range plan {
		if !pause(ctx, g.after) {
			return
		}
		p.Inject(g.fault)
	}
	pause(ctx, stormTakes-time.Since(began))
}

// pause returns false when ctx has ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
