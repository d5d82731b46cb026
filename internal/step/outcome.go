package step

import (
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/plain"
	"github.com/kontinue/kontinue/internal/record"
	"github.com/kontinue/kontinue/pods"
	"github.com/kontinue/kontinue/watch"
)

// Outcome is how a step's Job ended: its record with the pods, and those of the pods'
// objects that this process still has.
type Outcome struct {
	record.Record
	// Namespace and Job name the Job.
	Namespace, Job string
	// Pods are in the order of their creation, as far as a record has room for them: one
	// that has not begins with those that failed. Each has the Rank and the Part that
	// JobEnd.Failures gives it.
	Pods []pods.Outcome
	// Resumed reports whether the Job existed before this call.
	Resumed bool
	Known   bool `json:"-"` // recorded by another call
	// Drift lists the fields in which the Job differs from this call's spec.
	Drift []string
	// Mutations lists what the cluster made of the Job: see [jobs.Acquired].
	Mutations []string
	// Runs is how many runs the step had in the attempt, with this one.
	Runs int `json:",omitempty"`
	// Logs are the reports on the logs of the pods that this call has observed; nil if the
	// step has no writer, or was recorded before the call.
	Logs map[types.UID]*PodLog `json:"-"`

	recorded bool // the record is on the Job

	cut     bool // the record that this was read from had no room for all pods
	objects map[types.UID]*corev1.Pod
}

// outcome returns the outcome of a Job that has ended, or whose pod has.
func (s *state) outcome(attempt int, seen time.Time) *Outcome {
	status := s.status()
	early := !status.Terminal && (s.early() || s.abandoned)
	lost := s.missing(status)
	if early {
		status, lost = s.foreseen(status), 0
	}
	o := &Outcome{
		Record: record.Record{
			Version:       record.Version,
			Attempt:       attempt,
			Early:         early,
			Created:       s.job.CreationTimestamp.UTC(),
			Ended:         status.Finished.UTC(),
			Seen:          seen,
			Failed:        status.Failed,
			Canceled:      s.job.Canceled,
			Reason:        plain.Line(status.Reason),
			Message:       plain.Line(status.Message),
			SucceededPods: status.Succeeded,
			FailedPods:    status.FailedPods,
			Lost:          lost,
			ManagedBy:     plain.Line(s.job.ManagedBy),
		},
		Namespace: s.job.Namespace,
		Job:       s.job.Name,
	}
	if why, ok := s.gaveUp(); ok && o.Failed {
		o.GaveUp, o.Canceled = true, false
		o.Reason, o.Message = plain.Text(why.Reason), plain.Text(why.Message)
	}
	o.addPods(s.pods, s.job.PodFailurePolicy)
	o.markInjected(pods.Names(s.job.Template()))
	if early && !s.abandoned {
		o.foresee()
	}
	s.rank(o)
	return o
}

