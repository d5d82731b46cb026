//go:build !unix

package containers

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Processes would run containers as local processes; that needs a Unix system.
type Processes struct{}

// NewProcesses returns a Processes whose containers all fail to start.
func NewProcesses() *Processes { return &Processes{} }

// NewProcessesIn returns a Processes whose containers all fail to start.
func NewProcessesIn(string) (*Processes, error) { return NewProcesses(), nil }

// Mount implements Runtime.
func (*Processes) Mount(*corev1.Pod, []Volume) error { return nil }

// Pull implements Runtime.
func (*Processes) Pull(Spec, time.Duration) Pull { return Pull{Done: true} }

// Start implements Runtime.
func (*Processes) Start(Spec, func(Exit)) (Process, error) {
	return nil, &StartError{Message: "running containers as local processes needs a Unix system"}
}

// Forget implements Runtime.
func (*Processes) Forget(types.UID) {}

// Close implements Runtime.
func (*Processes) Close() {}
