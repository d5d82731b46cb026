// Controller-runtime runs the steps of a custom resource as Kubernetes Jobs, without a
// goroutine and without a Reconcile that waits.
//
//	go run .
//
// The cluster is in memory. The program creates a Pipeline whose last step fails once, and
// prints its status as it changes.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/devcluster"
)

// kinds is what a CustomResourceDefinition declares on another cluster.
var kinds = []devcluster.Kind{{Group: groupVersion.Group, Version: groupVersion.Version, Kind: "Pipeline", Status: true}}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	log.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	err := demo(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// demo runs one Pipeline.
func demo(ctx context.Context) error {
	cluster, err := devcluster.Start(ctx, devcluster.Options{Kinds: kinds})
	if err != nil {
		return err
	}
	defer cluster.Stop()
	ctx, end := context.WithCancel(ctx)
	defer end()
	ended := make(chan error, 1)
	go func() { ended <- runManager(ctx, cluster.RESTConfig()) }()

	c, err := client.NewWithWatch(cluster.RESTConfig(), client.Options{Scheme: newScheme()})
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "kontinue-pipeline-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	watch, err := c.Watch(ctx, &PipelineList{}, client.InNamespace("default"))
	if err != nil {
		return err
	}
	defer watch.Stop()
	if err := c.Create(ctx, &Pipeline{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "release-42"},
		Spec: PipelineSpec{Image: "busybox", Retries: 1, Steps: []PipelineStep{
			{Name: "build", Command: "sleep 1; echo built"},
			{Name: "test", Command: "sleep 1; echo passed"},
			{Name: "publish", Command: fmt.Sprintf("mkdir %s/published && exit 75; echo published", dir)},
		}},
	}); err != nil {
		return err
	}
	for {
		select {
		case e := <-watch.ResultChan():
			p, ok := e.Object.(*Pipeline)
			if !ok {
				return fmt.Errorf("watch: %v", e.Object)
			}
			fmt.Printf("%s: %+v\n", p.Name, p.Status)
			if p.Status.Phase == succeeded && len(p.Finalizers) == 0 {
				end()
				return <-ended
			}
		case err := <-ended:
			return err
		}
	}
}

// runManager runs Pipelines until ctx ends.
func runManager(ctx context.Context, restConfig *rest.Config) (err error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	mgr, err := manager.New(restConfig, manager.Options{
		Scheme:     newScheme(),
		Metrics:    metrics.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: new(true)}, // tests restart it in one process
	})
	if err != nil {
		return err
	}
	r := &reconciler{ctx: ctx, ended: make(chan event.GenericEvent)}
	r.kontinue, err = kontinue.New(kontinue.Config{
		RESTConfig: restConfig, Namespace: "default", Group: "pipelines",
		Observer: &kontinue.Observer{StepEnded: r.stepEnded},
	})
	if err != nil {
		return err
	}
	if err := r.kontinue.Start(ctx); err != nil { // before the manager, whose first Reconcile needs it
		return err
	}
	defer func() {
		end()
		err = errors.Join(err, r.kontinue.Stop(ctx)) // the Jobs keep running
	}()
	if err := r.setUp(mgr); err != nil {
		return err
	}
	return mgr.Start(ctx)
}
