package main

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// A small run is drawn with all of its lines.
func TestPlot(t *testing.T) {
	t.Parallel()
	samples, err := run(t.Context(), 3, time.Second)
	require.NoError(t, err)
	last := samples[len(samples)-1]
	require.Equal(t, 3.0, last.ended)
	require.Zero(t, last.active)
	require.EqualValues(t, 3, last.detection.Count)

	svg := draw(samples)
	require.Equal(t, 6, strings.Count(svg, "<polyline points=\""))
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for err == nil {
		_, err = decoder.Token()
	}
	require.ErrorIs(t, err, io.EOF, "it is well-formed")
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	of := func(counts ...uint64) metricdata.HistogramDataPoint[float64] {
		p := metricdata.HistogramDataPoint[float64]{Bounds: []float64{1, 2, 4}, BucketCounts: counts}
		for _, n := range counts {
			p.Count += n
		}
		return p
	}
	for _, tc := range []struct {
		q           float64
		before, now metricdata.HistogramDataPoint[float64]
		want        float64
	}{
		{0.5, of(), of(0, 4, 0, 0), 1.5},
		{0.5, of(0, 4, 0, 0), of(0, 4, 2, 0), 3},
		{0.99, of(), of(0, 0, 0, 1), 4},
	} {
		got, ok := quantile(tc.q, tc.before, tc.now)
		require.True(t, ok)
		require.InDelta(t, tc.want, got, 1e-9)
	}
	_, ok := quantile(0.5, of(1, 0, 0, 0), of(1, 0, 0, 0))
	require.False(t, ok)
}
