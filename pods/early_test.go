package pods_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/pods"
)

// template returns the spec of a pod template with the containers of the given pod.
func template(options ...option) *corev1.PodSpec { return &pod("", options...).Spec }

func policyOf(name string, policy corev1.ContainerRestartPolicy, rules ...corev1.ContainerRestartRule) option {
	return func(p *corev1.Pod) {
		for _, list := range [][]corev1.Container{p.Spec.InitContainers, p.Spec.Containers} {
			for i := range list {
				if list[i].Name == name {
					list[i].RestartPolicyRules = rules
					if policy != "" {
						list[i].RestartPolicy = &policy
					}
				}
			}
		}
	}
}

// TestVerdict is the rule, case by case: each differs in one thing from a pod that
// succeeds.
func TestVerdict(t *testing.T) {
	t.Parallel()
	done, failed := exited(0, "Completed", 5, ""), exited(3, "Error", 5, "")
	plain := func() pods.Early { return pods.Early{Template: template(mainC("main", done))} }
	with := func(change func(*pods.Early)) pods.Early {
		e := plain()
		change(&e)
		return e
	}
	of := func(options ...option) pods.Early { return pods.Early{Template: template(options...)} }
	for name, tc := range map[string]struct {
		early pods.Early
		pod   *corev1.Pod
		want  pods.Verdict
	}{
		"container has ended":            {plain(), pod("Running", mainC("main", done)), pods.Succeeding},
		"before the kubelet said so":     {plain(), pod("Pending", mainC("main", done)), pods.Succeeding},
		"no pod":                         {plain(), nil, pods.Undecided},
		"no template":                    {pods.Early{}, pod("Running", mainC("main", done)), pods.Undecided},
		"still running":                  {plain(), pod("Running", mainC("main", running())), pods.Undecided},
		"no status":                      {plain(), pod("Running", mainC("main", done), noStatus), pods.Undecided},
		"failed":                         {plain(), pod("Running", mainC("main", failed)), pods.Failing},
		"out of memory with exit code 0": {plain(), pod("Running", mainC("main", exited(0, "OOMKilled", 5, ""))), pods.Failing},
		"phase Succeeded":                {plain(), pod("Succeeded", mainC("main", done)), pods.Succeeded},
		"phase Failed":                   {plain(), pod("Failed", mainC("main", failed)), pods.Failed},
		"evicted":                        {plain(), pod("Failed", mainC("main", done), reason("Evicted", "disk")), pods.Failed},
		"node lost":                      {plain(), pod("Running", mainC("main", done), reason("NodeLost", "")), pods.Undecided},
		"preempted":                      {plain(), pod("Running", mainC("main", done), condition(corev1.DisruptionTarget, "True", "PreemptionByScheduler", "")), pods.Undecided},
		"not disrupted after all":        {plain(), pod("Running", mainC("main", done), condition(corev1.DisruptionTarget, "False", "", "")), pods.Succeeding},

		"pod is being deleted":          {plain(), pod("Running", mainC("main", done), deleting), pods.Undecided},
		"ended and is being deleted":    {plain(), pod("Failed", mainC("main", failed), deleting), pods.Undecided},
		"pod has a deadline":            {plain(), pod("Running", mainC("main", done), func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = new(int64(9)) }), pods.Undecided},
		"Job is contested":              {with(func(e *pods.Early) { e.Contested = true }), pod("Failed", mainC("main", failed)), pods.Undecided},
		"Job tries again":               {with(func(e *pods.Early) { e.BackoffLimit = 1 }), pod("Failed", mainC("main", failed)), pods.Undecided},
		"ended before the deadline":     {with(func(e *pods.Early) { e.Deadline = at(6).Time }), pod("Running", mainC("main", done)), pods.Succeeding},
		"ended at the deadline":         {with(func(e *pods.Early) { e.Deadline = at(5).Time }), pod("Running", mainC("main", done)), pods.Undecided},
		"failed at the deadline":        {with(func(e *pods.Early) { e.Deadline = at(5).Time }), pod("Failed", mainC("main", failed)), pods.Undecided},
		"restartPolicy OnFailure":       {plain(), pod("Running", mainC("main", done), func(p *corev1.Pod) { p.Spec.RestartPolicy = "OnFailure" }), pods.Undecided},
		"OnFailure in the template":     {of(mainC("main", done), func(p *corev1.Pod) { p.Spec.RestartPolicy = "OnFailure" }), pod("Running", mainC("main", done)), pods.Undecided},
		"container may be restarted":    {plain(), pod("Running", mainC("main", done), policyOf("main", "OnFailure")), pods.Undecided},
		"container's own Never":         {plain(), pod("Running", mainC("main", done), policyOf("main", "Never")), pods.Succeeding},
		"restart rules":                 {plain(), pod("Running", mainC("main", done), policyOf("main", "Never", corev1.ContainerRestartRule{Action: "Restart"})), pods.Undecided},
		"an injected one restarts all":  {plain(), pod("Running", mainC("main", done), mainC("mesh", running()), policyOf("mesh", "Never", corev1.ContainerRestartRule{Action: "RestartAllContainers"})), pods.Undecided},
		"an init container is retried":  {of(initC("fetch", done), mainC("main", done)), pod("Running", initC("fetch", done), mainC("main", done), policyOf("fetch", "OnFailure")), pods.Undecided},
		"init containers":               {of(initC("fetch", done), mainC("main", done)), pod("Running", initC("fetch", done), mainC("main", done)), pods.Succeeding},
		"init container failed":         {of(initC("fetch", done), mainC("main", done)), pod("Pending", initC("fetch", failed), mainC("main", waiting("PodInitializing", ""))), pods.Undecided},
		"first of two":                  {of(mainC("a", done), mainC("b", done)), pod("Running", mainC("a", done), mainC("b", running())), pods.Undecided},
		"both of two":                   {of(mainC("a", done), mainC("b", done)), pod("Running", mainC("a", done), mainC("b", done)), pods.Succeeding},
		"one of two failed":             {of(mainC("a", done), mainC("b", done)), pod("Running", mainC("a", failed), mainC("b", done)), pods.Failing},
		"the user's sidecar":            {of(sidecarC("flush", running()), mainC("main", done)), pod("Running", sidecarC("flush", running()), mainC("main", done)), pods.Undecided},
		"the user's sidecar has ended":  {of(sidecarC("flush", running()), mainC("main", done)), pod("Succeeded", sidecarC("flush", done), mainC("main", done)), pods.Undecided},
		"an injected sidecar":           {plain(), pod("Running", sidecarC("mesh", running()), mainC("main", done)), pods.Succeeding},
		"an injected container":         {plain(), pod("Running", mainC("mesh", running()), mainC("main", done)), pods.Succeeding},
		"an injected one failed":        {plain(), pod("Running", mainC("mesh", failed), mainC("main", done)), pods.Failing},
		"failed beside an injected one": {plain(), pod("Running", mainC("mesh", running()), mainC("main", failed)), pods.Failing},
		"renamed by admission":          {plain(), pod("Running", mainC("other", done)), pods.Undecided},
		"one of two was removed":        {of(mainC("a", done), mainC("b", done)), pod("Running", mainC("a", done)), pods.Undecided},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := tc.pod.DeepCopy()
			require.Equal(t, tc.want, tc.early.Verdict(tc.pod))
			require.Equal(t, before, tc.pod, "the pod is shared")
		})
	}
}

