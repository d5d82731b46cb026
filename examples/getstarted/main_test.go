package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/kontinuetest"
)

// A second run of the program returns what the first has returned.
func TestRun(t *testing.T) {
	cluster := kontinuetest.New(t)
	cluster.Play(kontinuetest.Job("build").Log("building").Message("v1.2"))
	cluster.Play(kontinuetest.Job("publish").Log("publishing v1.2"))
	execution := cluster.NewExecution("release-1")
	object, err := cluster.Clientset().CoreV1().ConfigMaps("default").Get(t.Context(), "release-1", metav1.GetOptions{})
	require.NoError(t, err)
	for _, want := range []string{
		"building\nbuild: Succeeded, resumed: false\npublishing v1.2\npublish: Succeeded, resumed: false\n",
		"build: Succeeded, resumed: true\npublish: Succeeded, resumed: true\n",
	} {
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), cluster.Config(), object, &out))
		require.Equal(t, want, out.String())
	}
	cluster.RequireJobs(execution, "build", "publish")
	require.Equal(t, "echo publishing v1.2", cluster.Job(execution, "publish").Spec.Template.Spec.Containers[0].Command[2])
}
