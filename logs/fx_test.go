package logs

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
)

func TestModuleProvidesAReader(t *testing.T) {
	t.Parallel()
	var r *Reader
	app := fxtest.New(t, Module, fx.Provide(func() kubernetes.Interface { return fake.NewClientset() }), fx.Populate(&r))
	app.RequireStart().RequireStop()
	text, err := r.Tail(t.Context(), ref, TailOptions{Lines: 1})
	require.NoError(t, err)
	require.Equal(t, "fake logs", text)
}
