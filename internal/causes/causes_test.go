package causes_test

import (
	"cmp"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/causes"
	"github.com/kontinue/kontinue/pods"
)

// want is what a failure has to be.
type want struct {
	class causes.Class
	errs  []error // the first is that of the row
}

func is(class causes.Class, errs ...error) want { return want{class, errs} }

var (
	start = metav1.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	later = metav1.NewTime(start.Add(time.Minute))
)

// container is the state of one container.
func ended(code int32, reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: reason, Message: message, StartedAt: start, FinishedAt: later,
	}}
}

func waits(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

// pod returns the outcome of a pod with one container in that state.
func pod(phase corev1.PodPhase, state corev1.ContainerState, change ...func(*corev1.Pod)) pods.Outcome {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "u"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main"}}},
		Status: corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{
			{Name: "main", Image: "alpine:3", State: state},
		}},
	}
	for _, c := range change {
		c(p)
	}
	return pods.Inspect(p)
}

func status(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.Reason, p.Status.Message = reason, message }
}

func condition(kind corev1.PodConditionType, status corev1.ConditionStatus, reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: kind, Status: status, Reason: reason, Message: message})
	}
}

func disrupted(reason string) func(*corev1.Pod) {
	return condition(corev1.DisruptionTarget, corev1.ConditionTrue, reason, "")
}

// initContainer moves the container to the init containers.
func initContainer(p *corev1.Pod) {
	p.Spec.InitContainers, p.Status.InitContainerStatuses = p.Spec.Containers, p.Status.ContainerStatuses
	p.Spec.Containers, p.Status.ContainerStatuses = []corev1.Container{{Name: "other"}}, []corev1.ContainerStatus{{Name: "other", State: waits("PodInitializing", "")}}
}

func previous(code int32, reason string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0].LastTerminationState = ended(code, reason, "")
		p.Status.ContainerStatuses[0].RestartCount = 3
	}
}

// deletedBefore lets the deletion of the pod begin before its container ended.
func deletedBefore(p *corev1.Pod) { p.DeletionTimestamp = &start }

// gone marks the last state of a pod that is deleted.
func gone(o pods.Outcome) pods.Outcome { o.Deleted = true; return o }

func inject(o pods.Outcome) pods.Outcome { o.Containers[0].Injected = true; return o }

// running is the state of a container that runs.
var running = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: start}}

// backoff is how a Job of one pod ends when it fails, and deadline when it was too slow.
var (
	backoff  = pods.JobEnd{Failed: true, Reason: "BackoffLimitExceeded", Message: "Job has reached the specified backoff limit"}
	deadline = pods.JobEnd{Failed: true, Reason: "DeadlineExceeded", Message: "Job was active longer than specified deadline"}
)

