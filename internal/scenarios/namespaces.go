package scenarios

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/kontinue/kontinue"
)

// SeveralNamespaces tests workers of more than one namespace: of a list with a ClusterRole
// and with Roles only, for which the worker opens other watches, and of all.
func SeveralNamespaces(t *testing.T, backend Backend) {
	t.Helper()
	for name, w := range map[string]severalWorker{
		"list-by-roles":        {},
		"list-by-clusterrole":  {everywhere: true},
		"all-by-clusterrole":   {everywhere: true, all: true},
		"list-without-a-right": {missing: &Right{Resource: "pods", Verb: "watch"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend.Run(t, nil, true, func(t *testing.T, c Cluster) {
				if err := w.check(t, c, name); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// severalWorker is a worker of two namespaces.
type severalWorker struct {
	everywhere bool   // its rights are those of a ClusterRole
	all        bool   // it serves all namespaces
	missing    *Right // in the second namespace
}

func (w severalWorker) check(t *testing.T, c Cluster, name string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	namespaces := []string{name + "-a", name + "-b"}
	for _, namespace := range namespaces {
		if err := c.CreateNamespace(ctx, t, namespace, nil); err != nil {
			return err
		}
	}
	config, err := c.WorkerOf(ctx, t, namespaces, w.everywhere, w.missing)
	if err != nil {
		return err
	}
	log := &logBuffer{}
	config.Logger = slog.New(slog.NewTextHandler(log, nil))
	if config.Namespaces = namespaces; w.all {
		config.Namespaces, config.AllNamespaces = nil, true
	}
	client, err := kontinue.New(config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Stop(context.Background())) }()
	err = client.Start(ctx)
	if w.missing != nil {
		return w.refused(err, namespaces[1])
	}
	if err != nil {
		return err
	}
	if fallback := strings.Contains(log.String(), "cluster-wide watches are forbidden"); fallback == w.everywhere {
		return fmt.Errorf("watches for each namespace: %t, with a ClusterRole: %t\n%s", fallback, w.everywhere, log.String())
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "level=WARN") && !strings.Contains(line, "an optional right is missing") {
			return fmt.Errorf("a start with enough rights has logged a warning:\n%s", log.String())
		}
	}
	for _, namespace := range namespaces {
		if err := useNamespace(ctx, client, config, c, namespace); err != nil {
			return fmt.Errorf("in namespace %s: %w", namespace, err)
		}
	}
	return client.Healthy()
}

// refused checks that a start has failed and says which right is missing, and where.
func (w severalWorker) refused(err error, namespace string) error {
	want := fmt.Sprintf("cannot %s %s in namespace %s", w.missing.Verb, w.missing.Resource, namespace)
	switch {
	case err == nil:
		return fmt.Errorf("Start succeeded without the right to %s", want)
	case !strings.Contains(err.Error(), want):
		return fmt.Errorf("the error of Start does not contain %q: %w", want, err)
	default:
		return nil
	}
}

// useNamespace runs a step, and asks for it in a client that is not started.
func useNamespace(ctx context.Context, client *kontinue.Client, config kontinue.Config, c Cluster, namespace string) error {
	execution, err := newExecution(ctx, c.Admin(), namespace)
	if err != nil {
		return err
	}
	execution.Namespace = namespace
	result, err := runScript(ctx, client, execution, c)
	if err != nil {
		return err
	}
	asking, err := kontinue.New(config)
	if err != nil {
		return err
	}
	steps, err := asking.Steps(ctx, execution)
	if err := errors.Join(err, asking.Stop(ctx)); err != nil {
		return err
	}
	if len(steps) != 1 || steps[0].State != kontinue.StepSucceeded || !steps[0].Recorded || len(steps[0].Pods) != 1 || steps[0].Pods[0] != result.Pod.Name {
		return fmt.Errorf("Steps returned %+v", steps)
	}
	return client.Finish(ctx, execution)
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
