package scenarios

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

// liveLogs returns scenarios whose logs are written while the step runs.
func liveLogs() []*Scenario {
	count := func(word string) string {
		return "i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo " + word + " $i; if [ $((i % 100)) = 0 ]; then sleep 1; fi; done"
	}
	var script, job, restarted bytes.Buffer
	return []*Scenario{
		{
			Name: "live-logs", Shows: "a script's log is written while it runs",
			Script: &kontinue.ScriptOptions{StepOptions: kontinue.StepOptions{Logs: &script}, Image: Image, Command: count("line") + "; printf end"},
			Want:   podSucceeds(),
			After: func(_ context.Context, r *Run) error {
				return firstError(complete(r.Pod, 301), equalLog(script.String(), lines("line", 1, 300)+"end\n"))
			},
		},
		{
			Name: "live-logs-of-pods", Shows: "the logs of three parallel pods are written with the names of the pods",
			Job:  withLogs(&job, jobOf(count("line"), func(s *batchv1.JobSpec) { s.Completions, s.Parallelism = new(int32(3)), new(int32(3)) })),
			Want: Want{Succeeded: true, Complete: true, SucceededPods: 3, Pods: pods(3, succeeded)},
			After: func(_ context.Context, r *Run) error {
				for _, p := range r.Job.Pods {
					if err := firstError(complete(p, 300), equalLog(linesOf(job.String(), p.Pod.Name+": "), lines("line", 1, 300))); err != nil {
						return fmt.Errorf("pod %s: %w", p.Pod.Name, err)
					}
				}
				return nil
			},
		},
		{
			// The first run lasts long enough to be read: the first restart is not delayed, and
			// the log of a run that is requested when the next has begun is that of the next.
			// The second one writes when a busy kubelet, too, has written that it runs.
			Name: "live-logs-of-restarts", Shows: "the logs of both runs of a container that is restarted are written",
			Job:  withLogs(&restarted, jobOf("if [ -e /work/second ]; then sleep 4; echo second; else echo first; touch /work/second; sleep 2; exit 1; fi", restarting)),
			Want: Want{Succeeded: true, Complete: true, SucceededPods: 1, Pods: pods(1, succeeded)},
			After: func(_ context.Context, r *Run) error {
				p := r.Job.Pods[0]
				return firstError(complete(p, 2), equalLog(linesOf(restarted.String(), p.Pod.Name+": "), "first\nsecond\n"))
			},
		},
	}
}

func withLogs(out *bytes.Buffer, o *kontinue.JobOptions) *kontinue.JobOptions {
	o.Logs = out
	return o
}

// restarting makes the kubelet restart the container, which keeps its volume.
func restarting(s *batchv1.JobSpec) {
	s.BackoffLimit = new(int32(3))
	spec := &s.Template.Spec
	spec.RestartPolicy = corev1.RestartPolicyOnFailure
	spec.Volumes = []corev1.Volume{{Name: "work", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	spec.Containers[0] = with(spec.Containers[0], mounts("work", "/work"))
}

// complete requires that the report on the pod's log is complete, with so many lines.
func complete(p *kontinue.PodResult, lines int64) error {
	if l := p.LogReport; l == nil || !l.Complete || l.Lines != lines {
		return fmt.Errorf("the report on the log is %+v, want a complete one of %d lines", l, lines)
	}
	return nil
}

func equalLog(got, want string) error {
	if got != want {
		return fmt.Errorf("the log is (%d bytes) %.200q, want (%d bytes) %.200q", len(got), got, len(want), want)
	}
	return nil
}

// linesOf returns the lines with the prefix, without it.
func linesOf(text, prefix string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			b.WriteString(rest)
		}
	}
	return b.String()
}
