package jobs

import "go.uber.org/fx"

// Module provides a *[Client] to an fx application, from a kubernetes.Interface and
// [Options].
var Module = fx.Module("jobs", fx.Provide(NewClient))
