package kill

import (
	"math/rand/v2"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/test/chaos/internal/history"
	"github.com/kontinue/kontinue/test/chaos/internal/testbed"
)

// pods chooses the scripts of pods.
type pods struct {
	mu   sync.Mutex
	rnd  *rand.Rand
	pace time.Duration
}

// script returns the script of a pod of a step's run.
func (p *pods) script(pod *corev1.Pod, run int) testbed.Script {
	var s testbed.Script
	if step, ok := stepNamed(pod.Labels[history.LabelStep]); ok && (index(pod) == "" || index(pod) == "0") {
		s.ExitCode = step.code(run)
		if s.ExitCode != 0 {
			s.Message = termination(step.name, run)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pace > 0 {
		s.Pending, s.Running = time.Duration(p.rnd.Int64N(int64(p.pace))), time.Duration(p.rnd.Int64N(int64(p.pace)))
	}
	return s
}

// setPace changes the maximum time that later pods are pending, and then running.
func (p *pods) setPace(pace time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pace = pace
}
