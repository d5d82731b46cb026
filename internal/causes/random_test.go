package causes_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/causes"
	"github.com/kontinue/kontinue/pods"
)

// classesOf are the classes that a failure may have whose first error is the given one, and
// those of one without any.
var classesOf = map[error][]causes.Class{
	nil:                        {causes.User, causes.Infrastructure},
	causes.ErrOOMKilled:        {causes.User, causes.Infrastructure},
	causes.ErrInitContainer:    {causes.User, causes.Infrastructure},
	causes.ErrImagePull:        {causes.Config, causes.Infrastructure},
	causes.ErrConfig:           {causes.Config},
	causes.ErrStartError:       {causes.Config, causes.Infrastructure},
	causes.ErrPodRejected:      {causes.Config, causes.Capacity, causes.Infrastructure},
	causes.ErrUnschedulable:    {causes.Capacity, causes.Config, causes.Infrastructure},
	causes.ErrEvicted:          {causes.Infrastructure, causes.User},
	causes.ErrPreempted:        {causes.Infrastructure},
	causes.ErrNodeLost:         {causes.Infrastructure},
	causes.ErrDeadlineExceeded: {causes.Timeout},
	causes.ErrCanceled:         {causes.Canceled},
}

// randomPod returns a pod in any state, also in one that no cluster knows.
func randomPod(rnd *rand.Rand) pods.Outcome {
	words := []string{"", "Strange", "Completed", "ContainerCreating"}
	says := []string{"", "boom"}
	for _, row := range causes.Table() {
		if !strings.HasPrefix(row.Reason, "(") {
			words = append(words, strings.TrimSuffix(row.Reason, "*"))
		}
		says = append(says, row.Says...)
	}
	word := func() string { return words[rnd.IntN(len(words))] }
	message := func() string {
		return strings.Repeat("a line of a log\n", rnd.IntN(300)) + says[rnd.IntN(len(says))] + strings.Repeat(".", rnd.IntN(100))
	}
	state := func() corev1.ContainerState {
		switch rnd.IntN(5) {
		case 0:
			return running
		case 1:
			return waits(word(), message())
		case 2:
			return ended(0, []string{"Completed", "OOMKilled"}[rnd.IntN(2)], message())
		case 3:
			return ended([]int32{1, 126, 127, 137, 143, 255}[rnd.IntN(6)], word(), message())
		}
		return corev1.ContainerState{}
	}
	phases := []corev1.PodPhase{corev1.PodPending, corev1.PodRunning, corev1.PodSucceeded, corev1.PodFailed, corev1.PodFailed}
	var changes []func(*corev1.Pod)
	for _, change := range []func(*corev1.Pod){
		initContainer, status(word(), message()), disrupted(word()), deletedBefore, previous(137, "OOMKilled"), previous(1, "Error"),
		condition(corev1.PodScheduled, corev1.ConditionFalse, word(), message()),
		func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "second"})
			p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: "second", State: state()})
		},
	} {
		if rnd.IntN(6) == 0 {
			changes = append(changes, change)
		}
	}
	o := pod(phases[rnd.IntN(len(phases))], state(), changes...)
	o.Deleted = rnd.IntN(6) == 0
	return o
}

func randomEnd(rnd *rand.Rand) pods.JobEnd {
	reasons := []string{
		batchv1.JobReasonBackoffLimitExceeded, batchv1.JobReasonDeadlineExceeded, batchv1.JobReasonFailedIndexes,
		"PodFailurePolicy_rule", "FailedCreate", "ErrImagePull", "Strange", "",
	}
	return pods.JobEnd{Failed: rnd.IntN(5) > 0, Canceled: rnd.IntN(8) == 0, GaveUp: rnd.IntN(8) == 0, Reason: reasons[rnd.IntN(len(reasons))]}
}

// TestRandomFailures: whatever has failed has a class, the errors agree with it, and the
// record of the pod that is to blame says the same.
func TestRandomFailures(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		end, all := randomEnd(rnd), make([]pods.Outcome, 1+rnd.IntN(20))
		for i := range all {
			all[i] = randomPod(rnd)
			all[i].Name = fmt.Sprintf("pod-%d", i)
		}
		failures := end.Failures(all)
		for i, f := range failures {
			all[f.Pod].Rank, all[f.Pod].Part = i+1, f.Part
			got := causes.Of(end, all[f.Pod])
			require.NotEmpty(t, got.Class, "seed %d", seed)
			first := error(nil)
			if len(got.Errors) > 0 {
				first = got.Errors[0]
			}
			require.Contains(t, classesOf[first], got.Class, "seed %d: %+v", seed, got)
			require.Equal(t, end.Canceled && !end.GaveUp, got.Class == causes.Canceled || slices.Contains(got.Errors, causes.ErrCanceled), "seed %d: %+v", seed, got)
			require.NotContains(t, got.Advice, "\n")
			require.Len(t, slices.Compact(slices.Clone(got.Errors)), len(got.Errors), "each once")
		}
		text, _, err := pods.Encode(all, 0)
		require.NoError(t, err)
		back, _, err := pods.Decode(text)
		require.NoError(t, err)
		for _, o := range back {
			if o.Rank == 1 {
				require.Equal(t, causes.Of(end, all[failures[0].Pod]), causes.Of(end, o), "seed %d: %+v", seed, o)
			}
		}
	}
}
