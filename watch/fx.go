package watch

import "go.uber.org/fx"

// Module provides a *[Watcher] from a [Config]. The user of the watcher starts
// and stops it.
var Module = fx.Module("kontinue.watch", fx.Provide(New))
