package step

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
)

// schedule makes the choices of one interleaving: first those of the prefix, then
// always the first one.
type schedule struct {
	prefix, sizes []int
	text          []string
}

func (s *schedule) choose(names ...string) string {
	n := 0
	if i := len(s.sizes); i < len(s.prefix) {
		n = s.prefix[i]
	}
	s.sizes = append(s.sizes, len(names))
	s.text = append(s.text, names[n])
	return names[n]
}

// next returns the next schedule in order, or nil after the last one.
func (s *schedule) next() *schedule {
	prefix := make([]int, len(s.sizes))
	copy(prefix, s.prefix)
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i]++; prefix[i] < s.sizes[i] {
			return &schedule{prefix: prefix[:i+1]}
		}
	}
	return nil
}

// turn runs one move that the schedule chooses. story is what is still to happen to
// the Job.
func (r *rig) turn(t *testing.T, s *schedule, story *[]func(*rig)) (over bool, err error) {
	moves := []string{"nothing"}
	if len(*story) > 0 {
		moves = append(moves, "change")
	}
	if len(r.queue) > 0 {
		moves = append(moves, "deliver")
	}
	if r.woken() {
		moves = append(moves, "wake")
	}
	for name, alarm := range r.alarms() {
		if alarm.set() {
			moves = append(moves, name+", no answer", name)
			if len(r.queue) > 0 {
				moves = append(moves, name+", event before the answer", name+", event after the answer")
			}
			if len(*story) > 0 {
				moves = append(moves, name+", change and event before the answer", name+", change and event after the answer")
			}
		}
	}
	slices.Sort(moves[1:]) // the order of a map is random
	move := s.choose(moves...)
	switch move {
	case "nothing":
		return true, nil
	case "change":
		r.advance(story)
		return false, nil
	case "deliver":
		r.deliver()
		return false, nil
	case "wake":
		<-r.wakes
		return r.evaluate(t, s)
	}
	name, how, _ := strings.Cut(move, ", ")
	event := func() {
		if strings.HasPrefix(how, "change") {
			r.advance(story)
		}
		r.deliver()
	}
	r.down = how == "no answer"
	if strings.HasSuffix(how, "before the answer") {
		r.during = event
	}
	if err := r.fire(name); err != nil {
		return true, err
	}
	r.down, r.during = false, nil
	if strings.HasSuffix(how, "after the answer") {
		event()
	}
	return r.evaluate(t, s)
}

func (r *rig) alarms() map[string]*alarm {
	return map[string]*alarm{"confirm": &r.wait.confirm, "settle": &r.wait.settle, "overdue": &r.wait.overdue, "held": &r.wait.held}
}

// fire does what advance does when the time of the alarm has come.
func (r *rig) fire(alarm string) error {
	r.alarms()[alarm].clear()
	switch alarm {
	case "confirm":
		return r.wait.checkMissing(context.Background())
	case "settle":
		return r.wait.listPods(context.Background())
	case "held":
		return r.wait.checkHeld(context.Background())
	default:
		return r.wait.checkOverdue(context.Background())
	}
}

func (r *rig) advance(story *[]func(*rig)) {
	(*story)[0](r)
	*story = (*story)[1:]
}

func (r *rig) deliver() {
	if len(r.queue) > 0 {
		r.wait.engine.Dispatcher.Dispatch(types.UID("j"), r.queue[0])
		r.queue = r.queue[1:]
	}
}

func (r *rig) evaluate(t *testing.T, s *schedule) (over bool, err error) {
	final, err := r.wait.evaluate()
	if final || err != nil {
		return true, err
	}
	require.NoError(t, asleep(r.wait, r.woken()), "%s", s.text)
	return false, nil
}

// settleDown delivers all that is left, lets the API server answer and the alarms come
// until the wait has ended, or sleeps as long as its Job runs.
func (r *rig) settleDown(t *testing.T, s *schedule, story []func(*rig)) (over bool, err error) {
	for len(story) > 0 {
		r.advance(&story)
	}
	for len(r.queue) > 0 {
		r.deliver()
	}
	for range 20 {
		if r.woken() {
			<-r.wakes
		} else {
			for _, name := range []string{"held", "confirm", "settle", "overdue"} {
				if r.alarms()[name].set() {
					err = r.fire(name)
					break
				}
			}
		}
		if err != nil {
			return true, err
		}
		if over, err := r.evaluate(t, s); over {
			return true, err
		}
	}
	return false, nil
}
