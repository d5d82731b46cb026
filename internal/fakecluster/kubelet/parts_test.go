package kubelet

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
)

func TestLogBufferSplitsAndDrops(t *testing.T) {
	t.Parallel()
	b := newLogBuffer(40<<10, nil)
	long := strings.Repeat("x", 20<<10)
	for _, piece := range []string{"a", "b\nc", "d\n", long + "\n", "end"} {
		n, err := b.Write([]byte(piece))
		require.NoError(t, err)
		require.Equal(t, len(piece), n)
	}
	require.Equal(t, "end", b.tail(1, 100))
	require.Equal(t, "x\nend", b.tail(2, 5))
	read := func(tail int64) string {
		r := newLogReader(b, &corev1.PodLogOptions{TailLines: &tail}, time.Now())
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		return string(data)
	}
	require.Equal(t, "ab\ncd\n"+long+"\nend", read(10))
	require.Equal(t, long+"\nend", read(2))
	_, err := b.Write([]byte("\n" + long + "\nfresh\n"))
	require.NoError(t, err)
	require.Positive(t, b.spilled)
	require.LessOrEqual(t, b.size, 40<<10)
	require.True(t, strings.HasSuffix(read(1000), long+"\nfresh\n"))
}

func TestFollowSkipsWhatWasDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newLogBuffer(10, nil)
		r := newLogReader(b, &corev1.PodLogOptions{Follow: true}, time.Now())
		_, err := b.Write([]byte("0123456789\nabc\n"))
		require.NoError(t, err)
		b.close()
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, "abc\n", string(data))
	})
}

func TestFollowWaitsForTheLineToEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newLogBuffer(1000, nil)
		r := newLogReader(b, &corev1.PodLogOptions{Follow: true}, time.Now())
		time.AfterFunc(time.Second, func() { _, _ = b.Write([]byte("half")) })
		time.AfterFunc(2*time.Second, func() { _, _ = b.Write([]byte(" done\n")) })
		began := time.Now()
		p := make([]byte, 100)
		n, err := r.Read(p)
		require.NoError(t, err)
		require.Equal(t, "half done\n", string(p[:n]))
		require.Equal(t, 2*time.Second, time.Since(began))
		time.AfterFunc(time.Second, func() { _ = r.Close() })
		_, err = r.Read(p)
		require.ErrorIs(t, err, io.ErrClosedPipe)
	})
}

func TestRequests(t *testing.T) {
	t.Parallel()
	asks := func(cpu string, sidecar bool) corev1.Container {
		c := corev1.Container{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}}}
		if sidecar {
			c.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
		}
		return c
	}
	cpu, memory := requests(&corev1.PodSpec{
		InitContainers: []corev1.Container{asks("5", false), asks("1", true), asks("3", false)},
		Containers:     []corev1.Container{asks("500m", false), asks("2", false)},
	})
	require.EqualValues(t, 5000, cpu, "the first init container needs most")
	require.Zero(t, memory)
	cpu, _ = requests(&corev1.PodSpec{
		InitContainers: []corev1.Container{asks("1", true), asks("3", false)},
		Containers:     []corev1.Container{asks("2", false)},
	})
	require.EqualValues(t, 4000, cpu, "an init container runs beside the sidecars before it")
}

func TestQOSClass(t *testing.T) {
	t.Parallel()
	list := func(cpu, memory string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
	}
	for want, r := range map[corev1.PodQOSClass]corev1.ResourceRequirements{
		corev1.PodQOSBestEffort: {},
		corev1.PodQOSBurstable:  {Requests: list("1", "1Gi"), Limits: list("2", "1Gi")},
		corev1.PodQOSGuaranteed: {Requests: list("1", "1Gi"), Limits: list("1", "1Gi")},
	} {
		require.Equal(t, want, qosClass(&corev1.PodSpec{Containers: []corev1.Container{{Resources: r}}}))
	}
}

func TestConditionTimesMoveWithTheStatus(t *testing.T) {
	t.Parallel()
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	var s corev1.PodStatus
	setCondition(&s, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "A"}, start)
	setCondition(&s, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "B"}, start.Add(time.Minute))
	require.Len(t, s.Conditions, 1)
	require.Equal(t, "B", s.Conditions[0].Reason)
	require.Equal(t, start, s.Conditions[0].LastTransitionTime.Time)
	setCondition(&s, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue}, start.Add(time.Hour))
	require.Equal(t, start.Add(time.Hour), s.Conditions[0].LastTransitionTime.Time)
}
