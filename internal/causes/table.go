package causes

// unanswered are the words of a registry or a container runtime that is overloaded or cannot
// be reached. The same request may succeed later.
var unanswered = []string{
	"429 Too Many Requests", "toomanyrequests", "500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Time",
	"i/o timeout", "TLS handshake timeout", "context deadline exceeded", "connection refused", "connection reset", "unexpected EOF",
}

// groups are the rows of the table, those with the same advice together. The reasons are
// those of Kubernetes 1.37 and of containerd 2.4.
var groups = []group{
	// Containers that have ended (containerd's internal/cri/server, or CRI-O).
	{
		reasons: "OOMKilled", class: User, errs: is(ErrOOMKilled),
		advice: "Raise the container's memory limit (resources.limits.memory), or let the program use less.",
	},
	{
		reasons: "Error", exits: []int32{126, 127}, class: User,
		advice: "A command of the script does not exist (127) or is not executable (126): check its spelling and what the image has.",
	},
	{
		reasons: "Error", exits: []int32{137}, class: User,
		advice: "SIGKILL ended the container and no OOM kill was reported: look for a grace period that was over, a failed livenessProbe, or a child that ran out of memory.",
	},
	{
		reasons: "Error CrashLoopBackOff", class: User,
		advice: "The program failed by itself: read its log.",
	},
	{
		reasons: "ContainerStatusUnknown Unknown", class: Infrastructure, errs: is(ErrNodeLost),
		advice: "The node lost track of the container, as after a restart of the node: run the step again.",
	},
	{
		reasons: "StartError ContainerCannotRun", class: Config, errs: is(ErrStartError),
		advice: "The container's command cannot be started: check command, workingDir and what the image has.",
	},

	// Containers that wait: images (pkg/kubelet/images, cri-api/pkg/errors).
	{
		reasons: "ErrImagePull ImagePullBackOff", says: unanswered, class: Infrastructure, errs: is(ErrImagePull),
		advice: "The registry did not answer, or is overloaded: run the step again later.",
	},
	{
		reasons: "RegistryUnavailable", class: Infrastructure, errs: is(ErrImagePull),
		advice: "The registry did not answer, or is overloaded: run the step again later.",
	},
	{
		reasons: "ImageInspectError", class: Infrastructure, errs: is(ErrImagePull),
		advice: "The node's container runtime cannot read the image: run the step again, and look at the node if that fails too.",
	},
	{
		reasons: "ErrImagePull ImagePullBackOff ImageVolumeMountFailed", class: Config, errs: is(ErrImagePull),
		advice: "Check name and tag of the image, and imagePullSecrets: the registry does not have it, or does not let the node pull it.",
	},
	{
		reasons: "InvalidImageName", class: Config, errs: is(ErrImagePull),
		advice: "Correct the name of the image: it is not a valid reference.",
	},
	{
		reasons: "ErrImageNeverPull", class: Config, errs: is(ErrImagePull),
		advice: "The image is not on the node and imagePullPolicy is Never: change the policy, or load the image.",
	},
	{
		reasons: "SignatureValidationFailed", class: Config, errs: is(ErrImagePull),
		advice: "The node's policy does not accept the signature of the image: sign the image, or correct the policy.",
	},

	// Containers that wait: the rest (pkg/kubelet/kuberuntime, pkg/kubelet/container).
	{
		reasons: "CreateContainerConfigError RROUnsupported", class: Config, errs: is(ErrConfig),
		advice: "Create the Secret, ConfigMap or key that the message names, or correct the reference or the securityContext.",
	},
	{
		reasons: "CreateContainerError RunContainerError", says: []string{"context deadline exceeded", "failed to reserve container name"}, class: Infrastructure, errs: is(ErrStartError),
		advice: "The node's container runtime is overloaded: run the step again.",
	},
	{
		reasons: "CreateContainerError RunContainerError", class: Config, errs: is(ErrStartError),
		advice: "The container's command or a mount cannot be set up: check command, workingDir, volumeMounts and what the image has.",
	},
	{
		reasons: "PostStartHookError FailedPostStartHook PreStartHookError PreCreateHookError", class: Config, errs: is(ErrStartError),
		advice: "A hook of the container failed: check lifecycle.postStart.",
	},

	// Pods that no node has started: events of the kubelet and of volume controllers
	// (pkg/kubelet/events) and the reasons of sandboxes.
	{
		reasons: "FailedMount", says: []string{"not found", "non-existent"}, class: Config, errs: is(ErrConfig),
		advice: "Create the Secret, ConfigMap, key or claim that the volume refers to, or correct the reference.",
	},
	{
		reasons: "FailedMount FailedAttachVolume FailedMapVolume", class: Infrastructure, errs: is(ErrStartError),
		advice: "A volume cannot be attached or mounted: look at the message, the volume and its storage.",
	},
	{
		reasons: silent + " ContainerCreating PodInitializing", class: Infrastructure, errs: is(ErrStartError),
		advice: "The containers did not start in time: look at the message, the pod's events and its node.",
	},
	{
		reasons: "FailedCreatePodSandBox CreatePodSandboxError ConfigPodSandboxError NetworkNotReady", class: Infrastructure, errs: is(ErrStartError),
		advice: "The node cannot set up the pod's sandbox or network: run the step again, and look at the node if that fails too.",
	},

	// Pods that do not exist: what the API server answers to the Job controller
	// (pkg/controller, event FailedCreate).
	{
		reasons: "FailedCreate", says: []string{"exceeded quota"}, class: Capacity, errs: is(ErrPodRejected),
		advice: "The quota of the namespace is used up: wait for other pods to end, or raise it.",
	},
	{
		reasons: "FailedCreate", says: []string{"violates PodSecurity", "denied the request", "denied request"}, class: Config, errs: is(ErrPodRejected),
		advice: "A policy of the cluster refuses the pod: correct the spec as the message says, or the policy.",
	},
	{
		reasons: "FailedCreate", says: []string{"error looking up service account"}, class: Config, errs: is(ErrConfig, ErrPodRejected),
		advice: "Create the ServiceAccount, or correct serviceAccountName.",
	},
	{
		reasons: "FailedCreate", says: []string{"is being terminated", "failed calling webhook"}, class: Infrastructure, errs: is(ErrPodRejected),
		advice: "The namespace is being deleted, or an admission webhook does not answer: see the message.",
	},
	{
		reasons: "FailedCreate", says: []string{"is forbidden", "is invalid"}, class: Config, errs: is(ErrPodRejected),
		advice: "The API server refuses the pod: correct the spec as the message says.",
	},
	{
		reasons: "FailedCreate", class: Infrastructure, errs: is(ErrPodRejected),
		advice: "The Job controller cannot create the pod: see the message.",
	},

	// Pods that are not scheduled (core/v1, condition PodScheduled).
	{
		reasons: "Unschedulable FailedScheduling", says: []string{"not found"}, class: Config, errs: is(ErrUnschedulable, ErrConfig),
		advice: "Create the claim or class that the message names, or correct the reference.",
	},
	{
		reasons: "Unschedulable FailedScheduling", class: Capacity, errs: is(ErrUnschedulable),
		advice: "No node has room for the pod or matches it: add nodes, lower resources.requests, or correct nodeSelector, affinity and tolerations.",
	},
	{
		reasons: "SchedulingGated", class: Capacity, errs: is(ErrUnschedulable),
		advice: "A scheduling gate holds the pod back: look at the controller, such as a queue, that has to remove it.",
	},
	{
		reasons: "SchedulerError", class: Infrastructure, errs: is(ErrUnschedulable),
		advice: "The scheduler failed: see the message.",
	},

	// Pods that a kubelet rejects (pkg/kubelet/lifecycle, cm, sysctl, volumemanager).
	{
		reasons: "OutOf* TopologyAffinityError VolumeAttachmentLimitExceeded", class: Capacity, errs: is(ErrPodRejected),
		advice: "The node had no room when the pod arrived: run the step again.",
	},
	{
		reasons: "AppArmor SysctlForbidden PodOSNotSupported PodOSSelectorNodeLabelDoesNotMatch PodFeatureUnsupported PodLevelResourcesNotSupported " +
			"SupplementalGroupsPolicyNotSupported InitContainerRestartPolicyForbidden SMTAlignmentError EmptyPodSharedPoolError",
		class: Config, errs: is(ErrPodRejected),
		advice: "The node does not support what the pod asks for: correct the spec, or choose other nodes by nodeSelector.",
	},
	{
		reasons: "NodeShutdown", class: Infrastructure, errs: is(ErrNodeLost, ErrPodRejected),
		advice: "The node was shutting down: run the step again.",
	},
	{
		reasons: "NodeAffinity NodeName NodePorts Taint* UnexpectedAdmissionError InvalidNodeInfo UnexpectedPredicateFailureType UnknownReason",
		class:   Infrastructure, errs: is(ErrPodRejected),
		advice: "The node changed, or could not be read, after the pod was assigned to it: run the step again.",
	},

	// Pods that were stopped: the reasons of kubelets (pkg/kubelet/eviction, preemption,
	// nodeshutdown) and of the condition DisruptionTarget (KEP-3329).
	{
		reasons: "Evicted", says: []string{"exceeds the limit", "exceeds the total limit", "exceeded its local ephemeral storage limit"}, class: User, errs: is(ErrEvicted),
		advice: "Raise the limit of ephemeral storage (resources.limits, or sizeLimit of the emptyDir), or let the program write less.",
	},
	{
		reasons: "Evicted", class: Infrastructure, errs: is(ErrEvicted),
		advice: "The node ran out of a resource and evicted the pod: run the step again, with resources.requests nearer to what the program uses.",
	},
	{
		reasons: "EvictionByEvictionAPI TerminationByKubelet DeletionByDeviceTaintManager", class: Infrastructure, errs: is(ErrEvicted),
		advice: "The pod was evicted, as by a drain of its node: run the step again.",
	},
	{
		reasons: "Preempting PreemptionByScheduler", class: Infrastructure, errs: is(ErrPreempted),
		advice: "A pod of higher priority took its place: run the step again, or give it a higher priorityClassName.",
	},
	{
		reasons: "DeletionByTaintManager", class: Infrastructure, errs: is(ErrEvicted, ErrNodeLost),
		advice: "The node was not ready, not reachable or tainted with NoExecute: run the step again.",
	},
	{
		reasons: "NodeLost NodeNotReady DeletionByPodGC Terminated", class: Infrastructure, errs: is(ErrNodeLost),
		advice: "The node is gone, not reachable or was shut down: run the step again.",
	},
	{
		reasons: deleted, class: Infrastructure,
		advice: "The pod was deleted before it had ended, by hand or by a controller: run the step again.",
	},
	{
		reasons: injected, class: Infrastructure,
		advice: "A container that the cluster added to the pod failed first: look at what injects it.",
	},

	// Jobs (batch/v1). PodFailurePolicy has the name of a rule with KEP-4443.
	{
		reasons: "DeadlineExceeded", class: Timeout, errs: is(ErrDeadlineExceeded),
		advice: "Raise the timeout, or let the step do less.",
	},
	{
		reasons: canceled, class: Canceled, errs: is(ErrCanceled),
		advice: "The step was canceled: nothing is to be corrected.",
	},
	{
		reasons: "BackoffLimitExceeded PodFailurePolicy* MaxFailedIndexesExceeded FailedIndexes", class: User,
		advice: "Pods failed, and none is known that explains it: look at the Job's events.",
	},
}

// These stand for what has no reason of its own in Kubernetes. None can be confused with one
// that has.
const (
	deleted  = "(deleted)"
	injected = "(injected)"
	canceled = "(canceled)"
	silent   = "(silent)"
)

func is(errs ...error) []error { return errs }
