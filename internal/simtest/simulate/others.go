package simulate

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

// act carries out what the cluster or other users do. undo is nil if there is nothing to
// undo.
func (w *world) act(e *Event) (undo func(), _ error) {
	switch e.Kind {
	case DeletePod, ForceDeletePod, EvictPod, PressureEvict, StripPod:
		return nil, w.disturbPods(e)
	case KillNode, RemoveNode:
		return nil, w.disturbNode(e)
	case DeleteJob, StripJob, Label, Deadline, ForeignConflict:
		return nil, w.disturbJob(e)
	case Queue:
		return w.queue(), nil
	case OwnerGoes:
		o := w.owners[e.N]
		o.gone = true
		return nil, w.admin.CoreV1().ConfigMaps(namespace).Delete(w.ctx, o.Name, metav1.DeleteOptions{})
	case Cancel:
		for _, p := range w.processes {
			if p.plan.Name == e.Worker {
				w.actors.Go(func() { p.end(e.N) })
			}
		}
	}
	return nil, nil
}

// disturbPods does something to one pod, or to e.Times of them.
func (w *world) disturbPods(e *Event) error {
	list, err := w.admin.CoreV1().Pods(namespace).List(w.ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) == 0 {
		return err
	}
	for i := range min(max(1, e.Times), len(list.Items)) {
		pod := &list.Items[(e.N+i)%len(list.Items)]
		pods := w.admin.CoreV1().Pods(namespace)
		switch e.Kind {
		case DeletePod:
			err = pods.Delete(w.ctx, pod.Name, metav1.DeleteOptions{})
		case ForceDeletePod:
			err = pods.Delete(w.ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
		case EvictPod:
			err = w.cluster.EvictPod(w.ctx, namespace, pod.Name)
		case PressureEvict:
			err = w.cluster.PressureEvictPod(namespace, pod.Name, "")
		case StripPod:
			_, err = pods.Patch(w.ctx, pod.Name, types.MergePatchType, strip(pod.Labels, nil, e.N), metav1.PatchOptions{})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// strip returns a patch that removes one of the library's labels and annotations, or all.
func strip(labels, annotations map[string]string, n int) []byte {
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if strings.HasPrefix(k, libraryPrefix) || k == managedByLabel {
			keys = append(keys, "labels "+k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(annotations)) {
		if strings.HasPrefix(k, libraryPrefix) {
			keys = append(keys, "annotations "+k)
		}
	}
	if len(keys) > 0 && n%3 > 0 {
		keys = keys[n%len(keys):][:1]
	}
	removed := map[string]map[string]any{"labels": {}, "annotations": {}}
	for _, k := range keys {
		field, key, _ := strings.Cut(k, " ")
		removed[field][key] = nil
	}
	patch, _ := json.Marshal(map[string]any{"metadata": removed}) // cannot fail
	return patch
}

// disturbNode kills a node that lives, or removes one that died. Another one takes the
// place of a node that died.
func (w *world) disturbNode(e *Event) error {
	if e.Kind == RemoveNode {
		return w.removeDead()
	}
	w.mu.Lock()
	name := w.nodes[e.N%len(w.nodes)]
	w.nodes = slices.DeleteFunc(w.nodes, func(s string) bool { return s == name })
	w.dead = append(w.dead, name)
	w.added++
	next := fmt.Sprintf("node-%d", 3+w.added)
	w.nodes = append(w.nodes, next)
	w.mu.Unlock()
	if err := w.cluster.KillNode(w.ctx, name); err != nil {
		return err
	}
	return w.cluster.AddNode(w.ctx, kubelet.Node{Name: next})
}

// removeDead removes the nodes that died.
func (w *world) removeDead() error {
	w.mu.Lock()
	dead := w.dead
	w.dead = nil
	w.mu.Unlock()
	for _, name := range dead {
		if err := w.cluster.RemoveNode(w.ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// disturbJob does something to one Job.
func (w *world) disturbJob(e *Event) error {
	jobs := w.admin.BatchV1().Jobs(namespace)
	list, err := jobs.List(w.ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) == 0 {
		return err
	}
	job := &list.Items[e.N%len(list.Items)]
	switch e.Kind {
	case DeleteJob:
		policy := []metav1.DeletionPropagation{metav1.DeletePropagationForeground, metav1.DeletePropagationBackground}[e.N/7%2]
		return jobs.Delete(w.ctx, job.Name, metav1.DeleteOptions{PropagationPolicy: &policy})
	case StripJob:
		_, err = jobs.Patch(w.ctx, job.Name, types.MergePatchType, strip(job.Labels, job.Annotations, e.N), metav1.PatchOptions{})
	case Label:
		_, err = jobs.Patch(w.ctx, job.Name, types.MergePatchType, []byte(`{"metadata":{"labels":{"`+recordedLabel+`":"true"}}}`), metav1.PatchOptions{})
	case Deadline:
		deadline := "null"
		if e.Delay > 0 {
			deadline = fmt.Sprint(int(e.Delay.Seconds()))
		}
		_, err = jobs.Patch(w.ctx, job.Name, types.MergePatchType, []byte(`{"spec":{"activeDeadlineSeconds":`+deadline+`}}`), metav1.PatchOptions{})
	case ForeignConflict:
		policy := metav1.DeletePropagationBackground
		if err := jobs.Delete(w.ctx, job.Name, metav1.DeleteOptions{PropagationPolicy: &policy}); err != nil {
			return err
		}
		_, err = w.cluster.APIServer().ClientsetAs(foreign).BatchV1().Jobs(namespace).Create(w.ctx, &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Name: job.Name, Labels: map[string]string{"app": foreign}},
			Spec: batchv1.JobSpec{Suspend: new(true), Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "main", Image: "example.org/other:1"}},
			}}},
		}, metav1.CreateOptions{})
	}
	return err
}

// queue suspends every Job that runs, until end is called, and then resumes what it
// holds.
func (w *world) queue() (end func()) {
	ctx, cancel := context.WithCancel(w.ctx)
	suspend := func(suspended bool) {
		jobs := w.admin.BatchV1().Jobs(namespace)
		list, err := jobs.List(w.ctx, metav1.ListOptions{})
		if err != nil {
			return
		}
		for i := range list.Items {
			job := &list.Items[i]
			if have := job.Spec.Suspend != nil && *job.Spec.Suspend; have == suspended || metav1.GetControllerOf(job) == nil || ended(job) {
				continue
			}
			_, _ = jobs.Patch(w.ctx, job.Name, types.MergePatchType, fmt.Appendf(nil, `{"spec":{"suspend":%t}}`, suspended), metav1.PatchOptions{})
		}
	}
	w.actors.Go(func() {
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		for {
			suspend(true)
			select {
			case <-tick.C:
			case <-ctx.Done():
				suspend(false)
				return
			}
		}
	})
	return cancel
}

// heal ends what outlives its event.
func (w *world) heal() {
	if err := w.removeDead(); err != nil {
		w.history.note(fmt.Sprint("remove dead nodes: ", err))
	}
}

// ended reports whether a Job has the condition Complete or Failed.
func ended(job *batchv1.Job) bool { _, ok := terminal(job); return ok }
