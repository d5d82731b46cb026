package scenarios

import (
	"context"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// container returns a container that runs a shell command. Dollar signs are escaped
// from Kubernetes' expansion of $(NAME).
func container(name, shell string) corev1.Container {
	return corev1.Container{
		Name:    name,
		Image:   Image,
		Command: []string{"/bin/sh", "-c", strings.ReplaceAll(shell, "$", "$$")},
	}
}

// with returns a changed copy of a container.
func with(c corev1.Container, changes ...func(c *corev1.Container)) corev1.Container {
	for _, change := range changes {
		change(&c)
	}
	return c
}

// pod returns a pod spec with a grace period of 10 s, which is long enough for
// containers to handle SIGTERM on a busy machine.
func pod(containers ...corev1.Container) corev1.PodSpec {
	return corev1.PodSpec{Containers: containers, TerminationGracePeriodSeconds: new(int64(10))}
}

// podOf returns the options of a RunPod with one container named main.
func podOf(shell string) *kontinue.PodOptions {
	return &kontinue.PodOptions{Spec: pod(container("main", shell))}
}

func named(name string, o *kontinue.PodOptions) *kontinue.PodOptions {
	o.Name = name
	return o
}

// jobOf returns the options of a RunJob with one container named main.
func jobOf(shell string, change func(spec *batchv1.JobSpec)) *kontinue.JobOptions {
	spec := batchv1.JobSpec{BackoffLimit: new(int32(0))}
	spec.Template.Spec = pod(container("main", shell))
	spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	if change != nil {
		change(&spec)
	}
	return &kontinue.JobOptions{Spec: spec}
}

// within sets the timeout of a step.
func within(o *kontinue.PodOptions, timeout time.Duration) *kontinue.PodOptions {
	o.Timeout = timeout
	return o
}

// hang runs until SIGTERM and then exits with 143, like a shell.
const hang = "trap 'exit 143' TERM; sleep 1000 & wait"

// playHang is hang for the cluster in memory.
func playHang(names ...string) map[string]containers.Script {
	return play(containers.Script{Run: containers.Forever}, names...)
}

// play assigns the same script to all names. Default: main.
func play(script containers.Script, names ...string) map[string]containers.Script {
	if len(names) == 0 {
		names = []string{"main"}
	}
	scripts := map[string]containers.Script{}
	for _, name := range names {
		scripts[name] = script
	}
	return scripts
}

// playReady simulates a container that exits with code 0 if READY is yes, and calls
// otherwise if not.
func playReady(otherwise func(ctx context.Context) containers.Exit) map[string]containers.Script {
	return play(containers.Script{Do: func(ctx context.Context, spec containers.Spec) containers.Exit {
		if slices.Contains(spec.Env, containers.EnvVar{Name: "READY", Value: "yes"}) {
			return containers.Exit{}
		}
		return otherwise(ctx)
	}})
}

// exitOne and untilStopped are arguments of playReady.
func exitOne(context.Context) containers.Exit { return containers.Exit{Code: 1} }

func untilStopped(ctx context.Context) containers.Exit {
	<-ctx.Done()
	return containers.Exit{Code: 143}
}

var (
	succeeded = WantPod{Phase: corev1.PodSucceeded, Succeeded: true}
	failed    = WantPod{Phase: corev1.PodFailed}
	pending   = WantPod{Phase: corev1.PodPending}
)

// pods returns a list of n equal pods.
func pods(n int, p WantPod) []WantPod {
	list := make([]WantPod, n)
	for i := range list {
		list[i] = p
	}
	return list
}

// podSucceeds returns the expected result of a RunPod whose pod succeeds.
func podSucceeds() Want { return Want{Succeeded: true, Pods: pods(1, succeeded)} }

// podFails returns the expected result of a RunPod whose pod fails.
func podFails(exit WantExit, message ...string) Want {
	return Want{Pods: pods(1, failed), Exit: &exit, Message: message}
}
