package events

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/klog/v2"

	"github.com/kontinue/kontinue/internal/plain"
)

// The rates of the Events of one client. The API server stores each for an hour, so that
// thousands of steps a second must not become thousands of Events. Those that say what is
// wrong have a rate of their own.
const (
	normalRate, normalBurst   = 5, 50
	warningRate, warningBurst = 10, 200
)

const (
	// writeTimeout bounds one request. An Event that is late is of no use.
	writeTimeout = 10 * time.Second
	// maxPending is how many Events wait for an API server that is slower than their rates.
	maxPending = normalBurst + warningBurst
	// maxNote is the API server's limit on the length of an Event's message, in bytes.
	maxNote = 1024
	// controller is the reporting controller of the Events.
	controller = "kontinue.cloud/worker"
)

// Note is an Event to be written about the owner of a Job.
type Note struct {
	// Namespace is that of both.
	Namespace string
	Owner     metav1.OwnerReference
	Job       string
	JobUID    types.UID
	// Warning is set for what is wrong.
	Warning bool
	// Reason is a word in CamelCase, Action what the worker did, Message a sentence.
	Reason, Action, Message string
}

// Writer writes Events about the owners of Jobs, for kubectl describe and others. It is
// best effort: what exceeds its rate is dropped, a request that fails is not sent again, and
// no caller waits. client-go's recorders start a goroutine for each Event, which repeats a
// request for two minutes and which a caller cannot wait for.
type Writer struct {
	client   kubernetes.Interface
	log      *slog.Logger
	instance string
	normal   flowcontrol.PassiveRateLimiter
	warning  flowcontrol.PassiveRateLimiter

	life context.Context
	end  context.CancelFunc

	mu      sync.Mutex
	enabled bool
	refused map[string]bool // the namespaces in which the right is missing
	pending []Note
	working bool
	stopped bool
	work    sync.WaitGroup
	last    time.Time // that of the newest Event; used by the goroutine that sends only
	dropped int
}

// NewWriter returns a Writer that drops everything until [Writer.Enable].
func NewWriter(client kubernetes.Interface, log *slog.Logger) *Writer {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	w := &Writer{
		client: client, log: log, instance: "kontinue-" + host[:min(len(host), 100)],
		normal:  flowcontrol.NewTokenBucketPassiveRateLimiter(normalRate, normalBurst),
		warning: flowcontrol.NewTokenBucketPassiveRateLimiter(warningRate, warningBurst),
		refused: map[string]bool{},
	}
	// client-go would otherwise print its log lines.
	w.life, w.end = context.WithCancel(klog.NewContext(context.Background(), logr.FromSlogHandler(log.Handler())))
	return w
}

// Enable says that the right to create Events is there, but for the namespaces of
// [Writer.Refuse].
func (w *Writer) Enable() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.enabled = true
}

// Refuse says that the right is missing in a namespace, or in all for "". It reports whether
// that is new.
func (w *Writer) Refuse(namespace string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.refused[namespace]
	w.refused[namespace] = true
	return !known
}

// Write has the Event written soon. It does not block.
func (w *Writer) Write(n Note) {
	w.mu.Lock()
	defer w.mu.Unlock()
	limiter := w.normal
	if n.Warning {
		limiter = w.warning
	}
	if !w.enabled || w.stopped || w.refused[""] || w.refused[n.Namespace] {
		return
	}
	if len(w.pending) >= maxPending || !limiter.TryAccept() {
		w.dropped++
		return
	}
	w.pending = append(w.pending, n)
	if !w.working {
		w.working = true
		w.work.Go(w.send)
	}
}

// Stop writes what is pending until ctx is done, drops the rest, and returns when no request
// is open. What a program ends for is often the newest Event.
func (w *Writer) Stop(ctx context.Context) {
	w.mu.Lock()
	w.stopped = true // no goroutine is started from now on
	w.mu.Unlock()
	release := context.AfterFunc(ctx, w.end)
	w.work.Wait()
	release()
	w.end()
	if w.dropped > 0 {
		w.log.Debug("events were dropped above the rate limit", "events", w.dropped)
	}
}

// send writes the Events one after the other.
func (w *Writer) send() {
	for {
		w.mu.Lock()
		notes := w.pending
		w.pending, w.working = nil, len(notes) > 0
		w.mu.Unlock()
		if len(notes) == 0 {
			return
		}
		for _, n := range notes {
			if w.life.Err() == nil {
				w.create(n)
			}
		}
	}
}

func (w *Writer) create(n Note) {
	ctx, cancel := context.WithTimeout(w.life, writeTimeout)
	defer cancel()
	_, err := w.client.CoreV1().Events(n.Namespace).Create(ctx, w.event(n), metav1.CreateOptions{})
	if err == nil || w.life.Err() != nil {
		return
	}
	// Admission refuses single Events: for a quota, or in a namespace that is being deleted.
	if apierrors.IsForbidden(err) && strings.Contains(err.Error(), "cannot create") {
		if w.Refuse(n.Namespace) {
			w.log.Warn("events about the owners of steps cannot be created any more: grant the verb create on events, which is optional", "namespace", n.Namespace, "error", err)
		}
		return
	}
	w.log.Debug("an event was not created", "namespace", n.Namespace, "reason", n.Reason, "error", err)
}

// event returns the Event in the form of events.k8s.io/v1, within the older API: both are one
// object to the API server, and the right for the one is that for reading them too.
func (w *Writer) event(n Note) *corev1.Event {
	now := time.Now()
	if !now.After(w.last) {
		now = w.last.Add(time.Nanosecond)
	}
	w.last = now
	kind := corev1.EventTypeNormal
	if n.Warning {
		kind = corev1.EventTypeWarning
	}
	e := &corev1.Event{
		// Names in the order of time: kubectl describe sorts by whole seconds, and leaves the
		// Events of one second as they are listed.
		ObjectMeta: metav1.ObjectMeta{Namespace: n.Namespace, GenerateName: fmt.Sprintf("kontinue-%016x-", now.UnixNano())},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: n.Owner.APIVersion, Kind: n.Owner.Kind, Namespace: n.Namespace, Name: n.Owner.Name, UID: n.Owner.UID,
		},
		Type: kind, Reason: n.Reason, Action: n.Action, Message: plain.Shorten(n.Message, maxNote),
		EventTime: metav1.NewMicroTime(now), FirstTimestamp: metav1.NewTime(now), LastTimestamp: metav1.NewTime(now), Count: 1,
		ReportingController: controller, ReportingInstance: w.instance, Source: corev1.EventSource{Component: controller},
	}
	if n.Job != "" {
		e.Related = &corev1.ObjectReference{APIVersion: "batch/v1", Kind: "Job", Namespace: n.Namespace, Name: n.Job, UID: n.JobUID}
	}
	return e
}
