package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Style names a way to wait.
type Style = string

// The styles, in the order of the table.
const (
	Poll          Style = "poll"
	WatchPerWait  Style = "watch-per-wait"
	StatusWatcher Style = "status-watcher"
	HandlerCache  Style = "handler-per-wait"
	Informer      Style = "informer"
	Recorder      Style = "informer-record"
	Kontinue      Style = "kontinue"
	Teller        Style = "kontinue-progress"
	Floor         Style = "floor"
	clientAlone   Style = "client-alone" // for what is kept of finished steps
	resumeAll     Style = "resume-finished"
)

// AllStyles are the styles of a run. Floor is the raw watch alone, which every
// process has.
var AllStyles = []Style{Floor, Poll, WatchPerWait, StatusWatcher, HandlerCache, Informer, Recorder, Kontinue, Teller}

var descriptions = map[Style]string{
	Floor:         "raw watch of the Jobs, nothing else",
	Poll:          "GET of the Job each 2 s per wait",
	WatchPerWait:  "one watch per wait (`watchtools.UntilWithSync`, as `kubectl wait`)",
	StatusWatcher: "cli-utils `StatusWatcher`, one for all Jobs",
	HandlerCache:  "controller-runtime cache, one handler per wait",
	Informer:      "hand-written informers (Jobs, Pods), map of channels",
	Recorder:      "the same, with a record of each result (one PATCH)",
	Kontinue:      "kontinue (`RunPod`)",
	Teller:        "the same, with `Config.OnProgress`",
}

// styles attach to all Jobs and return when every wait waits. What they start
// ends with the process.
var styles = map[Style]func(context.Context, *waiter) error{
	Floor:         rawWatch,
	Poll:          poll,
	WatchPerWait:  watchPerWait,
	StatusWatcher: statusWatcher,
	HandlerCache:  handlerPerWait,
	Informer:      informer,
	Recorder:      informerRecord,
	Kontinue:      runPods,
	Teller:        runPodsTelling,
	clientAlone:   cacheOnly,
	resumeAll:     resumeFinished,
}

// attachLimit is when a style that does not come to wait is given up.
const attachLimit = 4 * time.Minute

// attached returns when so many waits have begun and nothing moves any more: no
// request is open and no goroutine could run.
func (w *waiter) attached(ctx context.Context, begun *atomic.Int64, failed <-chan error) error {
	limit := time.NewTimer(attachLimit)
	defer limit.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for calm := 0; calm < 3; {
		select {
		case <-tick.C:
			if begun.Load() == int64(len(w.targets)) && w.count.open.Load() == 0 && quiet() {
				calm++
			} else {
				calm = 0
			}
		case err := <-failed:
			return err
		case <-limit.C:
			return fmt.Errorf("after %s %d of %d waits have begun, %d requests are open", attachLimit, begun.Load(), len(w.targets), w.count.open.Load())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// fail leaves the first error in a channel of capacity 1.
func fail(to chan<- error, err error) {
	select {
	case to <- err:
	default:
	}
}

// rawWatch waits by the watch that every process has.
func rawWatch(_ context.Context, w *waiter) error {
	index := make(map[types.UID]int, len(w.targets))
	for i, t := range w.targets {
		index[t.UID] = i
	}
	w.floor.tell(func(uid types.UID) {
		if i, ok := index[uid]; ok {
			w.woke(i)
		}
	})
	return nil
}
