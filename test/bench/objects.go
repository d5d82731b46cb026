package bench

import (
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/pods"
)

const (
	// group is the worker group of the measured Jobs.
	group = "bench"
	// tracking is the Job controller's finalizer on pods (KEP-2307).
	tracking = batchv1.JobTrackingFinalizer
)

// podSpec returns the pod spec of every step, of a common size: one container with
// ten environment variables, resources, and three volumes besides the token.
func podSpec() corev1.PodSpec {
	container := corev1.Container{
		Name: "main", Image: "registry.example.com/team/worker:2026.11.24",
		Command: []string{"/bin/worker"}, Args: []string{"--batch", "nightly", "--verbose"},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
		},
	}
	for i := range 10 {
		container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprintf("SETTING_%d", i), Value: "a value of a common length"})
	}
	spec := corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever}
	for i := range 3 {
		name := fmt.Sprintf("scratch-%d", i)
		spec.Volumes = append(spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: "/" + name})
	}
	spec.Containers = []corev1.Container{container}
	return spec
}

// stepName returns the name of the i-th step.
func stepName(i int) string { return fmt.Sprintf("wait-%05d", i) }

// newJob returns the Job that RunPod would create for a step of the comparison.
func newJob(namespace string, owner metav1.OwnerReference, step string) (*batchv1.Job, error) {
	return newStepJob(namespace, owner, step, podSpec())
}

// newStepJob returns the Job that RunPod would create for a step.
func newStepJob(namespace string, owner metav1.OwnerReference, step string, spec corev1.PodSpec) (*batchv1.Job, error) {
	r := jobs.Request{
		Execution: identity.Execution{Namespace: namespace, Name: owner.Name, UID: owner.UID},
		Owner:     owner, Group: group, Step: step, Spec: pods.JobSpec(spec),
	}
	return r.Build()
}

// execution returns the Execution whose steps are launched.
func execution(owner metav1.OwnerReference) kontinue.Execution {
	return kontinue.Execution{Owner: owner}
}

// resumed returns the same Execution after a restart of its worker.
func resumed(owner metav1.OwnerReference) kontinue.Execution {
	return kontinue.Execution{Owner: owner, Resumptions: 1}
}

// newPod returns the Pod that the Job controller would create for the Job, bound to
// a node.
func newPod(job *batchv1.Job, number int) *corev1.Pod {
	labels := map[string]string{
		batchv1.JobNameLabel: job.Name, "job-name": job.Name,
		batchv1.ControllerUidLabel: string(job.UID), "controller-uid": string(job.UID),
	}
	for k, v := range job.Spec.Template.Labels {
		labels[k] = v
	}
	spec := *job.Spec.Template.Spec.DeepCopy()
	spec.NodeName = "node-1"
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: job.Namespace, Name: fmt.Sprintf("%s-%05d", job.Name, number), Labels: labels,
			Finalizers:      []string{tracking},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))},
		},
		Spec: spec,
	}
}

// running returns the status of a pod whose container is running.
func running(now metav1.Time) corev1.PodStatus {
	status := podStatus(now)
	status.Phase = corev1.PodRunning
	status.ContainerStatuses[0].Ready, status.ContainerStatuses[0].Started = true, new(true)
	status.ContainerStatuses[0].State.Running = &corev1.ContainerStateRunning{StartedAt: now}
	return status
}

// succeeded returns the status of a pod whose container has exited with code 0.
func succeeded(now metav1.Time) corev1.PodStatus {
	status := podStatus(now)
	status.Phase = corev1.PodSucceeded
	status.ContainerStatuses[0].Started = new(false)
	status.ContainerStatuses[0].State.Terminated = &corev1.ContainerStateTerminated{
		ExitCode: 0, Reason: "Completed", StartedAt: now, FinishedAt: now,
		ContainerID: "containerd://6f0f0a41be3b2a8d6d4c1ae1b1e2c2e7c62a4b29c5b0a6b4bd8a3d9f9f8c7e6d",
	}
	return status
}

// podStatus returns what the two have in common, as a kubelet writes it.
func podStatus(now metav1.Time) corev1.PodStatus {
	status := corev1.PodStatus{
		HostIP: "10.0.0.7", HostIPs: []corev1.HostIP{{IP: "10.0.0.7"}},
		PodIP: "10.244.1.23", PodIPs: []corev1.PodIP{{IP: "10.244.1.23"}},
		QOSClass: corev1.PodQOSBurstable, StartTime: &now,
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: "main", Image: "registry.example.com/team/worker:2026.11.24",
			ImageID:     "registry.example.com/team/worker@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
			ContainerID: "containerd://6f0f0a41be3b2a8d6d4c1ae1b1e2c2e7c62a4b29c5b0a6b4bd8a3d9f9f8c7e6d",
		}},
	}
	for _, t := range []corev1.PodConditionType{"PodReadyToStartContainers", corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled} {
		status.Conditions = append(status.Conditions, corev1.PodCondition{Type: t, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	return status
}

// jobRunning, jobDecided and jobComplete return the Job controller's three writes
// after it has created the pod, as merge patches of the status.
func jobRunning(now metav1.Time) map[string]any {
	return map[string]any{"active": 1, "ready": 1, "startTime": now, "uncountedTerminatedPods": map[string]any{}}
}

func jobDecided(now metav1.Time, pod types.UID) map[string]any {
	return map[string]any{
		"active": nil, "ready": 0, "uncountedTerminatedPods": map[string]any{"succeeded": []types.UID{pod}},
		"conditions": []batchv1.JobCondition{condition(batchv1.JobSuccessCriteriaMet, now)},
	}
}

func jobComplete(now metav1.Time) map[string]any {
	return map[string]any{
		"succeeded": 1, "completionTime": now, "uncountedTerminatedPods": map[string]any{"succeeded": nil},
		"conditions": []batchv1.JobCondition{condition(batchv1.JobSuccessCriteriaMet, now), condition(batchv1.JobComplete, now)},
	}
}

func condition(t batchv1.JobConditionType, now metav1.Time) batchv1.JobCondition {
	return batchv1.JobCondition{
		Type: t, Status: corev1.ConditionTrue, LastProbeTime: now, LastTransitionTime: now,
		Reason: batchv1.JobReasonCompletionsReached, Message: "Reached expected number of succeeded pods",
	}
}

// terminal reports whether a Job has ended.
func terminal(job *batchv1.Job) bool {
	for i := range job.Status.Conditions {
		c := &job.Status.Conditions[i]
		if c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) {
			return true
		}
	}
	return false
}

// wholeSeconds returns the current time in the API's resolution.
func wholeSeconds() metav1.Time { return metav1.NewTime(time.Now().Truncate(time.Second)) }
