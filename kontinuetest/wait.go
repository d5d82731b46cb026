package kontinuetest

import (
	"context"
	"fmt"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/identity"
)

// patience is how long [Cluster.Running] waits. In a testing/synctest bubble it passes at
// once, and elsewhere the time limit of the test ends first.
const patience = 24 * time.Hour

// Running waits until a pod of the step is running and returns it. It fails the test after a
// day. In a testing/synctest bubble that takes no real time, and Running returns when the
// program has seen what there is to see, as [Cluster.Advance] does.
func (c *Cluster) Running(step string) *corev1.Pod {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	w, err := c.Clientset().CoreV1().Pods(c.namespace).Watch(ctx, metav1.ListOptions{LabelSelector: identity.LabelStep + "=" + step})
	require.NoError(c.t, err)
	defer w.Stop()
	for event := range w.ResultChan() {
		if pod, ok := event.Object.(*corev1.Pod); ok && pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil {
			_ = settle() // in real time there is none
			return pod
		}
	}
	require.FailNow(c.t, fmt.Sprintf("no pod of step %q was running: %v", step, context.Cause(ctx)))
	return nil
}

// Eventually waits until the condition holds, and fails the test if it does not within the
// limit. The condition is checked at once, after writes to the cluster, and each second for
// what the cluster does not show. In a testing/synctest bubble it returns as
// [Cluster.Running] does.
func (c *Cluster) Eventually(condition func() bool, limit time.Duration, msgAndArgs ...any) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), limit)
	defer cancel()
	err := c.cluster.WaitFor(ctx, func(context.Context) (bool, error) { return condition(), nil })
	require.NoError(c.t, err, msgAndArgs...)
	_ = settle() // in real time there is none
}

// Advance lets d pass in a testing/synctest bubble, and returns when everything that happens
// until then has happened: then each goroutine of the bubble waits for something. The clock is
// that of the cluster and of the program. Elsewhere Advance fails the test.
func (c *Cluster) Advance(d time.Duration) {
	c.t.Helper()
	require.GreaterOrEqual(c.t, d, time.Duration(0), "time does not go back")
	const advice = "Advance needs the virtual time of a testing/synctest bubble: call it in synctest.Test, from the goroutine of the test"
	require.NoError(c.t, settle(), advice)
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
	require.NoError(c.t, settle(), advice)
}

// settle waits until each other goroutine of the bubble is blocked. It returns an error where
// there is no bubble.
func settle() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	synctest.Wait()
	return nil
}
