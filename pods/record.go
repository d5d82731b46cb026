package pods

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

const (
	// MaxRecordBytes is the default budget of [Encode]: 16 KiB. The API limits the
	// annotations of an object to 256 KiB in total.
	MaxRecordBytes = 16 * 1024

	recordVersion = 1
)

// record is the stored form. Decode ignores unknown fields. A change that an older
// Decode would misread needs a new version.
type record struct {
	Version int       `json:"v"`
	Cut     bool      `json:"cut,omitempty"`
	Pods    []Outcome `json:"pods,omitempty"`
}

// messageLimits are tried in turn until the record fits: first with whole outputs, and then
// with no other messages.
var messageLimits = []int{4096, 2048, 1024, 512, 256, 128, 64, 0}

// Encode returns outcomes as one line of JSON of at most budget bytes; 0 means
// [MaxRecordBytes]. cut reports whether anything was left out. The text is a
// deterministic function of the arguments.
//
// To fit the budget, Encode first truncates messages and keeps their ends. It keeps outputs
// (see [ContainerOutcome.Output]) whole as long as that is enough, and then omits those that
// are longest, since a part of an output is none: they are Truncated. Then it
// keeps as many pods as fit: those with a Rank, in that order, then others that failed,
// then those that succeeded. A pod that does not fit whole loses containers,
// sidecars and succeeded ones first, such that its Succeeded and FirstFailure stay the
// same. The pod of Rank 1 keeps the last line of its messages. Encode returns an error
// if the budget is too small for an empty record.
func Encode(outcomes []Outcome, budget int) (text string, cut bool, err error) {
	if budget == 0 {
		budget = MaxRecordBytes
	}
	r := record{Version: recordVersion, Pods: outcomes}
	if text, err = r.marshal(); err != nil || len(text) <= budget {
		return text, false, err
	}
	r.Cut = true
	// No more pods than that fit, whatever their messages.
	for _, limit := range limitsFor(outcomes) {
		if len(outcomes) > budget/leastPod {
			break
		}
		r.Pods = limit.apply(outcomes)
		if text, err = r.marshal(); err != nil || len(text) <= budget {
			return text, true, err
		}
	}
	r.Pods = outcomes
	text, err = r.fit(budget)
	return text, true, err
}

// leastPod is less than the bytes of any pod that a Job has made.
const leastPod = len(`{"n":"p","p":"Failed"},`)

// byPriority returns the indexes of outcomes in the order in which they are kept.
func byPriority(outcomes []Outcome) []int {
	order, succeeded := make([]int, len(outcomes)), make([]int, len(outcomes))
	for i := range order {
		order[i], succeeded[i] = i, boolToInt(outcomes[i].Succeeded())
	}
	rank := func(i int) int { return cmp.Or(outcomes[i].Rank, math.MaxInt) }
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), succeeded[a]-succeeded[b])
	})
	return order
}

// Decode parses a text written by [Encode] and returns its outcomes and its cut. It
// returns an error if the text is not a record, or if it has a later version than
// this program can read.
func Decode(text string) (outcomes []Outcome, cut bool, err error) {
	var r record
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return nil, false, fmt.Errorf("pods: recorded outcome is not readable: %w", err)
	}
	if r.Version < 1 || r.Version > recordVersion {
		return nil, false, fmt.Errorf("pods: recorded outcome has version %d, but this program reads at most version %d: a newer worker wrote it", r.Version, recordVersion)
	}
	return r.Pods, r.Cut, nil
}

func (r record) marshal() (string, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("pods: encode outcome: %w", err)
	}
	return string(b), nil
}

