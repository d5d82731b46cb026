package main

import (
	"context"
	"fmt"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// sample is what the metrics were at a time.
type sample struct {
	at             time.Duration
	active, queued float64
	ended          float64
	detection      metricdata.HistogramDataPoint[float64] // since the start
}

func collect(ctx context.Context, reader sdkmetric.Reader) (sample, error) {
	var all metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &all); err != nil {
		return sample{}, fmt.Errorf("collect the metrics: %w", err)
	}
	var s sample
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					switch m.Name {
					case "kontinue.steps.active":
						s.active += float64(p.Value)
					case "kontinue.steps.queued":
						s.queued += float64(p.Value)
					}
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					switch m.Name {
					case "kontinue.step.duration":
						s.ended += float64(p.Count)
					case "kontinue.step.detection.duration":
						s.detection = p
					}
				}
			}
		}
	}
	return s, nil
}

// quantile estimates a quantile of what a histogram has counted between two samples, as
// Prometheus' histogram_quantile does. It returns false if there was nothing.
func quantile(q float64, before, now metricdata.HistogramDataPoint[float64]) (float64, bool) {
	total := float64(now.Count - before.Count)
	if total == 0 {
		return 0, false
	}
	below, lower := 0.0, 0.0
	for i, upper := range now.Bounds {
		in := float64(now.BucketCounts[i])
		if len(before.BucketCounts) > 0 {
			in -= float64(before.BucketCounts[i])
		}
		if below+in >= q*total {
			return lower + (upper-lower)*(q*total-below)/in, true
		}
		below, lower = below+in, upper
	}
	return lower, true
}
