package main

import (
	"log/slog"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxevent"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/examples/internal/playground"
)

// stopTimeout bounds the shutdown. Kubernetes kills a pod 30 s after SIGTERM
// (terminationGracePeriodSeconds), so it must be well below that.
const stopTimeout = 15 * time.Second

// app wires the program. Another option must provide a *playground.Cluster. Hooks
// stop in the reverse order of their start: the worker, the client, the cluster.
func app(opts options, logger *slog.Logger) fx.Option {
	return fx.Options(
		fx.Supply(opts, logger),
		fx.WithLogger(func() fxevent.Logger {
			l := &fxevent.SlogLogger{Logger: logger}
			l.UseLogLevel(slog.LevelDebug)
			return l
		}),
		fx.StopTimeout(stopTimeout),

		fx.Provide(clientConfig, newStore, newWorker),
		kontinue.Module,
		fx.Invoke(func(*worker) {}),
	)
}

// openCluster starts and stops the cluster with the app.
func openCluster(lc fx.Lifecycle, opts options, logger *slog.Logger) (*playground.Cluster, error) {
	cluster, err := playground.New(opts.cluster)
	if err != nil {
		return nil, err
	}
	logger.Info("cluster", "where", cluster.String(), "namespace", cluster.Namespace())
	lc.Append(fx.StartStopHook(cluster.Start, func() {
		if cluster.InMemory() {
			logger.Info("stopping the cluster in memory: its Jobs end with it")
		}
		cluster.Stop()
	}))
	return cluster, nil
}

// clientConfig provides the Config that kontinue.Module needs.
func clientConfig(cluster *playground.Cluster, logger *slog.Logger) kontinue.Config {
	config := cluster.Config()
	config.Group = "fxworker"
	config.Logger = logger
	config.OnProgress = func(p kontinue.Progress) {
		if p.State == kontinue.StepPending && p.Reason == "" {
			return // nothing to report yet
		}
		attrs := []any{"execution", p.Execution, "step", p.Step, "state", p.State, "elapsed", p.Elapsed.Round(time.Millisecond)}
		if p.Reason != "" {
			attrs = append(attrs, "reason", p.Reason)
		}
		if p.Resumed {
			attrs = append(attrs, "resumed", true)
		}
		logger.Info("step", attrs...)
	}
	return config
}
