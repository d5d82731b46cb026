package pods_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/pods"
)

func policy(p corev1.TerminationMessagePolicy) option {
	return func(pod *corev1.Pod) {
		for i := range pod.Spec.Containers {
			pod.Spec.Containers[i].TerminationMessagePolicy = p
		}
	}
}

func TestContainerOutput(t *testing.T) {
	t.Parallel()
	file, fallback := policy(corev1.TerminationMessageReadFile), policy(corev1.TerminationMessageFallbackToLogsOnError)
	long := strings.Repeat("x", 4096)
	second := func(p *corev1.Pod) {
		for _, name := range []string{"b", "c", "d"} {
			sidecarC(name, running())(p)
		}
	}
	ephemeral := func(p *corev1.Pod) {
		p.Spec.EphemeralContainers = make([]corev1.EphemeralContainer, 5)
	}
	for name, tc := range map[string]struct {
		pod       *corev1.Pod
		want, err string
	}{
		"succeeded":                    {pod("Succeeded", mainC("a", exited(0, "Completed", 5, "v")), fallback), "v", ""},
		"succeeded with File":          {pod("Succeeded", mainC("a", exited(0, "Completed", 5, "v")), file), "v", ""},
		"failed":                       {pod("Failed", mainC("a", exited(3, "Error", 5, "v")), fallback), "", `container "a" failed (exit code 3)`},
		"failed without a policy":      {pod("Failed", mainC("a", exited(3, "Error", 5, "v"))), "", "may be the end of its log"},
		"failed with File":             {pod("Failed", mainC("a", exited(3, "Error", 5, "v")), file), "v", ""},
		"OOMKilled with exit code 0":   {pod("Succeeded", mainC("a", exited(0, "OOMKilled", 5, "v")), fallback), "", "may be the end of its log"},
		"wrote nothing":                {pod("Succeeded", mainC("a", exited(0, "Completed", 5, ""))), "", "wrote nothing to its terminationMessagePath (exit code 0)"},
		"is running":                   {pod("Running", mainC("a", running())), "", "has not terminated: state Running"},
		"waits":                        {pod("Pending", mainC("a", waiting("ErrImagePull", "v"))), "", "has not terminated: state Waiting"},
		"one byte less than the limit": {pod("Succeeded", mainC("a", exited(0, "Completed", 5, long[1:]))), long[1:], ""},
		"at the limit":                 {pod("Succeeded", mainC("a", exited(0, "Completed", 5, long))), "", "truncated"},
		"cut within a rune":            {pod("Succeeded", mainC("a", exited(0, "Completed", 5, strings.Repeat("\xff", 4096)))), "", "truncated"},
		"at the limit of four":         {pod("Running", mainC("a", exited(0, "Completed", 5, long[:3072])), second), "", "truncated"},
		"below the limit of four":      {pod("Running", mainC("a", exited(0, "Completed", 5, long[:3071])), second), long[:3071], ""},
		"with ephemeral containers":    {pod("Succeeded", mainC("a", exited(0, "Completed", 5, long[:2048])), ephemeral), "", "truncated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := pods.Inspect(tc.pod)
			text, _, err := pods.Encode([]pods.Outcome{o}, 0)
			require.NoError(t, err)
			back, _, err := pods.Decode(text)
			require.NoError(t, err)
			for _, o := range []pods.Outcome{o, back[0], pods.Inspect(pods.Restore("ns", back[0]))} {
				c, recorded := o.Containers[len(o.Containers)-1], back[0].Containers[len(o.Containers)-1]
				if c.Truncated != recorded.Truncated {
					continue // a restored pod cannot say that
				}
				got, err := c.Output()
				require.Equal(t, tc.want, got)
				if tc.err == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, tc.err)
				}
			}
		})
	}
}

// Outputs are kept whole while the ends of logs are truncated, and are then left out whole.
func TestEncodeKeepsOutputs(t *testing.T) {
	t.Parallel()
	logs := strings.Repeat("a line\n", 280) + "the last line"
	build := func(n, size int) (all []pods.Outcome) {
		for i := range n {
			message := strings.Repeat("v", size+i)
			o := pods.Inspect(pod("Failed", mainC("out", exited(0, "Completed", 5, message)), mainC("bad", exited(1, "Error", 6, logs))))
			o.Name = fmt.Sprintf("pod-%d", i)
			all = append(all, o)
		}
		all[0].Rank = 1
		return all
	}
	for _, tc := range []struct{ n, size, whole int }{{1, 4000, 1}, {8, 1000, 8}, {12, 500, 12}, {20, 100, 20}, {20, 1000, 1}, {20, 4000, 0}} {
		all := build(tc.n, tc.size)
		text, cut, err := pods.Encode(all, 0)
		require.NoError(t, err)
		require.LessOrEqual(t, len(text), pods.MaxRecordBytes)
		back, _, err := pods.Decode(text)
		require.NoError(t, err)
		require.Len(t, back, tc.n)
		whole := 0
		for i, o := range back {
			got, err := o.Containers[0].Output()
			if err != nil {
				require.ErrorIs(t, err, pods.ErrOutputTruncated)
				require.True(t, cut)
				require.Empty(t, got)
				continue
			}
			whole++
			require.Equal(t, all[i].Containers[0].Message, got)
		}
		require.Equal(t, tc.whole, whole, "%+v", tc)
		require.Equal(t, all[0].Explain(), back[0].Explain(), "the pod that is to blame keeps its last line")
		require.Equal(t, logs, all[0].Containers[1].Message, "the caller's outcomes are not changed")
	}
}

// A failed container's own message is shortened like any other, and is no output then.
func TestEncodeShortensTheOutputOfAFailure(t *testing.T) {
	t.Parallel()
	var all []pods.Outcome
	for i := range 8 {
		o := pods.Inspect(pod("Failed", mainC("a", exited(1, "Error", 5, strings.Repeat("a line\n", 500)+"the last line")), policy(corev1.TerminationMessageReadFile)))
		o.Name = fmt.Sprintf("pod-%d", i)
		all = append(all, o)
	}
	text, cut, err := pods.Encode(all, 0)
	require.NoError(t, err)
	require.True(t, cut)
	back, _, err := pods.Decode(text)
	require.NoError(t, err)
	for i, o := range back {
		require.Equal(t, all[i].Explain(), o.Explain())
		_, err := o.Containers[0].Output()
		require.ErrorIs(t, err, pods.ErrOutputTruncated)
	}
}
