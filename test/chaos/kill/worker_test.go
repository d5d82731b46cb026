package kill

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/test/cluster"
)

// TestPlans checks that a seed always draws the same plans, and that every plan is
// drawn.
func TestPlans(t *testing.T) {
	t.Parallel()
	drawn := map[string]bool{}
	for seed := range uint64(200) {
		p := drawPlan(rand.New(rand.NewPCG(seed, 1)), time.Second)
		require.Equal(t, p, drawPlan(rand.New(rand.NewPCG(seed, 1)), time.Second))
		drawn[p.name] = true
		ways := 0
		for _, set := range []bool{p.request != nil, p.transition != "", p.delay > 0} {
			if set {
				ways++
			}
		}
		require.Equal(t, 1, ways, p)
		require.Less(t, p.delay, time.Second)
	}
	require.Len(t, drawn, len(plans))
}

// TestExpectedResults checks the expected results by child policy and attempt.
func TestExpectedResults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy  kontinue.ChildPolicy
		attempt int
		step    string
		runs    int
		codes   []int32
		message string
	}{
		"first":          {kontinue.ChildPolicyRetryAll, 0, "test", 1, []int32{3}, `container "script" failed: exit code 3: run 0 of test failed`},
		"not failed yet": {kontinue.ChildPolicyRetryFailed, 0, "test", 1, []int32{3}, `container "script" failed: exit code 3: run 0 of test failed`},
		"none":           {kontinue.ChildPolicyNone, 1, "test", 1, []int32{3}, `container "script" failed: exit code 3: run 0 of test failed`},
		"failed again":   {kontinue.ChildPolicyRetryFailed, 1, "test", 2, []int32{0}, ""},
		"succeeded once": {kontinue.ChildPolicyRetryFailed, 1, "lint", 1, []int32{0}, ""},
		"all again":      {kontinue.ChildPolicyRetryAll, 1, "lint", 2, []int32{0}, ""},
		"an index": {kontinue.ChildPolicyNone, 0, "matrix", 1, []int32{7, 0, 0},
			`FailedIndexes: Job has failed indexes (pod POD: container "main" failed: exit code 7: run 0 of matrix failed)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, ok := stepNamed(c.step)
			require.True(t, ok)
			require.Equal(t, c.runs, s.runs(c.policy, c.attempt))
			result := s.expected(c.policy, c.attempt)
			require.Equal(t, c.codes, result.Codes)
			require.Equal(t, c.message, result.Message)
			require.Equal(t, c.message == "", result.Succeeded)
			phases := []corev1.PodPhase{corev1.PodSucceeded, corev1.PodSucceeded, corev1.PodSucceeded}[:s.pods()]
			if c.message != "" {
				phases[0] = corev1.PodFailed
			}
			require.Equal(t, phases, result.Phases)
		})
	}
}

// TestParse checks that a line cut off by a kill is not a result.
func TestParse(t *testing.T) {
	t.Parallel()
	results, err := parse([]byte("{\"Step\":\"a\",\"Codes\":[3]}\n{\"Step\":\"b\"}\n{\"Step\":"))
	require.NoError(t, err)
	require.Equal(t, []Result{{Step: "a", Codes: []int32{3}}, {Step: "b"}}, results)
	_, err = parse([]byte("panic: not JSON\n"))
	require.ErrorContains(t, err, "panic: not JSON")
}

// TestReadAudit checks that only the workers' requests for Jobs count.
func TestReadAudit(t *testing.T) {
	t.Parallel()
	line := func(verb, user, resource, namespace string) string {
		return `{"verb":"` + verb + `","user":{"username":"` + user + `"},"objectRef":{"resource":"` + resource +
			`","namespace":"` + namespace + `","name":"j"}}` + "\n"
	}
	worker, admin := string(cluster.Worker), string(cluster.Admin)
	log := line("create", worker, "jobs", namespace) + line("patch", worker, "jobs", namespace) + line("get", worker, "jobs", namespace) +
		line("patch", admin, "jobs", namespace) + line("create", worker, "pods", namespace) + line("create", worker, "jobs", "other") +
		line("watch", worker, "jobs", namespace)
	byJob, err := readAudit(strings.NewReader(log))
	require.NoError(t, err)
	require.Equal(t, map[string]calls{"j": {writes: 2, reads: 1}}, byJob)
	var sum PerJob
	require.Equal(t, "none", sum.String())
	sum.add(byJob["j"])
	sum.add(calls{writes: 3})
	require.Equal(t, "2.50 writes (most 3), 0.50 reads (most 1), of 2 jobs", sum.String())
	_, err = readAudit(strings.NewReader("no JSON\n"))
	require.Error(t, err)
}
