package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// runner runs kontinue run on a cluster.
type runner struct{ kubeconfig string }

func newRunner(t *testing.T) runner {
	t.Helper()
	_, kubeconfig, _ := dev(t)
	return runner{kubeconfig}
}

// begin starts a run. Its flags and the words of its command are separated by spaces.
func (r runner) begin(t *testing.T, flags, script string) *program {
	t.Helper()
	args := slices.Concat([]string{"run", "--kubeconfig", r.kubeconfig, "--image", "busybox"}, strings.Fields(flags), []string{"--", "sh", "-c", script})
	return begin(t, args...)
}

// run runs to its end.
func (r runner) run(t *testing.T, flags, script string) (code int, out, errOut string) {
	t.Helper()
	p := r.begin(t, flags, script)
	out, code = p.end(t)
	return code, out, p.errOut.String()
}

func (r runner) jobs(t *testing.T) []batchv1.Job {
	t.Helper()
	list, err := clientOf(t, r.kubeconfig).BatchV1().Jobs("default").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	return list.Items
}

// TestRun: the log is the output, states are on stderr, and the exit code is the
// container's. The same call returns the recorded result.
func TestRun(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	release := filepath.Join(t.TempDir(), "go")
	script := "echo out; echo err >&2; until [ -e " + release + " ]; do sleep 0.05; done; exit 7"
	p := r.begin(t, "--name a", script)
	require.ElementsMatch(t, []string{"out", "err"}, []string{p.line(t), p.line(t)})
	runs := regexp.MustCompile(`(?m)^default/a: Running in pod a-step-1-\S+$`)
	require.Eventually(t, func() bool { return runs.MatchString(p.errOut.String()) }, time.Minute, time.Millisecond)
	require.NoError(t, os.WriteFile(release, nil, 0o600))
	out, code := p.end(t)
	require.Equal(t, 7, code)
	require.Empty(t, out)
	errOut := p.errOut.String()
	require.Regexp(t, `default/a: failed: job default/a-step-1-\w+ failed: .* exit code 7`, errOut)
	require.NotContains(t, errOut, "\x1b", "no control sequences where there is no terminal")

	code, out, errOut = r.run(t, "--name a", script)
	require.Equal(t, 7, code)
	require.ElementsMatch(t, []string{"out", "err"}, strings.Fields(out))
	require.Regexp(t, `^default/a: failed at \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ: .*\ndefault/a: this is the recorded result; --retry runs it again\n$`, errOut)
	_, out, _ = r.run(t, "--name a --tail 1", script)
	require.Len(t, strings.Fields(out), 1)
	_, out, _ = r.run(t, "--name a --tail 0", script)
	require.Empty(t, out)
	require.Len(t, r.jobs(t), 1)

	code, out, errOut = r.run(t, "", "echo unnamed")
	require.Zero(t, code)
	require.Equal(t, "unnamed\n", out)
	require.Regexp(t, `default/run-\w{5}: succeeded\n$`, errOut)
}

// TestRunRetry: a run that has failed runs again when that is asked for, one that has
// succeeded does not, and the newest run is the one that counts.
func TestRunRetry(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	file := filepath.Join(t.TempDir(), "runs")
	script := "echo x >>" + file + "; test $(wc -l <" + file + ") -ge 3"
	for _, tc := range []struct {
		flags string
		code  int
		runs  int
	}{
		{"--name a", 1, 1},
		{"--name a", 1, 1},
		{"--name a --retry", 1, 2},
		{"--name a", 1, 2},
		{"--name a --retry", 0, 3},
		{"--name a --retry", 0, 3},
		{"--name a", 0, 3},
	} {
		code, _, errOut := r.run(t, tc.flags, script)
		require.Equal(t, tc.code, code, errOut)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, tc.runs, strings.Count(string(text), "x"), "%+v", tc)
	}
}

// TestRunDrift: a name stands for one command.
func TestRunDrift(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	code, _, errOut := r.run(t, "--name a --env PASSWORD=hush", "exit 0")
	require.Zero(t, code, errOut)
	require.NotContains(t, errOut, "hush")
	for _, tc := range []struct{ flags, script, want string }{
		{"--name a --env PASSWORD=hush", "echo secret", "template.spec.containers[0].command"},
		{"--name a --env PASSWORD=shout", "exit 0", "template.spec.containers[0].env[PASSWORD].value"},
		{"--name a --env PASSWORD=hush --service-account other", "exit 0", "template.spec.serviceAccountName"},
	} {
		code, out, errOut := r.run(t, tc.flags, tc.script)
		require.Equal(t, exitFailed, code)
		require.Empty(t, out)
		require.Contains(t, errOut, "error: the run default/a was made from other options; repeat that call to return to it, choose another --name, or delete it with: kubectl delete configmap a --namespace default\n\t"+tc.want)
		for _, secret := range []string{"hush", "shout", "secret"} {
			require.NotContains(t, errOut, secret)
		}
	}
}