// The ends of pods, in the words of kubelets, runtimes, schedulers and controllers.
func TestPods(t *testing.T) {
	t.Parallel()
	failed, pending := corev1.PodFailed, corev1.PodPending
	none := corev1.ContainerState{}
	quota := "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. Container main was using 2Gi, request is 1Gi, has larger consumption of memory. "
	for name, tc := range map[string]struct {
		pod    pods.Outcome
		reason string
		want   want
	}{
		"exit code":                 {pod(failed, ended(3, "Error", "")), "Error", is(causes.User)},
		"exit code without reason":  {pod(failed, ended(3, "", "")), "Error", is(causes.User)},
		"command not found":         {pod(failed, ended(127, "Error", "sh: x: not found")), "Error", is(causes.User)},
		"SIGKILL":                   {pod(failed, ended(137, "Error", "")), "Error", is(causes.User)},
		"a reason of a new runtime": {pod(failed, ended(1, "Strange", "")), "Strange", is(causes.User)},
		"OOM":                       {pod(failed, ended(137, "OOMKilled", "")), "OOMKilled", is(causes.User, causes.ErrOOMKilled)},
		"OOM of a child, exit 0":    {pod(corev1.PodSucceeded, ended(0, "OOMKilled", "")), "OOMKilled", is(causes.User, causes.ErrOOMKilled)},
		"OOM of a child, exit 1":    {pod(failed, ended(1, "OOMKilled", "")), "OOMKilled", is(causes.User, causes.ErrOOMKilled)},
		"OOM of an init container":  {pod(failed, ended(137, "OOMKilled", ""), initContainer), "OOMKilled", is(causes.User, causes.ErrOOMKilled, causes.ErrInitContainer)},
		"OOM again and again":       {pod(corev1.PodRunning, waits("CrashLoopBackOff", ""), previous(137, "OOMKilled")), "OOMKilled", is(causes.User, causes.ErrOOMKilled)},
		"fails again and again":     {pod(corev1.PodRunning, waits("CrashLoopBackOff", ""), previous(1, "Error")), "CrashLoopBackOff", is(causes.User)},
		"OOM, and evicted": {
			pod(failed, ended(137, "OOMKilled", ""), status("Evicted", quota), disrupted("TerminationByKubelet")),
			"Evicted", is(causes.Infrastructure, causes.ErrEvicted, causes.ErrOOMKilled),
		},
		"init container":            {pod(failed, ended(1, "Error", ""), initContainer), "Error", is(causes.User, causes.ErrInitContainer)},
		"image of init container":   {pod(pending, waits("ErrImagePull", "not found"), initContainer), "ErrImagePull", is(causes.Config, causes.ErrImagePull, causes.ErrInitContainer)},
		"command cannot be started": {pod(failed, ended(128, "StartError", `exec: "/no/such/program": stat /no/such/program: no such file or directory`)), "StartError", is(causes.Config, causes.ErrStartError)},
		"the same with Docker":      {pod(failed, ended(127, "ContainerCannotRun", "")), "ContainerCannotRun", is(causes.Config, causes.ErrStartError)},
		"lost by the kubelet":       {pod(failed, ended(137, "ContainerStatusUnknown", "")), "ContainerStatusUnknown", is(causes.Infrastructure, causes.ErrNodeLost)},
		"lost by containerd":        {pod(failed, ended(255, "Unknown", "")), "Unknown", is(causes.Infrastructure, causes.ErrNodeLost)},

		"no such image": {
			pod(pending, waits("ErrImagePull", `failed to pull and unpack image "docker.io/library/alpin:3": failed to resolve reference: pull access denied, repository does not exist or may require authorization`)),
			"ErrImagePull", is(causes.Config, causes.ErrImagePull),
		},
		"no such image, backing off": {
			pod(pending, waits("ImagePullBackOff", `Back-off pulling image "x": ErrImagePull: rpc error: code = NotFound desc = not found`)), "ImagePullBackOff", is(causes.Config, causes.ErrImagePull),
		},
		"registry is overloaded": {
			pod(pending, waits("ImagePullBackOff", `Back-off pulling image "x": ErrImagePull: unexpected status from HEAD request: 429 Too Many Requests`)),
			"ImagePullBackOff", is(causes.Infrastructure, causes.ErrImagePull),
		},
		"registry does not answer": {pod(pending, waits("ErrImagePull", "dial tcp 10.0.0.1:443: i/o timeout")), "ErrImagePull", is(causes.Infrastructure, causes.ErrImagePull)},
		"registry is unavailable":  {pod(pending, waits("RegistryUnavailable", "image pull failed")), "RegistryUnavailable", is(causes.Infrastructure, causes.ErrImagePull)},
		"image cannot be read":     {pod(pending, waits("ImageInspectError", "")), "ImageInspectError", is(causes.Infrastructure, causes.ErrImagePull)},
		"invalid image name":       {pod(pending, waits("InvalidImageName", "couldn't parse image name")), "InvalidImageName", is(causes.Config, causes.ErrImagePull)},
		"image is not to be pulled": {
			pod(pending, waits("ErrImageNeverPull", `Container image "x" is not present with pull policy of Never`)), "ErrImageNeverPull", is(causes.Config, causes.ErrImagePull),
		},
		"signature":    {pod(pending, waits("SignatureValidationFailed", "")), "SignatureValidationFailed", is(causes.Config, causes.ErrImagePull)},
		"image volume": {pod(pending, waits("ImageVolumeMountFailed", "")), "ImageVolumeMountFailed", is(causes.Config, causes.ErrImagePull)},

		"no such secret":                     {pod(pending, waits("CreateContainerConfigError", `secret "credentials" not found`)), "CreateContainerConfigError", is(causes.Config, causes.ErrConfig)},
		"read-only mounts":                   {pod(pending, waits("RROUnsupported", "")), "RROUnsupported", is(causes.Config, causes.ErrConfig)},
		"create fails":                       {pod(pending, waits("CreateContainerError", `invalid mount path`)), "CreateContainerError", is(causes.Config, causes.ErrStartError)},
		"create is slow":                     {pod(pending, waits("CreateContainerError", `context deadline exceeded`)), "CreateContainerError", is(causes.Infrastructure, causes.ErrStartError)},
		"run fails":                          {pod(pending, waits("RunContainerError", `exec: "x": executable file not found in $PATH`)), "RunContainerError", is(causes.Config, causes.ErrStartError)},
		"hook fails":                         {pod(pending, waits("PostStartHookError", "")), "PostStartHookError", is(causes.Config, causes.ErrStartError)},
		"hook fails early":                   {pod(pending, waits("PreStartHookError", "")), "PreStartHookError", is(causes.Config, causes.ErrStartError)},
		"create hook fails":                  {pod(pending, waits("PreCreateHookError", "")), "PreCreateHookError", is(causes.Config, causes.ErrStartError)},
		"sandbox fails":                      {pod(pending, waits("CreatePodSandboxError", "")), "CreatePodSandboxError", is(causes.Infrastructure, causes.ErrStartError)},
		"waits for reasons of a new kubelet": {pod(pending, waits("StrangeError", "")), "StrangeError", is(causes.Config, causes.ErrStartError)},

		"no room": {
			pod(pending, none, condition(corev1.PodScheduled, corev1.ConditionFalse, "Unschedulable", "0/3 nodes are available: 3 Insufficient cpu.")),
			"Unschedulable", is(causes.Capacity, causes.ErrUnschedulable),
		},
		"no such claim": {
			pod(pending, none, condition(corev1.PodScheduled, corev1.ConditionFalse, "Unschedulable", `0/3 nodes are available: persistentvolumeclaim "data" not found.`)),
			"Unschedulable", is(causes.Config, causes.ErrUnschedulable, causes.ErrConfig),
		},
		"gated": {
			pod(pending, none, condition(corev1.PodScheduled, corev1.ConditionFalse, "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates")),
			"SchedulingGated", is(causes.Capacity, causes.ErrUnschedulable),
		},
		"scheduler fails":       {pod(pending, none, condition(corev1.PodScheduled, corev1.ConditionFalse, "SchedulerError", "")), "SchedulerError", is(causes.Infrastructure, causes.ErrUnschedulable)},
		"scheduler of others":   {pod(pending, none, condition(corev1.PodScheduled, corev1.ConditionFalse, "QueueIsFull", "")), "QueueIsFull", is(causes.Capacity, causes.ErrUnschedulable)},
		"no room on the node":   {pod(failed, none, status("OutOfcpu", "Node didn't have enough resource: cpu, requested: 1000, used: 1900, capacity: 2000")), "OutOfcpu", is(causes.Capacity, causes.ErrPodRejected)},
		"no memory on the node": {pod(failed, none, status("OutOfmemory", "")), "OutOfmemory", is(causes.Capacity, causes.ErrPodRejected)},
		"no GPU on the node":    {pod(failed, none, status("OutOfnvidia.com/gpu", "")), "OutOfnvidia.com/gpu", is(causes.Capacity, causes.ErrPodRejected)},
		"topology":              {pod(failed, none, status("TopologyAffinityError", "Resources cannot be allocated with Topology locality")), "TopologyAffinityError", is(causes.Capacity, causes.ErrPodRejected)},
		"too many volumes":      {pod(failed, none, status("VolumeAttachmentLimitExceeded", "")), "VolumeAttachmentLimitExceeded", is(causes.Capacity, causes.ErrPodRejected)},
		"AppArmor":              {pod(failed, none, status("AppArmor", "Cannot enforce AppArmor: AppArmor is not enabled on the host")), "AppArmor", is(causes.Config, causes.ErrPodRejected)},
		"sysctl":                {pod(failed, none, status("SysctlForbidden", "")), "SysctlForbidden", is(causes.Config, causes.ErrPodRejected)},
		"another system":        {pod(failed, none, status("PodOSNotSupported", "")), "PodOSNotSupported", is(causes.Config, causes.ErrPodRejected)},
		"SMT":                   {pod(failed, none, status("SMTAlignmentError", "")), "SMTAlignmentError", is(causes.Config, causes.ErrPodRejected)},
		"a feature":             {pod(failed, none, status("PodFeatureUnsupported", "")), "PodFeatureUnsupported", is(causes.Config, causes.ErrPodRejected)},
		"labels have changed":   {pod(failed, none, status("NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector")), "NodeAffinity", is(causes.Infrastructure, causes.ErrPodRejected)},
		"taints have changed":   {pod(failed, none, status("TaintToleration", "")), "TaintToleration", is(causes.Infrastructure, causes.ErrPodRejected)},
		"device plugin": {
			pod(failed, none, status("UnexpectedAdmissionError", "Allocate failed due to rpc error: code = Unknown, which is unexpected")),
			"UnexpectedAdmissionError", is(causes.Infrastructure, causes.ErrPodRejected),
		},
		"a handler of others":   {pod(failed, none, status("MyAdmitHandler", "")), "MyAdmitHandler", is(causes.Infrastructure, causes.ErrPodRejected)},
		"node is shutting down": {pod(failed, none, status("NodeShutdown", "Pod was rejected as the node is shutting down.")), "NodeShutdown", is(causes.Infrastructure, causes.ErrNodeLost, causes.ErrPodRejected)},

		"evicted":                  {pod(failed, ended(137, "Error", ""), status("Evicted", quota), disrupted("TerminationByKubelet")), "Evicted", is(causes.Infrastructure, causes.ErrEvicted)},
		"evicted before its start": {pod(failed, none, status("Evicted", "The node had condition: [MemoryPressure]. ")), "Evicted", is(causes.Infrastructure, causes.ErrEvicted)},
		"evicted during an init container": {
			pod(failed, ended(137, "Error", ""), initContainer, status("Evicted", quota)), "Evicted", is(causes.Infrastructure, causes.ErrEvicted),
		},
		"emptyDir is full": {
			pod(failed, ended(137, "Error", ""), status("Evicted", `Usage of EmptyDir volume "scratch" exceeds the limit "1Gi". `)), "Evicted", is(causes.User, causes.ErrEvicted),
		},
		"disk of the container is full": {
			pod(failed, ended(137, "Error", ""), status("Evicted", `Container main exceeded its local ephemeral storage limit "1Gi". `)), "Evicted", is(causes.User, causes.ErrEvicted),
		},
		"disk of the pod is full": {
			pod(failed, ended(137, "Error", ""), status("Evicted", `Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. `)), "Evicted", is(causes.User, causes.ErrEvicted),
		},
		"drained":                             {pod(failed, ended(143, "Error", ""), deletedBefore, disrupted("EvictionByEvictionAPI")), "EvictionByEvictionAPI", is(causes.Infrastructure, causes.ErrEvicted)},
		"by a kubelet":                        {pod(failed, ended(143, "Error", ""), disrupted("TerminationByKubelet")), "TerminationByKubelet", is(causes.Infrastructure, causes.ErrEvicted)},
		"by a controller":                     {pod(failed, ended(143, "Error", ""), disrupted("Strange")), "Strange", is(causes.Infrastructure, causes.ErrEvicted)},
		"device has a taint":                  {pod(failed, ended(143, "Error", ""), disrupted("DeletionByDeviceTaintManager")), "DeletionByDeviceTaintManager", is(causes.Infrastructure, causes.ErrEvicted)},
		"preempted":                           {pod(failed, ended(143, "Error", ""), deletedBefore, disrupted("PreemptionByScheduler")), "PreemptionByScheduler", is(causes.Infrastructure, causes.ErrPreempted)},
		"preempted by a kubelet":              {pod(failed, ended(137, "Error", ""), status("Preempting", "Preempted in order to admit critical pod"), disrupted("TerminationByKubelet")), "Preempting", is(causes.Infrastructure, causes.ErrPreempted)},
		"node has a taint":                    {gone(pod(corev1.PodRunning, running, deletedBefore, disrupted("DeletionByTaintManager"))), "DeletionByTaintManager", is(causes.Infrastructure, causes.ErrEvicted, causes.ErrNodeLost)},
		"node is gone":                        {pod(failed, running, disrupted("DeletionByPodGC")), "DeletionByPodGC", is(causes.Infrastructure, causes.ErrNodeLost)},
		"node does not answer":                {pod(corev1.PodRunning, running, status("NodeLost", "Node n which was running pod p is unresponsive")), "NodeLost", is(causes.Infrastructure, causes.ErrNodeLost)},
		"node shuts down":                     {pod(failed, ended(143, "Error", ""), status("Terminated", "Pod was terminated in response to imminent node shutdown."), disrupted("TerminationByKubelet")), "Terminated", is(causes.Infrastructure, causes.ErrNodeLost)},
		"a pod's deadline":                    {pod(failed, ended(143, "Error", ""), status("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")), "DeadlineExceeded", is(causes.Timeout, causes.ErrDeadlineExceeded)},
		"deleted by hand":                     {pod(failed, ended(143, "Error", ""), deletedBefore), "Error", is(causes.Infrastructure)},
		"deleted while it runs":               {gone(pod(corev1.PodRunning, running)), "Deleted", is(causes.Infrastructure)},
		"failed and deleted":                  {gone(pod(failed, ended(3, "Error", ""))), "Error", is(causes.User)},
		"deleted while it waits":              {gone(pod(pending, waits("InvalidImageName", ""), deletedBefore)), "InvalidImageName", is(causes.Config, causes.ErrImagePull)},
		"drained, and exit 0":                 {pod(corev1.PodSucceeded, ended(0, "Completed", ""), deletedBefore, disrupted("EvictionByEvictionAPI")), "", is(causes.Infrastructure, causes.ErrEvicted)},
		"deleted, and exit 0":                 {pod(corev1.PodSucceeded, ended(0, "Completed", ""), deletedBefore), "", is(causes.Infrastructure)},
		"fails in the second of its deletion": {pod(failed, ended(9, "Error", ""), func(p *corev1.Pod) { p.DeletionTimestamp = &later }), "Error", is(causes.User)},
		"stopped in that second":              {pod(failed, ended(143, "Error", ""), func(p *corev1.Pod) { p.DeletionTimestamp = &later }), "Error", is(causes.Infrastructure)},
		"exit 0 and yet failed":               {pod(failed, ended(0, "Completed", "")), "Error", is(causes.Infrastructure)},
		"a mesh fails":                        {inject(pod(failed, ended(1, "Error", ""))), "Error", is(causes.Infrastructure)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, end := range []pods.JobEnd{backoff, {}, {Reason: "CompletionsReached"}, {Failed: true, Reason: "PodFailurePolicy_oom", Message: "rule"}} {
				got := causes.Of(end, tc.pod)
				require.Equal(t, cmp.Or(tc.reason, end.Reason), got.Reason)
				require.Equal(t, tc.want.class, got.Class)
				require.Equal(t, tc.want.errs, got.Errors)
				require.NotContains(t, got.Advice, "\n")
			}
			timeout := causes.Of(deadline, tc.pod)
			require.Equal(t, causes.Timeout, timeout.Class)
			require.Equal(t, "DeadlineExceeded", timeout.Reason)
			require.ErrorIs(t, errors.Join(timeout.Errors...), causes.ErrDeadlineExceeded)
			canceled := causes.Of(pods.JobEnd{Failed: true, Canceled: true, Reason: "DeadlineExceeded"}, tc.pod)
			require.Equal(t, causes.Canceled, canceled.Class)
			require.ErrorIs(t, errors.Join(canceled.Errors...), causes.ErrCanceled)
			require.Equal(t, tc.reason == "DeadlineExceeded", errors.Is(errors.Join(canceled.Errors...), causes.ErrDeadlineExceeded), "only if the pod says so")
		})
	}
}

