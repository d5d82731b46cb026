package kontinue

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.uber.org/fx"
)

// Module is the client as an fx module. It needs a [Config], provides a
// *[Client], starts it with the application, which fails to start with the
// client's reason, and stops it with the application. The Jobs keep running.
//
// Nothing but the Config goes into it and nothing but the client comes out, so that it can
// be used in any module of an application, which may have a rest.Config and a
// kubernetes.Interface of its own. [ModuleNamed] is for a second client.
//
//	fx.New(
//		fx.Supply(kontinue.Config{RESTConfig: restConfig, Namespace: "ci"}),
//		kontinue.Module,
//		fx.Invoke(func(c *kontinue.Client) error { return c.Healthy() }),
//	)
//
// An application that has a rest.Config makes the Config from it:
//
//	fx.Provide(func(c *rest.Config) kontinue.Config {
//		return kontinue.Config{RESTConfig: c, Namespace: "ci"}
//	})
var Module = fx.Module("kontinue",
	fx.Provide(provideClient),
	fx.Invoke(func(*Client) {}),
)

// ModuleNamed is [Module] for an application with several clients: it needs a [Config] and
// provides a *[Client] that both have the name, as fx tags them (name:"ci").
//
//	fx.New(
//		fx.Provide(
//			fx.Annotate(ciConfig, fx.ResultTags(`name:"ci"`)),
//			fx.Annotate(nightlyConfig, fx.ResultTags(`name:"nightly"`)),
//			fx.Annotate(newWorker, fx.ParamTags(`name:"ci"`, `name:"nightly"`)),
//		),
//		kontinue.ModuleNamed("ci"),
//		kontinue.ModuleNamed("nightly"),
//	)
//
// The application does not start if the name is empty or contains a quote or a backslash.
func ModuleNamed(name string) fx.Option {
	if name == "" || strings.ContainsAny(name, "\"`\\") {
		return fx.Error(invalid("ModuleNamed", fmt.Errorf("the name %q is empty or contains a quote or a backslash", name)))
	}
	tag := fmt.Sprintf("name:%q", name)
	return fx.Module("kontinue."+name,
		fx.Provide(fx.Annotate(provideClient, fx.ParamTags("", tag), fx.ResultTags(tag))),
		fx.Invoke(fx.Annotate(func(*Client) {}, fx.ParamTags(tag))),
	)
}

// provideClient makes a client that lives as long as the application. Its parts, which have
// fx modules of their own, do not go through the application's graph: a type is there only
// once, so that an application could have neither a second client nor such a part of its
// own, and a Config that is made from a clientset would depend on the one made from it.
func provideClient(lc fx.Lifecycle, c Config) (*Client, error) {
	client, err := New(c)
	if err != nil {
		return nil, err
	}
	lc.Append(fx.StartStopHook(func(ctx context.Context) error {
		ctx, cancel := early(ctx)
		defer cancel()
		return client.Start(ctx)
	}, client.Stop))
	return client, nil
}

// early ends a little before ctx does. Once its context has ended fx reports
// that instead of what the hook returns, and the reason would be lost.
func early(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(time.Second, time.Until(deadline)/10)))
}
