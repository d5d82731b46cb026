//go:build unix

package fakecluster_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue/internal/fakecluster"
)

func shell(script string) func(*batchv1.Job) {
	return func(job *batchv1.Job) {
		job.Spec.Template.Spec.Containers[0].Command = []string{"/bin/sh", "-c", script}
	}
}

// In a command "$$" stands for "$", so a shell's own "$$" is written "$$$$".

// runLocally runs a Job of one local process to its end and returns the ended
// container and its log.
func runLocally(t *testing.T, edit ...func(*batchv1.Job)) (*corev1.ContainerStateTerminated, string) {
	t.Helper()
	c := newCluster(t, fakecluster.Options{LocalProcesses: true})
	create(t, c, newJob("job", edit...))
	ended(t, c, "job")
	pod := podsOf(t, c, "job")[0]
	end := pod.Status.ContainerStatuses[0].State.Terminated
	require.NotNil(t, end)
	if end.Reason == "StartError" {
		return end, ""
	}
	return end, logsOf(t, c, pod.Name, corev1.PodLogOptions{})
}

func TestProcessEnvironmentIsClean(t *testing.T) {
	t.Setenv("KONTINUE_TEST_CANARY", "leaked")
	_, log := runLocally(t, shell(`env | sed 's/=.*//' | sort | grep -v -e '^PWD$' -e '^SHLVL$' -e '^_$' -e '^OLDPWD$'; pwd`), func(job *batchv1.Job) {
		main := &job.Spec.Template.Spec.Containers[0]
		main.Env = []corev1.EnvVar{{Name: "MINE", Value: "1"}}
		main.WorkingDir = "/src/app"
	})
	lines := strings.Split(strings.TrimSpace(log), "\n")
	require.Equal(t, []string{"HOME", "MINE", "PATH", "TERMINATION_MESSAGE_PATH"}, lines[:len(lines)-1])
	require.True(t, strings.HasSuffix(lines[len(lines)-1], "/work/src/app"), lines)
	_, err := os.Stat(lines[len(lines)-1])
	require.ErrorIs(t, err, os.ErrNotExist, "the working directory is removed")
}

func TestProcessArgumentsAreExpanded(t *testing.T) {
	t.Parallel()
	_, log := runLocally(t, func(job *batchv1.Job) {
		main := &job.Spec.Template.Spec.Containers[0]
		main.Command = []string{"printf", "%s|"}
		main.Args = []string{"$(NAME)", "$$(NAME)", "$(UNSET)", "$NAME"}
		main.Env = []corev1.EnvVar{{Name: "NAME", Value: "value"}}
	})
	require.Equal(t, "value|$(NAME)|$(UNSET)|$NAME|", log)
}

func TestProcessEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		edit    func(*batchv1.Job)
		code    int32
		reason  string
		message string
	}{
		"zero":        {shell("exit 0"), 0, "Completed", ""},
		"code":        {shell("exit 7"), 7, "Error", ""},
		"killed":      {shell("kill -9 $$$$"), 137, "Error", ""},
		"terminated":  {shell("kill -15 $$$$"), 143, "Error", ""},
		"message":     {shell(`echo result > "$TERMINATION_MESSAGE_PATH"`), 0, "Completed", "result\n"},
		"no command":  {func(*batchv1.Job) {}, 128, "StartError", `container "main" has no command, and the entrypoint of image "busybox:1" is not known to a cluster that runs local processes: set the command`},
		"not found":   {command("no-such-program"), 128, "StartError", startFailure(`"no-such-program": executable file not found in $PATH`)},
		"not a file":  {command("/no/such/program"), 128, "StartError", startFailure(`"/no/such/program": no such file or directory`)},
		"a directory": {command("/tmp"), 128, "StartError", startFailure(`"/tmp": permission denied`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			end, _ := runLocally(t, tc.edit)
			require.Equal(t, tc.code, end.ExitCode)
			require.Equal(t, tc.reason, end.Reason)
			require.Equal(t, tc.message, end.Message)
		})
	}
}

func command(args ...string) func(*batchv1.Job) {
	return func(job *batchv1.Job) { job.Spec.Template.Spec.Containers[0].Command = args }
}

func startFailure(cause string) string {
	return "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: " +
		"unable to start container process: error during container init: exec: " + cause
}

func TestProcessOutputKeepsItsOrder(t *testing.T) {
	t.Parallel()
	_, log := runLocally(t, shell(`for i in 1 2 3 4 5 6 7 8 9; do echo out$i; echo err$i >&2; done`))
	var want strings.Builder
	for i := 1; i < 10; i++ {
		want.WriteString("out" + strconv.Itoa(i) + "\nerr" + strconv.Itoa(i) + "\n")
	}
	require.Equal(t, want.String(), log)
}

