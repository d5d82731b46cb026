package jobs

import (
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/kontinue/kontinue/internal/identity"
)

// annotationMinParallelism lets Kueue admit a Job with less parallelism than it asks for.
const annotationMinParallelism = "kueue.x-k8s.io/job-min-parallelism"

// unqueued returns the live Job without what a queue has changed since its create. Kueue
// resumes a Job that it admits, and adds to its pod template the node selector, the
// tolerations, the scheduling gates, the labels and the annotations of where it is to run;
// it takes them back when it evicts the Job. At the create, its webhook may have set
// managedBy. What only the live Job has in those fields is not distinguished from what
// was removed from the spec since.
func unqueued(live, submitted *batchv1.Job) *batchv1.Job {
	if live.Labels[identity.LabelQueue] == "" {
		return live
	}
	job := live.DeepCopy()
	have, want := &job.Spec, &submitted.Spec
	have.Suspend = want.Suspend
	if want.ManagedBy == nil {
		have.ManagedBy = nil
	}
	if _, partial := live.Annotations[annotationMinParallelism]; partial {
		have.Parallelism, have.Completions = want.Parallelism, want.Completions
	}
	common(have.Template.Labels, want.Template.Labels)
	common(have.Template.Annotations, want.Template.Annotations)
	common(have.Template.Spec.NodeSelector, want.Template.Spec.NodeSelector)
	have.Template.Spec.Tolerations = shared(have.Template.Spec.Tolerations, want.Template.Spec.Tolerations)
	have.Template.Spec.SchedulingGates = shared(have.Template.Spec.SchedulingGates, want.Template.Spec.SchedulingGates)
	return job
}

// common deletes from have the keys that want does not have.
func common(have, want map[string]string) {
	for k := range have {
		if _, ok := want[k]; !ok {
			delete(have, k)
		}
	}
}

// shared returns the elements of have that want has, too.
func shared[E any](have, want []E) []E {
	return slices.DeleteFunc(have, func(e E) bool {
		return !slices.ContainsFunc(want, func(w E) bool { return equality.Semantic.DeepEqual(e, w) })
	})
}
