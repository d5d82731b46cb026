package livelogs_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// pod is a pod with containers of these names.
func pod(policy corev1.RestartPolicy, names ...string) corev1.PodSpec {
	spec := corev1.PodSpec{RestartPolicy: policy}
	for _, name := range names {
		spec.Containers = append(spec.Containers, corev1.Container{Name: name, Image: "alpine:3"})
	}
	return spec
}

// TestSeveralPods: the lines of three pods at a time, of which one fails and is replaced,
// are whole, in their order, and name their pod.
func TestSeveralPods(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{{"main"}, {"main", "helper"}} {
		t.Run(strings.Join(names, " "), func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				failing := prints(5, time.Second)
				failing.Exit.Code = 1
				w.Cluster.On(containers.Match{}, failing, prints(10, time.Second))
				spec := batchv1.JobSpec{
					Parallelism: new(int32(3)), Completions: new(int32(3)), BackoffLimit: new(int32(6)),
					Template: corev1.PodTemplateSpec{Spec: pod(corev1.RestartPolicyNever, names...)},
				}
				out := newOutput(w)
				r, err := kontinue.RunJob(w.Worker().ExecutionContext(), &kontinue.JobOptions{StepOptions: kontinue.StepOptions{Logs: out}, Spec: spec})
				require.NoError(t, err)
				require.True(t, r.Complete())
				require.Greater(t, len(r.Pods), 3)
				total := 0
				for _, p := range r.Pods {
					for _, name := range names {
						prefix := p.Pod.Name + ": "
						if len(names) > 1 {
							prefix = p.Pod.Name + " " + name + ": "
						}
						var lines []string
						for _, line := range out.lines {
							if rest, ok := strings.CutPrefix(line, prefix); ok {
								lines = append(lines, rest)
							}
						}
						require.Contains(t, []int{5, 10}, len(lines))
						require.Equal(t, numbered(len(lines)), lines)
						total += len(lines)
					}
					require.True(t, p.LogReport.Complete)
					require.NoError(t, p.LogReport.Err)
				}
				require.Len(t, out.lines, total, "no other lines")
			})
		})
	}
}

// TestContainersOfAPod: those that were submitted, init containers among them, and no
// other.
func TestContainersOfAPod(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		say := func(container, line string) {
			w.Cluster.On(containers.Match{Container: container}, containers.Script{Log: []containers.LogLine{{Text: line}}, Run: time.Second})
		}
		say("setup", "one")
		say("main", "two")
		say("proxy", "not this")
		w.Cluster.APIServer().AddAdmission(func(_ context.Context, a *apiserver.Attributes) error {
			if p, ok := a.Object.(*corev1.Pod); ok && a.Verb == "create" {
				p.Spec.Containers = slices.Insert(p.Spec.Containers, 0, corev1.Container{Name: "proxy", Image: "proxy:1"})
			}
			return nil
		})
		spec := pod("", "main")
		spec.InitContainers = pod("", "setup").Containers
		out := newOutput(w)
		ktx := w.Worker().ExecutionContext()
		r, err := kontinue.RunPod(ktx, &kontinue.PodOptions{StepOptions: kontinue.StepOptions{Name: "pod", Logs: out}, Spec: spec})
		require.NoError(t, err)
		requireComplete(t, 2, r.LogReport)
		require.Equal(t, []string{"setup: one", "main: two"}, out.lines)

		// The name of the only container would say nothing.
		w.Cluster.On(containers.Match{Container: "script"}, containers.Script{Log: []containers.LogLine{{Text: "three"}}})
		out = newOutput(w)
		requireComplete(t, 1, run(ktx, w, script("script", out)))
		require.Equal(t, []string{"three"}, out.lines)
	})
}

// TestRestartedContainers: the log of each run is written, that of the run before also
// if it could not be read until the next one had begun. The kubelet keeps no others.
func TestRestartedContainers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		outage time.Duration // no log can be read until then
		cut    bool          // but for the beginning of the first
		want   []int         // the runs whose log is written
		gaps   int
	}{
		"followed":                         {0, false, []int{0, 1, 2}, 0},
		"read when the next run has begun": {5 * time.Second, false, []int{0, 1, 2}, 0},
		"the rest when the next has begun": {5 * time.Second, true, []int{0, 1, 2}, 0},
		"read when the last run has begun": {27 * time.Second, false, []int{1, 2}, 1},
		"read when the last run has ended": {35 * time.Second, false, []int{1, 2}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				var runs []containers.Script // 0-2 s, 2-12 s, 22-32 s
				for i, duration := range []time.Duration{2 * time.Second, 10 * time.Second, 10 * time.Second} {
					s := containers.Script{Run: duration, Exit: containers.Exit{Code: int32(1 - i/2)}}
					for n := range 20 {
						s.Log = append(s.Log, containers.LogLine{After: duration / 20 * time.Duration(n), Text: fmt.Sprintf("run %d line %d", i, n)})
					}
					runs = append(runs, s)
				}
				w.Cluster.On(containers.Match{}, runs...)
				p, server := w.Worker(), w.Cluster.APIServer()
				if tc.cut {
					server.AddFault(apiserver.Fault{Match: logOf(p), Times: 1, Body: &apiserver.BodyFault{Bytes: 300, Break: simtest.ErrRefused}})
				}
				if tc.outage > 0 {
					time.AfterFunc(tc.outage, server.AddFault(apiserver.Fault{Match: logOf(p), Before: simtest.ErrRefused}))
				}
				out := newOutput(w)
				r, err := kontinue.RunJob(p.ExecutionContext(), &kontinue.JobOptions{
					StepOptions: kontinue.StepOptions{Logs: out},
					Spec:        batchv1.JobSpec{BackoffLimit: new(int32(5)), Template: corev1.PodTemplateSpec{Spec: pod(corev1.RestartPolicyOnFailure, "main")}},
				})
				require.NoError(t, err)
				require.True(t, r.Complete(), r.Message)
				var want []string
				for _, i := range tc.want {
					for _, line := range runs[i].Log {
						want = append(want, r.Pods[0].Pod.Name+": "+line.Text)
					}
				}
				require.Equal(t, want, out.lines)
				report := r.Pods[0].LogReport
				require.NoError(t, report.Err)
				require.Len(t, report.Gaps, tc.gaps)
				require.Equal(t, tc.gaps == 0, report.Complete)
			})
		})
	}
}
