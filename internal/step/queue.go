package step

import (
	"context"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/plain"
	"github.com/kontinue/kontinue/jobs"
)

// queueAfter is how long a queue holds a Job before its reason is read. Most are admitted
// earlier, and the queue itself may need some seconds to say why it does not.
const queueAfter = 30 * time.Second

// suspension is a time in which a queue holds a Job. The zero value is none.
type suspension struct {
	on    bool
	since int64 // by the Job's condition, in seconds since 1970; zero until it has that
}

// queueing is the reason of the Job's queue. It is a part of the state.
type queueing struct {
	read            suspension // that the reason was read in
	reason, message string
}

// suspension is that in which a queue holds the Job now.
func (s *state) suspension() (p suspension) {
	if s.job == nil || !s.job.Suspended || !s.job.Queued {
		return p
	}
	p.on = true
	if c := suspendedCondition(&s.job.Status); c != nil && c.Status == corev1.ConditionTrue {
		p.since = c.LastTransitionTime.Unix()
	}
	return p
}

func suspendedCondition(status *batchv1.JobStatus) *batchv1.JobCondition {
	for i := range status.Conditions {
		if c := &status.Conditions[i]; c.Type == batchv1.JobSuspended {
			return c
		}
	}
	return nil
}

// wasHeld reports whether the Job may have been suspended until now, and has not been
// started since by its controller: it is not known since when it may start.
func (s *state) wasHeld() bool {
	return s.job.Status.StartTime == nil && (s.job.Queued || suspendedCondition(&s.job.Status) != nil)
}

// heldBy is why the Job is suspended: in the words of its queue, or else of its condition.
func (s *state) heldBy(status jobs.Status) (reason, message string) {
	if p := s.suspension(); p.on && s.queueing != nil && p == s.queueing.read {
		return s.queueing.reason, s.queueing.message
	}
	if !status.Suspended {
		return "", ""
	}
	return status.Reason, plain.Text(status.Message)
}

// armQueue has the queue's reason read once in each time in which it holds the Job.
func (w *wait) armQueue(p suspension) {
	if p == w.suspended {
		return
	}
	w.suspended = p
	w.queue.clear()
	if p.on {
		w.queue.after(queueAfter)
	}
}

// checkQueue runs when a queue has held the Job for a while. It does not wait for the
// answer: many steps may be held at a time, and each has other things to do.
func (w *wait) checkQueue(context.Context) error {
	w.engine.queues.add(w.engine, w)
	return nil
}

// queues reads why queues hold Jobs, one Job after the other, in a goroutine that exists
// only while there is something to read.
type queues struct {
	mu      sync.Mutex
	waits   []*wait
	running bool
}

// add adds a wait of a step, which is a call of the engine.
func (q *queues) add(e *Engine, w *wait) {
	if e.Events == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waits = append(q.waits, w)
	if q.running {
		return
	}
	q.running = true
	e.calls.Add(1)
	go func() {
		defer e.calls.Done()
		ctx, end := e.requestContext(context.Background())
		defer end()
		for w := q.next(); w != nil; w = q.next() {
			w.readQueue(ctx)
		}
	}()
}

// next takes out the first wait, or ends the goroutine with nil.
func (q *queues) next() *wait {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waits) == 0 {
		q.waits, q.running = nil, false
		return nil
	}
	w := q.waits[0]
	q.waits[0] = nil
	q.waits = q.waits[1:]
	return w
}

// readQueue reads the queue's reason, unless it does not hold the Job any more or the
// engine has stopped.
func (w *wait) readQueue(ctx context.Context) {
	var held suspension
	w.future.Do(func() {
		if held = w.state.suspension(); w.ends {
			held = suspension{}
		}
	})
	if !held.on || ctx.Err() != nil {
		return
	}
	reason, message, err := w.engine.Events.Held(ctx, w.namespace, w.uid)
	if err != nil || reason+message == "" {
		w.engine.Logger.DebugContext(ctx, "queue does not say why it holds the job", "namespace", w.namespace, "job", w.name, "error", err)
		return
	}
	w.future.Do(func() {
		w.state.queueing = &queueing{read: held, reason: plain.Line(reason), message: plain.Text(message)}
	})
	w.wake()
}
