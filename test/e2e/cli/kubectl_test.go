package cli

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// step is a call of kubectl, whose words are separated by spaces.
type step struct {
	args  string
	stdin string // of a call with -f -
	// drop are lines that are not compared, since what they say is not modeled.
	drop *regexp.Regexp
}

const job = `apiVersion: batch/v1
kind: Job
metadata:
  name: a
  labels: {app: a}
spec:
  backoffLimit: 0
  template:
    metadata:
      labels: {app: a}
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: IMAGE
        imagePullPolicy: IfNotPresent
        command: [sh, -c, "echo one; echo two"]
`

// edited returns the manifest with another text in it.
func edited(manifest, old, with string) string {
	if !strings.Contains(manifest, old) {
		panic("the manifest has no " + old)
	}
	return strings.ReplaceAll(manifest, old, with)
}

// What the cluster in memory does not have: a service account's token in each container,
// the plugin DefaultTolerationSeconds, images, and cluster DNS. The order of a pod's
// conditions is another one.
var lacksOfPods = regexp.MustCompile(`kube-api-access|/var/run/secrets|Projected|TokenExpiration|ConfigMapName|DownwardAPI|Optional: ` +
	`|Mounts:|Volumes:|Tolerations:|node.kubernetes.io/|Image ID:|MissingClusterDNS|PodScheduled`)

