package simulate

import (
	"fmt"
	"time"
)

// EventKind names what happens in an [Event].
type EventKind string

// What the network does, to one worker or all.
const (
	Cut      EventKind = "cut the watches"
	Stall    EventKind = "half-open watches"
	Expire   EventKind = "expire the watches"
	Reorder  EventKind = "reorder events"
	Compact  EventKind = "compact the history"
	Lag      EventKind = "lagging watch"
	Align    EventKind = "deletions seen at a multiple of ten seconds"
	Refuse   EventKind = "refused connections"
	Lost     EventKind = "lost answers"
	Late     EventKind = "late answers"
	Slow     EventKind = "late requests"
	Busy     EventKind = "429"
	Fail     EventKind = "5xx"
	Truncate EventKind = "truncated bodies"
	Silence  EventKind = "silent logs"
	Expired  EventKind = "401"
)

// What the cluster and other users do.
const (
	DeletePod       EventKind = "delete a pod"
	ForceDeletePod  EventKind = "delete a pod by force"
	EvictPod        EventKind = "evict a pod"
	PressureEvict   EventKind = "evict a pod for pressure on its node"
	KillNode        EventKind = "a node dies"
	RemoveNode      EventKind = "a node is removed"
	DeleteJob       EventKind = "delete a Job"
	StripJob        EventKind = "strip labels and annotations of a Job"
	StripPod        EventKind = "strip labels of a pod"
	Label           EventKind = "label a Job as recorded"
	Queue           EventKind = "a queue suspends Jobs"
	Deadline        EventKind = "change the deadline of a Job"
	OwnerGoes       EventKind = "the owner is deleted"
	Cancel          EventKind = "Cancel"
	ForeignConflict EventKind = "a foreign Job takes the name"
)

// Event is something that happens at a time, or for a time.
type Event struct {
	Kind       EventKind
	At, For    time.Duration
	Worker     string // "*" is all workers
	Verb       string
	Resource   string
	Delay      time.Duration
	Times      int
	RetryAfter int
	// N chooses the victim: the N-th object, by name, modulo their number; or the
	// Execution of Cancel and OwnerGoes.
	N int
}

// String returns the event in one line.
func (e Event) String() string {
	s := fmt.Sprintf("%8s %s", e.At, e.Kind)
	for _, part := range []struct {
		name  string
		value any
		zero  bool
	}{
		{"for", e.For, e.For == 0}, {"of", e.Worker, e.Worker == ""}, {"verb", e.Verb, e.Verb == ""},
		{"on", e.Resource, e.Resource == ""}, {"delay", e.Delay, e.Delay == 0}, {"times", e.Times, e.Times == 0},
		{"retry-after", e.RetryAfter, e.RetryAfter == 0}, {"n", e.N, e.N == 0},
	} {
		if !part.zero {
			s += fmt.Sprintf(" %s=%v", part.name, part.value)
		}
	}
	return s
}

func (p *Plan) planEvents(d dice) {
	network, others := 0, 0
	switch p.Theme {
	case Network:
		network = 1 + d.IntN(10)
	case Others:
		others = 1 + d.IntN(10)
	case Mixed:
		network, others = d.IntN(8), d.IntN(8)
	}
	for range network {
		p.Events = append(p.Events, p.networkEvents(d)...)
	}
	for range others {
		p.Events = append(p.Events, p.otherEvents(d)...)
	}
}

func (p *Plan) networkEvents(d dice) []Event {
	e := Event{
		Kind: pick(d, Cut, Stall, Stall, Expire, Reorder, Compact, Lag, Lag, Align, Align, Refuse, Refuse, Lost, Lost, Late, Slow, Slow, Busy, Fail, Truncate, Silence, Expired),
		At:   d.upTo(p.Calm), For: d.upTo(pick(d, 5*time.Second, time.Minute, 6*time.Minute)),
		Worker: pick(d, "*", p.Processes[d.IntN(len(p.Processes))].Name),
	}
	if d.chance(0.5) {
		e.At = d.upTo(time.Minute) // when most happens
	}
	switch e.Kind {
	case Cut, Stall, Expire, Reorder, Lag:
		e.Resource = pick(d, "", "jobs", "pods")
	case Refuse, Lost, Late, Slow, Busy, Fail, Truncate, Expired:
		e.Verb = pick(d, "", "", "create", "create", "patch", "get", "list", "delete")
		e.Times = pick(d, 0, 0, 1, 1, 3)
	}
	switch e.Kind {
	case Lag:
		e.Delay = pick(d, time.Second, 10*time.Second, d.upTo(2*time.Minute))
	case Late, Slow:
		e.Delay = pick(d, 500*time.Millisecond, 2*time.Second, 10*time.Second, 2*time.Minute)
	case Busy:
		e.RetryAfter = pick(d, 0, 1, 5)
	case Refuse:
		if d.chance(0.5) { // the API server is away
			e.Verb, e.Times, e.For = "", 0, 2*time.Minute+d.upTo(4*time.Minute)
			cut := e
			cut.Kind = Cut
			return []Event{e, cut}
		}
	}
	return []Event{e}
}

func (p *Plan) otherEvents(d dice) []Event {
	e := Event{
		Kind: pick(d, DeletePod, DeletePod, ForceDeletePod, EvictPod, PressureEvict, KillNode, DeleteJob, DeleteJob, StripJob, StripJob,
			StripPod, Label, Queue, Deadline, OwnerGoes, Cancel, Cancel, ForeignConflict),
		At: d.upTo(min(p.Calm, pick(d, time.Minute, p.Calm))), N: d.IntN(1000),
	}
	switch e.Kind {
	case DeletePod, ForceDeletePod:
		if d.chance(0.5) { // a node pool is scaled down
			e.Times = 1000
		}
	case KillNode:
		gone := e
		gone.Kind, gone.At = RemoveNode, e.At+d.upTo(p.Calm)
		return []Event{e, gone}
	case Queue:
		e.For = d.upTo(3 * time.Minute)
	case Deadline:
		e.Delay = pick(d, 0, 30*time.Second, 2*time.Hour)
	case OwnerGoes, Cancel:
		e.N = d.IntN(len(p.Executions))
		e.Worker = p.Processes[d.IntN(len(p.Processes))].Name
		if e.Kind == OwnerGoes && d.chance(0.7) {
			e.Kind = DeleteJob
		}
	}
	return []Event{e}
}
