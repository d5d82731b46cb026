package logs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var later = epoch.Add(time.Minute)

func runningSince(t time.Time) corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(t)}}
}

// endedSince is a container with an ID, which one that was never created has not.
func endedSince(t time.Time) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{StartedAt: metav1.NewTime(t), ContainerID: "containerd://1"}}
}

func waiting() corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}
}

// neverCreated is what the kubelet writes of a container that it cannot find, as of one
// that was removed by RestartAllContainers.
func neverCreated() corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "RestartingAllContainers"}}
}

func TestStateOf(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		phase    corev1.PodPhase
		restarts int32
		now, old corev1.ContainerState
		want     State
	}{
		"no status yet":             {corev1.PodPending, 0, corev1.ContainerState{}, corev1.ContainerState{}, State{}},
		"creating":                  {corev1.PodPending, 0, waiting(), corev1.ContainerState{}, State{}},
		"running":                   {corev1.PodRunning, 0, runningSince(epoch), corev1.ContainerState{}, State{Started: epoch, Running: true}},
		"terminated":                {corev1.PodRunning, 0, endedSince(epoch), corev1.ContainerState{}, State{Started: epoch}},
		"the pod has ended":         {corev1.PodSucceeded, 0, endedSince(epoch), corev1.ContainerState{}, State{Started: epoch, Over: true}},
		"failed before it started":  {corev1.PodFailed, 0, waiting(), corev1.ContainerState{}, State{Over: true}},
		"never created":             {corev1.PodFailed, 0, neverCreated(), corev1.ContainerState{}, State{Over: true}},
		"backing off":               {corev1.PodRunning, 1, waiting(), endedSince(epoch), State{Restarts: 1, Started: epoch}},
		"restarted":                 {corev1.PodRunning, 1, runningSince(later), endedSince(epoch), State{Restarts: 1, Started: later, Running: true, Previous: true}},
		"ended after a restart":     {corev1.PodFailed, 1, endedSince(later), endedSince(epoch), State{Restarts: 1, Started: later, Previous: true, Over: true}},
		"not created again":         {corev1.PodFailed, 1, neverCreated(), endedSince(epoch), State{Restarts: 1, Started: epoch, Over: true}},
		"removed to restart all":    {corev1.PodPending, 1, waiting(), neverCreated(), State{Restarts: 1}},
		"all containers restarted":  {corev1.PodRunning, 1, runningSince(later), neverCreated(), State{Restarts: 1, Started: later, Running: true}},
		"ended, all were restarted": {corev1.PodSucceeded, 1, endedSince(later), neverCreated(), State{Restarts: 1, Started: later, Over: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status := []corev1.ContainerStatus{{Name: "other", State: runningSince(later), RestartCount: 9}}
			if tc.now != (corev1.ContainerState{}) {
				status = append(status, corev1.ContainerStatus{Name: "c", RestartCount: tc.restarts, State: tc.now, LastTerminationState: tc.old})
			}
			p := &corev1.Pod{Status: corev1.PodStatus{Phase: tc.phase, ContainerStatuses: status}}
			require.Equal(t, tc.want, StateOf(p, "c"))
			p.Status.InitContainerStatuses, p.Status.ContainerStatuses = p.Status.ContainerStatuses, nil
			require.Equal(t, tc.want, StateOf(p, "c"))
		})
	}
}

func TestSourceChanges(t *testing.T) {
	t.Parallel()
	s := &Source{}
	state, changed := s.get()
	require.Equal(t, State{}, state)
	s.Set(State{})
	require.NoError(t, changed.Err(), "it is the same state")
	s.Set(running)
	require.Error(t, changed.Err())
	state, changed = s.get()
	require.Equal(t, running, state)
	require.NoError(t, changed.Err())
}
