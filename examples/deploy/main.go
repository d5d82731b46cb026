// Deploy runs a script as a Kubernetes Job and waits for it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kontinue/kontinue"
)

// deploy is the worker function: plain Go code whose steps are Jobs.
func deploy(ktx *kontinue.ExecutionContext) error {
	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "deploy", Timeout: 10 * time.Minute},
		Image:       "alpine:3",
		Command:     "echo deploying; sleep 20; echo deployed",
	})
	if err != nil {
		return err // there is no result
	}
	return result.Err() // nil, or what failed: container, exit code, reason, last log line
}

// run starts a client and runs the function for one Execution.
func run(ctx context.Context, config kontinue.Config, owner metav1.OwnerReference) (err error) {
	client, err := kontinue.New(config)
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Stop(ctx)) }() // ends waits, never Jobs

	ktx, err := client.NewExecutionContext(ctx, kontinue.Execution{Owner: owner})
	if err != nil {
		return err
	}
	return deploy(ktx)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	restConfig, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	check(err)
	clientset, err := kubernetes.NewForConfig(restConfig)
	check(err)
	// The Execution is a ConfigMap here. Any namespaced object of yours works.
	object, err := clientset.CoreV1().ConfigMaps("default").Get(ctx, "release-42", metav1.GetOptions{})
	check(err)
	owner := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: object.Name, UID: object.UID}
	check(run(ctx, kontinue.Config{RESTConfig: restConfig, Namespace: "default"}, owner))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
