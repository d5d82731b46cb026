package kubelet

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// logFile is the log of one container instance on disk, in the format of container
// runtimes: lines of a time, a stream, a tag that says whether the line of the log is
// whole, and text. A nil logFile stores nothing. It is guarded by its logBuffer.
type logFile struct {
	path   string
	file   *os.File // nil if it could not be created yet
	size   int64
	text   int   // bytes of the log in the file
	lost   int   // bytes of the log that could not be stored
	why    error // the last time
	closed bool
}

const (
	logStream  = " stdout "
	logWhole   = "F "
	logPartial = "P "
)

// logPath is the path of the log of an instance. There is one directory for each pod, and
// not for each container, since making directories is most of what the files cost.
func (k *Kubelet) logPath(pod types.UID, container string, restart int32) string {
	return filepath.Join(k.podLogs(pod), container+"."+strconv.Itoa(int(restart))+".log")
}

func (k *Kubelet) podLogs(pod types.UID) string { return filepath.Join(k.opts.LogDir, string(pod)) }

// newLogFile creates the file of a new instance, before its process is started: it is what
// a later kubelet knows of an instance whose status was not written. The file of the last
// but one is removed.
func (k *Kubelet) newLogFile(pod types.UID, container string, restart int32) (*logFile, error) {
	if k.opts.LogDir == "" {
		return nil, nil
	}
	if restart > 1 {
		_ = os.Remove(k.logPath(pod, container, restart-2)) // it goes with the pod at the latest
	}
	f := &logFile{path: k.logPath(pod, container, restart)}
	return f, f.open()
}

// lastInstance returns the restart count of the last instance that an earlier kubelet has
// started, or -1. The status lacks it if the program was killed before it was written.
func (k *Kubelet) lastInstance(pod *corev1.Pod, container string) int32 {
	last := int32(-1)
	if status := statusOf(pod, container); status != nil && hasRun(status) {
		last = status.RestartCount
	}
	if k.opts.LogDir == "" {
		return last
	}
	if _, err := os.Stat(k.logPath(pod.UID, container, last+1)); err == nil {
		last++
	}
	return last
}

// append stores what was just written to the buffer. A log that cannot be stored is still
// in memory; the file then says how much is missing.
func (f *logFile) append(b *logBuffer, text []byte, now time.Time) {
	if f == nil || f.closed {
		return
	}
	size := len(text)
	if f.text += size; f.text > 2*b.limit {
		if f.rewrite(b) == nil {
			return
		}
		f.text = 0 // it is tried again later
	}
	var out []byte
	if f.lost > 0 {
		out = appendRecord(out, now, fmt.Appendf(nil, "[%d bytes of the log could not be stored: %v]\n", f.lost, f.why))
	}
	for len(text) > 0 {
		piece := text
		if end := bytes.IndexByte(text, '\n'); end >= 0 {
			piece = text[:end+1]
		}
		text = text[len(piece):]
		out = appendRecord(out, now, piece)
	}
	if err := f.write(out); err != nil {
		f.lost, f.why = f.lost+size, err
		return
	}
	f.lost = 0
}

func (f *logFile) write(out []byte) error {
	if err := f.open(); err != nil {
		return err
	}
	_, err := f.file.Write(out)
	if err != nil {
		return errors.Join(err, f.file.Truncate(f.size))
	}
	f.size += int64(len(out))
	return nil
}

// open creates the file, unless that was done.
func (f *logFile) open() error {
	if f.file != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	f.file = file
	return nil
}

// rewrite replaces the file by one with what is in the buffer.
func (f *logFile) rewrite(b *logBuffer) error {
	next := &logFile{path: f.path + ".new"}
	var out []byte
	for _, c := range b.chunks {
		out = appendRecord(out, c.at, c.text)
	}
	err := next.write(out)
	if err == nil {
		err = os.Rename(next.path, f.path)
	}
	if err != nil {
		_ = os.Remove(next.path)
		next.close()
		return err
	}
	f.close()
	next.path, next.text = f.path, b.size
	*f = *next
	return nil
}

func (f *logFile) close() {
	if f == nil {
		return
	}
	f.closed = true
	if f.file != nil {
		_ = f.file.Close() // every write was checked
		f.file = nil
	}
}

func appendRecord(out []byte, at time.Time, text []byte) []byte {
	tag := logPartial
	if line, whole := bytes.CutSuffix(text, []byte("\n")); whole {
		tag, text = logWhole, line
	}
	out = at.UTC().AppendFormat(out, time.RFC3339Nano)
	out = append(append(out, logStream...), tag...)
	return append(append(out, text...), '\n')
}

// readLog reads the log of an instance that has ended.
func readLog(path string, limit int) (*logBuffer, error) {
	b := newLogBuffer(limit, nil)
	b.closed = true
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewReaderSize(file, 64<<10)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return b, nil // what follows the last line feed was cut by a crash
		}
		if err != nil {
			return nil, err
		}
		at, rest, ok := bytes.Cut(line, []byte(logStream))
		time, err := time.Parse(time.RFC3339Nano, string(at))
		if !ok || err != nil || len(rest) <= len(logWhole) {
			return nil, fmt.Errorf("%s: line %d is damaged", path, number)
		}
		text := rest[len(logWhole):]
		if string(rest[:len(logWhole)]) == logPartial {
			text = text[:len(text)-1]
		}
		b.append(text, time)
		for b.size > b.limit && len(b.chunks) > 1 {
			b.drop()
		}
	}
}

// storedLogs reads the logs of a container that ran before this program was started: of its
// last instance, as lastInstance returns it, and of the one before.
func (k *Kubelet) storedLogs(pod *corev1.Pod, container string, last int32) (logPair, error) {
	if k.opts.LogDir == "" || last < 0 {
		return logPair{}, nil
	}
	now, err := readLog(k.logPath(pod.UID, container, last), k.opts.LogLimit)
	if err != nil || last == 0 {
		return logPair{now: now}, err
	}
	old, err := readLog(k.logPath(pod.UID, container, last-1), k.opts.LogLimit)
	return logPair{now: now, old: old}, err
}

// removeLostLogs removes the logs of pods that do not exist any more.
func (k *Kubelet) removeLostLogs() error {
	if k.opts.LogDir == "" {
		return nil
	}
	found, err := os.ReadDir(k.opts.LogDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the directory of logs: %w", err)
	}
	for _, entry := range found {
		uid := types.UID(entry.Name())
		if _, exists := k.cache.Pods.Get(uid); !exists {
			err = errors.Join(err, os.RemoveAll(k.podLogs(uid)))
		}
	}
	return nil
}