// fit encodes as many pods as the budget allows, without their messages.
func (r record) fit(budget int) (string, error) {
	all := r.Pods
	empty := record{Version: r.Version, Cut: true}
	text, err := empty.marshal()
	if err != nil {
		return "", err
	}
	if len(text) > budget {
		return "", fmt.Errorf("pods: encode outcome: a budget of %d bytes is too small for an empty record", budget)
	}
	used := len(text) + len(`,"pods":[]`)
	kept := empty
	for _, i := range byPriority(all) {
		if len(kept.Pods) > 0 {
			used++ // the comma
		}
		o, size, err := fitPod(limits{}.apply(all[i : i+1])[0], budget-used)
		if size < 0 && all[i].Rank == 1 {
			o, size, err = fitPod(all[i].withMessages(limits{}), budget-used)
		}
		if err != nil {
			return "", err
		}
		if size < 0 {
			break
		}
		used += size
		kept.Pods = append(kept.Pods, o)
	}
	return kept.marshal()
}

// fitPod omits containers until the JSON of o has at most room bytes, and returns
// its size, or -1 if it cannot fit. It omits sidecars first, then succeeded init
// containers, then succeeded main containers, without which there is no success,
// then those that have not succeeded, and FirstFailure last.
func fitPod(o Outcome, room int) (Outcome, int, error) {
	first, failed := o.FirstFailure()
	rank := func(i int) int {
		switch c := o.Containers[i]; {
		case failed && c.Name == first.Name && c.Kind == first.Kind:
			return 0
		case c.Kind == KindSidecar:
			return 4
		case !c.succeeded():
			return 1
		case c.Kind == KindInit:
			return 3
		}
		return 2
	}
	order := make([]int, len(o.Containers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank(a) - rank(b) })
	for keep := len(order); ; keep = min(keep-1, keep*3/4) {
		trial := o
		trial.Containers = choose(o.Containers, order[:keep])
		trial.Omitted = o.Omitted + len(order) - keep
		b, err := json.Marshal(trial)
		if err != nil {
			return o, 0, fmt.Errorf("pods: encode outcome: %w", err)
		}
		if len(b) <= room {
			return trial, len(b), nil
		}
		if keep <= 1 {
			return o, -1, nil
		}
	}
}

// choose returns the containers with the given indexes in the order of all.
func choose(all []ContainerOutcome, indexes []int) []ContainerOutcome {
	var out []ContainerOutcome
	for _, i := range slices.Sorted(slices.Values(indexes)) {
		out = append(out, all[i])
	}
	return out
}

// limits are the most bytes of the messages in a record, outputs apart.
type limits struct{ messages, outputs int }

// limitsFor returns the limits that are tried in turn.
func limitsFor(outcomes []Outcome) []limits {
	var all []limits
	for _, limit := range messageLimits {
		all = append(all, limits{messages: limit, outputs: math.MaxInt})
	}
	if slices.ContainsFunc(outcomes, func(o Outcome) bool { return slices.ContainsFunc(o.Containers, ContainerOutcome.written) }) {
		for _, limit := range messageLimits {
			all = append(all, limits{outputs: limit})
		}
	}
	return all
}

// apply returns a copy of outcomes with messages of at most these lengths, and of
// lineBudget bytes in the pod of Rank 1.
func (l limits) apply(outcomes []Outcome) []Outcome {
	out := slices.Clone(outcomes)
	for i := range out {
		most := l
		if out[i].Rank == 1 {
			most.messages, most.outputs = max(l.messages, lineBudget), max(l.outputs, lineBudget)
		}
		out[i] = out[i].withMessages(most)
	}
	return out
}

func (o Outcome) withMessages(l limits) Outcome {
	o.Message = shortenMessage(o.Message, l.messages)
	o.Containers = slices.Clone(o.Containers)
	for j := range o.Containers {
		c := &o.Containers[j]
		switch {
		case !c.written():
			c.Message = shortenMessage(c.Message, l.messages)
		case len(c.Message) <= l.outputs:
		case c.failed(): // its last line explains the failure
			c.Message, c.Truncated = shortenMessage(c.Message, l.outputs), true
		default:
			c.Message, c.Truncated = "", true
		}
	}
	return o
}
