package watch_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kontinue/kontinue/watch"
)

func TestModule(t *testing.T) {
	t.Parallel()
	var w *watch.Watcher
	fxtest.New(t, watch.Module, fx.Supply(watch.Config{Clientset: fake.NewClientset(), Namespace: "ns", Handler: &recorder{}}), fx.Populate(&w)).
		RequireStart().RequireStop()
	require.ErrorContains(t, w.Healthy(), "not started", "its user starts it")
	require.NoError(t, w.Stop(t.Context()))
}
