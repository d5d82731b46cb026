package jobs_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/jobs"
)

func TestModule(t *testing.T) {
	t.Parallel()
	c := newCluster()
	var client *jobs.Client
	fxtest.New(t, jobs.Module, fx.Populate(&client), fx.Supply(jobs.Options{}), fx.Provide(func() kubernetes.Interface { return c })).
		RequireStart().RequireStop()
	got, err := acquire(t.Context(), client, request())
	require.NoError(t, err)
	require.NotEmpty(t, got.Job.UID)
}
