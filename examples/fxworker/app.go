package main

import (
	"log/slog"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxevent"

	"github.com/kontinue/kontinue"
)

// stopTimeout bounds the shutdown. Kubernetes kills a pod 30 s after SIGTERM
// (terminationGracePeriodSeconds), so it must be well below that.
const stopTimeout = 15 * time.Second

// app wires the program. Another option must provide the place. Hooks
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

// clientConfig provides the Config that kontinue.Module needs.
func clientConfig(at place, logger *slog.Logger) kontinue.Config {
	return kontinue.Config{
		RESTConfig: at.config, Namespace: at.namespace, Group: "fxworker", Logger: logger,
		OnProgress: func(p kontinue.Progress) {
			logger.Info("step", "execution", p.Execution, "step", p.Step, "state", p.State, "reason", p.Reason, "resumed", p.Resumed, "elapsed", p.Elapsed.Round(time.Millisecond))
		},
	}
}
