package endings

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// A container runs long enough for the Job controller to have counted it as ready.
const long = 5

// exits returns the command and the script of a container that ends after some seconds.
func exits(name string, seconds int, code int32) (corev1.Container, containers.Script) {
	return container(name, fmt.Sprintf("sleep %d; exit %d", seconds, code)),
		containers.Script{Run: time.Duration(seconds) * time.Second, Exit: containers.Exit{Code: code}}
}

// stops returns those of a container that runs until it gets SIGTERM, and ends some time
// later. That is no whole number of seconds, so that it does not meet a sync of the Job.
func stops(name string, after time.Duration, code int32) (corev1.Container, containers.Script) {
	return container(name, fmt.Sprintf("trap 'sleep %g; exit %d' TERM; while :; do sleep 0.05; done", after.Seconds(), code)),
		containers.Script{Do: func(ctx context.Context, _ containers.Spec) containers.Exit {
			<-ctx.Done()
			timer := time.NewTimer(after)
			defer timer.Stop()
			<-timer.C
			return containers.Exit{Code: code}
		}}
}

func container(name, command string) corev1.Container {
	return corev1.Container{Name: name, Command: []string{"/bin/sh", "-c", command}}
}

// of returns a case of a Job with one container, "main".
func of(name, shows string, main corev1.Container, script containers.Script) Case {
	return Case{
		Name: name, Shows: shows,
		Scripts: map[string]containers.Script{main.Name: script},
		Job: &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: batchv1.JobSpec{
				BackoffLimit: ptr.To[int32](0),
				Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
					RestartPolicy: corev1.RestartPolicyNever,
					Containers:    []corev1.Container{main},
				}},
			},
		},
	}
}

// beside adds an init container, which is a native sidecar if always is set, or with
// init false another container.
func (c Case) beside(other corev1.Container, script containers.Script, init, always bool) Case {
	spec := &c.Job.Spec.Template.Spec
	if always {
		other.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
	}
	if init {
		spec.InitContainers = append(spec.InitContainers, other)
	} else {
		spec.Containers = append(spec.Containers, other)
	}
	c.Scripts[other.Name] = script
	return c
}

// when adds an action.
func (c Case) when(state func(*corev1.Pod) bool, act func(context.Context, kubernetes.Interface, *corev1.Pod) error) Case {
	c.When, c.Act = state, act
	return c
}

func byThemselves() []Case {
	main, script := exits("main", long, 0)
	success := of("success", "the container exits with 0", main, script)
	main, script = exits("main", long, 3)
	failure := of("failure", "the container exits with 3", main, script)

	main, script = exits("main", long, 0)
	two := of("two-containers", "a container exits with 0, and later another one with 5", main, script)
	other, script := exits("other", 2*long, 5)
	two = two.beside(other, script, false, false)

	main, script = exits("main", long, 0)
	sidecar := of("slow-sidecar", "the container exits with 0 beside a native sidecar that takes 4 s to stop", main, script)
	other, script = stops("sidecar", 4300*time.Millisecond, 0)
	sidecar = sidecar.beside(other, script, true, true)

	main, script = exits("main", long, 0)
	failed := of("init-fails", "an init container exits with 4", main, script)
	other, script = exits("init", long, 4)
	failed = failed.beside(other, script, true, false)
	failed.From = func(pod *corev1.Pod) bool {
		return len(pod.Status.InitContainerStatuses) > 0 && pod.Status.InitContainerStatuses[0].State.Running != nil
	}
	return []Case{success, failure, two, sidecar, failed, restartsAll()}
}

