package pods

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Early is what a Job with a single pod says that matters for the end of that pod before
// the Job has its own condition. Such a pod is over earlier: on a real node its containers
// terminate 1.5 to 2.1 seconds before the Job controller writes Complete.
type Early struct {
	// Template is the spec of the Job's pod template. Its containers are those that were
	// submitted; one that only the pod has was injected by admission.
	Template *corev1.PodSpec
	// BackoffLimit is that of the Job.
	BackoffLimit int32
	// Contested reports whether something else than the pod may decide the Job's end or
	// start another pod: the Job is being deleted, canceled, suspended or ending otherwise,
	// another controller manages it, or it has a podFailurePolicy.
	Contested bool
	// Deadline is when the Job's activeDeadlineSeconds are over; zero without.
	Deadline time.Time
}

// Verdict is what the states of a pod and its containers prove about the pod's end.
type Verdict int

const (
	// Undecided means that they prove nothing, and the Job's condition decides.
	Undecided Verdict = iota
	// Succeeding means that the submitted containers have succeeded, and none can run
	// again. The kubelet will report the phase Succeeded.
	Succeeding
	// Succeeded means that the pod is in phase Succeeded.
	Succeeded
	// Failing means that the submitted containers have terminated and one container has
	// failed, but the phase is not final. The kubelet withholds it, with its reason and
	// the condition DisruptionTarget, until the last container has ended: an eviction and
	// an exit of the program by itself look the same until then.
	Failing
	// Failed means that the pod is in phase Failed.
	Failed
)

// Verdict returns what the status of p, which is whole, proves. It depends on its
// arguments alone.
//
// It is Undecided unless the Job can make no other pod (backoffLimit 0, no
// podFailurePolicy: KEP-3329) and the kubelet can start no container of the pod again. The
// latter requires the restartPolicy Never of the pod, and no container with a policy of
// its own other than Never or with restartPolicyRules (KEP-5307), by which a container of
// such a pod runs again, or all of them do (RestartAllContainers, KEP-5532). It is
// Undecided as well where the template has a restartable init container (KEP-753): the
// user's own sidecar may still upload or flush something. Undecided is also a pod that is
// being deleted or has a deadline of its own, and one whose containers ended when the
// Job's deadline was over.
//
// A container that has terminated is not started again by a kubelet with restartPolicy
// Never (computePodActions), and the kubelet derives the phase Succeeded from the exit
// codes alone (getPhase), unless it decided to end the pod itself. It announces neither
// an eviction nor a shutdown of the node before the containers have ended, so a program
// that answers SIGTERM with exit code 0 in one of these is taken for one that succeeded.
func (e Early) Verdict(p *corev1.Pod) Verdict {
	if e.Contested || e.BackoffLimit != 0 || e.Template == nil || p == nil || p.DeletionTimestamp != nil ||
		p.Spec.ActiveDeadlineSeconds != nil || restartable(e.Template) || restartable(&p.Spec) || hasSidecar(e.Template) {
		return Undecided
	}
	o := Inspect(p)
	if !e.Deadline.IsZero() && !o.FinishedAt.Before(e.Deadline) {
		return Undecided
	}
	switch {
	case p.Status.Phase == corev1.PodSucceeded:
		return Succeeded
	case p.Status.Phase == corev1.PodFailed:
		return Failed
	case o.Reason != "" || o.Disrupted != "":
		return Undecided // the node is lost, or the scheduler preempts the pod
	}
	return o.terminated(Names(e.Template))
}

// terminated is the verdict on a pod whose phase is not final, of which the named
// containers were submitted.
func (o Outcome) terminated(names []string) Verdict {
	submitted, failed := 0, false
	for _, c := range o.Containers {
		if c.Kind == KindSidecar {
			continue // of a pod whose other containers have ended: the kubelet stops it
		}
		if slices.Contains(names, c.Name) {
			if c.State != stateTerminated {
				return Undecided
			}
			submitted++
		}
		failed = failed || c.failed()
	}
	switch {
	case submitted < len(names) || submitted == 0:
		return Undecided // admission has removed or renamed one
	case failed:
		return Failing
	}
	return Succeeding
}

// restartable reports whether a container of the pod may run again after it terminated.
func restartable(pod *corev1.PodSpec) bool {
	own := func(c corev1.Container) bool {
		return len(c.RestartPolicyRules) > 0 || c.RestartPolicy != nil && *c.RestartPolicy != corev1.ContainerRestartPolicyNever
	}
	ownInit := func(c corev1.Container) bool { return own(c) && !sidecar(c) }
	return pod.RestartPolicy != corev1.RestartPolicyNever ||
		slices.ContainsFunc(pod.Containers, own) || slices.ContainsFunc(pod.InitContainers, ownInit)
}

// sidecar reports whether an init container is restartable, which makes it a sidecar.
func sidecar(c corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways && len(c.RestartPolicyRules) == 0
}

func hasSidecar(pod *corev1.PodSpec) bool { return slices.ContainsFunc(pod.InitContainers, sidecar) }

// Names returns the names of the containers and init containers of a pod.
func Names(pod *corev1.PodSpec) []string {
	names := make([]string, 0, len(pod.InitContainers)+len(pod.Containers))
	for _, list := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for i := range list {
			names = append(names, list[i].Name)
		}
	}
	return names
}

// MarkInjected returns o with the Injected of its containers: whether they are not among
// those that were submitted. Where a pod has none of the latter it was made from another
// spec, and nothing is known.
func (o Outcome) MarkInjected(submitted []string) Outcome {
	own := func(c ContainerOutcome) bool { return slices.Contains(submitted, c.Name) }
	injected := func(c ContainerOutcome) bool { return c.Injected }
	main := func(c ContainerOutcome) bool { return own(c) && c.Kind == KindMain }
	if slices.ContainsFunc(o.Containers, injected) || !slices.ContainsFunc(o.Containers, main) {
		return o
	}
	o.Containers = slices.Clone(o.Containers)
	for i := range o.Containers {
		o.Containers[i].Injected = !own(o.Containers[i])
	}
	return o
}

// HeldOpen reports whether an ordinary container that was injected has not ended. Nothing
// stops it when those that were submitted have: the pod runs for as long as it does.
func (o Outcome) HeldOpen() bool {
	return slices.ContainsFunc(o.Containers, func(c ContainerOutcome) bool {
		return c.Injected && c.Kind == KindMain && c.State != stateTerminated
	})
}
