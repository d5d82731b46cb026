package endings

import (
	"context"
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// Case is one way in which a Job ends.
type Case struct {
	Name string
	// Shows says what happens, in one line.
	Shows string
	// Job has the containers that a real cluster runs. Their image is that of the
	// cluster.
	Job *batchv1.Job
	// Scripts are the same containers for a cluster that simulates them, by name.
	Scripts map[string]containers.Script
	// From is the first state of the pod in the history; default phase Running. What
	// comes before depends on how fast a cluster starts a pod.
	From func(*corev1.Pod) bool
	// Act, if set, is called once, when the pod is in the state When.
	When func(*corev1.Pod) bool
	Act  func(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod) error
	// Race, if set, says why the order of the pod's states varies. Only the last two of
	// them are compared then.
	Race string
	// Since is the first minor version of Kubernetes that has what the case is about.
	Since uint
}

// Compare returns an error unless two histories of the case show the states of the pod,
// and those of the Job, in the same order. How the states of the pod and of the Job are
// mixed depends on milliseconds.
func (c Case) Compare(a, b History) error {
	return c.compare(a, b, "is not", slices.Equal[[]string])
}

// Covers returns an error unless a history shows the states of a record in their order, from
// the same first to the same last one. It may lack some between them: a kubelet that is busy
// writes the newest of several states alone.
func (c Case) Covers(record, h History) error {
	return c.compare(h, record, "is not from the first to the last of", func(x, y []string) bool {
		if len(x) == 0 || len(y) == 0 || x[0] != y[0] || x[len(x)-1] != y[len(y)-1] {
			return slices.Equal(x, y)
		}
		for _, line := range x {
			i := slices.Index(y, line)
			if i < 0 {
				return false
			}
			y = y[i+1:]
		}
		return true
	})
}

func (c Case) compare(a, b History, not string, same func(x, y []string) bool) error {
	for _, pod := range []bool{true, false} {
		x, y := a.of(pod), b.of(pod)
		if pod && c.Race != "" {
			x, y = x[max(0, len(x)-2):], y[max(0, len(y)-2):]
		}
		if !same(x, y) {
			return fmt.Errorf("%s:\n\t%s\n%s\n\t%s", c.Name, strings.Join(x, "\n\t"), not, strings.Join(y, "\n\t"))
		}
	}
	return nil
}

// All returns the cases.
func All() []Case {
	var all []Case
	for _, group := range [][]Case{byThemselves(), byDeadline(), byDeletion()} {
		all = append(all, group...)
	}
	return all
}

func running(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodRunning && ready(pod) == "" }

// inTheWindow reports whether all containers have ended and the phase does not say so.
func inTheWindow(pod *corev1.Pod) bool {
	for _, c := range pod.Status.ContainerStatuses {
		if c.State.Terminated == nil {
			return false
		}
	}
	return pod.Status.Phase == corev1.PodRunning && len(pod.Status.ContainerStatuses) > 0
}