// restartsAll is a case of a container that exits with 42 in its first run, which restarts
// all containers.
func restartsAll() Case {
	again := func(first, second string) string {
		return "if [ -e /work/again ]; then " + second + "; fi; " + first
	}
	wait := func(ctx context.Context, d time.Duration) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	main := container("main", again(fmt.Sprintf("sleep %d; touch /work/again; exit 42", long), fmt.Sprintf("sleep %d; exit 0", long)))
	c := of("restart-all", "the container exits with 42, for which a rule restarts all containers of the pod", main, containers.Script{Do: func(ctx context.Context, spec containers.Spec) containers.Exit {
		wait(ctx, long*time.Second)
		if spec.Restart == 0 {
			return containers.Exit{Code: 42}
		}
		return containers.Exit{}
	}})
	other := container("other", again("sleep 100", fmt.Sprintf("sleep %d; exit 0", 2*long)))
	c = c.beside(other, containers.Script{Do: func(ctx context.Context, spec containers.Spec) containers.Exit {
		if spec.Restart == 0 {
			<-ctx.Done()
			return containers.Exit{Code: containers.ExitKilled}
		}
		wait(ctx, 2*long*time.Second)
		return containers.Exit{}
	}}, false, false)
	c.Since = 36
	spec := &c.Job.Spec.Template.Spec
	spec.Containers[0].RestartPolicy = ptr.To(corev1.ContainerRestartPolicyNever)
	spec.Containers[0].RestartPolicyRules = []corev1.ContainerRestartRule{{
		Action:    corev1.ContainerRestartRuleActionRestartAllContainers,
		ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{42}},
	}}
	spec.Volumes = []corev1.Volume{{Name: "work", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	for i := range spec.Containers {
		spec.Containers[i].VolumeMounts = []corev1.VolumeMount{{Name: "work", MountPath: "/work"}}
	}
	return c
}

func byDeadline() []Case {
	main, script := stops("main", 1300*time.Millisecond, 143)
	pod := of("pod-deadline", "the pod's activeDeadlineSeconds passes while the container runs", main, script)
	pod.Job.Spec.Template.Spec.ActiveDeadlineSeconds = ptr.To[int64](2 * long)

	main, script = stops("main", 1300*time.Millisecond, 143)
	job := of("job-deadline", "the Job's activeDeadlineSeconds passes while the container runs", main, script)
	job.Job.Spec.ActiveDeadlineSeconds = ptr.To[int64](2 * long)

	main, script = stops("main", 1300*time.Millisecond, 0)
	zero := of("job-deadline-exit-0", "the container answers the SIGTERM of the Job's deadline with 0", main, script)
	zero.Job.Spec.ActiveDeadlineSeconds = ptr.To[int64](2 * long)

	main, script = exits("main", long, 0)
	window := of("deadline-in-the-window", "the Job's deadline passes when the container has exited with 0 and the phase is Running", main, script).
		when(inTheWindow, patchJob(`{"spec":{"activeDeadlineSeconds":1}}`))
	main, script = exits("main", long, 0)
	cancel := of("canceled-in-the-window", "parallelism is set to 0 and the deadline to 1 s, when the container has exited with 0", main, script).
		when(inTheWindow, patchJob(`{"spec":{"parallelism":0,"activeDeadlineSeconds":1}}`))
	return []Case{pod, job, zero, window, cancel}
}

func byDeletion() []Case {
	main, script := stops("main", 1300*time.Millisecond, 143)
	deleted := of("deleted", "the pod is deleted while its containers run", main, script).when(running, deletePod)
	other, script := stops("other", 3300*time.Millisecond, 0)
	deleted = deleted.beside(other, script, false, false)

	main, script = stops("main", 2300*time.Millisecond, 0)
	evicted := of("evicted-exit-0", "the container answers the SIGTERM of the Eviction API with 0", main, script).
		when(running, func(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod) error {
			return client.PolicyV1().Evictions(pod.Namespace).Evict(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}})
		})

	main, script = exits("main", long, 0)
	window := of("deleted-in-the-window", "the pod is deleted when the container has exited with 0 and the phase is Running", main, script).
		when(inTheWindow, deletePod)
	main, script = exits("main", long, 0)
	job := of("job-deleted-in-the-window", "the Job is deleted when the container has exited with 0 and the phase is Running", main, script).
		when(inTheWindow, func(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod) error {
			return client.BatchV1().Jobs(pod.Namespace).Delete(ctx, pod.Labels[batchv1.JobNameLabel], metav1.DeleteOptions{
				PropagationPolicy: ptr.To(metav1.DeletePropagationBackground),
			})
		})
	job.Race = "the garbage collector deletes the pod before or after the Job controller removes the finalizer"
	return []Case{deleted, evicted, window, job}
}

func deletePod(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod) error {
	return client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{})
}

func patchJob(patch string) func(context.Context, kubernetes.Interface, *corev1.Pod) error {
	return func(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod) error {
		_, err := client.BatchV1().Jobs(pod.Namespace).Patch(ctx, pod.Labels[batchv1.JobNameLabel], types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		return err
	}
}
