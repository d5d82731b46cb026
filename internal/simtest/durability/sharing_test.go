package durability_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestResultsAreTheCallersOwn: two calls of one client wait for the same pods, which its
// cache holds once. Each writes all over its result, which the race detector watches, and
// the other one's does not change.
func TestResultsAreTheCallersOwn(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute, Exit: containers.Exit{Code: 3}})
		opts := &kontinue.JobOptions{Spec: batchv1.JobSpec{
			Parallelism: new(int32(3)), Completions: new(int32(3)), BackoffLimit: new(int32(9)),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "a:1"}}}},
		}}
		opts.Name, opts.Timeout = "step", 5*time.Minute
		p := w.Worker()
		results := make([]*kontinue.JobResult, 2)
		var wg sync.WaitGroup
		for i := range results {
			ktx := p.ExecutionContext()
			wg.Go(func() {
				var err error
				results[i], err = kontinue.RunJob(ktx, opts)
				require.NoError(w, err)
			})
		}
		wg.Wait()
		require.NotEmpty(t, results[0].Pods)
		require.Len(t, results[1].Pods, len(results[0].Pods))
		want := make([]*corev1.Pod, len(results[0].Pods))
		for i, pod := range results[0].Pods {
			want[i] = pod.Pod.DeepCopy()
		}
		message := results[0].Err().Error()
		scribble := func(r *kontinue.JobResult) {
			for _, pod := range r.Pods {
				o := pod.Pod
				o.Name = "x"
				for k := range o.Labels {
					o.Labels[k] = "x"
				}
				for k := range o.Annotations {
					o.Annotations[k] = "x"
				}
				o.Spec.Containers[0].Image = "x"
				if len(o.Status.ContainerStatuses) > 0 {
					o.Status.ContainerStatuses[0].Name = "x"
					if end := o.Status.ContainerStatuses[0].State.Terminated; end != nil {
						end.ExitCode = 99
					}
				}
				if o.Status.StartTime != nil {
					o.Status.StartTime.Time = time.Time{}
				}
			}
		}
		wg.Go(func() { scribble(results[1]) })
		for i, pod := range results[0].Pods {
			require.Equal(t, want[i], pod.Pod)
		}
		wg.Wait()
		for i, pod := range results[0].Pods {
			require.Equal(t, want[i], pod.Pod)
		}
		require.Equal(t, message, results[0].Err().Error())
	})
}
