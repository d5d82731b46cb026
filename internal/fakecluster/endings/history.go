package endings

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

// History is the order of the states of a Job and its pod.
type History []State

// State is one state that a watch has shown.
type State struct {
	// Line describes the state, without names and times.
	Line string
	// At is when it was seen, since the first one.
	At time.Duration
}

func (s State) ofPod() bool { return strings.HasPrefix(s.Line, "pod ") }

// of returns the lines of the pod or of the Job. Those of an active Job only say when
// its pod was counted as ready, which a sync at another time misses.
func (h History) of(pod bool) []string {
	var lines []string
	for _, s := range h {
		if s.ofPod() == pod && !strings.HasPrefix(s.Line, "job active=") {
			lines = append(lines, s.Line)
		}
	}
	return lines
}

// recorder collects what the two watches show.
type recorder struct {
	Case
	client  kubernetes.Interface
	seen    []seen
	began   bool
	acted   bool
	ended   bool // the Job has its final condition or is gone
	settled bool // the pod is gone, or final and no longer tracked
}

// seen is a state in the order in which it came.
type seen struct {
	line    string
	at      time.Time
	version int64
	start   bool // it belongs to the start of the pod
}

// Record creates the Job of the case in a namespace without other Jobs and pods, and
// returns what watches show until it has ended and its pod is settled.
func Record(ctx context.Context, client kubernetes.Interface, namespace, image string, c Case) (History, error) {
	pods, err := client.CoreV1().Pods(namespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("watching pods: %w", err)
	}
	defer pods.Stop()
	jobs, err := client.BatchV1().Jobs(namespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("watching Jobs: %w", err)
	}
	defer jobs.Stop()
	job := c.Job.DeepCopy()
	for _, list := range [][]corev1.Container{job.Spec.Template.Spec.InitContainers, job.Spec.Template.Spec.Containers} {
		for i := range list {
			list[i].Image = image
		}
	}
	if _, err := client.BatchV1().Jobs(namespace).Create(ctx, job, metav1.CreateOptions{}); err != nil {
		return nil, fmt.Errorf("creating the Job: %w", err)
	}
	r := &recorder{Case: c, client: client}
	if r.From == nil {
		r.From = func(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodRunning }
	}
	for !r.ended || !r.settled {
		var event watch.Event
		var ok bool
		select {
		case event, ok = <-pods.ResultChan():
		case event, ok = <-jobs.ResultChan():
		case <-ctx.Done():
			return r.history(), fmt.Errorf("the Job %s did not end: %w", c.Name, ctx.Err())
		}
		if !ok {
			return r.history(), errors.New("a watch has ended")
		}
		if err := r.see(ctx, event); err != nil {
			return r.history(), err
		}
	}
	return r.history(), nil
}

// begun reports whether the pod is, or was, in the first state of the history.
func (r *recorder) begun(pod *corev1.Pod) bool {
	r.began = r.began || r.From(pod)
	return r.began
}

// see adds an event to the history.
func (r *recorder) see(ctx context.Context, event watch.Event) error {
	switch object := event.Object.(type) {
	case *corev1.Pod:
		line := podLine(object)
		r.settled = terminal(object) && !tracked(object) && object.DeletionTimestamp == nil
		if event.Type == watch.Deleted {
			r.settled, line = true, "pod removed"
		}
		r.add(event, line, !r.begun(object))
		if r.Act != nil && !r.acted && r.When(object) {
			r.acted = true
			return r.Act(ctx, r.client, object)
		}
	case *batchv1.Job:
		line := jobLine(object)
		r.ended = finished(object)
		if event.Type == watch.Deleted {
			r.ended, line = true, "job removed"
		}
		r.add(event, line, object.Status.Active == 0 && len(object.Status.Conditions) == 0 ||
			object.Status.Active > 0 && ptr.Deref(object.Status.Ready, 0) == 0)
	default:
		return fmt.Errorf("unexpected event: %v", event)
	}
	return nil
}

func (r *recorder) add(event watch.Event, line string, start bool) {
	state := seen{line: line, at: time.Now(), start: start}
	if accessor, err := meta.Accessor(event.Object); err == nil {
		// A version that is no number leaves the order in which the events came.
		state.version, _ = strconv.ParseInt(accessor.GetResourceVersion(), 10, 64)
	}
	r.seen = append(r.seen, state)
}

// history returns the states in the order of the resource versions, which is that of the
// writes, without those of the start and those that look like the one before.
func (r *recorder) history() History {
	slices.SortStableFunc(r.seen, func(a, b seen) int { return int(a.version - b.version) })
	var out History
	var began time.Time
	last := map[bool]string{}
	for _, s := range r.seen {
		state := State{Line: s.line}
		if began.IsZero() && !s.start && state.ofPod() {
			began = s.at
		}
		if s.start && last[state.ofPod()] == "" || began.IsZero() || last[state.ofPod()] == s.line {
			continue
		}
		state.At = s.at.Sub(began)
		last[state.ofPod()] = s.line
		out = append(out, state)
	}
	return out
}
