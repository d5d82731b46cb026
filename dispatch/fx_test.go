package dispatch_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/kontinue/kontinue/dispatch"
)

func TestModule(t *testing.T) {
	t.Parallel()
	var d *dispatch.Dispatcher[int]
	fxtest.New(t, dispatch.Module[int](), fx.Populate(&d)).RequireStart().RequireStop()
	f, got := collect(t, d)
	require.NoError(t, f.Bind("a"))
	d.Dispatch("a", 1)
	require.Equal(t, []int{1}, *got)
}
