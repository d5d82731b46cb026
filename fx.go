package kontinue

import (
	"context"
	"time"

	"go.uber.org/fx"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/dispatch"
	"github.com/kontinue/kontinue/internal/step"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/logs"
	"github.com/kontinue/kontinue/watch"
)

// Module is the client as an fx module. It needs a [Config], provides a
// *[Client], starts it with the application, which fails to start with the
// client's reason, and stops it with the application. The Jobs keep running.
//
// The client's parts are modules too, wired by this one. Their inputs and outputs are
// private to it, so that an application may have a kubernetes.Interface, or a second
// client, of its own.
//
//	fx.New(
//		fx.Supply(kontinue.Config{RESTConfig: restConfig, Namespace: "ci"}),
//		kontinue.Module,
//		fx.Invoke(func(c *kontinue.Client) { … }),
//	)
var Module = fx.Module("kontinue",
	dispatch.Module[step.Event](),
	jobs.Module,
	logs.Module,
	watch.Module,
	fx.Provide(
		validate,
		func(c validConfig) (kubernetes.Interface, error) { return c.clientset() },
		func(c validConfig) jobs.Options { return c.jobs() },
		func(c validConfig, cs kubernetes.Interface, d *dispatch.Dispatcher[step.Event]) watch.Config {
			return c.watch(cs, d)
		},
		fx.Private,
	),
	fx.Provide(func(lc fx.Lifecycle, c validConfig, w *watch.Watcher, d *dispatch.Dispatcher[step.Event], j *jobs.Client, l *logs.Reader) *Client {
		client := newClient(c.Config, w, d, j, l)
		lc.Append(fx.StartStopHook(func(ctx context.Context) error {
			ctx, cancel := early(ctx)
			defer cancel()
			return client.Start(ctx)
		}, client.Stop))
		return client
	}),
	fx.Invoke(func(*Client) {}),
)

// early ends a little before ctx does. Once its context has ended fx reports
// that instead of what the hook returns, and the reason would be lost.
func early(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(time.Second, time.Until(deadline)/10)))
}

// validConfig is a Config with its defaults, which was found to be in order.
type validConfig struct{ Config }

func validate(c Config) (validConfig, error) {
	c, err := c.withDefaults()
	return validConfig{c}, err
}
