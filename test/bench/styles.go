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
	Poll             Style = "poll"
	WatchPerWait     Style = "watch-per-wait"
	StatusWatcher    Style = "status-watcher"
	HandlerCache     Style = "handler-per-wait"
	Informer         Style = "informer"
	Recorder         Style = "informer-record"
	Kontinue         Style = "kontinue"
	KontinueProgress Style = "kontinue-progress"
	KontinueHandles  Style = "kontinue-handles"
	Floor            Style = "floor"
	kontinueOTel     Style = "kontinue-otel" // measured beside kontinue: see overhead
	clientAlone      Style = "client-alone"  // measures what is kept of finished steps
	resumeAll        Style = "resume-finished"
)

// AllStyles are the styles of a run. Floor is the raw watch alone, which the processes
// of all styles hold.
var AllStyles = []Style{Floor, Poll, WatchPerWait, StatusWatcher, HandlerCache, Informer, Recorder, Kontinue, KontinueProgress, KontinueHandles}

var descriptions = map[Style]string{
	Floor:            "raw watch of the Jobs, nothing else",
	Poll:             "GET of the Job each 2 s per wait",
	WatchPerWait:     "one watch per wait (`watchtools.UntilWithSync`, as `kubectl wait`)",
	StatusWatcher:    "cli-utils `StatusWatcher`, one for all Jobs",
	HandlerCache:     "controller-runtime cache, one handler per wait",
	Informer:         "hand-written informers (Jobs, Pods), map of channels",
	Recorder:         "the same, with a record of each result (one PATCH)",
	Kontinue:         "kontinue (`RunPod`)",
	KontinueProgress: "the same, with `Config.OnProgress`",
	KontinueHandles:  "kontinue (`StartPod`), one goroutine for all results",
}

// styles start a wait for each Job, and return when all waits have begun. What they
// start ends with the process.
var styles = map[Style]func(context.Context, *waiter) error{
	Floor:            rawWatch,
	Poll:             poll,
	WatchPerWait:     watchPerWait,
	StatusWatcher:    statusWatcher,
	HandlerCache:     handlerPerWait,
	Informer:         informer,
	Recorder:         informerRecord,
	Kontinue:         runPods,
	KontinueProgress: runPodsProgress,
	KontinueHandles:  startPods,
	kontinueOTel:     runPodsObserved,
	clientAlone:      cacheOnly,
	resumeAll:        resumeFinished,
}

// attachLimit bounds the time until all waits of a style have begun.
const attachLimit = 4 * time.Minute

// attached returns when all waits have begun and the process is idle: no request is
// open and no goroutine is runnable.
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
			return fmt.Errorf("only %d of %d waits began within %s; %d requests are open", begun.Load(), len(w.targets), attachLimit, w.count.open.Load())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// fail sends the first error to a channel of capacity 1, and drops the others.
func fail(to chan<- error, err error) {
	select {
	case to <- err:
	default:
	}
}

// rawWatch waits with the raw watch that every process holds.
func rawWatch(_ context.Context, w *waiter) error {
	index := make(map[types.UID]int, len(w.targets))
	for i, t := range w.targets {
		index[t.UID] = i
	}
	w.floor.notify(func(uid types.UID) {
		if i, ok := index[uid]; ok {
			w.woke(i)
		}
	})
	return nil
}
