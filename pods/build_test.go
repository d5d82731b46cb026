package pods_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/pods"
)

func TestScriptSpecMakesOneContainerForTheShell(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		script pods.Script
		want   []string
	}{
		{"default shell", pods.Script{Image: "alpine", Command: "echo hi && exit 3"}, []string{"/bin/sh", "-c", "echo hi && exit 3"}},
		{"python", pods.Script{Image: "python", Command: "print('hi')", Shell: []string{"/usr/bin/python", "-c"}}, []string{"/usr/bin/python", "-c", "print('hi')"}},
		{"shell variable stays readable", pods.Script{Image: "bash", Command: "echo $BASH_VERSION ${X} $1 $"}, []string{"/bin/sh", "-c", "echo $BASH_VERSION ${X} $1 $"}},
		{"command substitution", pods.Script{Image: "a", Command: "echo $(date)"}, []string{"/bin/sh", "-c", "echo $$(date)"}},
		{"process id", pods.Script{Image: "a", Command: "echo $$"}, []string{"/bin/sh", "-c", "echo $$$"}},
		{"line ends stay as they are", pods.Script{Image: "a", Command: "a\r\nb"}, []string{"/bin/sh", "-c", "a\r\nb"}},
		{"shell words are escaped too", pods.Script{Image: "a", Command: "x", Shell: []string{"/bin/sh", "-c", "$(A)"}}, []string{"/bin/sh", "-c", "$$(A)", "x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			spec, err := pods.ScriptSpec(tt.script)
			require.NoError(t, err)
			require.Equal(t, corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever,
				Containers:    []corev1.Container{{Name: "script", Image: tt.script.Image, Command: tt.want}},
			}, spec)
		})
	}
}

func TestScriptSpecRejectsInvalidScripts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		script pods.Script
		want   string
	}{
		{"no image", pods.Script{Command: "x"}, "Image is empty"},
		{"blank image", pods.Script{Image: " \t", Command: "x"}, "Image is empty"},
		{"padded image", pods.Script{Image: "alpine ", Command: "x"}, "white space"},
		{"no command", pods.Script{Image: "a"}, "Command is empty"},
		{"blank command", pods.Script{Image: "a", Command: " \n\t"}, "Command is empty"},
		{"NUL in command", pods.Script{Image: "a", Command: "ab\x00c"}, "Command has a NUL byte at offset 2"},
		{"NUL in image", pods.Script{Image: "a\x00", Command: "x"}, "Image has a NUL byte"},
		{"NUL in shell", pods.Script{Image: "a", Command: "x", Shell: []string{"sh", "\x00"}}, "Shell[1] has a NUL byte"},
		{"not UTF-8", pods.Script{Image: "a", Command: "\xff"}, "not valid UTF-8"},
		{"empty shell element", pods.Script{Image: "a", Command: "x", Shell: []string{"sh", ""}}, "Shell[1] is empty"},
		{"long shell element", pods.Script{Image: "a", Command: "x", Shell: []string{strings.Repeat("x", pods.MaxScriptBytes+1)}}, "Shell[0]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			spec, err := pods.ScriptSpec(tt.script)
			require.ErrorContains(t, err, tt.want)
			require.Empty(t, spec)
		})
	}
}

func TestScriptSpecLengthLimit(t *testing.T) {
	t.Parallel()
	// Escaping doubles every dollar sign, but the limit applies to the text that the
	// process receives.
	longest := strings.Repeat("$", pods.MaxScriptBytes)
	_, err := pods.ScriptSpec(pods.Script{Image: "a", Command: longest})
	require.NoError(t, err)

	secret := "s3cr3t"
	_, err = pods.ScriptSpec(pods.Script{Image: "a", Command: longest[len(secret)-1:] + secret})
	require.ErrorIs(t, err, pods.ErrScriptTooLong)
	require.ErrorContains(t, err, "131072 bytes")
	require.ErrorContains(t, err, "ConfigMap")
	require.NotContains(t, err.Error(), secret)
}

