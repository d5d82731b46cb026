package kubelet

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// Reasons of waiting and terminated states, as the kubelet writes them.
const (
	reasonContainerCreating = "ContainerCreating"
	reasonPodInitializing   = "PodInitializing"
	reasonCrashLoopBackOff  = "CrashLoopBackOff"
	reasonConfigError       = "CreateContainerConfigError"
	reasonCreateError       = "CreateContainerError"
	reasonCompleted         = "Completed"
	reasonStartError        = "StartError"
	reasonStatusUnknown     = "ContainerStatusUnknown"
)

// Reasons of failed pods, as the kubelet writes them.
const (
	reasonEvicted  = "Evicted"
	reasonDeadline = "DeadlineExceeded"
)

// The kubelet's delays before it starts a crashed container again.
const (
	crashBackoff    = 10 * time.Second
	crashBackoffMax = 5 * time.Minute
	// crashReset is how long a container must run to reset its crash back-off.
	crashReset = 10 * time.Minute
)

// container is one container of a pod, with its current instance. Only the pod's worker
// uses it.
type container struct {
	spec *corev1.Container
	role containers.Role
	idle string // waiting reason without a better one

	waiting    *corev1.ContainerStateWaiting // set while there is no instance
	running    *corev1.ContainerStateRunning
	terminated *corev1.ContainerStateTerminated
	last       *corev1.ContainerStateTerminated // of the previous instance
	restarts   int32

	process   containers.Process
	gone      bool // the process has ended, which the kubelet may not have noticed
	stopping  bool
	reset     bool      // removed with all others, and not started again yet
	asked     time.Time // when the runtime was first called for this instance
	notBefore time.Time // end of the crash back-off
	crashes   int
	log       *logBuffer // of the current or last instance
}

// isRunning reports whether the kubelet takes the container for running.
func (c *container) isRunning() bool { return c.running != nil }

// isAlive reports whether the container has a process that has not ended.
func (c *container) isAlive() bool { return c.running != nil && !c.gone }

// ended reports whether the container has run and will not run again.
func (c *container) ended() bool { return c.terminated != nil }

// start tries to start an instance. It returns the time until the next attempt, or 0 if
// an event will trigger it.
func (c *container) start(k *Kubelet, w *podWorker, now time.Time) time.Duration {
	if wait := c.notBefore.Sub(now); wait > 0 {
		return wait
	}
	if c.asked.IsZero() {
		c.asked = now
	}
	restarts := c.restarts
	if c.last != nil && !c.reset {
		restarts++
	}
	spec := containers.Spec{Pod: w.pod, Container: c.spec, Role: c.role, Restart: int(restarts)}
	if pull := k.runtime.Pull(spec, now.Sub(c.asked)); !pull.Done {
		c.await(pull.Reason, pull.Message)
		return max(pull.Wait, 0)
	}
	env, err := k.resolveEnv(w, c.spec)
	if err != nil {
		c.await(reasonConfigError, err.Error())
		return 0 // an event of the Secret or ConfigMap triggers it
	}
	file, err := k.newLogFile(w.uid, c.spec.Name, restarts)
	if err != nil {
		c.await(reasonCreateError, err.Error())
		return crashBackoff
	}
	c.restarts = restarts
	c.log = w.openLog(c.spec.Name, k.opts.LogLimit, file)
	spec.Env, spec.Log, spec.Files = env, c.log, k.mountedFiles(w, c.spec)
	w.note(c, "Pulled", fmt.Sprintf("Container image %q already present on machine and can be accessed by the pod", c.spec.Image))
	w.note(c, "Created", "Container created")
	instance := w.nextInstance()
	c.waiting, c.stopping, c.gone, c.reset = nil, false, false, false
	c.running = &corev1.ContainerStateRunning{StartedAt: seconds(now)}
	w.instances[c] = instance
	c.process, err = k.runtime.Start(spec, func(exit containers.Exit) { k.exited(w, c, instance, exit) })
	if err == nil {
		w.note(c, "Started", "Container started")
		return 0
	}
	var refused *containers.StartError
	message := err.Error()
	if errors.As(err, &refused) {
		message = refused.Message
	}
	c.end(w, containers.Exit{Code: containers.ExitStartError, Reason: reasonStartError, Message: message}, now)
	return 0
}