// TestRunEnv: variables come from the flags or from the environment of the call.
func TestRunEnv(t *testing.T) {
	t.Setenv("KONTINUE_TEST_HERE", "here=it is")
	r := newRunner(t)
	_, out, errOut := r.run(t, "--env A=1=2 --env KONTINUE_TEST_HERE -e EMPTY=", `echo "$A,$KONTINUE_TEST_HERE,$EMPTY."`)
	require.Equal(t, "1=2,here=it is,.\n", out, errOut)
	require.NotContains(t, errOut, "here=it is")
}

// TestRunRemove: --rm leaves nothing behind, also of a run that fails.
func TestRunRemove(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	client := clientOf(t, r.kubeconfig)
	for _, script := range []string{"exit 0", "exit 1"} {
		jobs, err := client.BatchV1().Jobs("default").Watch(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		code, _, errOut := r.run(t, "--name a --rm", script)
		require.Equal(t, script, "exit "+string(rune('0'+code)), errOut)
		for event := range jobs.ResultChan() {
			if event.Type == "DELETED" {
				break
			}
		}
		jobs.Stop()
		list, err := client.CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{LabelSelector: ownerLabel + "=" + ownerValue})
		require.NoError(t, err)
		require.Empty(t, list.Items)
	}
}

// TestRunRefuses: what cannot work fails with 125, says why, and leaves nothing behind.
func TestRunRefuses(t *testing.T) {
	r := newRunner(t)
	client := clientOf(t, r.kubeconfig)
	_, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	for name, tc := range map[string]struct{ args, want string }{
		"no image":              {"run", "--image is required"},
		"no dash":               {"run --image busybox echo hello", "put -- before the command: kontinue run -- COMMAND [ARG...]"},
		"name":                  {"run --image busybox --name A_B", `--name "A_B": a lowercase RFC 1123 subdomain`},
		"timeout":               {"run --image busybox --timeout -1s", "--timeout -1s is negative"},
		"tail":                  {"run --image busybox --tail -2", "--tail -2: want a number of lines"},
		"retry without a name":  {"run --image busybox --retry", "--retry needs the --name"},
		"name of a variable":    {"run --image busybox --env =hush", "--env : a valid environment variable name"},
		"variable that is none": {"run --image busybox --env KONTINUE_TEST_NONE", "--env KONTINUE_TEST_NONE: it is not set here; pass KONTINUE_TEST_NONE=VALUE"},
		"foreign ConfigMap":     {"run --image busybox --name settings", "configmap default/settings exists, and is not that of a run"},
		"no namespace":          {"run --image busybox --name a -n nowhere", `namespaces "nowhere" not found`},
		"no context":            {"run --image busybox --context nowhere", `context "nowhere" does not exist`},
		"no kubeconfig":         {"run --image busybox --kubeconfig /no/such/file", "/no/such/file"},
		"no server":             {"run --image busybox --server https://127.0.0.1:1", "connection refused"},
		"no rights":             {"run --image busybox --token guess", "Unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			words := strings.Fields(tc.args)
			if !slices.Contains(words, "--kubeconfig") {
				words = slices.Insert(words, 1, "--kubeconfig", r.kubeconfig)
			}
			p := begin(t, words...)
			out, code := p.end(t)
			require.Equal(t, exitFailed, code, out)
			require.Empty(t, out)
			require.Contains(t, p.errOut.String(), tc.want)
			require.NotContains(t, p.errOut.String(), "hush")
		})
	}
	require.Empty(t, r.jobs(t))
}

// TestRunWithoutExitCode: a failure without a container's exit code is 125.
func TestRunWithoutExitCode(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	code, _, errOut := r.run(t, "--name a --service-account none --timeout 1s", "exit 0")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, `serviceaccount "none" not found`)
}

// TestRunForbidden: of a Job that the cluster refuses, nothing stays.
func TestRunForbidden(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	client := clientOf(t, r.kubeconfig)
	_, err := client.CoreV1().ResourceQuotas("default").Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "none"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/jobs.batch": resource.MustParse("0")}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	code, _, errOut := r.run(t, "--name a", "exit 0")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "exceeded quota: none")
	_, err = client.CoreV1().ConfigMaps("default").Get(t.Context(), "a", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)
}

// TestRunRetryWithOtherOptions: a run that has failed is corrected under its name, and one
// that has succeeded is not replaced.
func TestRunRetryWithOtherOptions(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	code, _, _ := r.run(t, "--name a", "exit 1")
	require.Equal(t, 1, code)
	code, out, errOut := r.run(t, "--name a --retry", "echo corrected")
	require.Zero(t, code, errOut)
	require.Equal(t, "corrected\n", out)
	code, _, errOut = r.run(t, "--name a --retry", "exit 1")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errOut, "was made from other options")
}
