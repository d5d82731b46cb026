package kubelet

import (
	"time"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// exitNote records that an instance of a container has ended.
type exitNote struct {
	container *container
	instance  int
	exit      containers.Exit
	at        time.Time
}

// exited is called by the runtime when an instance has ended.
func (k *Kubelet) exited(w *podWorker, c *container, instance int, exit containers.Exit) {
	w.mu.Lock()
	w.exits = append(w.exits, exitNote{c, instance, exit, time.Now()})
	w.mu.Unlock()
	k.queue.Add(w.uid)
}

// collect takes the exits out of the mailbox, and ends the containers whose exit the
// kubelet notices now. It returns the time until the next exit is noticed, or 0.
//
// A real kubelet lists the containers every second. While it stops containers itself,
// it looks when the last one has ended, and publishes the states of all at once.
func (w *podWorker) collect(k *Kubelet, now time.Time) time.Duration {
	w.mu.Lock()
	exits := w.exits
	w.exits = nil
	w.mu.Unlock()
	for _, note := range exits {
		if w.instances[note.container] == note.instance {
			note.container.exited()
			w.unseen = append(w.unseen, note)
		}
	}
	if len(w.unseen) == 0 || w.killing && w.alive() > 0 {
		return 0
	}
	var next soonest
	unseen := w.unseen
	w.unseen = nil
	for _, note := range unseen {
		if wait := note.at.Add(k.opts.StatusDelay).Sub(now); wait > 0 && !w.killing {
			next.in(wait)
			w.unseen = append(w.unseen, note)
			continue
		}
		note.container.end(w, note.exit, note.at)
	}
	return next.d
}

// alive returns the number of containers whose process has not ended.
func (w *podWorker) alive() int {
	n := 0
	for _, c := range w.containers {
		if c.isAlive() {
			n++
		}
	}
	return n
}

// running returns the number of containers that the kubelet takes for running.
func (w *podWorker) running() int {
	n := 0
	for _, c := range w.containers {
		if c.isRunning() {
			n++
		}
	}
	return n
}
