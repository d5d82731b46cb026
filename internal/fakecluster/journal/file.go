package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
)

// File is a journal to which writes are appended. It is not safe for concurrent use.
type File struct {
	path   string
	file   *os.File
	size   int64 // of the whole lines
	start  int64 // of these, the snapshot
	closed bool
}

// ErrClosed is returned by Append after Close.
var ErrClosed = errors.New("the journal is closed")

// Create makes a journal that begins with the n objects, at the resource version rv. It
// replaces the file of that path once the new one is on the disk, and leaves it as it was
// if it fails.
func Create(path string, rv uint64, n int, objects iter.Seq2[Entry, error]) (*File, error) {
	next := path + ".new"
	file, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, file: file}
	err = f.snapshot(rv, n, objects)
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		_ = file.Close()
		_ = os.Remove(next)
		return nil, fmt.Errorf("writing the snapshot of the journal: %w", err)
	}
	syncDirectory(filepath.Dir(path))
	return f, nil
}

// snapshot writes the header and the objects.
func (f *File) snapshot(rv uint64, n int, objects iter.Seq2[Entry, error]) error {
	out := bufio.NewWriterSize(f.file, 1<<20)
	head, err := json.Marshal(header{Format: formatName, Version: formatVersion, RV: rv, Objects: n})
	if err != nil {
		return err
	}
	written, err := out.Write(append(head, '\n'))
	f.size = int64(written)
	if err != nil {
		return err
	}
	for e, err := range objects {
		if err != nil {
			return err
		}
		line, err := e.line()
		if err != nil {
			return err
		}
		written, err := out.Write(line)
		f.size += int64(written)
		if err != nil {
			return err
		}
	}
	f.start = f.size
	return out.Flush()
}

// syncDirectory makes the new name of a file survive a crash of the machine. Not every
// file system can, and the file is whole with either name.
func syncDirectory(path string) {
	if dir, err := os.Open(path); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
}

// Append stores a write, so that it survives the end of the program however it comes. A
// crash of the machine may lose the last writes, since they are not synced to the disk. A
// write that fails leaves no trace, and the next one may succeed.
func (f *File) Append(e Entry) error {
	if f.closed {
		return fmt.Errorf("%s: %w", f.path, ErrClosed)
	}
	line, err := e.line()
	if err != nil {
		return err
	}
	// A failed write may leave a part of the line, which has no line feed: Load ignores it,
	// and the next line is written over it.
	if _, err := f.file.WriteAt(line, f.size); err != nil {
		if failed := new(fs.PathError); errors.As(err, &failed) { // the file has had another name
			err = &fs.PathError{Op: failed.Op, Path: f.path, Err: failed.Err}
		}
		return err
	}
	f.size += int64(len(line))
	return nil
}

// Limits of a file that need not be written anew.
const (
	roomy  = 64 << 20
	growth = 4
)

// Overgrown reports whether the file should be written anew, since what has been appended
// is much more than the snapshot.
func (f *File) Overgrown() bool { return f.size > max(roomy, growth*f.start) }

// Keep postpones the next time at which the file is overgrown: it could not be replaced.
func (f *File) Keep() { f.start = f.size }

// Close closes the file, once it is on the disk. It is idempotent.
func (f *File) Close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	return errors.Join(f.file.Sync(), f.file.Close())
}