// kubeletPhase is the phase that a kubelet derives for a pod with restartPolicy Never when
// all its containers have ended.
func kubeletPhase(p *corev1.Pod) corev1.PodPhase {
	for _, list := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
		for _, s := range list {
			if s.Name[0] != 's' && s.State.Terminated.ExitCode != 0 {
				return corev1.PodFailed
			}
		}
	}
	return corev1.PodSucceeded
}

// TestVerdictHolds ends the containers of random pods one by one. A verdict holds to the
// end, comes with the last submitted container and not later, and is what the kubelet
// makes of the pod, unless a container fails that was injected and still ran.
func TestVerdictHolds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		rnd := rand.New(rand.NewPCG(seed, 15))
		var submitted, all []option
		var names []string
		add := func(name string, kind func(string, corev1.ContainerState) option, own bool) {
			all = append(all, kind(name, running()))
			names = append(names, name)
			if own {
				submitted = append(submitted, kind(name, running()))
			}
		}
		for i := range rnd.IntN(2) {
			add(fmt.Sprint("s-mesh", i), sidecarC, false)
		}
		for i := range 1 + rnd.IntN(4) {
			add(fmt.Sprint("main", i), mainC, i == 0 || rnd.IntN(2) == 0)
		}
		early := pods.Early{Template: template(submitted...)}
		p := pod(corev1.PodRunning, all...)
		own := map[string]bool{}
		for _, name := range pods.Names(early.Template) {
			own[name] = true
		}
		left, first, failed, late := len(own), pods.Undecided, false, false
		for i, at := range rnd.Perm(len(names)) {
			name, code := names[at], int32(0)
			if rnd.IntN(4) == 0 {
				code = 1 + rnd.Int32N(255)
			}
			late = late || first == pods.Succeeding && code != 0 && name[0] != 's'
			failed = failed || code != 0 && name[0] != 's'
			for _, list := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
				for j := range list {
					if list[j].Name == name {
						list[j].State = exited(code, "", 2+i, "")
					}
				}
			}
			if own[name] {
				left--
			}
			got := early.Verdict(p)
			switch {
			case left > 0:
				require.Equal(t, pods.Undecided, got, "seed %d", seed)
			case first == pods.Undecided:
				first = got
				require.Equal(t, map[bool]pods.Verdict{true: pods.Failing, false: pods.Succeeding}[failed], got, "seed %d", seed)
			case !late:
				require.Equal(t, first, got, "seed %d", seed)
			}
		}
		p.Status.Phase = kubeletPhase(p)
		want := map[corev1.PodPhase][2]pods.Verdict{
			corev1.PodSucceeded: {pods.Succeeding, pods.Succeeded}, corev1.PodFailed: {pods.Failing, pods.Failed},
		}[p.Status.Phase]
		if !late {
			require.Equal(t, want[0], first, "seed %d", seed)
		}
		require.Equal(t, want[1], early.Verdict(p), "seed %d", seed)
	}
}

// TestInjectedContainersDoNotDecide: of a pod in phase Succeeded they do not count, and a
// failure names a container that was submitted.
func TestInjectedContainersDoNotDecide(t *testing.T) {
	t.Parallel()
	p := pod(corev1.PodSucceeded, mainC("mesh", running()), mainC("main", exited(0, "Completed", 5, "")))
	o := pods.Inspect(p).MarkInjected([]string{"main"})
	require.True(t, o.Succeeded())
	require.True(t, o.HeldOpen())
	require.False(t, pods.Inspect(p).Succeeded(), "it is not known to be injected")
	require.False(t, pods.Inspect(p).MarkInjected([]string{"other"}).HeldOpen(), "made from another spec")

	p = pod(corev1.PodFailed, mainC("mesh", exited(1, "Error", 4, "")), mainC("main", exited(3, "Error", 4, "")))
	first, ok := pods.Inspect(p).MarkInjected([]string{"main"}).FirstFailure()
	require.True(t, ok)
	require.Equal(t, "main", first.Name)
}
