package logs

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// State is what the status of a pod says about one of its containers. The zero State is
// that of a container that has not started. A State is comparable.
type State struct {
	// Restarts is how often the container was restarted.
	Restarts int32
	// Started is when the newest run of the container started. It is zero before the first
	// run, and where the kubelet has removed the container and with it the log of the run.
	// Restarts and Started identify a run.
	Started time.Time
	// Running reports whether that run has not terminated.
	Running bool
	// Previous reports whether the kubelet still has the log of the run before.
	Previous bool
	// Over reports whether no further run is to be waited for: the phase of the pod is
	// final, or the caller has no use for more.
	Over bool
	// Gone reports whether the pod was deleted, and its logs with it.
	Gone bool
}

// StateOf returns the state of a container of a pod. It reads nothing but the phase and
// the statuses of the containers.
func StateOf(pod *corev1.Pod, container string) State {
	s := State{Over: pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed}
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range list {
			if c := &list[i]; c.Name == container {
				s.Restarts = c.RestartCount
				s.newestRun(c)
			}
		}
	}
	return s
}

// newestRun fills in the run whose log the kubelet serves. That is the last one also while
// the container waits for its restart, when the kubelet serves the same log as the
// previous one.
func (s *State) newestRun(c *corev1.ContainerStatus) {
	last := c.LastTerminationState.Terminated
	kept := last != nil && last.ContainerID != ""
	switch now := c.State; {
	case now.Running != nil:
		s.Started, s.Running, s.Previous = utc(now.Running.StartedAt), true, kept
	case now.Terminated != nil && (now.Terminated.ContainerID != "" || !kept):
		s.Started, s.Previous = utc(now.Terminated.StartedAt), kept
	case kept:
		s.Started = utc(last.StartedAt)
	}
}

func utc(t metav1.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// continues reports whether s says nothing about a later run than that of known.
func (s State) continues(known State) bool {
	return s.Started.IsZero() || s.Started.Equal(known.Started) && s.Restarts == known.Restarts
}

// live reports whether the newest run may write more, and more is waited for.
func (s State) live() bool { return s.Running && !s.Over && !s.Gone }

// Source supplies the state of one container to [Reader.Follow]. Its owner sets the
// state, for example from a watch of pods. The zero Source is ready to use. It is safe for
// concurrent use.
type Source struct {
	mu      sync.Mutex
	state   State
	current context.Context // of the state, nil without a reader: it ends with the next change
	change  context.CancelFunc
}

// Set sets the state. It does not block.
func (s *Source) Set(state State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == s.state {
		return
	}
	s.state = state
	if s.change != nil {
		s.change()
		s.current, s.change = nil, nil
	}
}

// get returns the state, and a context that ends when it has changed.
func (s *Source) get() (State, context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		s.current, s.change = context.WithCancel(context.Background())
	}
	return s.state, s.current
}
