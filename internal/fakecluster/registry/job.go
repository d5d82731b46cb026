package registry

import (
	"maps"
	"math"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// The labels that older clients select a Job's pods by.
const (
	legacyJobNameLabel       = "job-name"
	legacyControllerUIDLabel = "controller-uid"
)

// jobStrategy follows pkg/registry/batch/job and pkg/apis/batch of Kubernetes 1.37.
var jobStrategy = Strategy{
	Generation: true,
	// batch/v1 keeps the pods of a deleted Job unless the request says otherwise, for
	// compatibility with its first clients.
	OrphanDependents: true,
	name:             apivalidation.NameIsDNSSubdomain,
	defaults:         func(o Object) { defaultJob(As[*batchv1.Job](o)) },
	create:           func(o Object) { prepareJob(As[*batchv1.Job](o)) },
	update:           keepJob,
	validate:         validateJobCreate,
	validateUpdate:   validateJobUpdate,
	warnOnCreate:     warnOfName("this is used in Pod names and hostnames"),
	// Compare first what changes most often. An equal generation means an equal spec.
	equal: func(o, c Object) bool {
		job, cur := As[*batchv1.Job](o), As[*batchv1.Job](c)
		return job.Generation == cur.Generation &&
			apiequality.Semantic.DeepEqual(job.Status, cur.Status) &&
			apiequality.Semantic.DeepEqual(job.ObjectMeta, cur.ObjectMeta)
	},
}

func defaultJob(job *batchv1.Job) {
	spec := &job.Spec
	if spec.Completions == nil && spec.Parallelism == nil {
		spec.Completions = ptr.To[int32](1)
	}
	if spec.Parallelism == nil {
		spec.Parallelism = ptr.To[int32](1)
	}
	if spec.BackoffLimit == nil {
		spec.BackoffLimit = ptr.To[int32](6)
		if spec.BackoffLimitPerIndex != nil {
			spec.BackoffLimit = ptr.To[int32](math.MaxInt32)
		}
	}
	if len(job.Labels) == 0 && spec.Template.Labels != nil {
		// One map for both, as in the API server: the labels that are generated for
		// the template become the Job's too.
		job.Labels = spec.Template.Labels
	}
	if spec.CompletionMode == nil {
		spec.CompletionMode = ptr.To(batchv1.NonIndexedCompletion)
	}
	if spec.Suspend == nil {
		spec.Suspend = ptr.To(false)
	}
	if spec.PodReplacementPolicy == nil {
		spec.PodReplacementPolicy = ptr.To(batchv1.TerminatingOrFailed)
		if spec.PodFailurePolicy != nil {
			spec.PodReplacementPolicy = ptr.To(batchv1.Failed)
		}
	}
	if spec.ManualSelector == nil {
		spec.ManualSelector = ptr.To(false)
	}
	if p := spec.PodFailurePolicy; p != nil {
		for i := range p.Rules {
			for j := range p.Rules[i].OnPodConditions {
				if c := &p.Rules[i].OnPodConditions[j]; c.Status == "" {
					c.Status = corev1.ConditionTrue
				}
			}
		}
	}
	defaultPodSpec(&spec.Template.Spec)
}

// prepareJob clears the status, and sets the selector and the template labels by which
// the Job's pods are found.
func prepareJob(job *batchv1.Job) {
	job.Status = batchv1.JobStatus{}
	dropDisabled(&job.Spec.Template.Spec)
	if *job.Spec.ManualSelector {
		return
	}
	template := &job.Spec.Template
	if template.Labels == nil {
		template.Labels = map[string]string{}
	}
	for key, value := range map[string]string{
		legacyJobNameLabel:         job.Name,
		batchv1.JobNameLabel:       job.Name,
		legacyControllerUIDLabel:   string(job.UID),
		batchv1.ControllerUidLabel: string(job.UID),
	} {
		// Validation rejects a label that the user has set to another value.
		if _, ok := template.Labels[key]; !ok {
			template.Labels[key] = value
		}
	}
	if job.Spec.Selector == nil {
		job.Spec.Selector = &metav1.LabelSelector{}
	}
	if job.Spec.Selector.MatchLabels == nil {
		job.Spec.Selector.MatchLabels = map[string]string{}
	}
	if _, ok := job.Spec.Selector.MatchLabels[batchv1.ControllerUidLabel]; !ok {
		job.Spec.Selector.MatchLabels[batchv1.ControllerUidLabel] = string(job.UID)
	}
	if len(job.Labels) == 0 {
		// The API server sets the defaults again when it reads the stored Job.
		job.Labels = maps.Clone(template.Labels)
	}
}

func keepJob(o, c Object, sub string) {
	job, cur := As[*batchv1.Job](o), As[*batchv1.Job](c)
	if sub == "status" {
		job.Spec = cur.Spec
		return
	}
	job.Status = cur.Status
	if !apiequality.Semantic.DeepEqual(job.Spec, cur.Spec) {
		job.Generation = cur.Generation + 1
	}
}
