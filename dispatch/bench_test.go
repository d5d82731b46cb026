package dispatch_test

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/dispatch"
)

// BenchmarkDispatch routes one event to one of N bound futures: the cost must
// not depend on N.
func BenchmarkDispatch(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprintf("futures=%d", n), func(b *testing.B) {
			d, uids := bound(b, n)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				d.Dispatch(uids[i], 1)
				if i++; i == len(uids) {
					i = 0
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkDispatchUnbound routes events that no future is bound to. They must
// not allocate.
func BenchmarkDispatchUnbound(b *testing.B) {
	d, _ := bound(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		d.Dispatch("6f1ed002-ab5b-4a0f-8f7c-ffffffffffff", 1)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func bound(b *testing.B, n int) (*dispatch.Dispatcher[int], []types.UID) {
	b.Helper()
	d := dispatch.New[int]()
	uids := make([]types.UID, n)
	for i := range uids {
		uids[i] = types.UID(fmt.Sprintf("6f1ed002-ab5b-4a0f-8f7c-%012x", i))
		f, err := d.Register(func(int) bool { return false }, func() {})
		if err != nil {
			b.Fatal(err)
		}
		if err := f.Bind(uids[i]); err != nil {
			b.Fatal(err)
		}
	}
	return d, uids
}
