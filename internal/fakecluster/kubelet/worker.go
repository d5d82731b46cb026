package kubelet

import (
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/fakecluster/registry"
)

// podWorker is the state of one pod in the kubelet. Only the goroutine that holds the
// pod's key uses it, except for the mailbox of exits and the logs.
type podWorker struct {
	uid        types.UID
	namespace  string
	references bool        // it refers to Secrets or ConfigMaps
	changed    atomic.Bool // one of them, or the pod, may not be what the volumes show
	done       atomic.Bool // the final phase has been reached
	pod        *corev1.Pod // the version being worked on
	node       *node
	boots      int // of the node, when it was last looked at

	containers []*container // init containers and sidecars in order, then main
	instances  map[*container]int
	instance   int

	firstSeen   time.Time            // by the scheduler
	boundTo     string               // the node the scheduler chose, if it did
	lastRefusal string               // the scheduler's last message
	startTime   time.Time            // when the kubelet first saw the pod
	slot        bool                 // holds one of the slots of a limited kubelet
	queued      bool                 // waits for one
	ranMain     bool                 // a main container has been started
	mounted     bool                 // the volumes are mounted
	claims      map[string]types.UID // of PersistentVolumeClaims, by name
	showsPod    bool                 // in a volume
	lastMount   string               // why a volume cannot be mounted
	mountEvent  string               // the message of the last FailedMount event
	podIP       string

	resetting bool      // all containers are being restarted
	resetAt   time.Time // when they are killed for that

	ending   bool      // containers are being stopped for good
	killing  bool      // the kubelet stops them, and publishes nothing until all have ended
	endAt    time.Time // when the kubelet ends the pod, if it published the reason before
	lostAt   time.Time // when containers that never started count as lost
	removeAt time.Time // when a deleted pod is removed from the API server
	reason   string    // of the pod's failure: Evicted, DeadlineExceeded
	message  string
	extra    []corev1.PodCondition // that go with it
	removed  bool                  // the pod has been removed from the API server

	notes  []note     // events to record
	unseen []exitNote // of processes that have ended, which the kubelet has not noticed

	mu    sync.Mutex
	exits []exitNote
	logs  map[string]logPair // by container name
}

func newPodWorker(pod *corev1.Pod) *podWorker {
	w := &podWorker{uid: pod.UID, namespace: pod.Namespace, pod: pod, instances: map[*container]int{}, logs: map[string]logPair{}}
	w.references = len(pod.Spec.Volumes) > 0
	w.showsPod = showsPod(&pod.Spec)
	w.containers = containersOf(pod)
	for _, c := range w.containers {
		w.references = w.references || len(c.spec.Env) > 0 || len(c.spec.EnvFrom) > 0
	}
	return w
}

// containersOf lists the pod's containers: init containers and sidecars in their
// order, then the main ones.
func containersOf(pod *corev1.Pod) []*container {
	var out []*container
	idle := reasonContainerCreating
	if len(pod.Spec.InitContainers) > 0 {
		idle = reasonPodInitializing
	}
	containers.Each(pod, func(spec *corev1.Container, role containers.Role) {
		out = append(out, &container{spec: spec, role: role, idle: idle})
	})
	return out
}

func (w *podWorker) nextInstance() int {
	w.instance++
	return w.instance
}

// step advances the pod: it starts the containers that can start, restarts those that
// crashed and stops those that must stop. It returns the time until the next step, or 0
// if an event triggers that.
func (w *podWorker) step(k *Kubelet, now time.Time) time.Duration {
	var next soonest
	if left, limited := w.deadline(now); limited && !w.ending {
		if left <= 0 {
			w.fail(reasonDeadline, "Pod was active on the node longer than the specified deadline")
			w.endAt = now.Add(k.opts.PhaseDelay)
		} else {
			next.in(left)
		}
	}
	if w.pod.DeletionTimestamp != nil {
		w.ending = true
	}
	if w.ending {
		w.terminate(k, now, &next)
		return next.d
	}
	if !w.admitted(k, &next) {
		return next.d
	}
	if w.restartAll(k, now, &next) {
		return next.d
	}
	if w.changed.Swap(false) {
		k.remount(w)
	}
	if w.initialize(k, now, &next) {
		w.runMain(k, now, &next)
	}
	return next.d
}

// initialize runs the init containers in order and keeps the sidecars running.
// It reports whether the main containers may run.
func (w *podWorker) initialize(k *Kubelet, now time.Time, next *soonest) bool {
	done := true
	for _, c := range w.containers {
		if c.role == containers.RoleMain {
			break
		}
		if !done && c.role == containers.RoleInit {
			break // in order: a later one has to wait
		}
		if c.role == containers.RoleSidecar && !done && !c.isRunning() && (c.last == nil || c.reset) {
			break
		}
		w.syncContainer(k, c, now, next)
		switch {
		case c.role == containers.RoleSidecar && c.isRunning():
		case c.role == containers.RoleSidecar && w.ranMain: // it is being restarted beside the main containers
		case c.role == containers.RoleInit && c.ended() && c.terminated.ExitCode == 0:
		case c.role == containers.RoleInit && c.ended():
			// It failed for good. The sidecars run until the kubelet ends the pod.
			w.ending, w.endAt = true, now.Add(k.opts.PhaseDelay)
			w.terminate(k, now, next)
			return false
		default:
			done = false
		}
	}
	return done
}

// runMain runs the main containers and, once all have ended, stops the sidecars and
// ends the pod.
func (w *podWorker) runMain(k *Kubelet, now time.Time, next *soonest) {
	w.ranMain = true
	left := 0
	for _, c := range w.containers {
		if c.role != containers.RoleMain {
			continue
		}
		w.syncContainer(k, c, now, next)
		if !c.ended() {
			left++
		}
	}
	if left == 0 {
		w.ending = true
		w.terminate(k, now, next)
	}
}

// syncContainer starts the container if it is not running, after a crash when its
// restart policy says so.
func (w *podWorker) syncContainer(k *Kubelet, c *container, now time.Time, next *soonest) {
	if c.isRunning() {
		return
	}
	if c.ended() {
		if !w.restarts(c) {
			return
		}
		c.again(c.crashDelay(k.opts.BackoffScale), now)
	}
	next.in(c.start(k, w, now))
	if c.ended() && w.restarts(c) {
		// It could not be started: the next sync restarts it.
		next.in(time.Nanosecond)
	}
}

// restarts reports whether the container, having ended, is started again. An init container
// that has succeeded is not, whatever its policy says.
func (w *podWorker) restarts(c *container) bool {
	if c.role == containers.RoleInit && c.terminated.ExitCode == 0 {
		return false
	}
	return registry.ShouldRestart(c.spec, w.pod.Spec.RestartPolicy, c.terminated.ExitCode)
}

// soonest keeps the shortest of the waits it is given.
type soonest struct{ d time.Duration }

func (s *soonest) in(d time.Duration) {
	if d > 0 && (s.d == 0 || d < s.d) {
		s.d = d
	}
}
