package kontinue_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue"
)

func TestModuleIsAValidApp(t *testing.T) {
	t.Parallel()
	require.NoError(t, fx.ValidateApp(fx.Supply(kontinue.Config{}), kontinue.Module, fx.NopLogger))
	require.ErrorContains(t, fx.ValidateApp(kontinue.Module, fx.NopLogger), "missing type: kontinue.Config")
}

func TestModuleStartsAndStopsTheClient(t *testing.T) {
	t.Parallel()
	clientset := fake.NewClientset()
	var client *kontinue.Client
	app := fxtest.New(t,
		fx.Supply(kontinue.Config{Clientset: clientset, Namespace: "ns"}),
		// The application has a clientset of its own.
		fx.Provide(func() kubernetes.Interface { return fake.NewClientset() }),
		kontinue.Module,
		fx.Populate(&client),
	)
	require.ErrorIs(t, client.Healthy(), kontinue.ErrNotRunning)
	app.RequireStart()
	require.NoError(t, client.Healthy())
	app.RequireStop()
	require.ErrorIs(t, client.Healthy(), kontinue.ErrNotRunning)
}

func TestModuleFailsTheStartWithTheReason(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		config kontinue.Config
		want   string
	}{
		"no namespace": {kontinue.Config{Clientset: fake.NewClientset()}, "Namespace is empty"},
		"no cluster":   {kontinue.Config{Namespace: "ns"}, "set exactly one of RESTConfig and Clientset"},
		"unreachable API server": {kontinue.Config{
			RESTConfig: &rest.Config{Host: "https://127.0.0.1:1"}, Namespace: "ns", StartTimeout: 300 * time.Millisecond,
		}, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := fx.New(fx.Supply(tc.config), kontinue.Module, fx.NopLogger)
			err := app.Err()
			if err == nil {
				err = app.Start(context.Background())
			}
			require.ErrorContains(t, err, tc.want)
			require.NotErrorIs(t, err, context.Canceled)
		})
	}
}
