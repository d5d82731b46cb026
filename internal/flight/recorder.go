package flight

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"

	"github.com/kontinue/kontinue/internal/redact"
)

// maxPending is how many lines wait for the writer. Further ones are left out: a writer
// that is slower than the cluster would otherwise fill the memory.
const maxPending = 4096

// Recorder writes a recording. Its methods do nothing on a nil Recorder. It is safe for
// concurrent use.
type Recorder struct {
	out   io.Writer
	log   *slog.Logger
	id    string
	begun time.Time
	*Scrubber
	base redact.Secrets // of the template of the Config

	mu       sync.Mutex
	pending  []entry
	writing  bool
	lost     int // lines since the last one that was written
	watches  int
	ahead    time.Duration // the largest difference of a clock to that of the process
	steps    map[uint64]*openStep
	written  chan struct{} // closed when the writer has ended; nil before the first one
	warned   bool          // of the goroutine that writes
	unended  bool          // likewise: the last Write may have left a part of a line
	maxLines int
}

// entry is a line that is to be written. What it refers to is its own.
type entry struct {
	Line
	object  kruntime.Object
	secrets redact.Secrets
}

// NewRecorder returns a Recorder of a client, or nil without a writer. It writes nothing.
func NewRecorder(out io.Writer, log *slog.Logger, client Client) *Recorder {
	if out == nil {
		return nil
	}
	r := &Recorder{
		out: out, log: log, id: strings.ToLower(rand.Text()[:8]), begun: time.Now(), Scrubber: NewScrubber(),
		steps: map[uint64]*openStep{}, maxLines: maxPending,
		unended: true, // an earlier process may have been killed while it wrote to the same file
	}
	if client.PodTemplate != nil {
		client.PodTemplate = client.PodTemplate.DeepCopy()
		r.base = secretsOf(client.PodTemplate)
		r.Scrub(client.PodTemplate, r.base)
	}
	client.Begun, client.Go = r.begun, runtime.Version()
	if info, ok := debug.ReadBuildInfo(); ok {
		client.Kontinue = version(info)
	}
	r.pending = []entry{{Line: Line{Format: Format, ID: r.id, Kind: KindClient, Client: &client}}}
	return r
}

// version is that of this library in a program.
func version(info *debug.BuildInfo) string {
	const module = "github.com/kontinue/kontinue"
	if info.Main.Path == module {
		return info.Main.Version
	}
	i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == module })
	if i < 0 {
		return ""
	}
	return info.Deps[i].Version
}

// Start notes a call of the client's Start.
func (r *Recorder) Start() { r.add(Line{Kind: KindStart}) }

// Started notes how it ended.
func (r *Recorder) Started(err error) {
	if r == nil {
		return
	}
	line := Line{Kind: KindStarted}
	if err != nil {
		line.Error = r.failure(err, nil)
	}
	r.add(line)
}

// Stop notes a call of Stop, which Flush follows.
func (r *Recorder) Stop() { r.add(Line{Kind: KindStop}) }

// Clock notes the time of a response if it moves the clock of the cluster.
func (r *Recorder) Clock(stamp time.Time) {
	if r == nil {
		return
	}
	ahead := stamp.Sub(r.begun) - time.Since(r.begun)
	r.mu.Lock()
	news := r.ahead == 0 || ahead > r.ahead
	if news {
		r.ahead = ahead
	}
	r.mu.Unlock()
	if news {
		r.add(Line{Kind: KindClock, Clock: &stamp})
	}
}

// Flush waits until all lines are written, or ctx ends.
func (r *Recorder) Flush(ctx context.Context) error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	written := r.written
	r.mu.Unlock()
	if written == nil {
		return nil
	}
	select {
	case <-written:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the recording is not written: %w", context.Cause(ctx))
	}
}

func (r *Recorder) add(line Line) { r.addObject(line, nil, nil) }

// addObject appends a line. It does not block. The object is copied, since its receiver may
// change it.
func (r *Recorder) addObject(line Line, object kruntime.Object, secrets redact.Secrets) {
	if r == nil {
		return
	}
	if object != nil {
		object = object.DeepCopyObject()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pending) >= r.maxLines {
		r.lost++
		return
	}
	line.ID, line.At = r.id, time.Since(r.begun)
	r.pending = append(r.pending, entry{line, object, secrets})
	if !r.writing {
		r.writing, r.written = true, make(chan struct{})
		go r.write(r.written)
	}
}

// write runs in a goroutine while there are lines.
func (r *Recorder) write(written chan<- struct{}) {
	defer close(written)
	for {
		r.mu.Lock()
		lines, lost := r.pending, r.lost
		r.pending, r.lost, r.writing = nil, 0, len(r.pending) > 0
		r.mu.Unlock()
		if len(lines) == 0 {
			r.forgive(lost)
			return
		}
		for i := range lines {
			if !r.writeLine(&lines[i]) {
				lost++
			}
		}
		if lost > 0 { // after those that were taken before the loss
			last := lines[len(lines)-1].At
			if !r.writeLine(&entry{Line: Line{ID: r.id, At: last, Kind: KindLost, Lost: lost}}) {
				r.forgive(lost)
			}
		}
	}
}

// forgive keeps the number of lost lines for the next time.
func (r *Recorder) forgive(lost int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost += lost
}

// writeLine writes a line with one Write, and reports whether it is written.
func (r *Recorder) writeLine(e *entry) bool {
	err := r.encode(e)
	if err == nil {
		return true
	}
	if !r.warned {
		r.warned = true
		r.log.Warn("recording of the client is incomplete: a line is not written", "error", err)
	}
	return false
}

func (r *Recorder) encode(e *entry) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	if e.object != nil {
		r.scrubObject(e.object, e.secrets)
		if e.Object, err = json.Marshal(e.object); err != nil {
			return err
		}
	}
	line, err := json.Marshal(e.Line)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if r.unended {
		line = append([]byte{'\n'}, line...)
	}
	r.unended = true
	n, err := r.out.Write(line)
	switch {
	case err == nil && n < len(line):
		return io.ErrShortWrite
	case err == nil:
		r.unended = false
	}
	return err
}

// scrubObject scrubs an object that is written, by the secrets of its own pod template and
// the given ones.
func (r *Recorder) scrubObject(object kruntime.Object, secrets redact.Secrets) {
	of := func(template *corev1.PodTemplateSpec, object any) {
		r.Scrub(object, slices.Concat(secrets, secretsOf(template)))
	}
	switch o := object.(type) {
	case *batchv1.Job:
		of(&o.Spec.Template, o)
	case *batchv1.JobList:
		for i := range o.Items {
			of(&o.Items[i].Spec.Template, &o.Items[i])
		}
	case *corev1.Pod:
		of(&corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}, o)
	case *corev1.PodList:
		for i := range o.Items {
			p := &o.Items[i]
			of(&corev1.PodTemplateSpec{ObjectMeta: p.ObjectMeta, Spec: p.Spec}, p)
		}
	default:
		r.Scrub(object, slices.Concat(secrets, r.secrets()))
	}
}

// secretsOf are the values of a pod template. Its annotations are left out: those of this
// library and of Kubernetes are words that are no secret.
func secretsOf(template *corev1.PodTemplateSpec) redact.Secrets {
	annotations := maps.Clone(template.Annotations)
	maps.DeleteFunc(annotations, func(key, _ string) bool { return own(key) })
	return redact.Of(&batchv1.Job{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: annotations}, Spec: template.Spec,
	}}})
}
