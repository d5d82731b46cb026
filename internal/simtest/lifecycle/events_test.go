package lifecycle_test

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// suffix is what follows the names of owner and step in the name of a Job and of its pod.
var suffix = regexp.MustCompile("-[a-z0-9]{13}(-[a-z0-9]{5})?")

// TestOwnerEvents: the owner has an Event for what happened to its steps, once, whoever runs
// the function again. There is nothing of the log in it.
func TestOwnerEvents(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{Step: "fails"}, containers.Script{Log: []containers.LogLine{{Text: "password=hunter2"}}, Exit: containers.Exit{Code: 3}})
		w.Cluster.On(containers.Match{Step: "hangs"}, containers.Script{Run: containers.Forever})
		w.Cluster.On(containers.Match{Step: "stuck"}, containers.Script{PullError: "InvalidImageName", PullMessage: "couldn't parse"})
		owner := w.Worker().ExecutionContext().Execution().Owner
		execution := kontinue.Execution{Owner: owner}
		for i, command := range []string{"true", "another command"} {
			client, _ := w.NewClient("worker", nil)
			require.NoError(w, client.Start(w.Context()))
			execution.Resumptions = i
			ktx, err := client.NewExecutionContext(w.Context(), execution)
			require.NoError(w, err)
			for _, name := range []string{"works", "fails"} {
				_, err = kontinue.RunScript(ktx, simtest.Script(name, command))
				require.NoError(w, err)
			}
			stuck := simtest.Script("stuck", "true")
			stuck.StartLimits = kontinue.StartLimits{"InvalidImageName": time.Second}
			_, err = kontinue.RunScript(ktx, stuck)
			require.NoError(w, err)
			hangs, err := kontinue.StartScript(ktx, simtest.Script("hangs", "true"))
			require.NoError(w, err)
			w.Sleep(time.Second) // its container runs
			require.NoError(w, hangs.Cancel(w.Context()))
			_, err = hangs.Wait(w.Context())
			require.NoError(w, err)
			w.Sleep(time.Second)
			w.StopClient(client)
		}
		list, err := w.Cluster.APIServer().ClientsetAs("test").CoreV1().Events("ns").List(w.Context(), metav1.ListOptions{FieldSelector: "involvedObject.uid=" + string(owner.UID)})
		require.NoError(w, err)
		var got []string
		for _, e := range list.Items {
			require.NotContains(w, e.Message, "hunter2")
			require.NotContains(w, e.Message, "another command")
			require.Regexp(w, "^release-[a-z]+-[a-z0-9]{13}$", e.Related.Name)
			got = append(got, e.Type+" "+e.Reason+" "+suffix.ReplaceAllString(e.Message, "-x"))
		}
		slices.Sort(got)
		require.Equal(w, []string{
			`Normal StepCanceled Step hangs: job ns/release-hangs-x failed: pod release-hangs-x: container "script" ended by signal 15 (DeadlineExceeded): The step was canceled: nothing is to be corrected.`,
			"Normal StepStarted Step fails: created Job release-fails-x",
			"Normal StepStarted Step hangs: created Job release-hangs-x",
			"Normal StepStarted Step stuck: created Job release-stuck-x",
			"Normal StepStarted Step works: created Job release-works-x",
			"Warning StepDrifted Step fails: Job release-fails-x was made from another spec: template.spec.containers[0].command: changed",
			"Warning StepDrifted Step works: Job release-works-x was made from another spec: template.spec.containers[0].command: changed",
			`Warning StepFailed Step fails: job ns/release-fails-x failed: pod release-fails-x: container "script" exited with code 3 (Error): The program failed by itself: read its log.`,
			`Warning StepGivenUp Step stuck: job ns/release-stuck-x failed: pod release-stuck-x: container "script" (InvalidImageName): Correct the name of the image: it is not a valid reference.`,
		}, got)
	})
}

// TestOwnerEventsOfAnEnd: a program that ends when its step has failed has written that.
func TestOwnerEventsOfAnEnd(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{Step: "fails"}, containers.Script{Exit: containers.Exit{Code: 3}})
		slow := apiserver.Fault{Match: apiserver.Match{Verb: "create", Resource: "events", User: "worker"}, Delay: 200 * time.Millisecond}
		owner := w.Worker().ExecutionContext().Execution().Owner
		client, _ := w.NewClient("worker", nil)
		require.NoError(w, client.Start(w.Context()))
		w.Cluster.APIServer().AddFault(slow)
		ktx, err := client.NewExecutionContext(w.Context(), kontinue.Execution{Owner: owner})
		require.NoError(w, err)
		_, err = kontinue.RunScript(ktx, simtest.Script("fails", "true"))
		require.NoError(w, err)
		w.StopClient(client)
		list, err := w.Cluster.APIServer().ClientsetAs("test").CoreV1().Events("ns").List(w.Context(), metav1.ListOptions{FieldSelector: "involvedObject.uid=" + string(owner.UID)})
		require.NoError(w, err)
		var reasons []string
		for _, e := range list.Items { // in the order of their names
			reasons = append(reasons, e.Reason)
		}
		require.Equal(w, []string{"StepStarted", "StepFailed"}, reasons)
	})
}

// TestOwnerEventsOfANamespace: the right may be missing in one of several namespaces, which is
// what the log says.
func TestOwnerEventsOfANamespace(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		for _, namespace := range []string{"a", "b"} {
			w.Cluster.APIServer().Deny(apiserver.Match{User: "worker", Verb: "create", Resource: "events", Namespace: namespace})
		}
		owner := w.Worker().ExecutionContext().Execution().Owner
		client, log := w.NewClient("worker", func(c *kontinue.Config) {
			c.Namespace, c.Namespaces = "", []string{"a", "ns", "b"}
		})
		require.NoError(w, client.Start(w.Context()))
		ktx, err := client.NewExecutionContext(w.Context(), kontinue.Execution{Namespace: "ns", Owner: owner})
		require.NoError(w, err)
		_, err = kontinue.RunScript(ktx, simtest.Script("works", "true"))
		require.NoError(w, err)
		w.StopClient(client)
		list, err := w.Cluster.APIServer().ClientsetAs("test").CoreV1().Events("ns").List(w.Context(), metav1.ListOptions{FieldSelector: "involvedObject.uid=" + string(owner.UID)})
		require.NoError(w, err)
		require.Len(w, list.Items, 1)
		require.Contains(w, log.Warnings(), `right="create events" namespace="a, b" without=`)
	})
}
