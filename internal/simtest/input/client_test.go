package input_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue"
)

func TestConfigIsValidated(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		config kontinue.Config
		want   string
	}{
		"empty":             {kontinue.Config{}, "exactly one of RESTConfig and Clientset"},
		"two ways":          {kontinue.Config{Namespace: "ns", Clientset: fake.NewClientset(), RESTConfig: &rest.Config{}}, "exactly one"},
		"no namespace":      {kontinue.Config{Clientset: fake.NewClientset()}, "Namespace is empty"},
		"invalid namespace": {kontinue.Config{Clientset: fake.NewClientset(), Namespace: "No_Name"}, `Namespace "No_Name"`},
		"several ways":      {kontinue.Config{Clientset: fake.NewClientset(), Namespace: "ns", Namespaces: []string{"a"}}, "only one of Namespace, Namespaces and AllNamespaces"},
		"all and one":       {kontinue.Config{Clientset: fake.NewClientset(), Namespace: "ns", AllNamespaces: true}, "only one of Namespace"},
		"all and a list":    {kontinue.Config{Clientset: fake.NewClientset(), Namespaces: []string{"a"}, AllNamespaces: true}, "only one of Namespace"},
		"an empty list":     {kontinue.Config{Clientset: fake.NewClientset(), Namespaces: []string{}}, "Namespace is empty"},
		"twice in the list": {kontinue.Config{Clientset: fake.NewClientset(), Namespaces: []string{"a", "b", "a"}}, `Namespaces[2] "a": it is in the list already`},
		"invalid in a list": {kontinue.Config{Clientset: fake.NewClientset(), Namespaces: []string{"a", ""}}, `Namespaces[1] "": `},
		"invalid group":     {kontinue.Config{Clientset: fake.NewClientset(), Namespace: "ns", Group: "a b"}, "Group"},
		"negative timeout":  {kontinue.Config{Clientset: fake.NewClientset(), Namespace: "ns", StopTimeout: -1}, "negative"},
		"broken RESTConfig": {kontinue.Config{RESTConfig: &rest.Config{Host: "http://a\nb"}, Namespace: "ns"}, "Config.RESTConfig"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := kontinue.New(tc.config)
			require.ErrorIs(t, err, kontinue.ErrInvalid)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestClientThatIsNotRunning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clientset := fake.NewClientset()
		client, err := kontinue.New(kontinue.Config{Clientset: clientset, Namespace: "ns"})
		require.NoError(t, err)
		ktx := newExecution(t, client)
		run := func() error {
			_, err := kontinue.RunPod(ktx, &kontinue.PodOptions{Spec: podSpec()})
			return err
		}
		require.ErrorIs(t, run(), kontinue.ErrNotRunning)
		require.ErrorContains(t, run(), "call Start first")

		require.NoError(t, client.Start(t.Context()))
		require.NoError(t, client.Start(t.Context()))
		waiting := make(chan error)
		go func() { waiting <- run() }()
		synctest.Wait()
		require.NoError(t, client.Stop(t.Context()))
		require.NoError(t, client.Stop(t.Context()))
		err = <-waiting
		require.ErrorIs(t, err, kontinue.ErrNotRunning)
		require.ErrorContains(t, err, "still running")
		require.ErrorIs(t, run(), kontinue.ErrNotRunning)
		require.ErrorIs(t, client.Start(t.Context()), kontinue.ErrNotRunning)
		list, err := clientset.BatchV1().Jobs("ns").List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.Len(t, list.Items, 1, "Stop must leave the Jobs alone")
	})
}

// TestClientThatNewDidNotMake: every method returns an error.
func TestClientThatNewDidNotMake(t *testing.T) {
	t.Parallel()
	for _, client := range []*kontinue.Client{nil, {}} {
		_, err := client.NewExecutionContext(t.Context(), kontinue.Execution{Owner: owner()})
		for what, err := range map[string]error{
			"Start": client.Start(t.Context()), "Stop": client.Stop(t.Context()), "Healthy": client.Healthy(),
			"Finish": client.Finish(t.Context(), kontinue.Execution{Owner: owner()}),
			"Cancel": client.Cancel(t.Context(), kontinue.Execution{Owner: owner()}), "NewExecutionContext": err,
		} {
			require.ErrorIs(t, err, kontinue.ErrInvalid, what)
			require.ErrorContains(t, err, "not made by New", what)
		}
	}
}
