package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kontinue/kontinue"
)

func main() {
	var s settings
	var add int
	flag.StringVar(&s.namespace, "namespace", "default", "`namespace` of the Executions")
	flag.DurationVar(&s.duration, "lease", 10*time.Second, "a process that has not renewed its Lease for this `duration` is given up; at least 1s")
	flag.IntVar(&s.capacity, "capacity", 10, "how many functions to run at a time")
	flag.BoolVar(&s.drain, "drain", false, "end when no Execution is open")
	flag.IntVar(&add, "add", 0, "how many Executions to add first")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, s, add)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "claims:", err)
		os.Exit(1)
	}
}

// run adds Executions to the cluster of KUBECONFIG, or of the pod that it runs in, and works
// until ctx ends.
func run(ctx context.Context, s settings, add int) (err error) {
	if s.duration < time.Second || s.capacity < 1 {
		return errors.New("-lease must be at least 1s, and -capacity at least 1")
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	config.QPS = -1 // a Lease must not wait for the client's limit of requests
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	for range add {
		if err := (store{clientset.CoreV1().ConfigMaps(s.namespace)}).add(ctx); err != nil {
			return err
		}
	}
	client, err := kontinue.New(kontinue.Config{RESTConfig: config, Namespace: s.namespace, Group: appName})
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Stop(context.WithoutCancel(ctx))) }()
	return work(ctx, client, clientset, s, slog.New(slog.NewTextHandler(os.Stderr, nil)))
}
