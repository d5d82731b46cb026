package engine_test

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/fakecluster/engine"
)

// A controller subscribes to a store and syncs what has changed.
func Example() {
	store := engine.NewStore[*corev1.Pod]()
	queue := engine.NewQueue[types.UID](time.Second, time.Minute)
	store.Subscribe(func(_, pod *corev1.Pod) { queue.Add(pod.UID) })

	store.Put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "uid-1", ResourceVersion: "7"}})
	store.Put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "uid-1", ResourceVersion: "6"}}) // older: ignored
	queue.ShutDown()

	engine.Work(context.Background(), queue, func(_ context.Context, uid types.UID) error {
		pod, _ := store.Get(uid)
		fmt.Println(pod.Name, pod.ResourceVersion)
		return nil
	})
	// Output: p 7
}
