package pods_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/pods"
)

func BenchmarkInspect(b *testing.B) {
	p := pod("Failed", initC("prepare", exited(0, "Completed", 2, "")), mainC("main", exited(3, "Error", 5, "boom")))
	b.ReportAllocs()
	for b.Loop() {
		require.False(b, pods.Inspect(p).Succeeded())
	}
}

func BenchmarkEncodeOnePod(b *testing.B) {
	all := indexed(1, 1)
	b.ReportAllocs()
	for b.Loop() {
		_, _, err := pods.Encode(all, 0)
		require.NoError(b, err)
	}
}

func BenchmarkEncodeThousandPods(b *testing.B) {
	all := indexed(1000, 20)
	b.ReportAllocs()
	for b.Loop() {
		_, _, err := pods.Encode(all, 0)
		require.NoError(b, err)
	}
}
