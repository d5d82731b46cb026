package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	jobendings "github.com/kontinue/kontinue/internal/fakecluster/endings"
)

// Names of the two backends' records.
const (
	Memory = "memory"
	Real   = "real"
)

// Document renders the table of docs/fake-vs-real.md from the two records.
func Document() ([]byte, error) {
	memory, err := ReadRecord(Memory)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	actual, err := ReadRecord(Real)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(preamble)
	var differing, lacking, same []string
	b.WriteString("| scenario | what happens | in memory | real |\n|---|---|---|---|\n")
	for _, s := range All() {
		m, r := memory[s.Name], actual[s.Name]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, cell(s.Shows), m.status(), r.status())
		switch lines := differences(m, r); {
		case m.Lacks != "" || r.Lacks != "":
			lacking = append(lacking, fmt.Sprintf("- `%s`: %s", s.Name, strings.TrimSpace(m.Lacks+" "+r.Lacks)))
		case m.Returned == "" || r.Returned == "":
		case len(lines) > 0:
			differing = append(differing, fmt.Sprintf("- `%s`: %s\n%s", s.Name, s.Shows, strings.Join(lines, "\n")))
		default:
			same = append(same, s.Name)
		}
	}
	fmt.Fprintf(&b, "\n## Not modeled in memory\n\n%s\n", strings.Join(lacking, "\n"))
	fmt.Fprintf(&b, "\n## Differences\n\nThe result meets the same expectation on both clusters. These details of the result, of statuses or of events differ.\n\n%s\n", strings.Join(differing, "\n"))
	fmt.Fprintf(&b, "\nIn the other %d scenarios the conditions, counters, container states, warnings and messages are the same.\n", len(same))
	b.WriteString("\n## Races\n\nIn these scenarios the outcome on the real cluster varies. The result always meets the expectation.\n\n")
	for _, s := range All() {
		if s.Race != "" {
			fmt.Fprintf(&b, "- `%s`: %s\n", s.Name, s.Race)
		}
	}
	b.WriteString("\n## Failures\n\n" + failuresIntro)
	for _, s := range All() {
		if f := actual[s.Name]; f.Returned != "" && f.Returned != "success" {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %.0f s |\n", s.Name, f.Class, f.Reason, cell(f.Returned), cell(f.Advice), f.Seconds)
		}
	}
	order, err := jobendings.Document()
	if err != nil {
		return nil, err
	}
	b.WriteString("\n" + order + "\n" + differencesOfMemory)
	return b.Bytes(), nil
}

// failuresIntro precedes the table of failures.
const failuresIntro = `What a caller is given on the real cluster, with names masked, and after how long. A line
without a class is an error, or a Job that completed in spite of it. [Why a step
failed](failures.md) has the classes. The starts that were given up have limits of 20 seconds,
that on the dead node has one of 5 seconds and then a minute to stop.

| scenario | class | reason | message or error | advice | after |
|---|---|---|---|---|---:|
`

// differencesOfMemory says where the cluster in memory is not a real one, apart from what the
// scenarios show.
const differencesOfMemory = `## What the cluster in memory lacks

- Of the built-in resources only those that Jobs and their pods need have their rules:
  Jobs, Pods, Namespaces, Nodes, ConfigMaps, Secrets, ServiceAccounts, ResourceQuotas,
  Events and Leases. Others are stored and served as they are sent, without defaults,
  validation or a controller.
- The garbage collector deletes Jobs, Pods, ConfigMaps, Secrets, Leases and custom
  resources whose owners are gone. An owner may be of any kind. One of a kind that is not
  served is left out of the decision, as in a real cluster.
- Custom resources have no schema: every field is accepted, and kubectl explain shows none.
- managedFields are kept from the first server-side apply of an object on.
- Tables have columns of their own for the kinds that ` + "`kubectl get`" + ` is used with for Jobs;
  others show name and age.
- /openapi/v2 is empty. Aggregated APIs, storageVersionHash, exec, attach, port-forward and the
  proxies of pods, services and nodes are not served.
- The status of a pod has no observedGeneration, and those of its containers have neither
  resources nor users. Admission adds no tolerations to a pod. The kubelet's events leave
  out some that only repeat the reason of a container.
- Roles and their bindings are stored, and grant and deny nothing: every user may do what a
  test has not taken away with Deny. Nor is there impersonation: a request with --as is one of
  the user who sends it.
- Admission webhooks and policies are Go functions of a test. Of the admission plugins
  there are Pod Security, quotas, ServiceAccounts and the life cycle of namespaces.
- There is no network. A local process has its volumes as directories, without a limit of
  size and without readOnly, and its spec names them by the paths in the container: [the
  volumes of local processes](pods.md#volumes-of-local-processes).
- A PersistentVolumeClaim is bound when the first pod needs it, whatever its spec says.
`

const preamble = `# The cluster in memory and a real one

<!-- Generated from internal/scenarios/testdata by a run of the scenarios with KONTINUE_UPDATE_SCENARIOS=1. Do not edit. -->

Each scenario is defined once, in internal/scenarios, with one expected result. The
unit tests run it on the cluster in memory (internal/fakecluster), and ` + "`make e2e`" + ` on a
real Kubernetes, with the Role of deploy/rbac.yaml. This page compares the observations
on both.

`

// status is the cell of the table for one backend.
func (f Facts) status() string {
	switch {
	case f.Lacks != "":
		return "not run"
	case f.Returned == "":
		return ""
	}
	return "as expected"
}

// differences returns lines for the facts that differ.
func differences(memory, actual Facts) []string {
	var lines []string
	add := func(what string, m, r []string) {
		if !slices.Equal(m, r) {
			lines = append(lines, fmt.Sprintf("  - %s in memory: %s", what, list(m)), fmt.Sprintf("  - %s real: %s", what, list(r)))
		}
	}
	add("returned", []string{memory.Returned}, []string{actual.Returned})
	add("Job", memory.Job, actual.Job)
	add("pods", memory.Pods, actual.Pods)
	add("warnings", memory.Events, actual.Events)
	return lines
}

func list(items []string) string {
	if len(items) == 0 {
		return "none"
	}
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = "`" + strings.ReplaceAll(item, "`", "'") + "`"
	}
	return strings.Join(quoted, ", ")
}

// cell escapes a text for a cell of a Markdown table.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", "\n", " ").Replace(text)
}
