package logs

import "go.uber.org/fx"

// Module provides a [*Reader] with default limits from a kubernetes.Interface.
var Module = fx.Module("kontinue.logs", fx.Provide(NewReader))
