package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kontinue/kontinue/devcluster"
)

// devOptions are the flags of dev.
type devOptions struct {
	listen     string
	kubeconfig string
	data       string
	insecure   bool
}

// newDev returns the command that serves a cluster for development.
func newDev(t terminal) *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Serve a Kubernetes cluster for development, in the memory of this process",
		Long: `Serve a Kubernetes cluster for development, in the memory of this process, until
Ctrl-C or SIGTERM.

It has an API server, the Job controller, the garbage collector, a scheduler and a
kubelet that runs the command of each container as a process on this machine, as the user
who started this program: images are not pulled, and nothing is isolated. Whoever has the
token in the kubeconfig file can run commands on this machine.

With --data the cluster is also in a directory, and the next one with that directory
continues where this one ended, also if it was killed: objects, logs and the token are
there, and containers that were running are treated as after a reboot of their node.

The cluster's context, kontinue-dev, is added to the kubeconfig file, and removed when the
cluster ends. What else is in the file is kept, and so is its current context if there is
one.`,
		Example: "  NAME dev\n  NAME dev --listen 127.0.0.1:6443 --kubeconfig dev.kubeconfig",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			go func() {
				select {
				case <-t.signals:
					cancel()
				case <-ctx.Done():
				}
			}()
			return o.run(ctx, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.listen, "listen", "127.0.0.1:0", "the `address` to serve at; port 0 is any free one")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "the `file` that gets the context of the cluster (default: kontinue/dev.kubeconfig below the user's cache directory)")
	flags.StringVar(&o.data, "data", "", "the `directory` of the cluster's state, with which a later cluster continues (default: in memory only)")
	flags.BoolVar(&o.insecure, "insecure", false, "serve plain HTTP without a token, on a loopback address only: every process of this machine can run commands as this user")
	return cmd
}

// run serves a cluster until ctx is done.
func (o *devOptions) run(ctx context.Context, out io.Writer) (err error) {
	file, err := kubeconfigPath(o.kubeconfig)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("--listen %s: %w", o.listen, err)
	}
	defer func() { _ = listener.Close() }() // the cluster has closed it
	cluster, err := devcluster.Start(ctx, devcluster.Options{Data: o.data})
	if err != nil {
		return err
	}
	defer cluster.Stop()
	endpoint, err := cluster.Serve(listener, devcluster.ServeOptions{Insecure: o.insecure})
	if err != nil {
		return err
	}
	entry, err := addContext(ctx, file, endpoint)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, entry.remove()) }()

	note := ""
	if !entry.current {
		note = "   # and: kubectl --context " + entry.name
	}
	if _, err := fmt.Fprintf(out, "A cluster for development is served at %s until Ctrl-C.\nexport KUBECONFIG=%s%s\n", endpoint.URL(), shellQuote(file), note); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// kubeconfigPath returns the absolute path of the kubeconfig file.
func kubeconfigPath(file string) (string, error) {
	if file != "" {
		return filepath.Abs(file)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("the default of --kubeconfig: %w", err)
	}
	return filepath.Join(cache, "kontinue", "dev.kubeconfig"), nil
}

// plainWord matches what a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=-]+$`)

// shellQuote returns the word as a shell has to read it.
func shellQuote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
