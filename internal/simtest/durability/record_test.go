package durability_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
	"github.com/kontinue/kontinue/logs"
)

// deletePods deletes all pods, and with them their logs.
func deletePods(w *simtest.World) {
	w.Helper()
	for _, pod := range w.Pods() {
		require.NoError(w, w.Cluster.DeletePod(w.Context(), "ns", pod.Name))
	}
	w.Sleep(time.Minute)
	require.Empty(w, w.Pods())
}

// TestResultOutlivesItsPods lets a pod end in many ways, deletes it and resumes in
// another worker, which must return the same result.
func TestResultOutlivesItsPods(t *testing.T) {
	t.Parallel()
	log := []containers.LogLine{{Text: "connecting"}, {Text: "out of luck"}}
	for name, tc := range map[string]struct {
		play    map[string]containers.Script // by container
		timeout time.Duration
		during  func(w *simtest.World)
		init    bool
		want    string // part of the message
		summary string // "": without the log there is none
	}{
		"success":     {play: map[string]containers.Script{"main": {Log: log}}},
		"exit code":   {play: map[string]containers.Script{"main": {Log: log, Exit: containers.Exit{Code: 3}}}, want: "exit code 3: out of luck", summary: "out of luck"},
		"OOMKilled":   {play: map[string]containers.Script{"main": {Log: log, Exit: containers.Exit{Code: 137, Reason: "OOMKilled"}}}, want: "OOMKilled", summary: "out of luck"},
		"no log":      {play: map[string]containers.Script{"main": {Exit: containers.Exit{Code: 1}}}, want: "exit code 1"},
		"own message": {play: map[string]containers.Script{"main": {Exit: containers.Exit{Code: 4, TerminationMessage: "disk full"}}}, want: "disk full", summary: "disk full"},
		"sidecar":     {play: map[string]containers.Script{"side": {Exit: containers.Exit{Code: 9}, Log: log}, "main": {Run: time.Second}}, want: `"side" failed: exit code 9: out of luck`, summary: "out of luck"},
		"init":        {init: true, play: map[string]containers.Script{"init": {Exit: containers.Exit{Code: 5}, Log: log}}, want: `init container "init" failed: exit code 5`, summary: "out of luck"},
		"timeout":     {timeout: 5 * time.Second, play: map[string]containers.Script{"main": {Run: time.Hour, Log: log}}, want: "DeadlineExceeded", summary: "out of luck"},
		"no image":    {timeout: 30 * time.Second, play: map[string]containers.Script{"main": {PullError: "ErrImagePull"}}, want: "ImagePull"},
		"evicted": {play: map[string]containers.Script{"main": {Run: time.Hour, Log: log}}, want: "Evicted", summary: "out of luck", during: func(w *simtest.World) {
			require.NoError(w, w.Cluster.PressureEvictPod("ns", w.Pods()[0].Name, ""))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				for container, script := range tc.play {
					w.Cluster.On(containers.Match{Container: container}, script)
				}
				options := func() *kontinue.PodOptions {
					spec := corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "alpine:3"}}}
					if _, ok := tc.play["side"]; ok {
						spec.Containers = append(spec.Containers, corev1.Container{Name: "side", Image: "alpine:3"})
					}
					if tc.init {
						spec.InitContainers = []corev1.Container{{Name: "init", Image: "alpine:3"}}
					}
					return &kontinue.PodOptions{StepOptions: kontinue.StepOptions{Name: "pod", Timeout: tc.timeout}, Spec: spec}
				}
				if tc.during != nil {
					time.AfterFunc(10*time.Second, func() { tc.during(w) })
				}
				first := w.Worker()
				live, err := kontinue.RunPod(first.ExecutionContext(), options())
				require.NoError(t, err)
				require.Contains(t, live.Message, tc.want)
				require.Equal(t, tc.want == "", live.Succeeded())
				first.Kill()
				deletePods(w)

				second := w.Worker()
				ktx := second.ExecutionContext()
				resumed, err := kontinue.RunPod(ktx, options())
				require.NoError(t, err)
				require.True(t, resumed.Resumed())
				require.Equal(t, facts(live), facts(resumed))
				_, err = resumed.Logs(ktx, nil)
				require.ErrorIs(t, err, kontinue.ErrLogsGone)
				var gone *logs.Error
				require.ErrorAs(t, err, &gone)
				require.Equal(t, live.Pod.Name, gone.Ref.Pod)
				summary, err := resumed.LogErrorSummary(ktx)
				if tc.summary == "" {
					require.ErrorIs(t, err, kontinue.ErrLogsGone)
				} else {
					require.NoError(t, err)
					require.Equal(t, tc.summary, summary)
				}
				require.Zero(t, second.Requests("patch")+second.Requests("create"))
			})
		})
	}
}