// What a Job says that has no pod to blame, or that was given up since its pod did not start.
func TestJobs(t *testing.T) {
	t.Parallel()
	const account = `Error creating: pods "p" is forbidden: error looking up service account ns/missing: serviceaccount "missing" not found`
	for reason, tc := range map[string][]struct {
		message string
		want    want
	}{
		"FailedCreate": {
			{`Error creating: pods "p" is forbidden: exceeded quota: limit, requested: pods=1, used: pods=0, limited: pods=0`, is(causes.Capacity, causes.ErrPodRejected)},
			{`Error creating: pods "p" is forbidden: failed quota: limit: must specify limits.cpu for: main`, is(causes.Config, causes.ErrPodRejected)},
			{`Error creating: pods "p" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true`, is(causes.Config, causes.ErrPodRejected)},
			{`Error creating: admission webhook "w" denied the request: images must come from the mirror`, is(causes.Config, causes.ErrPodRejected)},
			{`Error creating: pods "p" is forbidden: ValidatingAdmissionPolicy 'x' with binding 'y' denied request: no`, is(causes.Config, causes.ErrPodRejected)},
			{account, is(causes.Config, causes.ErrConfig, causes.ErrPodRejected)},
			{`Error creating: Pod "p" is invalid: spec.containers[0].image: Required value`, is(causes.Config, causes.ErrPodRejected)},
			{`Error creating: pods "p" is forbidden: unable to create new content in namespace ns because it is being terminated`, is(causes.Infrastructure, causes.ErrPodRejected)},
			{`Error creating: Internal error occurred: failed calling webhook "w": connection refused`, is(causes.Infrastructure, causes.ErrPodRejected)},
			{`Error creating: etcdserver: request timed out`, is(causes.Infrastructure, causes.ErrPodRejected)},
		},
		"FailedMount": {
			{`MountVolume.SetUp failed for volume "v" : secret "credentials" not found`, is(causes.Config, causes.ErrConfig)},
			{`MountVolume.SetUp failed for volume "v" : references non-existent secret key: token`, is(causes.Config, causes.ErrConfig)},
			{`MountVolume.MountDevice failed for volume "v" : rpc error: code = Internal desc = exit status 32`, is(causes.Infrastructure, causes.ErrStartError)},
		},
		"ContainerCreating":      {{"gave up after 20m0s: container \"main\" has not started", is(causes.Infrastructure, causes.ErrStartError)}},
		"FailedAttachVolume":     {{`Multi-Attach error for volume "pvc-1"`, is(causes.Infrastructure, causes.ErrStartError)}},
		"FailedCreatePodSandBox": {{"failed to setup network for sandbox", is(causes.Infrastructure, causes.ErrStartError)}},
		"Unschedulable":          {{"0/3 nodes are available: 3 Insufficient cpu.", is(causes.Capacity, causes.ErrUnschedulable)}},
		"FailedScheduling":       {{"0/3 nodes are available: 3 Insufficient cpu.", is(causes.Capacity, causes.ErrUnschedulable)}},
		"SchedulingGated":        {{"", is(causes.Capacity, causes.ErrUnschedulable)}},
		"ErrImagePull":           {{"not found", is(causes.Config, causes.ErrImagePull)}, {"503 Service Unavailable", is(causes.Infrastructure, causes.ErrImagePull)}},
		"ImagePullBackOff":       {{"not found", is(causes.Config, causes.ErrImagePull)}},
		"InvalidImageName":       {{"", is(causes.Config, causes.ErrImagePull)}},
		"StartError":             {{"", is(causes.Config, causes.ErrStartError)}},
		"FailedPostStartHook":    {{"", is(causes.Config, causes.ErrStartError)}},
		"NodeLost":               {{"node n has not answered for 5m0s", is(causes.Infrastructure, causes.ErrNodeLost)}},
		"NodeNotReady":           {{"Node is not ready", is(causes.Infrastructure, causes.ErrNodeLost)}},
		"Evicted":                {{"", is(causes.Infrastructure, causes.ErrEvicted)}},
		"BackoffLimitExceeded":   {{"", is(causes.User)}},
		"PodFailurePolicy":       {{"", is(causes.User)}},
		"PodFailurePolicy_oom":   {{"", is(causes.User)}},
		"FailedIndexes":          {{"", is(causes.User)}},
		"DeadlineExceeded":       {{"", is(causes.Timeout, causes.ErrDeadlineExceeded)}},
		"OfAnotherController":    {{"", is(causes.User)}},
		"":                       {{"", is(causes.User)}},
	} {
		for _, tc := range tc {
			end := pods.JobEnd{Failed: true, Reason: reason, Message: tc.message}
			got := causes.Of(end, pods.Outcome{})
			require.Equal(t, tc.want, want{got.Class, got.Errors}, "%s: %s", reason, tc.message)
			require.Equal(t, reason, got.Reason)
			end.Canceled = true
			require.Equal(t, causes.Canceled, causes.Of(end, pods.Outcome{}).Class)
			end.Canceled, end.GaveUp = false, true
			if len(got.Errors) > 0 {
				require.Equal(t, got, causes.Of(end, pods.Outcome{}), "%s: %s", reason, tc.message)
			} else {
				silent := causes.Of(end, pods.Outcome{})
				require.Equal(t, want{causes.Infrastructure, []error{causes.ErrStartError}}, want{silent.Class, silent.Errors}, "%s: %s", reason, tc.message)
				require.Equal(t, reason, silent.Reason)
			}
		}
	}
	// A Job that was given up has a pod, too, which may be deleted meanwhile.
	start := pods.JobEnd{Failed: true, GaveUp: true, Reason: "ErrImagePull", Message: "gave up after 5m0s: not found"}
	got := causes.Of(start, gone(pod(corev1.PodPending, waits("ImagePullBackOff", ""), deletedBefore, initContainer)))
	require.Equal(t, want{causes.Config, []error{causes.ErrImagePull, causes.ErrInitContainer}}, want{got.Class, got.Errors})
	require.Equal(t, "ErrImagePull", got.Reason)
	require.NotEmpty(t, got.Advice)
}

