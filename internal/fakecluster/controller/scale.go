package controller

import (
	"maps"
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// maxPodsPerSync is how many pods one sync of a Job creates or deletes.
	maxPodsPerSync = 500
	// maxGeneratedPrefix leaves room for the API server's five characters in 63.
	maxGeneratedPrefix = 58

	completionIndexEnv = "JOB_COMPLETION_INDEX"
)

// scaling is the change of the number of active pods that is due.
type scaling struct {
	remove []*corev1.Pod // to delete, their finalizer first
	create []seed
	wait   time.Duration // until a replacement may be created
}

// seed is what one new pod gets beyond the template.
type seed struct {
	index    int         // noIndex: not an Indexed Job
	replaces *corev1.Pod // the failed pod of the same index, with backoffLimitPerIndex
}

// scale compares the active pods with what the spec wants.
func (f *facts) scale() scaling {
	if f.suspended() {
		return scaling{remove: f.active}
	}
	active := int32(len(f.active))
	want := f.wanted(active)
	if surplus := f.surplus(int(active - want)); len(surplus) > 0 {
		return scaling{remove: surplus[:min(len(surplus), maxPodsPerSync)]}
	}
	missing := want - active
	if f.replaceOnlyFailed() {
		missing -= f.terminating
	}
	if missing <= 0 {
		return scaling{}
	}
	missing = min(missing, maxPodsPerSync)
	if !f.indexed() {
		if wait := f.backoff.wait(f.now, f.base, f.limit); wait > 0 {
			return scaling{wait: wait}
		}
		return scaling{create: slices.Repeat([]seed{{index: noIndex}}, int(missing))}
	}
	if !f.perIndex() {
		if wait := f.backoff.wait(f.now, f.base, f.limit); wait > 0 {
			return scaling{wait: wait}
		}
	}
	return f.seedIndexes(int(missing))
}

// wanted is the number of pods that should be active.
func (f *facts) wanted(active int32) int32 {
	if f.job.Spec.Completions == nil {
		if f.succeeded > 0 {
			return active // a work queue drains once one pod has succeeded
		}
		return f.parallelism()
	}
	return max(0, min(*f.job.Spec.Completions-f.succeeded, f.parallelism()))
}

// surplus returns the active pods to remove: for an Indexed Job first those
// without a valid and unique index, then the least advanced ones.
func (f *facts) surplus(atLeast int) []*corev1.Pod {
	var remove, left []*corev1.Pod
	ranked := slices.Clone(f.active)
	slices.SortStableFunc(ranked, func(a, b *corev1.Pod) int { return progress(b) - progress(a) })
	if f.indexed() {
		taken := indexSet{}
		for _, pod := range ranked {
			if !f.validIndex(pod) || taken.has(indexOf(pod)) {
				remove = append(remove, pod)
				continue
			}
			taken.add(indexOf(pod))
			left = append(left, pod)
		}
	} else {
		left = ranked
	}
	for len(remove) < atLeast && len(left) > 0 {
		remove = append(remove, left[len(left)-1])
		left = left[:len(left)-1]
	}
	return remove
}

// progress ranks a pod by how much work would be lost with it.
func progress(pod *corev1.Pod) int {
	switch {
	case ready(pod):
		return 3
	case pod.Status.Phase == corev1.PodRunning:
		return 2
	case pod.Spec.NodeName != "":
		return 1
	}
	return 0
}

// seedIndexes picks the lowest indexes that are neither done, failed nor taken.
// With backoffLimitPerIndex each index has its own replacement delay.
func (f *facts) seedIndexes(count int) scaling {
	taken := indexSet{}
	for _, pod := range f.pods {
		if !terminal(pod) && (pod.DeletionTimestamp == nil || f.replaceOnlyFailed()) {
			taken.add(indexOf(pod))
		}
	}
	delayed := f.awaitingReplacement()
	var out scaling
	for i, picked := 0, 0; i < f.completions() && picked < count; i++ {
		if taken.has(i) || f.done.has(i) || f.bad.has(i) {
			continue
		}
		picked++
		old := delayed[i]
		if old != nil {
			record := backoff{failures: int(absoluteFailures(old)) + 1, last: finishedAt(old)}
			if wait := record.wait(f.now, f.base, f.limit); wait > 0 {
				if out.wait == 0 || wait < out.wait {
					out.wait = wait
				}
				continue
			}
		}
		out.create = append(out.create, seed{index: i, replaces: old})
	}
	return out
}

