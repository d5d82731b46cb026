package durability_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestOutput: what a container wrote for its caller is there when its pod is gone.
func TestOutput(t *testing.T) {
	t.Parallel()
	log := []containers.LogLine{{Text: "the end of the log"}}
	file := corev1.TerminationMessageReadFile
	for name, tc := range map[string]struct {
		code    int32
		message string
		policy  corev1.TerminationMessagePolicy
		more    int // containers beside it

		want string
		err  string
	}{
		"JSON":                         {message: `{"rows":3}`, want: `{"rows":3}`},
		"4095 bytes":                   {message: `{"rows":3}` + strings.Repeat(" ", 4085), want: `{"rows":3}` + strings.Repeat(" ", 4085)},
		"4096 bytes":                   {message: `{"rows":3}` + strings.Repeat(" ", 4086), err: "output is truncated"},
		"four containers":              {message: `{"rows":3}` + strings.Repeat(" ", 3061), more: 3, want: `{"rows":3}` + strings.Repeat(" ", 3061)},
		"four containers, and longer":  {message: `{"rows":3}` + strings.Repeat(" ", 3062), more: 3, err: "output is truncated"},
		"nothing":                      {err: "wrote nothing"},
		"failed":                       {code: 3, err: "may be the end of its log"},
		"failed, and had written":      {code: 3, message: `{"rows":3}`, err: "may be the end of its log"},
		"failed, with File":            {code: 3, policy: file, err: "wrote nothing"},
		"failed, with File and output": {code: 3, policy: file, message: `{"rows":3}`, want: `{"rows":3}`},
		"no JSON":                      {message: "rows: 3", want: "rows: 3", err: `invalid character 'r' looking for beginning of value (line 1, byte 1, after "r")`},
		"broken on its third line":     {message: "{\n\"a\":1,\n\"rows\" 3}", want: "{\n\"a\":1,\n\"rows\" 3}", err: `(line 3, byte 17, after "{\n\"a\":1,\n\"rows\" 3")`},
		"another type":                 {message: `{"rows":"three"}`, want: `{"rows":"three"}`, err: "cannot unmarshal string"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{Container: "main"}, containers.Script{Log: log, Exit: containers.Exit{Code: tc.code, TerminationMessage: tc.message}})
				spec := corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "alpine:3", TerminationMessagePolicy: tc.policy}}}
				for i := range tc.more {
					spec.Containers = append(spec.Containers, corev1.Container{Name: "more-" + string(rune('a'+i)), Image: "alpine:3"})
				}
				for _, worker := range []*simtest.Worker{w.Worker(), w.Worker()} {
					r, err := kontinue.RunPod(worker.ExecutionContext(), &kontinue.PodOptions{StepOptions: kontinue.StepOptions{Name: "step"}, Spec: spec})
					require.NoError(t, err)
					for _, r := range []*kontinue.PodResult{r, viaJSON(t, r)} {
						require.Equal(t, tc.want, r.Output(""))
						require.Equal(t, tc.want, r.Output("main"))
						require.Empty(t, r.Output("unknown"))
						var value struct{ Rows int }
						err := kontinue.DecodeOutput(r, &value)
						if tc.err != "" {
							require.ErrorContains(t, err, tc.err)
							require.Equal(t, strings.Contains(tc.err, "truncated"), errors.Is(err, kontinue.ErrOutputTruncated))
							var failed *kontinue.ExitError
							require.Equal(t, tc.code != 0, errors.As(err, &failed))
							continue
						}
						require.NoError(t, err)
						require.Equal(t, 3, value.Rows)
					}
					// A second worker has the record only.
					deletePods(w)
				}
			})
		})
	}
}

// TestOutputsOfManyPods: all that a record has no room for is said to be missing, and each
// call returns the same.
func TestOutputsOfManyPods(t *testing.T) {
	t.Parallel()
	for _, n := range []int32{3, 12, 25, 100} {
		simtest.Run(t, func(w *simtest.World) {
			output := `{"text":"` + strings.Repeat("x", 700) + `"}`
			w.Cluster.On(containers.Match{}, containers.Script{Exit: containers.Exit{TerminationMessage: output}})
			var digests []string
			for _, worker := range []*simtest.Worker{w.Worker(), w.Worker()} {
				r, err := kontinue.RunJob(worker.ExecutionContext(), indexedJob(n, nil))
				require.NoError(t, err)
				whole := 0
				var text strings.Builder
				for _, p := range r.Pods {
					var value struct{ Text string }
					err := kontinue.DecodeOutput(p, &value)
					if err == nil {
						require.Equal(t, output, p.Output(""))
						whole++
					} else {
						require.ErrorIs(t, err, kontinue.ErrOutputTruncated)
						require.Empty(t, p.Output(""))
					}
					text.WriteString(p.Pod.Name + p.Output("") + "\n")
				}
				if n <= 12 {
					require.Len(t, r.Pods, int(n))
					require.Equal(t, int(n), whole, "the record has room for all outputs")
				}
				digests = append(digests, text.String())
			}
			if n <= 25 { // the record has room for all pods
				require.Equal(t, digests[0], digests[1])
			}
		})
	}
}