// TestScriptSpecByPath: the shell gets the path in place of -c and a text of any length.
func TestScriptSpecByPath(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("s3cr3t\n", pods.MaxScriptBytes)
	for name, tc := range map[string]struct{ shell, want []string }{
		"default shell": {nil, []string{"/bin/sh", "/scripts/run"}},
		"options":       {[]string{"bash", "-e", "$(A)", "-c"}, []string{"bash", "-e", "$$(A)", "/scripts/run"}},
	} {
		spec, err := pods.ScriptSpec(pods.Script{Image: "a", Command: long, Shell: tc.shell, Path: "/scripts/run"})
		require.NoError(t, err, name)
		require.Equal(t, tc.want, spec.Containers[0].Command, name)
	}
	for name, shell := range map[string][]string{"joined": {"bash", "-ec"}, "no flag": {"bash"}, "no program": {"-c"}} {
		_, err := pods.ScriptSpec(pods.Script{Image: "a", Command: long, Shell: shell, Path: "/scripts/run"})
		require.ErrorContains(t, err, `does not end with "-c"`, name)
		require.NotContains(t, err.Error(), "s3cr3t")
	}
}

func TestDefaultShellReturnsACopy(t *testing.T) {
	t.Parallel()
	pods.DefaultShell()[0] = "changed"
	require.Equal(t, []string{"/bin/sh", "-c"}, pods.DefaultShell())
}

// expand implements the rules by which Kubernetes expands a container's command
// (see the API documentation of Container.Command): "$$" becomes "$", "$(X)" becomes
// the value of X, or stays if X is not defined, and everything else stays.
func expand(in string, value func(string) (string, bool)) string {
	var out strings.Builder
	for i := 0; i < len(in); i++ {
		if in[i] != '$' || i+1 == len(in) {
			out.WriteByte(in[i])
			continue
		}
		switch next := in[i+1]; {
		case next == '$':
			out.WriteByte('$')
			i++
		case next == '(' && strings.IndexByte(in[i:], ')') > 0:
			end := i + strings.IndexByte(in[i:], ')')
			if v, ok := value(in[i+2 : end]); ok {
				out.WriteString(v)
			} else {
				out.WriteString(in[i : end+1])
			}
			i = end
		default:
			out.WriteByte('$')
		}
	}
	return out.String()
}

func FuzzScriptReachesTheShellUnchanged(f *testing.F) {
	for _, s := range []string{"echo $(date)", "echo $$", "$$(x)", "$$$(x)", "$(", "$()", "$", "$$$$", "a$(b$(c))", "$é$$(", "$(A", "\r\n$(B)\n", ")$(", "$)$("} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		spec, err := pods.ScriptSpec(pods.Script{Image: "a", Command: text})
		if strings.TrimSpace(text) == "" || strings.ContainsRune(text, 0) || !utf8.ValidString(text) || len(text) > pods.MaxScriptBytes {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		command := spec.Containers[0].Command
		all := func(string) (string, bool) { return "EXPANDED", true }
		none := func(string) (string, bool) { return "", false }
		require.Equal(t, text, expand(command[len(command)-1], all), "every name defined")
		require.Equal(t, text, expand(command[len(command)-1], none), "no name defined")
	})
}

func TestJobSpecRunsThePodOnce(t *testing.T) {
	t.Parallel()
	in := corev1.PodSpec{
		RestartPolicy:      corev1.RestartPolicyAlways,
		ServiceAccountName: "deployer",
		Containers:         []corev1.Container{{Name: "main", Image: "app", Command: []string{"./run"}}},
	}
	got := pods.JobSpec(in)

	require.Equal(t, int32(0), *got.BackoffLimit)
	require.Equal(t, int32(1), *got.Parallelism)
	require.Equal(t, int32(1), *got.Completions)
	require.Equal(t, batchv1.Failed, *got.PodReplacementPolicy)
	require.Nil(t, got.PodFailurePolicy)
	require.Nil(t, got.TTLSecondsAfterFinished)
	require.Equal(t, corev1.RestartPolicyNever, got.Template.Spec.RestartPolicy)
	require.Equal(t, "deployer", got.Template.Spec.ServiceAccountName)

	require.Equal(t, corev1.RestartPolicyAlways, in.RestartPolicy)
}