// awaitingReplacement returns, by index, the last failed pod of each index that
// is to be tried again. It keeps its finalizer until its replacement carries
// the failure count on (KEP-3850).
func (f *facts) awaitingReplacement() map[int]*corev1.Pod {
	if !f.perIndex() {
		return nil
	}
	running := indexSet{}
	for _, pod := range f.active {
		running.add(indexOf(pod))
	}
	out := map[int]*corev1.Pod{}
	for _, pod := range f.pods {
		i := indexOf(pod)
		if !tracked(pod) || !f.validIndex(pod) || !f.isFailed(pod) || f.done.has(i) || f.bad.has(i) || running.has(i) {
			continue
		}
		if last := out[i]; last == nil || absoluteFailures(pod) >= absoluteFailures(last) {
			out[i] = pod
		}
	}
	return out
}

func absoluteFailures(pod *corev1.Pod) int32 {
	return annotatedCount(pod, batchv1.JobIndexFailureCountAnnotation) +
		annotatedCount(pod, batchv1.JobIndexIgnoredFailureCountAnnotation)
}

// newPod builds the pod for s from the Job's template.
func (f *facts) newPod(s seed) *corev1.Pod {
	job := f.job
	template := job.Spec.Template.DeepCopy()
	prefix := truncate(job.Name, maxGeneratedPrefix-1) + "-"
	if s.index != noIndex {
		prefix = f.indexPod(template, s)
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName:    prefix,
			Namespace:       job.Namespace,
			Labels:          template.Labels,
			Annotations:     template.Annotations,
			Finalizers:      append(template.Finalizers, batchv1.JobTrackingFinalizer),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))},
		},
		Spec: template.Spec,
	}
}

// indexPod adds what a pod of an Indexed Job carries and returns its name prefix.
func (f *facts) indexPod(template *corev1.PodTemplateSpec, s seed) string {
	index := strconv.Itoa(s.index)
	template.Labels = with(template.Labels, batchv1.JobCompletionIndexAnnotation, index)
	template.Annotations = with(template.Annotations, batchv1.JobCompletionIndexAnnotation, index)
	template.Spec.Hostname = f.job.Name + "-" + index
	for _, list := range [][]corev1.Container{template.Spec.InitContainers, template.Spec.Containers} {
		for i := range list {
			if !slices.ContainsFunc(list[i].Env, func(e corev1.EnvVar) bool { return e.Name == completionIndexEnv }) {
				list[i].Env = append(list[i].Env, corev1.EnvVar{
					Name: completionIndexEnv,
					ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{
						APIVersion: "v1",
						FieldPath:  "metadata.labels['" + batchv1.JobCompletionIndexAnnotation + "']",
					}},
				})
			}
		}
	}
	if f.perIndex() {
		f.carryFailures(template, s.replaces)
	}
	suffix := "-" + index + "-"
	return truncate(f.job.Name, maxGeneratedPrefix-len(suffix)) + suffix
}

func (f *facts) carryFailures(template *corev1.PodTemplateSpec, old *corev1.Pod) {
	var counted, ignored int32
	if old != nil {
		counted = annotatedCount(old, batchv1.JobIndexFailureCountAnnotation)
		ignored = annotatedCount(old, batchv1.JobIndexIgnoredFailureCountAnnotation)
		if rule(f.job.Spec.PodFailurePolicy, old).counts() {
			counted++
		} else {
			ignored++
		}
	}
	template.Annotations = with(template.Annotations, batchv1.JobIndexFailureCountAnnotation, strconv.Itoa(int(counted)))
	if ignored > 0 {
		template.Annotations = with(template.Annotations, batchv1.JobIndexIgnoredFailureCountAnnotation, strconv.Itoa(int(ignored)))
	}
}

func with(m map[string]string, key, value string) map[string]string {
	m = maps.Clone(m)
	if m == nil {
		m = map[string]string{}
	}
	m[key] = value
	return m
}

func truncate(s string, n int) string { return s[:min(len(s), n)] }