func TestProcessIsStopped(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		script string
		code   int32
	}{
		"at SIGTERM":        {`trap 'echo bye; exit 5' TERM; echo up; while :; do read x < "$PIPE"; done`, 5},
		"at SIGTERM, child": {`echo up; exec tail -f /dev/null`, 143},
		"ignoring SIGTERM":  {`trap '' TERM; echo up; tail -f /dev/null; tail -f /dev/null`, 137},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, fakecluster.Options{LocalProcesses: true})
			pipe := filepath.Join(t.TempDir(), "pipe")
			require.NoError(t, syscall.Mkfifo(pipe, 0o600))
			create(t, c, newJob("job", shell(tc.script), func(job *batchv1.Job) {
				spec := &job.Spec.Template.Spec
				spec.TerminationGracePeriodSeconds = ptr.To[int64](1)
				spec.Containers[0].Env = []corev1.EnvVar{{Name: "PIPE", Value: pipe}}
			}))
			pod := waitPod(t, c, "job", running)
			awaitLog(t, c, pod.Name, "up\n")
			gone := watchEnd(t, c, pod.Name)
			require.NoError(t, c.DeletePod(t.Context(), ns, pod.Name))
			require.Equal(t, tc.code, (<-gone).Status.ContainerStatuses[0].State.Terminated.ExitCode)
		})
	}
}

// awaitLog follows the log until it begins with text.
func awaitLog(t *testing.T, c *fakecluster.Cluster, pod, text string) {
	t.Helper()
	stream, err := c.Clientset().CoreV1().Pods(ns).GetLogs(pod, &corev1.PodLogOptions{Follow: true}).Stream(t.Context())
	require.NoError(t, err)
	defer stream.Close()
	got := make([]byte, len(text))
	for at := 0; at < len(got); {
		n, err := stream.Read(got[at:])
		require.NoError(t, err)
		at += n
	}
	require.Equal(t, text, string(got))
}

func TestNothingOutlivesTheContainer(t *testing.T) {
	t.Parallel()
	// A child in the background holds the log's pipe open; it is killed when its
	// parent, the container, ends.
	_, log := runLocally(t, shell(`tail -f /dev/null & echo $!`))
	pid, err := strconv.Atoi(strings.TrimSpace(log))
	require.NoError(t, err)
	requireGone(t, pid)
}

func TestNothingOutlivesTheCluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t, fakecluster.Options{LocalProcesses: true})
	create(t, c, newJob("job", shell(`tail -f /dev/null & echo $!; wait`)))
	pod := waitPod(t, c, "job", running)
	stream, err := c.Clientset().CoreV1().Pods(ns).GetLogs(pod.Name, &corev1.PodLogOptions{Follow: true}).Stream(t.Context())
	require.NoError(t, err)
	line := make([]byte, 16)
	n, err := stream.Read(line)
	require.NoError(t, err)
	require.NoError(t, stream.Close())
	pid, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	require.NoError(t, err)
	c.Stop()
	requireGone(t, pid)
	require.ErrorIs(t, c.Start(t.Context()), fakecluster.ErrStopped)
}

// requireGone checks that the process has ended. Its new parent may not have reaped it
// yet.
func requireGone(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		if syscall.Kill(pid, 0) != nil {
			return true
		}
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return err == nil && strings.Contains(string(stat), ") Z ")
	}, 5*time.Second, 10*time.Millisecond)
}

func TestManyProcesses(t *testing.T) {
	t.Parallel()
	c := newCluster(t, fakecluster.Options{LocalProcesses: true})
	create(t, c, newJob("job", shell("echo $JOB_COMPLETION_INDEX"), indexed(20)))
	job := ended(t, c, "job")
	require.EqualValues(t, 20, job.Status.Succeeded)
	for _, pod := range podsOf(t, c, "job") {
		require.Equal(t, pod.Annotations[batchv1.JobCompletionIndexAnnotation]+"\n", logsOf(t, c, pod.Name, corev1.PodLogOptions{}))
	}
}

func TestMuchOutputIsBounded(t *testing.T) {
	t.Parallel()
	opts := fakecluster.Options{LocalProcesses: true}
	opts.Kubelet.LogLimit = 64 << 10
	c := newCluster(t, opts)
	create(t, c, newJob("job", shell("seq 1 100000")))
	ended(t, c, "job")
	log := logsOf(t, c, podsOf(t, c, "job")[0].Name, corev1.PodLogOptions{})
	require.LessOrEqual(t, len(log), 64<<10)
	require.Greater(t, len(log), 60<<10)
	require.True(t, strings.HasSuffix(log, "\n99999\n100000\n"))
}

// TestProcessRunsMountedFile: a word of the command that is the path of a file in a volume
// becomes that of a copy.
func TestProcessRunsMountedFile(t *testing.T) {
	t.Parallel()
	c := newCluster(t, fakecluster.Options{LocalProcesses: true})
	createSecret(t, c, "creds", map[string]string{"token": "echo from the file"})
	create(t, c, newJob("job", mountSecret, func(job *batchv1.Job) {
		job.Spec.Template.Spec.Containers[0].Command = []string{"/bin/sh", "/run/a/b"}
	}))
	require.Equal(t, "Complete/CompletionsReached", outcome(ended(t, c, "job")))
	require.Equal(t, "from the file\n", logsOf(t, c, podsOf(t, c, "job")[0].Name, corev1.PodLogOptions{}))
}
