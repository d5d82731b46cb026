package step

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/watch"
)

// TestTallyIsThatOfThePods: after any events what is kept up to date is what a count of
// the pods gives.
func TestTallyIsThatOfThePods(t *testing.T) {
	t.Parallel()
	phases := []corev1.PodPhase{corev1.PodPending, corev1.PodRunning, corev1.PodSucceeded, corev1.PodFailed}
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		many := 1 + rnd.IntN(3*shortList)
		pod := func() *watch.Pod {
			return testPod(fmt.Sprintf("pod-%02d", rnd.IntN(many)), 1+rnd.IntN(50), phases[rnd.IntN(4)], int32(rnd.IntN(2)), rnd.IntN(2) == 0)
		}
		var v state
		for range 200 {
			if rnd.IntN(40) == 0 {
				listed := map[types.UID]*watch.Pod{}
				var all []*watch.Pod
				for range rnd.IntN(many) {
					if p := pod(); listed[p.UID] == nil {
						listed[p.UID] = p
						all = append(all, p)
					}
				}
				v.relist(all)
			} else {
				v.apply(Event{pod: pod(), deleted: rnd.IntN(5) == 0})
			}
			settled, succeeded, newest := 0, 0, 0
			for i, p := range v.pods {
				require.Equal(t, i, v.find(p.UID), "seed %d", seed)
				if p.settled() {
					settled++
				}
				if p.settled() && p.Phase == corev1.PodSucceeded {
					succeeded++
				}
				if last := v.pods[newest]; last.CreationTimestamp.Before(&p.CreationTimestamp) || last.CreationTimestamp.Equal(&p.CreationTimestamp) && last.Name < p.Name {
					newest = i
				}
			}
			require.Equal(t, []int{settled, succeeded, newest}, []int{v.settled, v.succeeded, v.newest}, "seed %d", seed)
			require.Equal(t, len(v.pods) > shortList, v.byUID != nil, "seed %d", seed)
			require.Equal(t, -1, v.find("another"))
		}
	}
}
