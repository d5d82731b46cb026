package scenarios

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// endings returns scenarios for the ways in which a single container ends.
func endings() []*Scenario {
	oom := func(name, shows, command string, exit containers.Exit) *Scenario {
		s := &Scenario{
			Name: name, Shows: shows,
			Pod:  &kontinue.PodOptions{Spec: pod(withMemory(container("main", command), "24Mi"))},
			Play: play(containers.Script{Run: time.Second, Exit: exit}),
			Want: podFails(WantExit{Container: "main", AnyCode: true, Reason: "OOMKilled", Is: kontinue.ErrOOMKilled}, `container "main" was OOMKilled (out of memory)`),
		}
		if exit.Code != 137 {
			// The parent shell reports how its child ended.
			script := s.Play["main"]
			script.Log = []containers.LogLine{{Text: "Killed"}}
			s.Play["main"] = script
		}
		if exit.Code == 0 {
			// The kernel kills one process or, with memory.oom.group, all of the container.
			s.Want.Pods[0].Phase = anyEnd
		}
		return s
	}
	return []*Scenario{
		{
			Name: "success", Shows: "the container exits with code 0",
			Pod:  podOf("echo done"),
			Want: podSucceeds(),
		},
		{
			Name: "script", Shows: "RunScript runs a command with dollars and quotes unchanged",
			Script: &kontinue.ScriptOptions{Image: Image, Command: `x="it's $(echo fine)"; [ $$ -gt 0 ] && echo "$x"`},
			Want:   podSucceeds(),
			After: func(_ context.Context, r *Run) error {
				return r.wantLogs(nil, "it's fine\n")
			},
		},
		{
			Name: "exit-code", Shows: "the container exits with code 3",
			Pod:  podOf("echo one; echo two; exit 3"),
			Want: podFails(WantExit{Container: "main", Code: 3, Reason: "Error"}, `container "main" failed: exit code 3`),
		},
		{
			Name: "exit-code-of-job", Shows: "the only pod of a RunJob exits with code 4",
			Job: jobOf("exit 4", nil),
			Want: Want{FailedPods: 1, Pods: pods(1, failed), Message: []string{"BackoffLimitExceeded", `container "main" failed: exit code 4`},
				Exit: &WantExit{Container: "main", Code: 4, Reason: "Error"}},
		},
		{
			Name: "signal-kill", Shows: "the container exits with the exit code of a child that SIGKILL ended",
			Pod:  podOf("sh -c 'kill -9 $$'; exit $?"),
			Want: podFails(WantExit{Container: "main", Code: 137, Signal: 9, Reason: "Error"}, "SIGKILL"),
		},
		{
			Name: "signal-term", Shows: "the container's first process kills itself with SIGTERM",
			Needs: []Capability{SharedProcesses},
			Pod: &kontinue.PodOptions{Spec: change(pod(container("main", "kill -TERM $$; sleep 10")), func(s *corev1.PodSpec) {
				s.ShareProcessNamespace = new(true)
			})},
			Want: podFails(WantExit{Container: "main", Code: 143, Signal: 15, Reason: "Error"}, "SIGTERM"),
		},
		oom("oom", "the container's first process exceeds its memory limit",
			"x=x; while true; do x=$x$x; done", containers.Exit{Code: 137, Reason: "OOMKilled"}),
		oom("oom-child-exit-1", "a child process is OOM-killed, and its parent exits with code 1",
			"sh -c 'x=x; while true; do x=$x$x; done'; sleep 1; exit 1", containers.Exit{Code: 1, Reason: "OOMKilled"}),
		oom("oom-child-exit-0", "a child process is OOM-killed, and its parent exits with code 0",
			"sh -c 'x=x; while true; do x=$x$x; done'; sleep 1; exit 0", containers.Exit{Code: 0, Reason: "OOMKilled"}),
		{
			Name: "command-missing", Shows: "the container's command does not exist",
			Pod: &kontinue.PodOptions{Spec: pod(with(container("main", ""), func(c *corev1.Container) {
				c.Command = []string{"/no/such/program"}
			}))},
			Want: podFails(WantExit{Container: "main", Code: 128, Reason: "StartError", Is: kontinue.ErrStartError, Class: kontinue.ClassConfig}, "StartError", "/no/such/program"),
		},
		{
			Name: "termination-message", Shows: "the end of a failed container's log is in the result",
			Pod:  podOf("echo begin; echo 'cannot open the ledger'; exit 1"),
			Want: podFails(WantExit{Container: "main", Code: 1, Reason: "Error"}, "exit code 1: cannot open the ledger"),
		},
	}
}

// anyEnd stands for Succeeded or Failed in a WantPod.
const anyEnd corev1.PodPhase = "Succeeded or Failed"

func withMemory(c corev1.Container, limit string) corev1.Container {
	return with(c, func(c *corev1.Container) {
		c.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(limit)}
	})
}

// change returns a changed copy of a pod spec.
func change(s corev1.PodSpec, f func(s *corev1.PodSpec)) corev1.PodSpec {
	f(&s)
	return s
}
