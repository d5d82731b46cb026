// Package otelkontinue has the metrics and traces of a [kontinue.Client], by the API of
// OpenTelemetry. It needs no SDK: the providers are options, and by default the global ones.
//
//	telemetry, err := otelkontinue.New()
//	config.Observer = telemetry.Observer(nil)
//	client, err := kontinue.New(config)
//	registration, err := telemetry.Register(client)
//
// [Telemetry.Observer] counts steps and requests and begins a span for each step,
// [Telemetry.Register] reads the state of the client when metrics are collected, and
// [Telemetry.StartExecution] does both for an Execution. docs/observability.md lists the
// metrics and what a span has. No label has one value for each Job, Execution or step, and
// nothing has a message of a container, which may quote a secret.
//
// The trace context of a step is on its Job, as an annotation. A function that runs again, in
// this process or another one, has a span that is linked to the one that created the Job.
package otelkontinue
