package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"

	"go.uber.org/fx"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kontinue/kontinue/devcluster"
)

// place is the cluster and the namespace that the app works in.
type place struct {
	config    *rest.Config
	namespace string
}

// clusterFlags select the cluster.
type clusterFlags struct{ kubeconfig, namespace string }

func (o *clusterFlags) add(flags *flag.FlagSet) {
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig `file` of a real cluster (default: a cluster in memory, whose commands run as local processes)")
	flags.StringVar(&o.namespace, "namespace", "default", "`namespace` to work in")
}

// openCluster returns the cluster of the flags. One in memory stops with the app. If a later
// constructor fails, the program ends, and no container has run.
func openCluster(lc fx.Lifecycle, opts options, logger *slog.Logger) (place, error) {
	at := place{namespace: opts.cluster.namespace}
	if opts.cluster.kubeconfig != "" {
		config, err := clientcmd.BuildConfigFromFlags("", opts.cluster.kubeconfig)
		if err != nil {
			return place{}, fmt.Errorf("kubeconfig: %w", err)
		}
		at.config = config
		logger.Info("cluster", "where", "API server "+config.Host, "namespace", at.namespace)
		return at, nil
	}
	cluster, err := devcluster.Start(context.Background(), devcluster.Options{})
	if err != nil {
		return place{}, err
	}
	logger.Info("cluster", "where", "in this process's memory; commands run as local processes, images are not pulled", "namespace", at.namespace)
	lc.Append(fx.StopHook(func() {
		logger.Info("stopping the cluster in memory: its Jobs end with it")
		cluster.Stop()
	}))
	at.config = cluster.RESTConfig()
	return at, nil
}
