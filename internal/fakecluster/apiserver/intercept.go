package apiserver

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	clienttesting "k8s.io/client-go/testing"
)

// preempt counts the request and lets the reactors that a test has put before the
// server's own answer it. They run outside fake's lock.
func preempt(cs *Clientset, c call, action func() clienttesting.Action) (handled bool, answer runtime.Object, err error) {
	cs.s.stats.request(c.request())
	cs.fake.RLock()
	chain := cs.fake.ReactionChain
	cs.fake.RUnlock()
	var act clienttesting.Action
	for _, r := range chain {
		if _, ours := r.(*serverReactor); ours {
			break
		}
		if act == nil {
			act = action()
		}
		if !r.Handles(act) {
			continue
		}
		if handled, answer, err := r.React(act); handled {
			return true, answer, err
		}
	}
	return false, nil, nil
}

// intercept runs op unless a reactor answers.
func intercept(cs *Clientset, c call, action func() clienttesting.Action, op func() (runtime.Object, error)) (runtime.Object, error) {
	if handled, answer, err := preempt(cs, c, action); handled {
		return answer, err
	}
	return op()
}

// interceptWatch is intercept for watches.
func interceptWatch(cs *Clientset, c call, action func() clienttesting.Action, op func() (watch.Interface, error)) (watch.Interface, error) {
	cs.s.stats.request(c.request())
	cs.fake.RLock()
	chain := cs.fake.WatchReactionChain
	cs.fake.RUnlock()
	var act clienttesting.Action
	for _, r := range chain {
		if _, ours := r.(*serverWatchReactor); ours {
			break
		}
		if act == nil {
			act = action()
		}
		if !r.Handles(act) {
			continue
		}
		if handled, answer, err := r.React(act); handled {
			return answer, err
		}
	}
	return op()
}
