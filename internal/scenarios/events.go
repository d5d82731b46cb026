package scenarios

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
)

// The words of a kubelet before 1.35, and those of today.
var (
	createdBefore = regexp.MustCompile(`^Created container:? \S+$`)
	startedBefore = regexp.MustCompile(`^Started container \S+$`)
	presentBefore = regexp.MustCompile(`already present on machine$`)
)

// today returns a message of an Event in the words of the newest kubelet.
func today(message string) string {
	message = createdBefore.ReplaceAllLiteralString(message, "Container created")
	message = startedBefore.ReplaceAllLiteralString(message, "Container started")
	return presentBefore.ReplaceAllLiteralString(message, "already present on machine and can be accessed by the pod")
}

// usualEvents returns a scenario of the events that kubectl describe shows.
func usualEvents() []*Scenario {
	o := &kontinue.PodOptions{Spec: change(pod(container("main", "sleep 1")), func(s *corev1.PodSpec) {
		s.InitContainers = []corev1.Container{
			container("setup", "true"),
			with(container("proxy", hang), func(c *corev1.Container) { c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways) }),
		}
	})}
	want := []string{
		"Job: SuccessfulCreate Created pod: POD",
		"Pod: Scheduled Successfully assigned NAMESPACE/POD to NODE",
	}
	for _, field := range []string{"spec.initContainers{setup}", "spec.initContainers{proxy}", "spec.containers{main}"} {
		want = append(want,
			"Pod "+field+": Pulled Container image \"IMAGE\" already present on machine and can be accessed by the pod",
			"Pod "+field+": Created Container created",
			"Pod "+field+": Started Container started")
	}
	want = append(want, "Pod spec.initContainers{proxy}: Killing Stopping container proxy", "Job: Completed Job completed")
	slices.Sort(want)
	return []*Scenario{{
		Name: "events", Shows: "the events of a pod with an init container and a native sidecar",
		Pod: o, Want: podSucceeds(),
		After: func(ctx context.Context, r *Run) error {
			var have []string
			err := eventually(ctx, func(ctx context.Context) (bool, error) {
				list, err := r.Admin.CoreV1().Events(r.Namespace).List(ctx, metav1.ListOptions{})
				if err != nil {
					return false, err
				}
				mask := strings.NewReplacer(r.Pod.Pod.Name, "POD", r.Namespace, "NAMESPACE", r.Pod.Pod.Spec.NodeName, "NODE", r.cluster.Image(), "IMAGE")
				have = nil
				for _, e := range list.Items {
					// Those about the Execution are the worker's. A cluster for tests has no DNS.
					if e.InvolvedObject.Kind == "ConfigMap" || e.Reason == "MissingClusterDNS" {
						continue
					}
					about := e.InvolvedObject.Kind
					if e.InvolvedObject.FieldPath != "" {
						about += " " + e.InvolvedObject.FieldPath
					}
					have = append(have, about+": "+e.Reason+" "+today(mask.Replace(e.Message)))
				}
				slices.Sort(have)
				return slices.Equal(have, want), nil
			})
			if err != nil {
				return fmt.Errorf("the events are\n%s\nwant\n%s\n%w", strings.Join(have, "\n"), strings.Join(want, "\n"), err)
			}
			return nil
		},
	}}
}
