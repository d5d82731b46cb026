package dispatch

import "go.uber.org/fx"

// Module provides a *[Dispatcher] for events of type E.
func Module[E any]() fx.Option {
	return fx.Module("kontinue.dispatch", fx.Provide(New[E]))
}
