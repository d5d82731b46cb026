package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kontinue/kontinue/devcluster"
)

// options are the program's flags.
type options struct{ kubeconfig, namespace, image string }

func (o *options) flags(flags *flag.FlagSet) {
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig `file` of a real cluster (default: a cluster in memory, whose commands run as local processes)")
	flags.StringVar(&o.namespace, "namespace", "default", "`namespace` to work in")
	flags.StringVar(&o.image, "image", "busybox", "`image` that the scripts run in, with a /bin/sh; not used in memory")
}

// open returns how to reach the cluster, where it is, and a function that leaves it: one
// in memory is stopped.
func (o *options) open(ctx context.Context) (config *rest.Config, where string, leave func(), err error) {
	if o.kubeconfig != "" {
		if config, err = clientcmd.BuildConfigFromFlags("", o.kubeconfig); err != nil {
			return nil, "", nil, fmt.Errorf("kubeconfig: %w", err)
		}
		return config, "API server " + config.Host, func() {}, nil
	}
	cluster, err := devcluster.Start(ctx, devcluster.Options{})
	if err != nil {
		return nil, "", nil, err
	}
	where = "in this process's memory; commands run as local processes, images are not pulled"
	return cluster.RESTConfig(), where, cluster.Stop, nil
}

// ownerTimeout limits the deletion of the owner, which ignores the context because it
// must also run after a signal.
const ownerTimeout = 10 * time.Second

// createOwner creates a ConfigMap to own the Jobs. Any namespaced object can. It returns a
// function that deletes it, upon which the garbage collector deletes the Jobs.
func createOwner(ctx context.Context, config *rest.Config, namespace string) (owner metav1.OwnerReference, remove func() error, err error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return owner, nil, fmt.Errorf("kubeconfig: %w", err)
	}
	maps := client.CoreV1().ConfigMaps(namespace)
	created, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "quickstart-"}}, metav1.CreateOptions{})
	if err != nil {
		return owner, nil, fmt.Errorf("create a ConfigMap in namespace %s to own the Jobs: %w", namespace, err)
	}
	owner = metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: created.Name, UID: created.UID}
	return owner, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ownerTimeout)
		defer cancel()
		err := maps.Delete(ctx, owner.Name, *metav1.NewPreconditionDeleteOptions(string(owner.UID)))
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete ConfigMap %s/%s manually, which deletes its Jobs too: %w", namespace, owner.Name, err)
		}
		return nil
	}, nil
}