// addPods adds the pods that o lacks, in the order of their creation.
func (o *Outcome) addPods(states []podState, policy *batchv1.PodFailurePolicy) {
	states = slices.Clone(states)
	slices.SortFunc(states, func(a, b podState) int {
		if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	o.addObjects(states)
	known := make(map[types.UID]bool, len(o.Pods))
	for _, p := range o.Pods {
		known[p.UID] = true
	}
	for _, s := range states {
		if known[s.UID] {
			continue
		}
		pod := s.outcome()
		if policy != nil {
			pod = pod.Judge(policy, s.Object())
		}
		o.Pods = append(o.Pods, pod)
	}
}

// addObjects adds the objects of the pods that this process holds.
func (o *Outcome) addObjects(states []podState) {
	if o.objects == nil && len(states) > 0 {
		o.objects = make(map[types.UID]*corev1.Pod, len(states))
	}
	for _, s := range states {
		if s.Whole {
			o.objects[s.UID] = s.Object()
		}
	}
}

// encode returns the text of the record: pods.MaxRecordBytes at most, of which the pods
// get what the Job's own part leaves.
func (o *Outcome) encode() (string, error) {
	r := o.Record
	r.Pods = []byte("{}")
	part, err := r.Encode()
	if err != nil {
		return "", err
	}
	list, _, err := pods.Encode(o.Pods, pods.MaxRecordBytes-(len(part)-len(r.Pods)))
	if err != nil {
		return "", err
	}
	r.Pods = []byte(list)
	return r.Encode()
}

// decode reads the record on the Job. Pods that did not fit into it are taken from the
// cache, if they are there.
func decode(namespace, job, text string, cached []*watch.Pod) (*Outcome, error) {
	r, err := record.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("job %s/%s: %w", namespace, job, err)
	}
	o := &Outcome{Record: r, Namespace: namespace, Job: job, Resumed: true, Known: true}
	o.Reason, o.Message = plain.Line(o.Reason), plain.Line(o.Message)
	o.decodePods()
	states := make([]podState, 0, len(cached))
	for _, p := range cached {
		if p.Whole {
			states = append(states, podState{Pod: p})
		}
	}
	if o.cut {
		o.addPods(states, nil)
	} else {
		o.addObjects(states)
	}
	o.rankRest()
	return o, nil
}

// decodePods reads the pods of the record. The rest of the record is valid even if
// their list has been edited and is unreadable.
func (o *Outcome) decodePods() {
	var err error
	if o.Pods, o.cut, err = pods.Decode(string(o.Record.Pods)); err != nil {
		o.Pods, o.cut = nil, true
	}
	o.Record.Pods = nil
}

// complete adds the pods that this process has observed to an outcome whose record had
// no room for them, in their order.
func (o *Outcome) complete(seen []pods.Outcome) {
	if !o.cut {
		return
	}
	all := slices.Clone(seen)
	at := make(map[types.UID]int, len(all))
	for i, p := range all {
		at[p.UID] = i
	}
	for _, p := range o.Pods {
		if i, ok := at[p.UID]; ok {
			all[i] = p
		} else {
			all = append(all, p)
		}
	}
	o.Pods = all
}

// Object returns the object of one of the outcome's pods, restored from the record if
// the object itself is gone or shows another state. It is the caller's own: what the watch holds is shared with
// other calls of the step. Its phase is that of the outcome.
func (o *Outcome) Object(p pods.Outcome) *corev1.Pod {
	object := o.objects[p.UID]
	if object == nil || object.Status.Phase != p.Phase && !(o.Early && open(object.Status.Phase)) || !sameStates(object, p) {
		return pods.Restore(o.Namespace, p)
	}
	object = object.DeepCopy()
	object.Status.Phase = p.Phase
	return object
}

// sameStates reports whether the object shows the containers in the states that the outcome
// has. If another worker recorded the outcome, the watch of pods of this one may be behind
// that record or ahead of it.
func sameStates(object *corev1.Pod, p pods.Outcome) bool {
	seen := pods.Inspect(object).Containers
	return !slices.ContainsFunc(p.Containers, func(c pods.ContainerOutcome) bool {
		return !slices.ContainsFunc(seen, func(s pods.ContainerOutcome) bool { return s.Name == c.Name && s.State == c.State })
	})
}

// open reports whether the phase of a pod may still change.
func open(phase corev1.PodPhase) bool {
	return phase == corev1.PodPending || phase == corev1.PodRunning
}

// DeadlineExceeded reports whether the Job exceeded its deadline.
func (o *Outcome) DeadlineExceeded() bool {
	return !o.Canceled && o.Reason == batchv1.JobReasonDeadlineExceeded
}

// Text describes how the Job ended, in one line.
func (o *Outcome) Text() string {
	text := o.Reason
	if !o.Failed {
		return fmt.Sprintf("the Job completed, with %d pods succeeded and %d failed", o.SucceededPods, o.FailedPods)
	}
	if o.Message != "" {
		text += ": " + o.Message
	}
	if o.Canceled {
		text = "Canceled: " + text
	}
	if o.NoPods() != nil {
		text += fmt.Sprintf(" (managed by %s, its pods are not in this cluster)", o.ManagedBy)
	}
	if o.Lost > 0 {
		text += fmt.Sprintf(" (%d of its pods were gone before their status was observed)", o.Lost)
	}
	return text
}

// SinglePod returns the pod that decides the result of a step with a single pod: the
// one that succeeded if the Job is Complete, the one that decided that it failed, or
// else the newest. If none is known, its phase is what the Job proves. The error wraps
// [ErrPodLost] if a failure cannot be explained because its pod is gone.
func (o *Outcome) SinglePod() (pods.Outcome, error) {
	if len(o.Pods) == 0 {
		// A deadline, a cancellation or a worker that gives up deletes the pod. It is the
		// reason of the failure even if no worker observed the pod.
		// Of the pods of another cluster it has nothing but the Job's condition.
		explained := o.ManagedBy != "" || o.Canceled || o.GaveUp || o.DeadlineExceeded() && o.Lost > 0
		switch {
		case !o.Failed:
			return pods.Outcome{Phase: corev1.PodSucceeded}, nil
		case explained:
			return pods.Outcome{Phase: corev1.PodFailed}, nil
		case o.Lost > 0:
			return pods.Outcome{}, &LostError{Outcome: o, err: ErrPodLost}
		default:
			return pods.Outcome{}, &LostError{Outcome: o}
		}
	}
	if !o.Failed {
		for _, p := range slices.Backward(o.Pods) {
			if p.Phase == corev1.PodSucceeded {
				return p, nil
			}
		}
	}
	if cause, ok := o.Cause(); ok && o.Failed && cause.Part == pods.PartDecided {
		return cause, nil
	}
	return o.Pods[len(o.Pods)-1], nil
}

// SinglePodSucceeded reports whether a step with a single pod succeeded. The condition
// Complete proves that every container of a pod ended with exit code 0, even if the pod
// was never observed. A pod that was observed may still have been OOMKilled.
func (o *Outcome) SinglePodSucceeded(p pods.Outcome) bool {
	switch {
	case o.Failed:
		return false
	case p.Phase == corev1.PodSucceeded && len(p.Containers) > 0:
		return p.Succeeded()
	default:
		return true
	}
}