// sequences are calls that follow each other in a namespace.
var sequences = map[string][]step{
	"nothing": {
		{args: "get jobs,pods"},
		{args: "get job a"},
		{args: "get jobs/a pods/b"},
		{args: "describe job a"},
		{args: "logs a"},
		{args: "logs job/a"},
		{args: "delete job a"},
		{args: "delete job a --ignore-not-found"},
		{args: "delete jobs --all"},
		{args: "wait --for=condition=complete job/a"},
		{args: "wait --for=delete job/a"},
		{args: "get all"},
	},
	"unknown": {
		{args: "get foo"},
		{args: "get job,foo"},
		{args: "get foos.example.com"},
		{args: "explain foo"},
		{args: "explain job.spec.foo"},
		{args: "apply -f -", stdin: "apiVersion: example.com/v1\nkind: Foo\nmetadata: {name: a}\n"},
		{args: "apply -f -", stdin: "apiVersion: batch/v1\nkind: Jobs\nmetadata: {name: a}\n"},
		{args: "apply -f -", stdin: "kind: Job\nmetadata: {name: a}\n"},
		{args: "apply -f -", stdin: "not: [yaml"},
		{args: "get jobs -n no-such-namespace"},
		{args: "create job a --image=busybox -n no-such-namespace"},
		{args: "get jobs --field-selector=spec.foo=bar"},
		{args: "get jobs -l a=b=c"},
		{args: "get jobs -o foo"},
		{args: "get jobs -o jsonpath={.items[0]"},
	},
	"bad manifest": {
		{args: "apply -f -", stdin: edited(job, "backoffLimit", "backofLimit")},
		{args: "create -f -", stdin: edited(job, "backoffLimit", "backofLimit")},
		{args: "create -f - --validate=warn", stdin: edited(edited(job, "backoffLimit", "backofLimit"), "name: a", "name: warned")},
		{args: "apply --server-side -f -", stdin: edited(job, "backoffLimit", "backofLimit")},
		{args: "apply -f -", stdin: edited(job, "Never", "Always")},
		{args: "apply -f -", stdin: edited(job, "backoffLimit: 0", "backoffLimit: -1")},
		{args: "apply -f -", stdin: edited(job, "backoffLimit: 0", "backoffLimit: many")},
		{args: "apply -f -", stdin: edited(job, "name: a", "name: A_")},
		{args: "apply -f -", stdin: edited(job, "image: IMAGE", "image: ''")},
		{args: "apply -f -", stdin: edited(job, "backoffLimit: 0", "backoffLimit: 0\n  backoffLimit: 1")},
		{args: "delete job a", stdin: "that of the field that was twice"},
		{args: "apply -f - --dry-run=server", stdin: job},
		{args: "apply -f - --dry-run=client", stdin: job},
		{args: "get job a"},
	},
	"apply": {
		{args: "apply -f -", stdin: job},
		{args: "apply -f -", stdin: job},
		{args: "apply -f -", stdin: edited(job, "backoffLimit: 0", "backoffLimit: 1")},
		{args: "get job a -o jsonpath={.spec.backoffLimit}"},
		{args: "diff -f -", stdin: edited(job, "backoffLimit: 0", "backoffLimit: 1")},
		{args: "apply -f -", stdin: edited(job, "echo two", "echo three")},
		{args: "apply -f -", stdin: edited(job, "backoffLimit: 0", "backofLimit: 0")},
		{args: "wait --for=condition=complete job/a --timeout=120s"},
		{args: "logs job/a"},
		{args: "delete -f -", stdin: job},
		{args: "get jobs,pods"},
		{args: "apply --server-side -f -", stdin: job},
		{args: "apply --server-side -f -", stdin: job},
		{args: "apply --server-side -f - --field-manager=other", stdin: edited(job, "backoffLimit: 0", "backoffLimit: 1")},
		{args: "apply --server-side -f - --field-manager=other --force-conflicts", stdin: edited(job, "backoffLimit: 0", "backoffLimit: 1")},
		{args: "get job a -o jsonpath={.spec.backoffLimit}"},
		{args: "create -f -", stdin: job},
		{args: "replace --force -f -", stdin: job},
		{args: "wait --for=condition=complete job/a --timeout=120s"},
		{args: "delete job a"},
	},
	"a job": {
		{args: "create job a --image=IMAGE -- sh -c echo$IFS'one'"},
		{args: "wait --for=condition=complete job/a --timeout=120s"},
		{args: "wait --for=condition=failed job/a --timeout=0"},
		{args: "wait --for=jsonpath={.status.succeeded}=1 job/a --timeout=120s"},
		{args: "logs job/a"},
		{args: "logs -l job-name=a --prefix"},
		{args: "logs job/a -c other"},
		{args: "logs job/a --timestamps=false --tail=1"},
		{args: "get jobs"},
		{args: "get pods"},
		{args: "get jobs,pods -o wide"},
		{args: "get jobs -o name"},
		{args: "get pods -l job-name=a -o custom-columns=PHASE:.status.phase,NODE:.spec.nodeName"},
		{args: "get pods --field-selector=status.phase=Failed"},
		{args: "get pods --field-selector=status.phase=Succeeded"},
		{args: "get job a -o jsonpath={.status.conditions[*].type}"},
		{args: "get job a -o go-template={{.status.succeeded}}"},
		{args: "get job a -o yaml"},
		{args: "get job a -o json"},
		{args: "get jobs --show-labels"},
		{args: "describe job a"},
		{args: "describe pod", drop: lacksOfPods},
		{args: "label job a x=y"},
		{args: "label job a x=z"},
		{args: "annotate job a x=y"},
		{args: "patch job a -p {\"spec\":{\"backoffLimit\":2}}"},
		{args: "patch job a -p {\"spec\":{\"completions\":2}}"},
		{args: "scale job a --replicas=2"},
		{args: "rollout status job/a"},
		{args: "delete job a"},
		{args: "wait --for=delete job/a --timeout=60s"},
		{args: "get pods"},
	},
	"a failing job": {
		{args: "apply -f -", stdin: edited(job, "echo two", "echo two; exit 3")},
		{args: "wait --for=condition=failed job/a --timeout=120s"},
		{args: "get jobs,pods"},
		{args: "describe job a"},
		{args: "describe pod", drop: lacksOfPods},
		{args: "logs job/a"},
		{args: "delete job a --wait=false"},
		{args: "wait --for=delete job/a --timeout=60s"},
	},
	"a running job": {
		{args: "apply -f -", stdin: edited(job, "echo two", "trap 'exit 0' TERM; sleep 600 & wait")},
		{args: "wait --for=condition=ready pod -l app=a --timeout=120s"},
		{args: "wait --for=jsonpath={.status.ready}=1 job/a --timeout=120s"},
		{args: "get jobs,pods"},
		{args: "describe job a"},
		{args: "describe pod", drop: lacksOfPods},
		{args: "wait --for=condition=complete job/a --timeout=10ms"},
		{args: "patch job a -p {\"spec\":{\"suspend\":true}}"},
		{args: "wait --for=condition=suspended job/a --timeout=120s"},
		{args: "get jobs"},
		{args: "delete job a --cascade=foreground"},
		{args: "get jobs,pods"},
	},
	"a log": {
		{args: "apply -f -", stdin: edited(job, "echo two", "sleep 2; echo two")},
		{args: "wait --for=condition=ready pod -l app=a --timeout=120s"},
		{args: "logs -f job/a"},
		{args: "logs -l app=a --all-containers --prefix"},
		{args: "logs -f -l app=a --tail=-1"},
	},
	"others": {
		{args: "create configmap c --from-literal=a=b"},
		{args: "get configmap c -o yaml"},
		{args: "describe configmap c"},
		{args: "create secret generic s --from-literal=a=b"},
		{args: "get secret s"},
		{args: "describe secret s"},
		{args: "delete configmap/c secret/s"},
		{args: "create quota q --hard=pods=1"},
		{args: "run p --image=IMAGE --restart=Never --image-pull-policy=IfNotPresent --command -- sh -c echo$IFS'one'"},
		{args: "wait --for=jsonpath={.status.phase}=Succeeded pod/p --timeout=120s"},
		{args: "logs p"},
		{args: "delete pod p"},
	},
	"questions": {
		{args: "auth can-i create jobs"},
		{args: "auth can-i create foos"},
		{args: "explain job"},
		{args: "explain job.spec.template.spec.containers.resources"},
		{args: "api-resources --api-group=batch"},
		{args: "api-resources --namespaced=false --api-group=", drop: regexp.MustCompile("componentstatuses")},
		{args: "version"},
		{args: "get --raw /readyz"},
		{args: "get --raw /no/such/path"},
		{args: "get namespaces", drop: regexp.MustCompile("^(cli|run)-")},
		{args: "delete namespace default"},
		{args: "top pods"},
	},
}

