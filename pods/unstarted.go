package pods

import "slices"

// Unstarted returns o with what its containers waited for, as before tells, where
// they never started. When a pod is deleted before that, the kubelet writes
// ContainerStatusUnknown and exit code 137 over the waiting state, and with it
// over the missing image or Secret that was the cause.
func (o Outcome) Unstarted(before Outcome) Outcome {
	o.Containers = slices.Clone(o.Containers)
	for i, c := range o.Containers {
		if c.State != stateTerminated || c.Reason != reasonStatusUnknown || !c.StartedAt.IsZero() {
			continue
		}
		for _, b := range before.Containers {
			if b.Name == c.Name && b.State == stateWaiting && b.Restarts == 0 {
				o.Containers[i] = b
			}
		}
	}
	return o
}