// A deadline that was over before the pod could start has the advice for what held it up.
func TestDeadlineBeforeTheStart(t *testing.T) {
	t.Parallel()
	advice := causes.Of(deadline, pods.Outcome{}).Advice
	require.NotEmpty(t, advice)
	for _, o := range []pods.Outcome{
		pod(corev1.PodPending, waits("ErrImagePull", "not found")),
		pod(corev1.PodPending, corev1.ContainerState{}, condition(corev1.PodScheduled, corev1.ConditionFalse, "Unschedulable", "")),
	} {
		require.Equal(t, causes.Of(backoff, o).Advice, causes.Of(deadline, o).Advice)
		require.NotEqual(t, advice, causes.Of(deadline, o).Advice)
		require.ErrorIs(t, errors.Join(causes.Of(deadline, o).Errors...), causes.Of(backoff, o).Errors[0])
	}
	for _, o := range []pods.Outcome{
		pod(corev1.PodFailed, ended(143, "Error", ""), deletedBefore), gone(pod(corev1.PodPending, waits("ContainerCreating", ""))), {},
	} {
		require.Equal(t, advice, causes.Of(deadline, o).Advice)
	}
}

// Each row of the table is reached: none is hidden by one before it.
func TestTable(t *testing.T) {
	t.Parallel()
	classes := map[causes.Class]bool{}
	for _, row := range causes.Table() {
		classes[row.Class] = true
		require.NotEmpty(t, row.Advice)
		require.Equal(t, row.Advice, strings.TrimSpace(row.Advice))
		require.NotContains(t, row.Advice, "\n")
		end := pods.JobEnd{Failed: true, Reason: strings.TrimSuffix(row.Reason, "*"), Message: "it says: " + strings.Join(row.Says, ", ")}
		got := causes.Of(end, pods.Outcome{})
		if len(row.ExitCodes) > 0 {
			got = causes.Of(backoff, pod(corev1.PodFailed, ended(row.ExitCodes[0], row.Reason, "")))
		}
		row.Reason = got.Reason
		require.Equal(t, row, got)
	}
	require.Len(t, classes, 6)
	causes.Table()[0].Advice = "changed"
	require.NotEqual(t, "changed", causes.Table()[0].Advice)
}

// A pod that has succeeded does not explain anything, also if it was deleted later.
func TestSuccessExplainsNothing(t *testing.T) {
	t.Parallel()
	o := gone(pod(corev1.PodSucceeded, ended(0, "Completed", "")))
	require.Equal(t, causes.Of(backoff, pods.Outcome{}), causes.Of(backoff, o))
}