// TestKubectl runs the same calls of kubectl on the cluster of kontinue dev and on a real
// one, and compares exit codes and output.
func TestKubectl(t *testing.T) {
	t.Parallel()
	memory, actual := newDev(t), newReal(t)
	for name, steps := range sequences {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := "cli-" + strings.ReplaceAll(name, " ", "-")
			memory, actual := memory.in(t, namespace), actual.in(t, namespace)
			t.Cleanup(func() { actual.must(t, "delete", "namespace", namespace, "--wait=false") })
			for _, step := range steps {
				t.Run(step.args, func(t *testing.T) {
					require.Equal(t, step.on(t, actual), step.on(t, memory), "the real cluster (expected) and that in memory (actual)")
				})
			}
		})
	}
}

// on runs the step on a site and returns its output without what differs by chance.
func (step step) on(t *testing.T, s *site) string {
	t.Helper()
	args := strings.Fields(strings.ReplaceAll(step.args, "IMAGE", s.image))
	r := s.kubectl(t, strings.ReplaceAll(step.stdin, "IMAGE", s.image), args...)
	var text strings.Builder
	for line := range strings.Lines(r.out + "stderr:\n" + r.errOut) {
		if step.drop == nil || !step.drop.MatchString(line) {
			text.WriteString(line)
		}
	}
	return s.normal(text.String()) + "exit code " + string(rune('0'+r.code))
}
