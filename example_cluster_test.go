package kontinue_test

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster"
)

// The examples run on a cluster in memory whose containers are local processes:
// the commands are real, the images are not.

// startCluster returns a configuration for that cluster, the object that owns
// the Jobs, and the function that stops the cluster. On a real cluster the
// configuration has a RESTConfig, and the owner is an object of the application.
func startCluster() (config kontinue.Config, owner metav1.OwnerReference, stop func()) {
	cluster := fakecluster.New(fakecluster.Options{LocalProcesses: true})
	must(cluster.Start(context.Background()))
	owner, err := cluster.CreateOwner(context.Background(), "ci", "release-42")
	must(err)
	return kontinue.Config{Clientset: cluster.Clientset(), Namespace: "ci"}, owner, cluster.Stop
}

// startExecution starts a client on such a cluster and returns the context that
// a worker function gets.
func startExecution() (ktx *kontinue.ExecutionContext, stop func()) {
	config, owner, stopCluster := startCluster()
	client, err := kontinue.New(config)
	must(err)
	must(client.Start(context.Background()))
	ktx, err = client.NewExecutionContext(context.Background(), kontinue.Execution{Owner: owner})
	must(err)
	return ktx, func() {
		must(client.Stop(context.Background()))
		stopCluster()
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
