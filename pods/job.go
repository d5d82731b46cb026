package pods

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// JobSpec returns the Job that runs pod once: restartPolicy Never, one
// completion, one pod at a time, backoffLimit 0. It shares what pod refers to.
//
// podReplacementPolicy is Failed (KEP-3939). With backoffLimit 0 neither policy
// makes a second pod when the first is deleted or evicted, but they judge that
// pod differently. By the default, TerminatingOrFailed, a pod counts as failed
// as soon as its deletion begins, and loses its tracking finalizer while it
// still runs: its exit code may never be seen, and a container that then ends
// well leaves a Failed Job with a Succeeded pod. By Failed the pod is counted
// once it has ended, by how it ended, and is kept until it is counted. Servers
// before 1.28 drop the field and use the default.
//
// A pod is made a second time only for reasons outside this spec: the Job is
// suspended and resumed, or someone strips the pod's finalizer and deletes it.
func JobSpec(pod corev1.PodSpec) batchv1.JobSpec {
	pod.RestartPolicy = corev1.RestartPolicyNever
	return batchv1.JobSpec{
		Parallelism:          new(int32(1)),
		Completions:          new(int32(1)),
		BackoffLimit:         new(int32(0)),
		PodReplacementPolicy: new(batchv1.Failed),
		Template:             corev1.PodTemplateSpec{Spec: pod},
	}
}
