package pods_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/pods"
)

// dice turns fuzz bytes into choices.
type dice struct{ data []byte }

func (d *dice) roll(n int) int {
	if len(d.data) == 0 {
		return 0
	}
	v := int(d.data[0]) % n
	d.data = d.data[1:]
	return v
}

func pick[T any](d *dice, choices ...T) T { return choices[d.roll(len(choices))] }

func (d *dice) state() corev1.ContainerState {
	switch d.roll(6) {
	case 0, 1:
		return exited(0, pick(d, "Completed", "OOMKilled", ""), d.roll(20), "")
	case 2:
		return exited(pick(d, int32(1), 3, 128, 137, 143, 255, -1), pick(d, "Error", "OOMKilled", "StartError", "ContainerStatusUnknown", "Completed"),
			d.roll(20), pick(d, "", "boom", "a\nb\r\n", "\xff\xfecut \xc3", string(make([]byte, 5000))))
	case 3:
		return waiting(pick(d, "", "ContainerCreating", "PodInitializing", "ErrImagePull", "CrashLoopBackOff"), pick(d, "", "why"))
	case 4:
		return running()
	}
	return corev1.ContainerState{}
}

func (d *dice) pod() *corev1.Pod {
	p := pod(pick(d, corev1.PodPending, corev1.PodRunning, corev1.PodSucceeded, corev1.PodFailed, corev1.PodUnknown, ""))
	for i := range d.roll(5) {
		add := pick(d, initC, sidecarC)
		add(fmt.Sprintf("init-%d", i), d.state())(p)
	}
	for i := range d.roll(4) {
		mainC(fmt.Sprintf("main-%d", i), d.state())(p)
	}
	for range d.roll(3) {
		option := pick(d, noSpec, noStatus, deleting,
			reason("Evicted", "The node was low on resource"), reason("", "m"),
			condition(corev1.DisruptionTarget, "True", "DeletionByTaintManager", "taint"),
			condition(corev1.DisruptionTarget, "False", "x", "y"),
			condition(corev1.PodScheduled, "False", "Unschedulable", "0/1 nodes"),
			func(p *corev1.Pod) { p.Annotations = map[string]string{batchv1.JobCompletionIndexAnnotation: "5"} },
			func(p *corev1.Pod) {
				for i := range p.Status.ContainerStatuses {
					p.Status.ContainerStatuses[i].LastTerminationState = exited(2, "Error", 3, "")
					p.Status.ContainerStatuses[i].RestartCount = 1
				}
			})
		option(p)
	}
	return p
}

// succeeded implements the contract a second time, from the pod itself: every
// container and init container has terminated with exit code 0.
func succeeded(p *corev1.Pod) bool {
	sidecar := map[string]bool{}
	for _, c := range p.Spec.InitContainers {
		sidecar[c.Name] = c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
	}
	good := 0
	for _, s := range append(append([]corev1.ContainerStatus{}, p.Status.InitContainerStatuses...), p.Status.ContainerStatuses...) {
		if sidecar[s.Name] {
			continue
		}
		if t := s.State.Terminated; t == nil || t.ExitCode != 0 || t.Reason == "OOMKilled" {
			return false
		}
		good++
	}
	want := len(p.Spec.Containers)
	for _, c := range p.Spec.InitContainers {
		if !sidecar[c.Name] {
			want++
		}
	}
	return good >= want && len(p.Status.ContainerStatuses) > 0 && p.Status.Phase != corev1.PodFailed
}

func FuzzInspect(f *testing.F) {
	f.Add([]byte{2, 0, 1, 0, 0, 9, 0})
	f.Add([]byte{3, 2, 0, 2, 3, 1, 4, 1, 1, 2, 2, 3, 4, 4, 2, 5, 5})
	f.Add([]byte{2, 4, 1, 2, 3, 0, 0, 1, 1, 2, 3, 2, 0, 0, 4, 0, 0, 5, 2, 0, 9})
	f.Fuzz(func(t *testing.T, data []byte) {
		d := &dice{data}
		p := d.pod()
		o := pods.Inspect(p)

		require.Equal(t, succeeded(p), o.Succeeded())
		first, failed := o.FirstFailure()
		require.False(t, failed && o.Succeeded(), "%+v", first)
		require.Equal(t, o.Succeeded(), o.Explain() == "")
		if o.Succeeded() {
			require.Empty(t, o.Cause())
		}
		if o.Phase == corev1.PodFailed {
			require.NotEmpty(t, o.Cause())
		}
		require.NotContains(t, o.Explain(), canary)
		require.NotContains(t, o.Explain(), "\n")
		pods.Progress(p)
		pods.Settled(p)

		restored := pods.Inspect(pods.Restore(p.Namespace, o))
		restored.Terminating = o.Terminating
		require.Equal(t, o, restored)

		budget := 64 + d.roll(250)*32
		all := []pods.Outcome{o, pods.Inspect(d.pod()), pods.Inspect(d.pod())}
		text, cut, err := pods.Encode(all, budget)
		require.NoError(t, err)
		require.LessOrEqual(t, len(text), budget)
		require.NotContains(t, text, canary)
		back, cutBack, err := pods.Decode(text)
		require.NoError(t, err)
		require.Equal(t, cut, cutBack)
		if !cut {
			require.Len(t, back, len(all))
		}
		failedPods := func(all []pods.Outcome) (n int) {
			for _, o := range all {
				if !o.Succeeded() {
					n++
				}
			}
			return n
		}
		if failedPods(back) < len(back) {
			require.Equal(t, failedPods(all), failedPods(back), "a succeeded pod is kept only when every failed one is")
		}
		for i := 0; !cut && i < len(back); i++ {
			require.Equal(t, all[i], back[i])
		}
	})
}
