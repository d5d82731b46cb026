package step

import "sync"

// pool runs the turns of the steps, each in a goroutine that exists only while there is
// something to run: a step that waits has none. The number of turns at a time is bounded,
// so that ten thousand steps that end together do not need as many stacks; the rest queue,
// in order.
//
// What a turn waits for that is not the answer to a request, such as the pause before the
// next try, a log that is written or a function of the program, runs by way of outside:
// it must not keep other steps from their turns.
type pool struct {
	mu      sync.Mutex
	queue   []func()
	limit   int // turns at a time
	running int
	workers sync.WaitGroup
}

func newPool(limit int) *pool { return &pool{limit: limit} }

// submit queues a turn.
func (p *pool) submit(turn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, turn)
	p.start()
}

// start starts a goroutine if there is a turn for it. The caller holds the lock.
func (p *pool) start() {
	if len(p.queue) > 0 && p.running < p.limit {
		p.running++
		p.workers.Go(p.work)
	}
}

// work runs turns until there is none, or too many are under way.
func (p *pool) work() {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() { p.running-- }()
	for len(p.queue) > 0 && p.running <= p.limit {
		turn := p.queue[0]
		p.queue[0] = nil
		if p.queue = p.queue[1:]; len(p.queue) == 0 {
			p.queue = nil
		}
		p.mu.Unlock()
		turn()
		p.mu.Lock()
	}
}

// now runs a turn at once, whatever else is running. It does not wait for it.
func (p *pool) now(turn func()) { p.workers.Go(turn) }

// outside runs what a turn waits for, while another turn may run in its place.
func (p *pool) outside(wait func()) {
	p.mu.Lock()
	p.limit++
	p.start()
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.limit--
	}()
	wait()
}

// wait returns when no turn is running. None is submitted any more.
func (p *pool) wait() { p.workers.Wait() }
