// Getstarted runs two steps, the second with what the first has returned. It is the program of
// docs/get-started.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kontinue/kontinue"
)

// release is the worker function: plain Go code whose steps are Jobs.
func release(ktx *kontinue.ExecutionContext, out io.Writer) error {
	build, err := script(ktx, out, "build", "echo building; sleep 5; printf v1.2 > /dev/termination-log")
	if err != nil {
		return err
	}
	_, err = script(ktx, out, "publish", "echo publishing "+build.Output(""))
	return err
}

// script runs a step, and prints its log and how it ended.
func script(ktx *kontinue.ExecutionContext, out io.Writer, name, command string) (*kontinue.PodResult, error) {
	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: name, Timeout: 10 * time.Minute, Logs: out},
		Image:       "busybox",
		Command:     command,
	})
	if err != nil {
		return nil, err // there is no result
	}
	fmt.Fprintf(out, "%s: %s, resumed: %t\n", name, result.Phase, result.Resumed())
	return result, result.Err() // nil, or what failed: container, exit code, reason, last log line
}

// run runs the function for one Execution, which is a ConfigMap here.
func run(ctx context.Context, config kontinue.Config, object *corev1.ConfigMap, out io.Writer) (err error) {
	client, err := kontinue.New(config)
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Stop(ctx)) }() // ends waits, never Jobs
	owner := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: object.Name, UID: object.UID}
	ktx, err := client.NewExecutionContext(ctx, kontinue.Execution{Owner: owner})
	if err != nil {
		return err
	}
	return release(ktx, out)
}

func main() {
	ctx := context.Background()
	restConfig, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	check(err)
	clientset, err := kubernetes.NewForConfig(restConfig)
	check(err)
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "release-1"}}
	maps := clientset.CoreV1().ConfigMaps("default")
	if _, err = maps.Create(ctx, object, metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		check(err)
	}
	object, err = maps.Get(ctx, object.Name, metav1.GetOptions{})
	check(err)
	check(run(ctx, kontinue.Config{RESTConfig: restConfig, Namespace: "default"}, object, os.Stdout))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
