package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/kontinuetest"
)

func TestDeploy(t *testing.T) {
	cluster := kontinuetest.New(t)
	cluster.Play(kontinuetest.Job("deploy").Log("no such chart").Exit(3))
	err := deploy(cluster.Run(cluster.NewExecution("release-42")))
	require.ErrorContains(t, err, "no such chart")
}

// A second run of the program finds the Job of the first.
func TestRun(t *testing.T) {
	cluster := kontinuetest.New(t)
	execution := cluster.NewExecution("release-42")
	require.NoError(t, run(t.Context(), cluster.Config(), execution.Owner))
	require.NoError(t, run(t.Context(), cluster.Config(), execution.Owner))
	list, err := cluster.Clientset().BatchV1().Jobs(kontinuetest.Namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
}
