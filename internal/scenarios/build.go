package scenarios

import (
	"context"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

// container runs a shell command. Kubernetes' own expansion of $(NAME) is kept
// away from it.
func container(name, shell string) corev1.Container {
	return corev1.Container{
		Name:    name,
		Image:   Image,
		Command: []string{"/bin/sh", "-c", strings.ReplaceAll(shell, "$", "$$")},
	}
}

// with changes a container.
func with(c corev1.Container, change func(c *corev1.Container)) corev1.Container {
	change(&c)
	return c
}

// pod is a pod whose containers get a while to end when they are stopped. Those
// that hang end at once, unless the machine is busy.
func pod(containers ...corev1.Container) corev1.PodSpec {
	return corev1.PodSpec{Containers: containers, TerminationGracePeriodSeconds: new(int64(10))}
}

// podOf is the option of a RunPod of one container named main.
func podOf(shell string) *kontinue.PodOptions {
	return &kontinue.PodOptions{Spec: pod(container("main", shell))}
}

func named(name string, o *kontinue.PodOptions) *kontinue.PodOptions {
	o.Name = name
	return o
}

// jobOf is a Job of one container named main.
func jobOf(shell string, change func(spec *batchv1.JobSpec)) *kontinue.JobOptions {
	spec := batchv1.JobSpec{BackoffLimit: new(int32(0))}
	spec.Template.Spec = pod(container("main", shell))
	spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	if change != nil {
		change(&spec)
	}
	return &kontinue.JobOptions{Spec: spec}
}

// within bounds a step.
func within(o *kontinue.PodOptions, timeout time.Duration) *kontinue.PodOptions {
	o.Timeout = timeout
	return o
}

// hang runs until it is stopped, and then exits as a shell does: with 143.
const hang = "trap 'exit 143' TERM; sleep 1000 & wait"

// playHang is hang, in memory.
func playHang(names ...string) map[string]kubelet.Script {
	return play(kubelet.Script{Run: kubelet.Forever}, names...)
}

// play lets the containers follow the same script; without names it is main.
func play(script kubelet.Script, names ...string) map[string]kubelet.Script {
	if len(names) == 0 {
		names = []string{"main"}
	}
	scripts := map[string]kubelet.Script{}
	for _, name := range names {
		scripts[name] = script
	}
	return scripts
}

// playReady is a container that exits with code 0 if READY is yes, and
// otherwise ends as otherwise says.
func playReady(otherwise func(ctx context.Context) kubelet.Exit) map[string]kubelet.Script {
	return play(kubelet.Script{Do: func(ctx context.Context, spec kubelet.ContainerSpec) kubelet.Exit {
		if slices.Contains(spec.Env, kubelet.EnvVar{Name: "READY", Value: "yes"}) {
			return kubelet.Exit{}
		}
		return otherwise(ctx)
	}})
}

// exitOne and untilStopped are ways for playReady to go.
func exitOne(context.Context) kubelet.Exit { return kubelet.Exit{Code: 1} }

func untilStopped(ctx context.Context) kubelet.Exit {
	<-ctx.Done()
	return kubelet.Exit{Code: 143}
}

var (
	succeeded = WantPod{Phase: corev1.PodSucceeded, Succeeded: true}
	failed    = WantPod{Phase: corev1.PodFailed}
	pending   = WantPod{Phase: corev1.PodPending}
)

// pods repeats a pod.
func pods(n int, p WantPod) []WantPod {
	list := make([]WantPod, n)
	for i := range list {
		list[i] = p
	}
	return list
}

// podSucceeds is what a RunPod that succeeds returns.
func podSucceeds() Want { return Want{Succeeded: true, Pods: pods(1, succeeded)} }

// podFails is what a RunPod returns whose pod fails.
func podFails(exit WantExit, message ...string) Want {
	return Want{Pods: pods(1, failed), Exit: &exit, Message: message}
}