// TestRecordTooLongForAnAnnotation has pods that each write 2 KiB of log, more than a
// record holds. A resume must return the same messages as the first call, and they must
// contain the log's last line, which is the useful one.
func TestRecordTooLongForAnAnnotation(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		pods     int
		lastLine string
	}{
		"a message for each pod": {7, "it failed: the disk is full"},
		"a long last line":       {7, "it failed" + strings.Repeat(" and went on", 150)},
		"part of the last line":  {21, "it failed" + strings.Repeat(" and went on", 50)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{
					Exit: containers.Exit{Code: 1},
					Log:  []containers.LogLine{{Text: strings.Repeat("a line of the log, which says little\n", 60)}, {Text: tc.lastLine}},
				})
				options := &kontinue.JobOptions{StepOptions: kontinue.StepOptions{Name: "retries"}, Spec: batchv1.JobSpec{
					BackoffLimit: new(int32(tc.pods - 1)),
					Template:     corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "alpine:3"}}}},
				}}
				first := w.Worker()
				live, err := kontinue.RunJob(first.ExecutionContext(), options)
				require.NoError(t, err)
				require.False(t, live.Resumed())
				require.Len(t, live.Pods, tc.pods)
				require.Contains(t, live.Message, `container "main" failed: exit code 1: it failed`)
				require.NotEmpty(t, live.Pods[0].Pod.Spec.Containers[0].Image, "the pod itself")
				first.Kill()
				deletePods(w)
				resumed, err := kontinue.RunJob(w.Worker().ExecutionContext(), options)
				require.NoError(t, err)
				require.True(t, resumed.Resumed())
				require.Equal(t, live.Message, resumed.Message)
				require.Equal(t, live.Err().Error(), resumed.Err().Error())
				require.Len(t, resumed.Pods, tc.pods)
				for i := range live.Pods {
					require.Equal(t, live.Pods[i].Message, resumed.Pods[i].Message)
				}
			})
		})
	}
}

// TestRecordWithoutRoomForAllPods has more pods than a record holds, even
// without their messages. The worker that wrote the record returns all of them, a
// resume those of the record, whether the pods exist or not.
func TestRecordWithoutRoomForAllPods(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{Index: new(70)}, containers.Script{Exit: containers.Exit{Code: 7}})
		options := matrix()
		options.Spec.Completions, options.Spec.Parallelism = new(int32(100)), new(int32(100))
		first := w.Worker()
		live, err := kontinue.RunJob(first.ExecutionContext(), options)
		require.NoError(t, err)
		require.Len(t, live.Pods, 100)
		require.Contains(t, live.Message, "exit code 7")
		first.Kill()

		second, err := kontinue.RunJob(w.Worker().ExecutionContext(), options)
		require.NoError(t, err)
		require.Less(t, len(second.Pods), 100)
		require.Equal(t, live.Message, second.Message)
		deletePods(w)
		third, err := kontinue.RunJob(w.Worker().ExecutionContext(), options)
		require.NoError(t, err)
		require.Len(t, third.Pods, len(second.Pods))
		require.Equal(t, live.Message, third.Message)
		require.Equal(t, live.SucceededPods, third.SucceededPods)
		require.Equal(t, live.FailedPods, third.FailedPods)
	})
}
