package fakecluster

import "time"

// Delays are the times that a real node and a real Job controller take to notice what
// has happened. Zero fields are no delays, so that the zero value is a cluster in which
// everything is noticed at once.
//
// With delays a client sees what a real cluster shows in between: a pod in phase Running
// whose containers have all terminated, or a pod that has succeeded and whose Job has
// not.
type Delays struct {
	// ContainerStatus is the time from the end of a container's process until the pod's
	// status shows it as terminated. A real kubelet lists the containers every second.
	// The end of containers that the kubelet stops itself is not delayed; they appear in
	// the status together, once the last one has ended.
	ContainerStatus time.Duration
	// PodPhase is the time from the status that shows the last container as terminated
	// until the pod's phase is Succeeded or Failed. A real kubelet waits until it has
	// listed the containers again.
	PodPhase time.Duration
	// PodRemoval is the time from the final phase of a deleted pod until it is removed
	// from the API. A real kubelet unmounts its volumes first.
	PodRemoval time.Duration
	// JobSync is the time from a change of a pod, or of a Job's status, until the Job
	// controller looks at the Job. A change of the Job's spec is seen at once.
	JobSync time.Duration
}

// RealDelays returns the delays of Kubernetes 1.37 with default settings. Those of the
// kubelet are medians, since they depend on when it lists the containers, and grow on a
// busy node; docs/fake-vs-real.md has the times of a recording. That of the Job
// controller is its batch period.
func RealDelays() Delays {
	return Delays{
		ContainerStatus: 700 * time.Millisecond,
		PodPhase:        1070 * time.Millisecond,
		PodRemoval:      600 * time.Millisecond,
		JobSync:         time.Second,
	}
}

// apply sets the delays in the options of the parts that have none of their own.
func (d Delays) apply(opts *Options) {
	for field, delay := range map[*time.Duration]time.Duration{
		&opts.Kubelet.StatusDelay:  d.ContainerStatus,
		&opts.Kubelet.PhaseDelay:   d.PodPhase,
		&opts.Kubelet.RemovalDelay: d.PodRemoval,
		&opts.Controller.SyncBatch: d.JobSync,
	} {
		if *field == 0 {
			*field = delay
		}
	}
}
