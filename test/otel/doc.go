// Package otel tests otelkontinue with the SDK of OpenTelemetry and its Prometheus exporter,
// and checks the dashboard and the alert rules in deploy with Prometheus' own parsers. It is a
// module of its own, so that those are in no user's go.sum.
package otel
