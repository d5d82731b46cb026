package identity_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/identity"
)

const uid = types.UID("0b9c1c5e-6b0f-4e43-9f5e-0f1d1f6f2a11")

// TestJobNameGolden freezes the names: if a release changed one, a resumed step would run
// a second time.
func TestJobNameGolden(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("very-long-execution-name.", 10)
	for _, tc := range []struct {
		execution, step string
		run             int
		want            string
	}{
		{"deploy", "helm", 0, "deploy-helm-xwiqcrzcxsbmk"},
		{"deploy", "helm", 1, "deploy-helm-r1-4ctpvlmqw2rxa"},
		{"deploy", "step-1", 0, "deploy-step-1-v3ojtwr62mbfa"},
		{"2024-report", "Render_PDF.v2", 0, "job-2024-report-render-pdf-v2-3dcx7oqdnpyjw"},
		{"7", "9", 0, "job-7-9-uzhs2vubvtl64"},
		{long, "helm", 0, "very-long-execution-name-very-lon-helm-krkkyyni3qlbu"},
		{long, strings.Repeat("s", 63), 12, "very-long-execut-sssssssssssssssss-r12-qsqkqc2lmjkam"},
		{"deploy", strings.Repeat("s", 63), 0, "deploy-sssssssssssssssssssssssssssssss-e7bic7y2tjius"},
		{"", "", 0, "job-d2kchyrlqc7vt"},
		{"日本", "é", 3, "job-r3-kq5atyqxyw5yx"},
	} {
		got := identity.JobName(identity.Execution{Namespace: "default", Name: tc.execution, UID: uid}, tc.step, tc.run)
		require.Equal(t, tc.want, got, "JobName(%q, %q, %d)", tc.execution, tc.step, tc.run)
	}
}

// TestJobNameDependsOnEveryField also moves a character from one field to the next.
func TestJobNameDependsOnEveryField(t *testing.T) {
	t.Parallel()
	base := identity.Execution{Namespace: "a", Name: "exec", UID: "u-1"}
	names := map[string]string{}
	add := func(what string, e identity.Execution, step string, run int) {
		name := identity.JobName(e, step, run)
		require.Empty(t, names[name], "%s has the name of %s", what, names[name])
		names[name] = what
	}
	add("base", base, "step", 0)
	add("name", identity.Execution{Name: "exed", UID: "u-1"}, "step", 0)
	add("uid", identity.Execution{Name: "exec", UID: "u-2"}, "step", 0)
	add("step", base, "stop", 0)
	add("run", base, "step", 1)
	add("run 11", base, "step", 11)
	add("border", identity.Execution{Name: "exe", UID: "cu-1"}, "step", 0)
	add("case", base, "Step", 0)
	other := base
	other.Namespace = "b"
	require.Equal(t, identity.JobName(base, "step", 0), identity.JobName(other, "step", 0),
		"a UID is unique in the cluster; the namespace adds nothing")
}

func TestStepName(t *testing.T) {
	t.Parallel()
	require.Equal(t, "step-1", identity.StepName(1))
	require.Equal(t, "step-42", identity.StepName(42))
	require.Error(t, identity.ValidateStepName(identity.StepName(7)), "a user must not be able to take an unnamed step's name")
}

var dnsLabel = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)

func FuzzJobName(f *testing.F) {
	for _, s := range []string{"", "a", "deploy", "A_b.C", "--", "9", "é", strings.Repeat("x", 253), "a-" + strings.Repeat("9.", 60)} {
		f.Add(s, "step-1", 0)
		f.Add("deploy", s, 3)
		f.Add(s, s, 1<<31)
	}
	f.Fuzz(func(t *testing.T, execution, step string, run int) {
		name := identity.JobName(identity.Execution{Name: execution, UID: uid}, step, run)
		require.LessOrEqual(t, len(name), 52)
		require.Regexp(t, dnsLabel, name)
		require.NotContains(t, name, "--")
		require.NotEqual(t, name, identity.JobName(identity.Execution{Name: execution, UID: uid}, step+"x", run))
	})
}

func TestRunOf(t *testing.T) {
	t.Parallel()
	for _, e := range []identity.Execution{{Namespace: "ci", Name: "release-42", UID: "u-1"}, {Namespace: "ci", Name: "a-r7", UID: "u-r7-2"}} {
		for _, step := range []string{"helm", "x-r3", strings.Repeat("y", 63)} {
			for _, run := range []int{0, 1, 9, 10, 1234567} {
				name := identity.JobName(e, step, run)
				got, ok := identity.RunOf(e, step, name)
				require.True(t, ok, name)
				require.Equal(t, run, got, name)
				_, ok = identity.RunOf(e, "other", name)
				require.False(t, ok, "of another step: %s", name)
			}
		}
	}
	for _, name := range []string{"", "helm", "release-42-helm-r1-aaaaaaaaaaaaa", "release-42-helm-r99999999999999999999-aaaaaaaaaaaaa"} {
		_, ok := identity.RunOf(identity.Execution{Name: "release-42", UID: "u-1"}, "helm", name)
		require.False(t, ok, name)
	}
}

// TestSecretName: a Job of an earlier version refers to its Secret by this name.
func TestSecretName(t *testing.T) {
	t.Parallel()
	require.Equal(t, "deploy-helm-abc-files", identity.SecretName("deploy-helm-abc"))
	longest := identity.JobName(identity.Execution{Name: strings.Repeat("e", 200), UID: "u"}, strings.Repeat("s", 63), 7)
	require.LessOrEqual(t, len(identity.SecretName(longest)), 63)
}