// await puts the container into a waiting state.
func (c *container) await(reason, message string) {
	if reason == "" {
		reason = c.idle
	}
	if c.waiting == nil || c.waiting.Reason != reason || c.waiting.Message != message {
		c.waiting = &corev1.ContainerStateWaiting{Reason: reason, Message: message}
	}
}

// exited records that the process has ended, which ends its log.
func (c *container) exited() {
	c.gone = true
	if c.log != nil {
		c.log.close()
	}
}

// end records how the instance ended.
func (c *container) end(w *podWorker, exit containers.Exit, now time.Time) {
	started := seconds(now)
	if c.running != nil {
		started = c.running.StartedAt
	}
	reason := exit.Reason
	if reason == "" {
		reason = reasonCompleted
		if exit.Code != 0 {
			reason = containers.ReasonError
		}
	}
	c.terminated = &corev1.ContainerStateTerminated{
		ExitCode:    exit.Code,
		Reason:      reason,
		Message:     w.terminationMessage(c, exit),
		StartedAt:   started,
		FinishedAt:  seconds(now),
		ContainerID: w.containerID(c),
	}
	c.exited()
	c.running, c.process = nil, nil
	delete(w.instances, c)
}

// again restarts the container after its crash back-off, or at once if delay is 0. The
// restart counts once the next instance is started, as in the kubelet.
func (c *container) again(delay time.Duration, now time.Time) {
	c.last, c.terminated = c.terminated, nil
	c.asked = time.Time{}
	c.notBefore = now.Add(delay)
	c.waiting = nil
	if delay > 0 {
		c.await(reasonCrashLoopBackOff, "back-off "+delay.String()+" restarting failed container="+c.spec.Name)
	} else {
		c.await("", "")
	}
}

// crashDelay is the back-off after the instance that just ended. The first restart is not
// delayed, as by a real kubelet.
func (c *container) crashDelay(scale float64) time.Duration {
	ran := c.terminated.FinishedAt.Sub(c.terminated.StartedAt.Time)
	if ran >= crashReset {
		c.crashes = 0
	}
	delay := time.Duration(0)
	for range c.crashes {
		delay = min(max(2*delay, crashBackoff), crashBackoffMax)
	}
	c.crashes++
	return time.Duration(float64(delay) * scale)
}

// lost ends a container that will not be started. One that waits for its restart keeps
// its last state.
func (c *container) lost() {
	c.waiting = nil
	if c.last != nil {
		c.terminated, c.last = c.last, nil
		return
	}
	c.terminated = &corev1.ContainerStateTerminated{
		ExitCode: containers.ExitKilled,
		Reason:   reasonStatusUnknown,
		Message:  "The container could not be located when the pod was terminated",
	}
}

// stop signals the running instance to end.
func (c *container) stop(w *podWorker, grace time.Duration) {
	if c.process != nil && !c.gone && (!c.stopping || grace == 0) {
		if !c.stopping {
			w.note(c, "Killing", "Stopping container "+c.spec.Name)
		}
		c.stopping = true
		c.process.Stop(grace)
	}
}

// status returns the container's part of the pod status.
func (c *container) status(w *podWorker) corev1.ContainerStatus {
	started := c.isRunning()
	s := corev1.ContainerStatus{
		Name:         c.spec.Name,
		Image:        c.spec.Image,
		RestartCount: c.restarts,
		Ready:        c.role != containers.RoleInit && c.isRunning() || c.role == containers.RoleInit && c.terminated != nil && c.terminated.ExitCode == 0,
		Started:      &started,
	}
	switch {
	case c.running != nil:
		s.State.Running = c.running
	case c.terminated != nil:
		s.State.Terminated = c.terminated
	default:
		if c.waiting == nil {
			c.await("", "")
		}
		s.State.Waiting = c.waiting
	}
	if c.last != nil {
		s.LastTerminationState.Terminated = c.last
	}
	if c.running != nil || c.terminated != nil && c.terminated.Reason != reasonStatusUnknown || c.last != nil {
		s.ContainerID = w.containerID(c)
		s.ImageID = "sha256:" + digest(c.spec.Image)
	}
	return s
}

func (w *podWorker) containerID(c *container) string {
	return "containerd://" + digest(string(w.uid)+"/"+c.spec.Name+"/"+strconv.Itoa(int(c.restarts)))
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// seconds is t as the API stores it, in whole seconds.
func seconds(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }
