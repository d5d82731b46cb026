package kontinue

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/pods"
	"github.com/kontinue/kontinue/watch"
)

// ending is how a step's Job ended. It is what the outcome annotation records,
// so a resume gives the result that the first reader got.
type ending struct {
	Version   int    `json:"v"`
	Attempt   int    `json:"attempt"` // of the Execution that it was read in, or a later one that was given it
	Failed    bool   `json:"failed,omitempty"`
	Canceled  bool   `json:"canceled,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Message   string `json:"message,omitempty"`
	Succeeded int32  `json:"succeededPods,omitempty"`
	FailedPod int32  `json:"failedPods,omitempty"`
	// Lost counts pods that the Job counted and nobody saw.
	Lost int             `json:"lost,omitempty"`
	Pods json.RawMessage `json:"pods"`
}

const (
	endingVersion = 1
	// maxMessage bounds the Job's own message within the record.
	maxMessage = 1024
	// podsBudget leaves room for the Job's part of a 16 KiB record.
	podsBudget = pods.MaxRecordBytes - 4*maxMessage
)

// outcome is an ending with its pods, and the pods' objects as far as this
// process still has them.
type outcome struct {
	ending
	namespace, job  string
	resourceVersion string // of the Job's state that this was read from
	pods            []pods.Outcome
	cut             bool // the record that this was read from had no room for all
	objects         map[types.UID]*corev1.Pod
	resumed         bool
	drift           []string
}

// outcome sums up a Job that has ended.
func (v *view) outcome(attempt int) *outcome {
	status := jobs.Classify(&v.job.Status)
	o := &outcome{
		ending: ending{
			Version:   endingVersion,
			Attempt:   attempt,
			Failed:    status.Failed,
			Canceled:  v.job.Canceled,
			Reason:    status.Reason,
			Message:   status.Message,
			Succeeded: status.Succeeded,
			FailedPod: status.FailedPods,
			Lost:      v.missing(status),
		},
		namespace:       v.job.Namespace,
		job:             v.job.Name,
		resourceVersion: v.job.ResourceVersion,
	}
	o.addPods(v.pods)
	return o
}

// addPods adds the pods that o does not know, in the order of their creation.
func (o *outcome) addPods(views []podView) {
	views = slices.Clone(views)
	slices.SortFunc(views, func(a, b podView) int {
		if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	o.addObjects(views)
	for _, v := range views {
		if slices.ContainsFunc(o.pods, func(p pods.Outcome) bool { return p.UID == v.UID }) {
			continue
		}
		o.pods = append(o.pods, v.outcome())
	}
}

// addObjects notes the pods that this process holds.
func (o *outcome) addObjects(views []podView) {
	if o.objects == nil && len(views) > 0 {
		o.objects = make(map[types.UID]*corev1.Pod, len(views))
	}
	for _, v := range views {
		if v.Whole {
			o.objects[v.UID] = v.Object()
		}
	}
}

// encode returns the text of the outcome annotation.
func (o *outcome) encode() (string, error) {
	list, _, err := pods.Encode(o.pods, podsBudget)
	if err != nil {
		return "", err
	}
	e := o.ending
	if len(e.Message) > maxMessage {
		e.Message = strings.ToValidUTF8(e.Message[:maxMessage], "")
	}
	e.Pods = json.RawMessage(list)
	text, err := json.Marshal(e)
	return string(text), err
}

// recorded reads the outcome that an earlier reader left on the Job. Pods that
// did not fit in are taken from the cache, if they are there.
func recorded(namespace, job, text string, cached []*watch.Pod) (*outcome, error) {
	o := &outcome{namespace: namespace, job: job, resumed: true}
	err := json.Unmarshal([]byte(text), &o.ending)
	if err == nil && o.Version != endingVersion {
		err = fmt.Errorf("version %d is not known to this program", o.Version)
	}
	if err == nil {
		o.pods, o.cut, err = pods.Decode(string(o.ending.Pods))
	}
	if err != nil {
		return nil, fmt.Errorf("the outcome recorded on job %s/%s cannot be read: %w", namespace, job, err)
	}
	views := make([]podView, 0, len(cached))
	for _, p := range cached {
		if p.Whole {
			views = append(views, podView{Pod: p})
		}
	}
	if o.cut {
		o.addPods(views)
	} else {
		o.addObjects(views)
	}
	return o, nil
}

// complete adds to an outcome whose record had no room for them the pods that
// this process has seen itself, in their order.
func (o *outcome) complete(seen []pods.Outcome) {
	if !o.cut {
		return
	}
	all := slices.Clone(seen)
	for _, p := range o.pods {
		same := func(q pods.Outcome) bool { return q.UID == p.UID }
		if i := slices.IndexFunc(all, same); i >= 0 {
			all[i] = p
		} else {
			all = append(all, p)
		}
	}
	o.pods = all
}

// finished reports that a Job's outcome is recorded, all of it: nobody asks for
// its pods again, and the cache need not keep them. It reads no JSON, since it is
// asked for every state of every Job; a record that only looks cut costs memory.
func finished(job *watch.Job) bool {
	return job.Record != "" && !strings.Contains(job.Record, `"cut":true`)
}

// pod returns the object of one of the outcome's pods, restored from the
// record if the object itself is gone.
func (o *outcome) pod(p pods.Outcome) *corev1.Pod {
	if object := o.objects[p.UID]; object != nil && object.Status.Phase == p.Phase {
		return object
	}
	return pods.Restore(o.namespace, p)
}

// succeeded reports that the one pod of a RunPod did.
func (o *outcome) succeeded() bool {
	r, err := o.soleResult()
	return err == nil && r.Succeeded()
}
